//! `runner plugin pin`: the hashes of plugins, written into the text of a scenario and nothing else changed.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::RunnerError;
use crate::plugins::read;
use crate::record::hex;

/// Pins every plugin that the file names by `path: "….wasm"`, and says what was done.
///
/// # Errors
/// If the scenario or a plugin cannot be read, or there is none.
pub(crate) fn pin(scenario: &Path) -> Result<String, RunnerError> {
    let text = crate::scenario::source(scenario)?;
    let folder = scenario.parent().unwrap_or(Path::new(""));
    let mut told = String::new();
    let pinned = rewrite(&text, |path| {
        let file = folder.join(path);
        let bytes = read(&file)
            .map_err(|problem| RunnerError::PluginFile { file: file.clone(), problem: Box::new(problem) })?;
        let hash = hex(&Sha256::digest(&bytes));
        told += &format!("{hash}  {}\n", file.display());
        Ok::<String, RunnerError>(hash)
    })?;
    if told.is_empty() {
        return Err(RunnerError::NothingToPin { file: scenario.to_owned() });
    }
    if pinned != text {
        let aside = scenario.with_extension("ron.new");
        fs::write(&aside, &pinned).map_err(RunnerError::io("write", &aside))?;
        fs::rename(&aside, scenario).map_err(RunnerError::io("replace", scenario))?;
    }
    Ok(told)
}

/// The text with a `sha256: "…"` after every `path: "….wasm"`; one that stands there already is replaced.
fn rewrite<E>(text: &str, mut hash: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
    let mut out = String::with_capacity(text.len() + 128);
    let mut rest = text;
    while let Some((before, path, after)) = next_path(rest) {
        out.push_str(before);
        let hash = hash(path)?;
        match old_hash(after) {
            Some((gap, tail)) => {
                out.push_str(&format!("{gap}sha256: \"{hash}\""));
                rest = tail;
            }
            None => {
                out.push_str(&format!(", sha256: \"{hash}\""));
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The text up to and with the next `path: "….wasm"` outside comments, the path, and the rest.
fn next_path(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("path") {
        let start = from + found;
        from = start + 4;
        let line = &text[..start][text[..start].rfind('\n').map_or(0, |newline| newline + 1)..];
        let Some(value) = text[from..].trim_start().strip_prefix(':') else { continue };
        let Some(value) = value.trim_start().strip_prefix('"') else { continue };
        let Some(length) = value.find('"') else { continue };
        if line.contains("//") || !value[..length].ends_with(".wasm") {
            continue;
        }
        let end = text.len() - value.len() + length + 1;
        return Some((&text[..end], &value[..length], &text[end..]));
    }
    None
}

/// `, sha256: "…"` at the beginning: what stands before `sha256`, and what comes after it.
fn old_hash(text: &str) -> Option<(&str, &str)> {
    let inner = text.trim_start().strip_prefix(',')?.trim_start();
    let gap = &text[..text.len() - inner.len()];
    let value =
        inner.strip_prefix("sha256")?.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Some((gap, &value[value.find('"')? + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let once = rewrite(text, |path| Ok::<_, ()>(format!("<{path}>"))).unwrap();
        assert_eq!(once, expected);
        assert_eq!(rewrite(&once, |path| Ok::<_, ()>(format!("<{path}>"))).unwrap(), once, "pinning again");
    }

    #[test]
    fn hashes_are_written_where_they_belong() {
        check(
            "(detector: Plugin(path: \"a.wasm\"))",
            "(detector: Plugin(path: \"a.wasm\", sha256: \"<a.wasm>\"))",
        );
        check(
            "(path : \"a.wasm\",\n  sha256: \"old\",\n)",
            "(path : \"a.wasm\",\n  sha256: \"<a.wasm>\",\n)",
        );
        check("(capture: (path: \"a.csv\"))", "(capture: (path: \"a.csv\"))");
        check(
            "// path: \"a.wasm\"\n(path: \"b.wasm\")",
            "// path: \"a.wasm\"\n(path: \"b.wasm\", sha256: \"<b.wasm>\")",
        );
        check(
            "(a: (path: \"a.wasm\"), b: (path: \"b.wasm\", sha256: \"\"))",
            "(a: (path: \"a.wasm\", sha256: \"<a.wasm>\"), b: (path: \"b.wasm\", sha256: \"<b.wasm>\"))",
        );
    }
}
