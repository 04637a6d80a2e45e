//! How far a run is, on standard error: a bar on a terminal, a few lines in a log, JSON for programs.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::plan::PlannedRun;
use crate::record::{RunRecord, Status};
use crate::terminal::complain;

/// Least time between two lines, so that a short run says little.
const PAUSE: Duration = Duration::from_millis(500);

/// What `--progress` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// A bar with the time that is left; lines where there is no terminal.
    #[value(alias = "bar")]
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
    said_last: bool,
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
        Self { shape, run, title, ticks, start: now, said: now, said_percent: 0, said_last: false }
    }

    /// `done` ticks have passed.
    pub fn tick(&mut self, done: u64) {
        match &self.shape {
            Shape::Bar(bar) => bar.set_position(done),
            _ => self.line(done).iter().for_each(|line| complain(line)),
        }
    }

    /// The line to say now, if any. The last is said once, however long the run takes to close what it wrote.
    fn line(&mut self, done: u64) -> Option<String> {
        let percent = done * 100 / self.ticks.max(1);
        let last = done == self.ticks;
        let step = match &self.shape {
            Shape::Silent | Shape::Bar(_) => return None,
            Shape::Lines => 10,
            Shape::Json => 1,
        };
        if self.said_last || !last && (percent < self.said_percent + step || self.said.elapsed() < PAUSE) {
            return None;
        }
        (self.said, self.said_percent, self.said_last) = (Instant::now(), percent, last);
        let elapsed_s = self.start.elapsed().as_secs_f64();
        let eta_s = elapsed_s * (self.ticks - done) as f64 / done.max(1) as f64;
        let Self { run, ticks, title, .. } = self;
        Some(match self.shape {
            Shape::Json => {
                let line = Line { event: "progress", run: *run, tick: done, ticks: *ticks, elapsed_s, eta_s };
                serde_json::to_string(&line).expect("a line is plain data") + "\n"
            }
            _ if last => format!("{title}: {done}/{ticks} ticks in {elapsed_s:.1} s\n"),
            _ => format!("{title}: {done}/{ticks} ticks ({percent} %), about {eta_s:.0} s left\n"),
        })
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Shape::Bar(bar) = &self.shape {
            bar.finish_and_clear();
        }
    }
}

/// The progress of a campaign: that of its run if there is one, of all runs otherwise.
#[derive(Debug)]
pub struct CampaignProgress(Kind);

#[derive(Debug)]
enum Kind {
    One(Progress),
    Many(Many),
}

#[derive(Debug)]
struct Many {
    shape: Shape,
    name: String,
    done: usize,
    runs: usize,
    failed: usize,
    work: f64,
    start: Instant,
    said: Instant,
    said_percent: usize,
}

#[derive(Serialize)]
struct CampaignLine {
    event: &'static str,
    runs_done: usize,
    runs: usize,
    failed: usize,
    elapsed_s: f64,
    eta_s: Option<f64>,
}

impl CampaignProgress {
    /// Begins to show runs. `already` have ended before; `work` is what all of `runs` take, in any unit.
    #[must_use]
    pub fn begin(
        mode: Option<ProgressMode>,
        name: &str,
        already: usize,
        runs: &[PlannedRun],
        ticks: u64,
        work: f64,
    ) -> Self {
        if let (0, [run]) = (already, runs) {
            return Self(Kind::One(Progress::begin(mode, run.run_id, name.to_owned(), ticks)));
        }
        let all = already + runs.len();
        let shape = match mode {
            Some(ProgressMode::None) => Shape::Silent,
            _ if runs.is_empty() => Shape::Silent,
            Some(ProgressMode::Json) => Shape::Json,
            Some(ProgressMode::Tty) | None if std::io::stderr().is_terminal() => {
                let style = ProgressStyle::with_template("{prefix} {bar:32} {pos}/{len} runs{msg}")
                    .expect("the template is valid")
                    .progress_chars("━╸─");
                let bar = ProgressBar::new(all as u64).with_style(style).with_prefix(name.to_owned());
                bar.set_position(already as u64);
                Shape::Bar(bar)
            }
            Some(ProgressMode::Tty) | None => Shape::Lines,
        };
        let now = Instant::now();
        Self(Kind::Many(Many {
            shape,
            name: name.to_owned(),
            done: already,
            runs: all,
            failed: 0,
            work,
            start: now,
            said: now,
            said_percent: 0,
        }))
    }

