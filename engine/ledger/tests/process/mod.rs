//! A process of its own that writes a ledger: this test binary, started again for one test.

// Every test file uses a part of it.
#![allow(dead_code)]

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use phalanx_core::Tick;
use phalanx_ledger::{Durability, Head, Ledger, MemoryStore, SledStore};

use crate::common::{create, key, tick_of};

const FOLDER: &str = "PHALANX_LEDGER_FOLDER";
const POLICY: &str = "PHALANX_LEDGER_POLICY";
const TICKS: &str = "PHALANX_LEDGER_TICKS";

/// Reports of a tick: enough that some fill several values, and some hardly one.
pub(crate) fn reports(tick: u64) -> u32 {
    [3, 40, 0, 11, 90][(tick % 5) as usize]
}

/// The durability that a word stands for, and the entries of a part, if they stand behind it: `tick`, `16`, `end/100`.
fn policy(word: &str) -> (Durability, u64) {
    let (word, entries) = word.split_once('/').unwrap_or((word, "1000000"));
    let durability = match word {
        "tick" => Durability::Tick,
        "end" => Durability::End,
        group => Durability::Group { ticks: group.parse().unwrap() },
    };
    (durability, entries.parse().unwrap())
}

/// What the started process does: continues the ledger in the folder, tick after tick, and says so after each. Called
/// from a test named `writer`, which does nothing unless it was started so.
pub(crate) fn write_if_asked() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let word = |name| std::env::var_os(name).and_then(|word| word.into_string().ok()).unwrap();
    let ((durability, part_entries), ticks) = (policy(&word(POLICY)), word(TICKS).parse::<u64>().unwrap());
    let say = |text: String| {
        let mut out = std::io::stdout();
        out.write_all(text.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    say("\nbegin\n".to_owned());
    let path = Path::new(&folder);
    let ledger = if path.join("db").exists() {
        SledStore::open(path, durability)
            .map(|store| store.with_part_entries(part_entries))
            .map_err(Into::into)
            .and_then(|store| Ledger::resume(store, key()))
    } else {
        SledStore::create(path, durability)
            .map(|store| store.with_part_entries(part_entries))
            .map_err(Into::into)
            .and_then(|store| Ledger::create(store, key(), [8; 32], "0.1.0", crate::common::SEED))
    };
    let mut ledger = match ledger {
        Ok(ledger) => ledger,
        Err(error) => return say(format!("error {error:?} | {error}\n")),
    };
    // Under every policy, what was there before the first tick is on the device by now.
    say("made\n".to_owned());
    let next = if ledger.len() == 1 { 0 } else { ledger.head().tick.0 + 1 };
    for tick in next..next + ticks {
        let entries = tick_of(tick, reports(tick));
        if let Err(error) = ledger.append_tick(Tick(tick), &entries) {
            return say(format!("error {error:?} | {error}\n"));
        }
        say(format!("ack {}\n", ledger.len()));
    }
    say("done\n".to_owned());
}

/// The command that starts the writer.
pub(crate) fn writer(folder: &Path, policy: &str, ticks: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    arguments(&mut command, folder, policy, ticks);
    command
}

/// Its arguments, for a command that starts it in a roundabout way.
pub(crate) fn arguments(command: &mut Command, folder: &Path, policy: &str, ticks: u64) {
    command.args(["--exact", "writer", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env(POLICY, policy).env(TICKS, ticks.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
}

/// A running writer and what it says.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line that is the writer's own.
    pub(crate) fn line(&self) -> Option<String> {
        let own = |line: &String| {
            ["begin", "made", "ack ", "error", "done"].iter().any(|word| line.starts_with(word))
        };
        self.lines.iter().find(own)
    }

    /// Kills it, and gives all that it had said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.line()).collect()
    }

    /// Waits for its end, and gives all that it said.
    pub(crate) fn wait(mut self) -> Vec<String> {
        let lines = std::iter::from_fn(|| self.line()).collect();
        self.child.wait().unwrap();
        lines
    }
}

/// Number of entries of the last tick that was acknowledged; 0 if none was.
pub(crate) fn last_ack<'a>(lines: impl IntoIterator<Item = &'a str>) -> u64 {
    let acks = lines.into_iter().filter_map(|line| line.strip_prefix("ack ")?.trim().parse().ok());
    acks.last().unwrap_or(0)
}

/// The heads that the ledger has after each tick, made in memory as far as they are asked for.
pub(crate) struct Expected {
    ledger: Ledger<MemoryStore>,
    next: u64,
    heads: Vec<Head>,
}

impl Expected {
    pub(crate) fn new() -> Self {
        let ledger = create(MemoryStore::new());
        let heads = vec![*ledger.head()];
        Self { ledger, next: 0, heads }
    }

    /// Whether this is the head after some whole tick.
    pub(crate) fn has(&mut self, head: &Head) -> bool {
        self.grow(head.size);
        self.heads.contains(head)
    }

    /// Number of batches, that of genesis not counted, that so many entries came in.
    pub(crate) fn batches(&mut self, size: u64) -> usize {
        self.grow(size);
        self.heads.iter().filter(|head| head.size > 1 && head.size <= size).count()
    }

    fn grow(&mut self, size: u64) {
        while self.heads.last().unwrap().size < size {
            let entries = tick_of(self.next, reports(self.next));
            self.ledger.append_tick(Tick(self.next), &entries).unwrap();
            if !entries.is_empty() {
                self.heads.push(*self.ledger.head());
            }
            self.next += 1;
        }
    }
}

/// A small generator of choices, so that a failure can be repeated.
pub(crate) struct Choices(pub(crate) u64);

impl Choices {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }
}

/// A program in the search path.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
