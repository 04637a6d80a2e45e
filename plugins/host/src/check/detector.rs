//! What the contract promises of detectors.

use phalanx_core::{FaultKind, Purpose, Streams, Tick};

use super::story::{Answers, Story, slot};
use super::{CheckOptions, CheckReport};
use crate::contract::v0_1::detector::DetectorPlugin;
use crate::detector::check_scores;
use crate::fault::Fault;
use crate::plugin::{Learning, Plugin};
use crate::setup::{Config, Value};
use crate::slot::{Isolation, Slot};

/// Rows of a window, of a batch, and of the largest batch.
const WINDOW: usize = 128;
const BATCH: usize = 48;
const HUGE: usize = 4096;

/// A detector that is taught, asked and taught more.
pub(crate) struct DetectorStory {
    config: Config,
    columns: Vec<String>,
    learning: Learning,
}

impl DetectorStory {
    pub(crate) fn new(plugin: &Plugin, options: &CheckOptions) -> Self {
        Self {
            config: options.config.clone(),
            columns: options.columns.clone(),
            learning: plugin.about().learning.expect("detectors say how they learn"),
        }
    }

    /// Rows of different scales and offsets, the same for the same numbers.
    fn rows(&self, agent: u32, step: u64, count: usize) -> Vec<f32> {
        let mut stream = Streams::from_seed(7).stream(Purpose::SelfTest, agent, Tick(step));
        let width = self.columns.len();
        (0..count * width).map(|i| (stream.normal() * (1 + i % width) as f64 + 3.0) as f32).collect()
    }

    /// Checks every promise that one instance can be asked about.
    pub(crate) fn promises(&self, plugin: &Plugin, report: &mut CheckReport) {
        report.find("refuses a setting that it does not know", self.refuses_settings(plugin));
        report.find("takes one column and many", self.takes_widths(plugin));
        report.find("answers batches of no row, one row and 4,096 rows", self.batches(plugin));
        report.find("scores extreme rows from 0 to 1", self.extremes(plugin));
        report.find("scores a row alike alone and among others", self.rows_are_alone(plugin));
        if self.learning == Learning::Streaming {
            report.find("learns from a batch as from its rows one by one", self.rows_one_by_one(plugin));
        }
        report.find("saves what it has loaded", self.saves_what_it_loads(plugin));
        report.find("refuses a state that was cut, lengthened or made up", self.refuses_states(plugin));
    }

    fn taught(&self, plugin: &Plugin) -> Result<Slot<DetectorPlugin>, String> {
        let mut slot = slot(self, plugin, Isolation::Live, 0);
        fit(&mut slot, &self.rows(0, 1000, WINDOW)).map_err(says)?;
        Ok(slot)
    }

    fn refuses_settings(&self, plugin: &Plugin) -> Result<(), String> {
        let mut config = self.config.clone();
        config.insert("no such setting".to_owned(), Value::Number(1.0));
        let story = Self { config, columns: self.columns.clone(), learning: self.learning };
        match score(&mut slot(&story, plugin, Isolation::Live, 0), &[]) {
            Err(fault) if fault.call == "init" && fault.kind == FaultKind::Refused => Ok(()),
            Err(fault) => Err(format!("{fault}, instead of an error of `init`")),
            Ok(_) => Err("`init` took `no such setting: 1`".to_owned()),
        }
    }

    fn takes_widths(&self, plugin: &Plugin) -> Result<(), String> {
        for width in [1, 3, 64] {
            let columns: Vec<String> =
                (0..width).map(|i| self.columns.get(i).cloned().unwrap_or(format!("c{i}"))).collect();
            let story = Self { config: self.config.clone(), columns, learning: self.learning };
            let mut slot = slot(&story, plugin, Isolation::Live, 0);
            match fit(&mut slot, &story.rows(0, 0, WINDOW)) {
                // It may need particular columns, if it says so at once.
                Err(fault) if fault.call == "init" && fault.kind == FaultKind::Refused => {}
                Err(fault) => return Err(format!("{fault}, of {width} columns")),
                Ok(()) => {
                    let rows = story.rows(0, 1, BATCH);
                    let scores =
                        score(&mut slot, &rows).map_err(|fault| format!("{fault}, of {width} columns"))?;
                    check_scores(&scores, BATCH).map_err(|fault| format!("{fault}, of {width} columns"))?;
                }
            }
        }
        Ok(())
    }

