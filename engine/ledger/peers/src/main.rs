//! The ledger beside SQLite (rusqlite, WAL, `synchronous=FULL`) and redb (`Durability::Immediate`): the same
//! entries of 300 bytes, hashed into the same tree, made durable after every tick.
//!
//! ```text
//! cargo run --release --manifest-path engine/ledger/peers/Cargo.toml [-- ENTRIES [PER_TICK [ROUNDS]]]
//! cargo run --release --manifest-path engine/ledger/peers/Cargo.toml -- proofs [ENTRIES…]
//! cargo run --release --manifest-path engine/ledger/peers/Cargo.toml -- verify [ENTRIES]
//! cargo run --release --manifest-path engine/ledger/peers/Cargo.toml -- memory [ENTRIES [FOLDER]]
//! cargo run --release --manifest-path engine/ledger/peers/Cargo.toml -- read FOLDER
//! ```
//!
//! Rounds are interleaved and the best of each is shown: other processes only ever make one slower. Beside the wall
//! clock stands processor time, which they disturb less.

mod proofs;
mod reads;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use phalanx_core::{AgentId, Indicator, Prefix, SignatureId, Tick};
use phalanx_ledger::merkle::{Frontier, leaf_hash};
use phalanx_ledger::{
    Durability, Entry, Ledger, LedgerKey, LedgerReader, MemoryStore, Query, SledStore, verify, verify_dir,
};
use redb::{ReadableDatabase, ReadableTable};
use rustix::time::{ClockId, clock_gettime};

const SEED: u64 = 1;
const AGENTS: u32 = 400;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// An entry that takes 300 bytes.
fn entry(tick: u64, i: u32) -> Entry {
    let mix = (tick as u32).wrapping_mul(7919).wrapping_add(i.wrapping_mul(31));
    Entry::Reported {
        id: SignatureId { tick: Tick(tick), author: AgentId(mix % AGENTS), sequence: i as u16 },
        indicator: Indicator {
            prefix: Some(Prefix::of(0x0a00_0000 + (mix % 5000) * 256, 24)),
            port: Some((mix % 1000) as u16),
            protocol: None,
        },
        support: i,
        confidence: 0.5,
        centroid: (0..62).map(|k| (mix.wrapping_mul(k + 1) % 1000) as f32 * 0.001).collect(),
        evidence: [i as u8; 16],
    }
}

struct Clock {
    wall: Instant,
    cpu: Duration,
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Clock {
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    /// Wall and processor seconds since the start.
    fn stop(&self) -> [f64; 2] {
        [self.wall.elapsed().as_secs_f64(), (cpu() - self.cpu).as_secs_f64()]
    }
}

/// The least seconds of some rounds, wall and processor each.
#[derive(Clone, Copy)]
struct Best([f64; 2]);

impl Best {
    fn take(&mut self, [wall, cpu]: [f64; 2]) {
        self.0 = [self.0[0].min(wall), self.0[1].min(cpu)];
    }
}

const NEVER: Best = Best([f64::INFINITY; 2]);

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "memory") {
        let count = arguments.get(1).map_or(Ok(10_000_000), |n| n.parse())?;
        return match arguments.get(2) {
            Some(kept) => memory(count, Path::new(kept)),
            None => memory(count, &tempfile::tempdir_in(".")?.path().join("ledger")),
        };
    }
    if let [word, folder, kind @ ..] = arguments.as_slice()
        && word == "read"
    {
        return reads::table(Path::new(folder), kind.first().map(String::as_str));
    }
    if arguments.first().is_some_and(|word| word == "proofs") {
        let sizes: Vec<u64> = arguments[1..].iter().map(|n| n.parse()).collect::<Result<_, _>>()?;
        return proofs::table(if sizes.is_empty() { &[10_000, 1_000_000] } else { &sizes });
    }
    if arguments.first().is_some_and(|word| word == "verify") {
        return verification(arguments.get(1).map_or(Ok(1_000_000), |n| n.parse())?);
    }
    let number = |i: usize, default| arguments.get(i).map_or(Ok(default), |n| n.parse());
    let (count, per_tick, rounds) = (number(0, 200_000)?, number(1, 1000)?, number(2, 3)?);
    let ticks: Vec<Vec<Entry>> = (0..count / per_tick)
        .map(|tick| (0..per_tick as u32).map(|i| entry(tick, i)).collect())
        .collect();
    let mut bytes = Vec::new();
    ticks[0][0].encode(&mut bytes);
    println!("{count} entries of {} bytes, {per_tick} a tick, durable after every tick, best of {rounds}", bytes.len());
    println!("{:<34} {:>12} {:>14} {:>9}", "", "entries/s", "entries/cpu-s", "MiB");

    let names = ["append  phalanx-ledger", "append  redb", "append  SQLite WAL FULL"];
    let reads = ["verify  phalanx-ledger", "verify  redb", "verify  SQLite WAL FULL"];
    let (mut appended, mut verified, mut sizes) = ([NEVER; 3], [NEVER; 3], [0.0; 3]);
    let mut rest = None;
    for _ in 0..rounds {
        let folder = tempfile::tempdir_in(".")?;
        for peer in 0..3 {
            let path = folder.path().join(peer.to_string());
            let clock = Clock::start();
            match peer {
                0 => append_ours(&path, &ticks)?,
                1 => append_redb(&path, &ticks)?,
                _ => append_sqlite(&path, &ticks)?,
            }
            appended[peer].take(clock.stop());
            sizes[peer] = mebibytes(folder.path(), peer)?;
            let clock = Clock::start();
            let size = match peer {
                0 => verify_dir(&path)?.head.size - 1,
                1 => verify_redb(&path)?,
                _ => verify_sqlite(&path)?,
            };
            verified[peer].take(clock.stop());
            assert_eq!(size, count, "every entry is read back");
        }
        rest = Some(folder);
    }
    for (names, best) in [(names, appended), (reads, verified)] {
        for ((name, Best([wall, cpu])), size) in names.iter().zip(best).zip(sizes) {
            println!("{name:<34} {:>12.0} {:>14.0} {size:>9.1}", count as f64 / wall, count as f64 / cpu);
        }
    }
    opening(&rest.expect("at least one round").path().join("0"), count)
}

