//! How far a run is, on standard error: a bar on a terminal, a few lines in a log, JSON for programs.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::terminal::complain;

/// Least time between two lines, so that a short run says little.
const PAUSE: Duration = Duration::from_millis(500);

/// What `--progress` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// A bar with the time that is left.
    Tty,
    /// One JSON object a line, on standard error.
    Json,
    /// Nothing.
    None,
}

/// The progress of one run.
#[derive(Debug)]
pub struct Progress {
    shape: Shape,
    run: u32,
    title: String,
    ticks: u64,
    start: Instant,
    said: Instant,
    said_percent: u64,
}

#[derive(Debug)]
enum Shape {
    Bar(ProgressBar),
    Lines,
    Json,
    Silent,
}

#[derive(Serialize)]
struct Line {
    event: &'static str,
    run: u32,
    tick: u64,
    ticks: u64,
    elapsed_s: f64,
    eta_s: f64,
}

impl Progress {
    /// Begins to show a run. Without a mode it is a bar on a terminal and lines elsewhere.
    #[must_use]
    pub fn begin(mode: Option<ProgressMode>, run: u32, title: String, ticks: u64) -> Self {
        let shape = match mode {
            Some(ProgressMode::None) => Shape::Silent,
            Some(ProgressMode::Json) => Shape::Json,
            Some(ProgressMode::Tty) | None if std::io::stderr().is_terminal() => {
                Shape::Bar(bar(&title, ticks))
            }
            Some(ProgressMode::Tty) | None => Shape::Lines,
        };
        let now = Instant::now();
        Self { shape, run, title, ticks, start: now, said: now, said_percent: 0 }
    }

    /// `done` ticks have passed.
    pub fn tick(&mut self, done: u64) {
        let percent = done * 100 / self.ticks.max(1);
        let last = done == self.ticks;
        let step = match &self.shape {
            Shape::Silent => return,
            Shape::Bar(bar) => return bar.set_position(done),
            Shape::Lines => 10,
            Shape::Json => 1,
        };
        if !last && (percent < self.said_percent + step || self.said.elapsed() < PAUSE) {
            return;
        }
        self.said = Instant::now();
        self.said_percent = percent;
        let elapsed_s = self.start.elapsed().as_secs_f64();
        let eta_s = elapsed_s * (self.ticks - done) as f64 / done.max(1) as f64;
        let Self { run, ticks, title, .. } = self;
        match self.shape {
            Shape::Json => {
                let line = Line { event: "progress", run: *run, tick: done, ticks: *ticks, elapsed_s, eta_s };
                complain(&(serde_json::to_string(&line).expect("a line is plain data") + "\n"));
            }
            _ if last => complain(&format!("{title}: {done}/{ticks} ticks in {elapsed_s:.1} s\n")),
            _ => complain(&format!("{title}: {done}/{ticks} ticks ({percent} %), about {eta_s:.0} s left\n")),
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Shape::Bar(bar) = &self.shape {
            bar.finish_and_clear();
        }
    }
}

fn bar(title: &str, ticks: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:32} {pos}/{len} ticks · {eta} left")
        .expect("the template is valid")
        .progress_chars("━╸─");
    ProgressBar::new(ticks).with_style(style).with_prefix(title.to_owned())
}
