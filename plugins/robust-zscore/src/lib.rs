//! Robust z-scores as a plugin: the glue between the contract and `robust_zscore.rs`.

mod robust_zscore;

use std::cell::RefCell;

use exports::phalanx::plugin::detector::{Guest, Info, Learning, Setting};
use robust_zscore::RobustZScore;

wit_bindgen::generate!({ path: "../wit", world: "detector-plugin" });

struct Plugin;

thread_local! {
    /// A plugin runs on one thread; this is how Rust writes that.
    static MODEL: RefCell<RobustZScore> = RefCell::new(RobustZScore::new(1));
}

impl Guest for Plugin {
    fn describe() -> Info {
        Info { name: "robust-zscore".into(), version: "0.1.0".into(), learning: Learning::Batch }
    }

    fn init(config: Vec<Setting>, columns: Vec<String>, _seed: u64) -> Result<(), String> {
        if let Some(setting) = config.first() {
            return Err(format!("there is no setting `{}`: this plugin has none", setting.name));
        }
        MODEL.set(RobustZScore::new(columns.len()));
        Ok(())
    }

    fn fit(rows: Vec<f32>) -> Result<(), String> {
        MODEL.with_borrow_mut(|model| model.fit(&rows));
        Ok(())
    }

    fn update(_rows: Vec<f32>) -> Result<(), String> {
        Err("it learns from whole windows: call `fit`".into())
    }

    fn score(rows: Vec<f32>) -> Result<Vec<f32>, String> {
        Ok(MODEL.with_borrow(|model| model.score(&rows)))
    }

    fn save() -> Result<Vec<u8>, String> {
        Ok(MODEL.with_borrow(RobustZScore::save))
    }

    fn load(state: Vec<u8>) -> Result<(), String> {
        MODEL
            .with_borrow_mut(|model| model.load(&state))
            .ok_or_else(|| "not a state of this many columns".into())
    }
}

export!(Plugin);