fn append_ours(path: &Path, ticks: &[Vec<Entry>]) -> Outcome<()> {
    let store = SledStore::create(path, Durability::Tick)?;
    let mut ledger = Ledger::create(store, LedgerKey::from_seed(SEED), [0; 32], "0.1.0", SEED)?;
    for (tick, entries) in ticks.iter().enumerate() {
        ledger.append_tick(Tick(tick as u64), entries)?;
    }
    ledger.finish()?;
    Ok(())
}

const TABLE: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("entries");
const HEADS: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("heads");

fn append_redb(path: &Path, ticks: &[Vec<Entry>]) -> Outcome<()> {
    let database = redb::Database::create(path)?;
    let (key, mut frontier, mut bytes) = (LedgerKey::from_seed(SEED), Frontier::new(), Vec::new());
    for (tick, entries) in ticks.iter().enumerate() {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for entry in entries {
                bytes.clear();
                entry.encode(&mut bytes);
                table.insert(frontier.size(), bytes.as_slice())?;
                frontier.push(leaf_hash(&bytes));
            }
            let head = key.sign(&frontier, Tick(tick as u64));
            transaction.open_table(HEADS)?.insert(0, head.to_bytes().as_slice())?;
        }
        transaction.commit()?;
    }
    Ok(())
}

fn verify_redb(path: &Path) -> Outcome<u64> {
    let database = redb::Database::open(path)?;
    let transaction = database.begin_read()?;
    let mut frontier = Frontier::new();
    for row in transaction.open_table(TABLE)?.iter()? {
        let (_, value) = row?;
        Entry::decode(value.value())?;
        frontier.push(leaf_hash(value.value()));
    }
    let heads = transaction.open_table(HEADS)?;
    let head = phalanx_ledger::Head::from_bytes(heads.get(0)?.expect("a head").value())?;
    assert_eq!(frontier.root(), head.root);
    Ok(head.size)
}

fn open_sqlite(path: &Path) -> Outcome<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn append_sqlite(path: &Path, ticks: &[Vec<Entry>]) -> Outcome<()> {
    let mut connection = open_sqlite(path)?;
    connection.execute_batch(
        "CREATE TABLE entries (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
         CREATE TABLE heads (id INTEGER PRIMARY KEY, head BLOB NOT NULL);",
    )?;
    let (key, mut frontier, mut bytes) = (LedgerKey::from_seed(SEED), Frontier::new(), Vec::new());
    for (tick, entries) in ticks.iter().enumerate() {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare("INSERT INTO entries VALUES (?1, ?2)")?;
            for entry in entries {
                bytes.clear();
                entry.encode(&mut bytes);
                insert.execute(rusqlite::params![frontier.size() as i64, bytes])?;
                frontier.push(leaf_hash(&bytes));
            }
            let head = key.sign(&frontier, Tick(tick as u64));
            transaction.execute("INSERT OR REPLACE INTO heads VALUES (0, ?1)", [head.to_bytes().to_vec()])?;
        }
        transaction.commit()?;
    }
    Ok(())
}