    fn batches(&self, plugin: &Plugin) -> Result<(), String> {
        let mut slot = self.taught(plugin)?;
        for count in [0, 1, HUGE] {
            let rows = self.rows(0, 3, count);
            let scores = score(&mut slot, &rows).map_err(|fault| format!("{fault}, of {count} rows"))?;
            check_scores(&scores, count).map_err(|fault| format!("{fault}, of {count} rows"))?;
            if self.learning == Learning::Streaming {
                update(&mut slot, &rows).map_err(|fault| format!("{fault}, of {count} rows"))?;
            }
        }
        fit(&mut slot, &self.rows(0, 4, 1)).map_err(|fault| format!("{fault}, of one row"))?;
        fit(&mut slot, &self.rows(0, 4, HUGE)).map_err(|fault| format!("{fault}, of {HUGE} rows"))
    }

    fn extremes(&self, plugin: &Plugin) -> Result<(), String> {
        let extreme = [f32::MAX, f32::MIN, f32::MIN_POSITIVE, f32::from_bits(1), -0.0, 0.0, 1e30, -1e-30];
        let width = self.columns.len();
        let constant = |value: f32| vec![value; width * 4];
        let mixed: Vec<f32> =
            (0..width * extreme.len()).map(|i| extreme[(i + i / width) % extreme.len()]).collect();
        // Scored by an ordinary model; and learned from, which may be refused but not be answered with nonsense.
        let mut slot = self.taught(plugin)?;
        for rows in extreme.iter().map(|value| constant(*value)).chain([mixed.clone()]) {
            let scores = score(&mut slot, &rows).map_err(says)?;
            check_scores(&scores, rows.len() / width)
                .map_err(|fault| format!("{fault}; rows of {}", rows[0]))?;
        }
        for rows in extreme.iter().map(|value| constant(*value)).chain([mixed]) {
            let mut slot = super::story::slot(self, plugin, Isolation::Live, 0);
            fit(&mut slot, &rows).map_err(|fault| format!("{fault}; learning rows of {}", rows[0]))?;
            let scores = score(&mut slot, &self.rows(0, 5, BATCH)).map_err(says)?;
            check_scores(&scores, BATCH).map_err(|fault| format!("{fault}; after rows of {}", rows[0]))?;
        }
        Ok(())
    }

    fn rows_are_alone(&self, plugin: &Plugin) -> Result<(), String> {
        let mut slot = self.taught(plugin)?;
        let rows = self.rows(0, 6, BATCH);
        let together = score(&mut slot, &rows).map_err(says)?;
        check_scores(&together, BATCH).map_err(says)?;
        for (i, row) in rows.chunks_exact(self.columns.len()).enumerate() {
            let alone = score(&mut slot, row).map_err(says)?;
            check_scores(&alone, 1).map_err(says)?;
            if alone[0].to_bits() != together[i].to_bits() {
                return Err(format!("row {i} scores {} alone and {} among others", alone[0], together[i]));
            }
        }
        Ok(())
    }

    fn rows_one_by_one(&self, plugin: &Plugin) -> Result<(), String> {
        let (mut at_once, mut one_by_one) = (self.taught(plugin)?, self.taught(plugin)?);
        let rows = self.rows(0, 7, BATCH);
        update(&mut at_once, &rows).map_err(says)?;
        for row in rows.chunks_exact(self.columns.len()) {
            update(&mut one_by_one, row).map_err(says)?;
        }
        let same = at_once.state() == one_by_one.state();
        same.then_some(()).ok_or_else(|| "another state".to_owned())
    }

