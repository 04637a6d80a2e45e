//! `runner ledger list` and `show`.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use phalanx_core::{AgentId, Indicator, Tick};
use phalanx_ledger::{Entry, LedgerError, Query, merkle::leaf_hash};
use serde_json::Value;

use super::arguments;
use super::output::Out;
use crate::commands::print;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::ledger::{json as text, source};
use crate::record::hex;
use crate::terminal::Style;

/// Arguments of `ledger list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Output folder of one run, folder of a ledger, or sealed file
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Only entries of this kind: reported, confirmed, decided, trust … (repeatable)
    #[arg(long, value_name = "KIND", value_parser = arguments::kind)]
    kind: Vec<Vec<&'static str>>,
    /// Only what concerns this agent: as author, voter, or whom something happened to
    #[arg(long, value_name = "N")]
    agent: Option<u32>,
    /// Only these ticks: 7, or 3..9 for ticks 3 to 9
    #[arg(long, value_name = "A..B", value_parser = arguments::ticks)]
    ticks: Option<(Tick, Tick)>,
    /// Only reports with all parts of this indicator, and what became of them: 203.0.113.0/24:22/tcp, :443, udp
    #[arg(long, value_name = "INDICATOR", value_parser = arguments::indicator)]
    indicator: Option<Indicator>,
    /// Only entries behind this one, for reading on where one left off
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

/// Arguments of `ledger show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Output folder of one run, folder of a ledger, or sealed file
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Number of the entry, from 0
    #[arg(value_name = "N")]
    index: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn list(args: &ListArgs) -> Result<Exit, RunnerError> {
    let reader = source::open(&args.dir)?;
    let query = Query {
        from: args.after.map_or(0, |after| after.saturating_add(1)),
        labels: args.kind.concat(),
        agent: args.agent.map(AgentId),
        ticks: args.ticks,
        indicator: args.indicator,
    };
    let style = Style::of_stdout();
    let mut left = args.limit.unwrap_or(u64::MAX);
    Out::open(None)?.write(|out| {
        let failed = RunnerError::io("write to", "standard output".as_ref());
        if !args.json {
            let heading =
                style.dim(&format!("{:>10} {:>8} {:>7}  {:<12} what", "entry", "tick", "agent", "kind"));
            if let Err(error) = writeln!(out, "{heading}") {
                return Err(failed(error));
            }
        }
        let mut written = Ok(());
        let shown = query.run(&*reader, |index, entry| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            written = if args.json {
                writeln!(out, "{}", text::entry(index, &entry))
            } else {
                writeln!(out, "{}", line(index, &entry, style))
            };
            if written.is_ok() && left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        shown.map_err(|error| source::of_path(error, &args.dir))?;
        written.map_err(failed)
    })?;
    Ok(Exit::Ok)
}

fn line(index: u64, entry: &Entry, style: Style) -> String {
    let cell = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let tick = cell(entry.tick().map(|tick| tick.to_string()));
    let agent = cell(text::agent(entry).map(|agent| agent.to_string()));
    let label = format!("{:<12}", entry.label());
    let label = match entry.label() {
        "confirmed" => style.good(&label),
        "rejected" | "plugin-fault" => style.bad(&label),
        _ => label,
    };
    format!("{index:>10} {tick:>8} {agent:>7}  {label} {}", text::summary(entry))
}

pub(super) fn show(args: &ShowArgs) -> Result<Exit, RunnerError> {
    let reader = source::open(&args.dir)?;
    let of_path = |error| source::of_path(error, &args.dir);
    let index = args.index;
    let bytes = reader.get(index).map_err(|error| of_path(error.into()))?;
    let Some(bytes) = bytes else {
        let size = reader.head().map_err(|error| of_path(error.into()))?.map_or(0, |stored| stored.head.size);
        return Err(of_path(LedgerError::OutOfRange { index, size }));
    };
    let entry = Entry::decode(&bytes).map_err(|source| of_path(LedgerError::Decode { index, source }))?;
    let mut object = text::entry(index, &entry);
    object["leaf_hash"] = hex(&leaf_hash(&bytes)).into();
    object["bytes"] = hex(&bytes).into();
    if args.json {
        print(&format!("{object}\n"))?;
        return Ok(Exit::Ok);
    }
    let style = Style::of_stdout();
    let fields = object.as_object().map(|fields| fields.iter().collect::<Vec<_>>()).unwrap_or_default();
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut shown = String::new();
    for (name, value) in fields {
        let name = style.heading(&format!("{:<width$}", name.replace('_', " ")));
        shown += &format!("{name}  {}\n", plain(value));
    }
    print(&shown)?;
    Ok(Exit::Ok)
}

/// A value without JSON's quotes and brackets.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
