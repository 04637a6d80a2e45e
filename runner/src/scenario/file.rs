//! The layers that are files: a scenario, the file it extends, and so on down.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use phalanx_capture::CaptureMap;
use phalanx_sim::scenario::{Detector, Scenario, Traffic};
use serde::Deserialize;
use serde_json::Value;

use super::error::{Origin, Problem, ScenarioError};
use super::path::{is_within, nearest, parent};
use super::text::{self, Mistake, Place};

/// One file, read.
#[derive(Debug)]
pub(super) struct Layer {
    file: PathBuf,
    text: String,
    // What the layers below say, defaults included.
    lower: Value,
    seen: BTreeSet<String>,
}

/// A scenario from a file and the files it extends, the topmost first.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) scenario: Scenario,
    pub(super) layers: Vec<Layer>,
}

impl Stack {
    /// A scenario whose text is not at hand.
    pub(super) fn without_text(file: &Path, scenario: Scenario) -> Self {
        let lower = to_value(&scenario);
        let layer = Layer { file: file.to_owned(), text: "()".to_owned(), lower, seen: BTreeSet::new() };
        Self { scenario, layers: vec![layer] }
    }
}

/// Reads `file` and what it extends.
pub(super) fn read(file: &Path) -> Result<Stack, ScenarioError> {
    read_above(file, &mut Vec::new(), None)
}

// `above` are the files on the way here; `extended_at` is where the one above names this one.
fn read_above(
    file: &Path,
    above: &mut Vec<PathBuf>,
    extended_at: Option<&dyn Fn(Problem) -> ScenarioError>,
) -> Result<Stack, ScenarioError> {
    let fail = |problem| match extended_at {
        Some(extended_at) => extended_at(problem),
        None => ScenarioError::new(Origin::file(file), "", problem),
    };
    let text = read_text(file, &fail)?;
    let identity = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    if above.contains(&identity) {
        let names = above.iter().chain([&identity]).skip_while(|f| **f != identity);
        return Err(fail(Problem::Cycle { chain: names.map(|f| file_name(f)).collect() }));
    }
    above.push(identity);

    let mut layers = Vec::new();
    let mut lower = Scenario::default();
    if let Some(base) = extends(&text) {
        let base_file = file.parent().unwrap_or(Path::new("")).join(&base);
        let at = |problem| {
            let place = text::locate::<Scenario>(&text, None, "extends");
            let problem = match problem {
                Problem::NoSuchFile { nearest } => Problem::Refused {
                    message: format!(
                        "no file `{}`{}",
                        base_file.display(),
                        nearest.map_or_else(String::new, |n| format!("; did you mean `{n}`?"))
                    ),
                },
                other => other,
            };
            placed(file, &text, Mistake { path: "extends".to_owned(), problem, place })
        };
        let below = read_above(&base_file, above, Some(&at))?;
        lower = below.scenario;
        layers = below.layers;
    }
    let lower = to_value(&lower);
    let (mut scenario, seen) =
        text::read::<Scenario>(&text, Some(&lower)).map_err(|mistake| placed(file, &text, mistake))?;
    scenario.extends = None;
    rebase(&mut scenario, file.parent().unwrap_or(Path::new("")), |path| seen.contains(path));
    layers.insert(0, Layer { file: file.to_owned(), text, lower, seen });
    Ok(Stack { scenario, layers })
}

/// The text of one file, without what it extends.
pub(crate) fn source(file: &Path) -> Result<String, ScenarioError> {
    read_text(file, &|problem| ScenarioError::new(Origin::file(file), "", problem))
}

fn read_text(file: &Path, fail: &dyn Fn(Problem) -> ScenarioError) -> Result<String, ScenarioError> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(_) if file.is_dir() => return Err(fail(Problem::Folder)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(fail(Problem::NoSuchFile { nearest: neighbour(file) }));
        }
        Err(error) => return Err(fail(Problem::Unreadable { reason: error.to_string() })),
    };
    String::from_utf8(bytes).map_err(|error| {
        let valid =
            String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let line = 1 + valid.matches('\n').count();
        let column = 1 + valid.chars().rev().take_while(|c| *c != '\n').count();
        let origin = Origin::File { file: file.display().to_string(), position: Some((line, column)) };
        ScenarioError::new(origin, "", Problem::NotUtf8)
    })
}