    fn saves_what_it_loads(&self, plugin: &Plugin) -> Result<(), String> {
        let mut original = self.taught(plugin)?;
        let state = original.state().map(<[u8]>::to_vec).unwrap_or_default();
        let mut loaded = slot(self, plugin, Isolation::Live, 0);
        loaded.restore(Some(state.clone().into()));
        let again = loaded
            .ask("save", 0, |store, guest| guest.phalanx_plugin_detector().call_save(store))
            .map_err(says)?;
        if again != state {
            return Err("another state than was loaded".to_owned());
        }
        let rows = self.rows(0, 8, BATCH);
        let same = score(&mut original, &rows).map_err(says)? == score(&mut loaded, &rows).map_err(says)?;
        same.then_some(()).ok_or_else(|| "other scores after loading".to_owned())
    }

    fn refuses_states(&self, plugin: &Plugin) -> Result<(), String> {
        let state = self.taught(plugin)?.state().map(<[u8]>::to_vec).unwrap_or_default();
        let load = |bytes: &[u8]| {
            let mut slot = slot(self, plugin, Isolation::Live, 0);
            slot.restore(Some(bytes.into()));
            score(&mut slot, &self.rows(0, 9, BATCH))
        };
        for length in [state.len() / 2, state.len().saturating_sub(1)] {
            if length < state.len() && load(&state[..length]).is_ok() {
                return Err(format!("took {length} of its {} bytes", state.len()));
            }
        }
        if load(&[&state[..], &[0; 3]].concat()).is_ok() {
            return Err(format!("took {} bytes more than it had saved", 3));
        }
        // Bytes of the right length may happen to be a state, but then it answers as one.
        for seed in 0..16 {
            let mut stream = Streams::from_seed(seed).stream(Purpose::SelfTest, 1, Tick(0));
            let noise: Vec<u8> = state.iter().map(|_| stream.bits32() as u8).collect();
            if let Ok(scores) = load(&noise) {
                check_scores(&scores, BATCH).map_err(|fault| format!("took noise, and then: {fault}"))?;
            }
        }
        Ok(())
    }
}

impl Story for DetectorStory {
    type Guest = DetectorPlugin;

    fn config(&self) -> &Config {
        &self.config
    }

    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn fuel_of(&self) -> &'static str {
        "fuel a row scored"
    }

    fn step(
        &self,
        slot: &mut Slot<DetectorPlugin>,
        agent: u32,
        step: u64,
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        if step == 0 || (self.learning == Learning::Batch && step.is_multiple_of(4)) {
            fit(slot, &self.rows(agent, 2 * step, WINDOW))?;
        }
        let rows = self.rows(agent, 2 * step + 1, BATCH);
        let scores = score(slot, &rows)?;
        check_scores(&scores, BATCH)?;
        answers.took(BATCH, slot.fuel_used());
        answers.add(scores.into_iter().flat_map(|score| score.to_bits().to_le_bytes()));
        if self.learning == Learning::Streaming {
            update(slot, &rows)?;
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` calls takes its error by value")]
fn says(fault: Fault) -> String {
    fault.to_string()
}

fn fit(slot: &mut Slot<DetectorPlugin>, rows: &[f32]) -> Result<(), Fault> {
    slot.learn("fit", rows.len(), |store, guest| guest.phalanx_plugin_detector().call_fit(store, rows))
}

fn update(slot: &mut Slot<DetectorPlugin>, rows: &[f32]) -> Result<(), Fault> {
    slot.learn("update", rows.len(), |store, guest| guest.phalanx_plugin_detector().call_update(store, rows))
}

fn score(slot: &mut Slot<DetectorPlugin>, rows: &[f32]) -> Result<Vec<f32>, Fault> {
    slot.ask("score", rows.len(), |store, guest| guest.phalanx_plugin_detector().call_score(store, rows))
}