    /// Nothing has ended; `ticks` and `work` have been done since the beginning.
    pub fn look(&mut self, ticks: u64, work: f64) {
        match &mut self.0 {
            Kind::One(progress) => progress.tick(ticks.min(progress.ticks)),
            Kind::Many(many) => many.show(work, false),
        }
    }

    /// A run has ended.
    pub fn ended(&mut self, record: &RunRecord, ticks: u64, work: f64) {
        match &mut self.0 {
            Kind::One(progress) => progress.tick(ticks.min(progress.ticks)),
            Kind::Many(many) => {
                many.done += usize::from(record.status != Status::Interrupted);
                many.failed += usize::from(matches!(record.status, Status::Failed | Status::Timeout));
                many.show(work, true);
            }
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        match &self.0 {
            Kind::One(progress) => progress.end(),
            Kind::Many(Many { shape: Shape::Bar(bar), .. }) => bar.finish_and_clear(),
            Kind::Many(_) => {}
        }
    }
}

impl Many {
    fn show(&mut self, work: f64, ended: bool) {
        let elapsed_s = self.start.elapsed().as_secs_f64();
        // Measured: the work that is left takes as long as the work that is done.
        let eta_s = (work > 0.0).then(|| (elapsed_s * (self.work - work) / work).max(0.0));
        let left = eta_s.map_or_else(String::new, |eta| format!("{} left", about(eta)));
        let failed = if self.failed > 0 { format!("{} failed · ", self.failed) } else { String::new() };
        let percent = self.done * 100 / self.runs.max(1);
        let last = ended && self.done == self.runs;
        let step = match &self.shape {
            Shape::Silent => return,
            Shape::Bar(bar) => {
                bar.set_position(self.done as u64);
                let parts = [failed.trim_end_matches(" · "), &left];
                return bar.set_message(
                    parts
                        .iter()
                        .filter(|part| !part.is_empty())
                        .map(|part| format!(" · {part}"))
                        .collect::<String>(),
                );
            }
            Shape::Lines => 10,
            Shape::Json => 1,
        };
        if !last && (percent < self.said_percent + step || self.said.elapsed() < PAUSE) {
            return;
        }
        (self.said, self.said_percent) = (Instant::now(), percent);
        let Self { name, done, runs, .. } = self;
        match self.shape {
            Shape::Json => {
                let line = CampaignLine {
                    event: "progress",
                    runs_done: self.done,
                    runs: self.runs,
                    failed: self.failed,
                    elapsed_s,
                    eta_s,
                };
                complain(&(serde_json::to_string(&line).expect("a line is plain data") + "\n"));
            }
            _ if last => complain(&format!("{name}: {done}/{runs} runs, {failed}{}\n", span(elapsed_s))),
            _ => complain(&format!("{name}: {done}/{runs} runs ({percent} %), {failed}{left}\n")),
        }
    }
}

/// Seconds that were estimated, as a person says them.
#[must_use]
pub fn about(seconds: f64) -> String {
    let text = span(seconds);
    if text.starts_with("less") { text } else { format!("about {text}") }
}

/// Seconds as a person says them.
#[must_use]
pub fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0 if seconds < 0.1 => "less than 0.1 s".to_owned(),
        0..60 if seconds < 10.0 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

fn bar(title: &str, ticks: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:32} {pos}/{len} ticks · {eta} left")
        .expect("the template is valid")
        .progress_chars("━╸─");
    ProgressBar::new(ticks).with_style(style).with_prefix(title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_said_once() {
        for mode in [ProgressMode::Json, ProgressMode::Tty] {
            let mut progress = Progress::begin(Some(mode), 3, "a".to_owned(), 10);
            if let Shape::Bar(_) = progress.shape {
                // The tests' own terminal.
                progress.shape = Shape::Lines;
            }
            assert_eq!(progress.line(5), None, "too soon");
            let last = progress.line(10).unwrap();
            assert!(last.contains("10/10") || last.contains("\"tick\":10"), "{last}");
            assert_eq!((progress.line(10), progress.line(10)), (None, None));
        }
    }
}