/// The scenario file in the same folder whose name is most alike.
fn neighbour(file: &Path) -> Option<String> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut names: Vec<String> = fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| file_name(&entry.path()))
        .filter(|name| name.ends_with(".ron"))
        .collect();
    names.sort();
    let wanted = file_name(file);
    let stem = |name: &str| name.trim_end_matches(".ron").to_owned();
    let stems: Vec<String> = names.iter().map(|n| stem(n)).collect();
    let found = nearest(&stem(&wanted), stems.iter().map(String::as_str))?;
    let name = format!("{found}.ron");
    Some(file.with_file_name(name).display().to_string())
}

fn file_name(file: &Path) -> String {
    file.file_name().map_or_else(|| file.display().to_string(), |n| n.to_string_lossy().into_owned())
}

/// What a file extends, if that much of it can be read; mistakes are reported by the full reading.
fn extends(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        extends: Option<String>,
    }
    text::options().from_str::<Head>(text).ok()?.extends
}

/// Makes the paths of a layer absolute: those that it gave itself are relative to `folder`.
pub(super) fn rebase(scenario: &mut Scenario, folder: &Path, given: impl Fn(&str) -> bool) {
    let absolute = |path: &str| {
        let joined = folder.join(path);
        std::path::absolute(&joined).unwrap_or(joined).to_string_lossy().into_owned()
    };
    if let Detector::Plugin(plugin) = &mut scenario.detector
        && given("detector.plugin.path")
        && !plugin.path.is_empty()
    {
        plugin.path = absolute(&plugin.path);
    }
    if let Some(plugin) = &mut scenario.consensus.plugin
        && given("consensus.plugin.path")
        && !plugin.path.is_empty()
    {
        plugin.path = absolute(&plugin.path);
    }
    let Traffic::Capture(capture) = &mut scenario.traffic else { return };
    if given("traffic.capture.path") && !capture.path.is_empty() {
        capture.path = absolute(&capture.path);
    }
    if given("traffic.capture.map") && CaptureMap::builtin(&capture.map).is_none() {
        capture.map = absolute(&capture.map);
    }
}

/// The scenario as JSON, all fields present.
pub(super) fn to_value(scenario: &Scenario) -> Value {
    serde_json::to_value(scenario).expect("a scenario is plain data with text keys")
}

/// The default of a field, as it would be written.
pub(super) fn default_of(path: &str) -> Option<String> {
    let defaults = to_value(&Scenario::default());
    let mut value = &defaults;
    for segment in path.split('.') {
        value = match value {
            Value::Object(fields) => fields.iter().find(|(name, _)| super::path::same_name(name, segment))?.1,
            _ => return None,
        };
    }
    match value {
        Value::Object(variant) if variant.len() == 1 => {
            let (name, _) = variant.iter().next()?;
            name.starts_with(char::is_uppercase).then(|| format!("`{name}(…)`"))
        }
        Value::Object(_) | Value::Array(_) => None,
        // Unit variants are bare words in RON, and look like text in JSON.
        Value::String(text) if text.starts_with(char::is_uppercase) => Some(format!("`{text}`")),
        scalar => Some(format!("`{scalar}`")),
    }
}

impl Layer {
    /// Whether this file gives `path` or something inside it.
    pub(super) fn gives(&self, path: &str) -> bool {
        self.seen.iter().any(|seen| is_within(seen, path))
    }

    /// Whether this file gives something that encloses `path`, beyond the scenario as a whole.
    pub(super) fn touches(&self, path: &str) -> bool {
        let mut ancestor = path;
        while !ancestor.is_empty() {
            if self.seen.contains(ancestor) {
                return true;
            }
            ancestor = parent(ancestor);
        }
        false
    }

    /// An error at `path` in this file, or at what encloses it.
    pub(super) fn error_at(&self, path: &str, problem: Problem) -> ScenarioError {
        let place = text::locate::<Scenario>(&self.text, Some(&self.lower), path);
        placed(&self.file, &self.text, Mistake { path: path.to_owned(), problem, place })
    }
}

fn placed(file: &Path, text: &str, mistake: Mistake) -> ScenarioError {
    let Mistake { path, problem, place } = mistake;
    let Place { line, column, offset, length } = place;
    let name = file.display().to_string();
    let origin = Origin::File { file: name.clone(), position: Some((line, column)) };
    let default = default_of(&path);
    ScenarioError::new(origin, path, problem).with_snippet(&name, text, offset, length).with_default(default)
}