fn verify_sqlite(path: &Path) -> Outcome<u64> {
    let connection = open_sqlite(path)?;
    let mut frontier = Frontier::new();
    let mut select = connection.prepare("SELECT body FROM entries ORDER BY seq")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_blob()?;
        Entry::decode(body)?;
        frontier.push(leaf_hash(body));
    }
    let head: Vec<u8> = connection.query_row("SELECT head FROM heads", [], |row| row.get(0))?;
    let head = phalanx_ledger::Head::from_bytes(&head)?;
    assert_eq!(frontier.root(), head.root);
    Ok(head.size)
}

/// What only the ledger does: opening, reads by agent and indicator.
fn opening(path: &Path, count: u64) -> Outcome<()> {
    let clock = Clock::start();
    let store = SledStore::open(path, Durability::End)?;
    let [wall, cpu] = clock.stop();
    println!("{:<34} {:>9.1} ms {:>11.1} ms cpu", "open", wall * 1e3, cpu * 1e3);
    for (name, query) in [
        ("read by agent", Query { agent: Some(AgentId(7)), ..Query::default() }),
        ("read by port", Query { indicator: Some(Indicator { port: Some(80), ..Indicator::default() }), ..Query::default() }),
        ("read all", Query::default()),
    ] {
        let (clock, mut found) = (Clock::start(), 0u64);
        query.run(&store, |_, _| {
            found += 1;
            ControlFlow::Continue(())
        })?;
        println!("{name:<34} {:>9.2} ms {found:>9} of {count}", clock.stop()[1] * 1e3);
    }
    Ok(())
}

/// Verifies a ledger in memory and the same on disk.
fn verification(count: u64) -> Outcome<()> {
    let folder = tempfile::tempdir_in(".")?;
    let path = folder.path().join("ledger");
    println!("{:<10} {:>12} {:>14}", "store", "entries/s", "entries/cpu-s");
    let memory = proofs::grown(MemoryStore::new(), count)?;
    let sled = proofs::grown(SledStore::create(&path, Durability::Group { ticks: 64 })?, count)?;
    let stores: [(&str, &dyn LedgerReader); 2] = [("memory", &memory), ("sled", &sled)];
    for (name, store) in stores {
        let mut best = NEVER;
        for _ in 0..5 {
            let clock = Clock::start();
            assert_eq!(verify(store)?.head.size, count);
            best.take(clock.stop());
        }
        let Best([wall, cpu]) = best;
        println!("{name:<10} {:>12.0} {:>14.0}", count as f64 / wall, count as f64 / cpu);
    }
    Ok(())
}

/// Resident memory and its peak so far.
fn resident() -> Outcome<String> {
    Ok(format!("{}   {}", status("VmRSS")?, peak()?))
}

/// The most resident memory so far.
fn peak() -> Outcome<String> {
    status("VmHWM")
}

fn status(name: &str) -> Outcome<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    Ok(status.lines().find(|line| line.starts_with(name)).unwrap_or("").to_owned())
}

/// Appends many entries and prints the memory on the way, then reads and verifies them.
fn memory(count: u64, path: &Path) -> Outcome<()> {
    let store = SledStore::create(path, Durability::Tick)?;
    let mut ledger = Ledger::create(store, LedgerKey::from_seed(SEED), [0; 32], "0.1.0", SEED)?;
    let clock = Clock::start();
    for tick in 0..count / 1000 {
        let entries: Vec<Entry> = (0..1000).map(|i| entry(tick, i)).collect();
        ledger.append_tick(Tick(tick), &entries)?;
        if (tick + 1) % (count / 10_000).max(1) == 0 {
            println!("{:>12} entries {:>8.1} s   {}", ledger.len(), clock.stop()[0], resident()?);
        }
    }
    ledger.finish()?;
    let store = SledStore::open(path, Durability::End)?;
    println!("{:>33}   {}", "opened", resident()?);
    Query::default().run(&store, |_, _| ControlFlow::Continue(()))?;
    println!("{:>33}   {}", "read", resident()?);
    verify(&store)?;
    println!("{:>33}   {}", "verified", resident()?);
    Ok(())
}

fn mebibytes(folder: &Path, peer: usize) -> Outcome<f64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with(&peer.to_string()) {
            let path = file.path();
            let files = if path.is_dir() { std::fs::read_dir(path)?.collect() } else { vec![Ok(file)] };
            for file in files {
                bytes += file?.metadata()?.len();
            }
        }
    }
    Ok(bytes as f64 / f64::from(1 << 20))
}
