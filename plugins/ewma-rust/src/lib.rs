//! Moving averages as a plugin: the glue between the contract and `ewma.rs`.

mod ewma;
mod pair;

use std::cell::RefCell;

use ewma::Ewma;
use exports::phalanx::plugin::detector::{Guest, Info, Learning, Setting, Value};

wit_bindgen::generate!({ path: "../wit", world: "detector-plugin" });

struct Plugin;

thread_local! {
    /// A plugin runs on one thread; this is how Rust writes that.
    static MODEL: RefCell<Ewma> = RefCell::new(Ewma::new(1, 0.2));
}

impl Guest for Plugin {
    fn describe() -> Info {
        Info { name: "ewma-rust".into(), version: "0.1.0".into(), learning: Learning::Streaming }
    }

    fn init(config: Vec<Setting>, columns: Vec<String>, _seed: u64) -> Result<(), String> {
        let mut lambda = 0.2;
        for Setting { name, value } in &config {
            match (name.as_str(), value) {
                ("lambda", Value::Number(number)) if *number > 0.0 && *number <= 1.0 => lambda = *number,
                ("lambda", Value::Number(_)) => return Err("`lambda` must be above 0 and at most 1".into()),
                _ => return Err(format!("`{name}`: the only setting is `lambda`, a number")),
            }
        }
        MODEL.set(Ewma::new(columns.len(), lambda));
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
        Ok(MODEL.with_borrow(Ewma::save))
    }

    fn load(state: Vec<u8>) -> Result<(), String> {
        MODEL
            .with_borrow_mut(|model| model.load(&state))
            .ok_or_else(|| "not a state of this many columns".into())
    }
}

export!(Plugin);
