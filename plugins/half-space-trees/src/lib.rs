//! Half-space trees as a plugin: the glue between the contract and `half_space.rs`.

mod half_space;

use std::cell::RefCell;

use exports::phalanx::plugin::detector::{Guest, Info, Learning, Setting, Value};
use half_space::{COLUMNS_MAX, HalfSpaceTrees, Size};

wit_bindgen::generate!({ path: "../wit", world: "detector-plugin" });

struct Plugin;

const DEFAULT: Size = Size { trees: 25, window: 250 };

thread_local! {
    /// A plugin runs on one thread; this is how Rust writes that.
    static MODEL: RefCell<HalfSpaceTrees> = RefCell::new(HalfSpaceTrees::new(DEFAULT, 1, 0));
}

/// The size that the configuration asks for.
fn size(config: &[Setting]) -> Result<Size, String> {
    let mut size = DEFAULT;
    for Setting { name, value } in config {
        let (Value::Number(number), true) = (value, matches!(name.as_str(), "trees" | "window")) else {
            return Err(format!("`{name}`: the settings are `trees` and `window`, both numbers"));
        };
        let most = if name == "trees" { 256 } else { 65536 };
        if !(1.0..=f64::from(most)).contains(number) || number.fract() != 0.0 {
            return Err(format!("`{name}` must be a whole number from 1 to {most}"));
        }
        if name == "trees" { size.trees = *number as usize } else { size.window = *number as u32 }
    }
    Ok(size)
}

impl Guest for Plugin {
    fn describe() -> Info {
        Info { name: "half-space-trees".into(), version: "0.1.0".into(), learning: Learning::Streaming }
    }

    fn init(config: Vec<Setting>, columns: Vec<String>, seed: u64) -> Result<(), String> {
        if columns.len() > COLUMNS_MAX {
            return Err(format!("{} columns: at most {COLUMNS_MAX} can be cut", columns.len()));
        }
        MODEL.set(HalfSpaceTrees::new(size(&config)?, columns.len(), seed));
        Ok(())
    }

    fn fit(rows: Vec<f32>) -> Result<(), String> {
        MODEL.with_borrow_mut(|model| model.fit(&rows));
        Ok(())
    }

    fn update(rows: Vec<f32>) -> Result<(), String> {
        MODEL.with_borrow_mut(|model| model.update(&rows));
        Ok(())
    }

    fn score(rows: Vec<f32>) -> Result<Vec<f32>, String> {
        Ok(MODEL.with_borrow(|model| model.score(&rows)))
    }

    fn save() -> Result<Vec<u8>, String> {
        Ok(MODEL.with_borrow(HalfSpaceTrees::save))
    }

    fn load(state: Vec<u8>) -> Result<(), String> {
        MODEL.with_borrow_mut(|model| model.load(&state)).ok_or_else(|| "not a state of these trees".into())
    }
}

export!(Plugin);
