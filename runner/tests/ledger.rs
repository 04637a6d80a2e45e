//! `runner ledger …` on ledgers that are whole, damaged, forked, or none.

mod common;

use std::fs;

use common::{Bench, SMALL};
use serde_json::Value;

#[test]
fn a_ledger_verifies_until_it_is_damaged() {
    let bench = Bench::new();
    bench.write("small.ron", SMALL);
    bench.run(&["small.ron", "--reps", "2", "--out", "out", "-q"]).expect(0);
    let said = bench.run(&["ledger", "verify", "out"]).expect(0);
    for part in ["ok  out/ledger/0", "ok  out/ledger/1", "entries, head of tick 7, signature ok", "root "] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    bench.run(&["ledger", "verify", "out/ledger/1"]).expect(0);

    let db = bench.path("out/ledger/1/db");
    let mut bytes = fs::read(&db).unwrap();
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    let genesis = bytes.windows(version.len()).position(|w| w == version).expect("genesis names the version");
    bytes[genesis] ^= 1;
    fs::write(&db, bytes).unwrap();
    let said = bench.run(&["ledger", "verify", "out"]).expect(4);
    assert!(said.stdout.contains("ok  out/ledger/0"), "the others are still checked: {}", said.stdout);
    assert!(said.stderr.contains("FAILED  out/ledger/1"), "{}", said.stderr);
}

#[test]
fn the_ledger_does_not_depend_on_threads_or_durability() {
    let bench = Bench::new();
    bench.write("small.ron", SMALL);
    bench.run(&["small.ron", "--threads", "1", "--out", "a", "-q"]).expect(0);
    bench
        .run(&["small.ron", "--threads", "2", "--set", "ledger.durability=Tick", "--out", "b", "-q"])
        .expect(0);
    let root = |folder: &str| {
        let said = bench.run(&["ledger", "verify", folder]).expect(0).stdout;
        said.lines().find(|line| line.contains("root")).unwrap().to_owned()
    };
    assert_eq!(root("a"), root("b"));
}

#[test]
fn folders_without_a_ledger_are_bad_input() {
    let bench = Bench::new();
    fs::create_dir(bench.path("empty")).unwrap();
    for folder in ["absent", "empty"] {
        let said = bench.run(&["ledger", "verify", folder]).expect(2);
        assert!(said.stderr.contains(&format!("{folder} holds no ledger")), "{}", said.stderr);
    }
}

/// Whoever is handed a ledger to check may not be allowed to change it, and the database writes when it is opened.
#[test]
#[cfg(unix)]
fn a_ledger_that_cannot_be_written_is_read_in_a_copy() {
    use std::os::unix::fs::PermissionsExt;
    let bench = one_run();
    fs::set_permissions(bench.path("."), fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |arguments: &[&str]| bench.run_as_nobody(arguments);
    let before = fs::read(bench.path("a/ledger/0/db")).unwrap();
    let Some(said) = as_nobody(&["ledger", "verify", "a"]) else { return };
    let said = said.expect(0);
    assert!(said.stdout.contains("ok  a/ledger/0"), "{}", said.stdout);
    assert!(said.stderr.contains("a/ledger/0 cannot be written"), "{}", said.stderr);
    let listed = as_nobody(&["ledger", "list", "a", "--json"]).unwrap().expect(0);
    assert_eq!(fs::read(bench.path("a/ledger/0/db")).unwrap(), before, "nothing was written");
    assert_eq!(listed.stdout, bench.run(&["ledger", "list", "a", "--json"]).stdout);

    let db = bench.path("a/ledger/0/db");
    let mut damaged = before;
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    let genesis = damaged.windows(version.len()).position(|w| w == version).unwrap();
    damaged[genesis] ^= 1;
    fs::write(&db, damaged).unwrap();
    let said = as_nobody(&["ledger", "verify", "a"]).unwrap().expect(4);
    assert!(said.stderr.contains("FAILED  a/ledger/0"), "{}", said.stderr);
}

/// Makes a ledger of several parts, for which a run takes millions of entries; gives their first entries.
fn ledger_in_parts(bench: &Bench) -> Vec<u64> {
    use phalanx_core::Tick;
    use phalanx_ledger::{Durability, Entry, Ledger, LedgerKey, SledStore};
    let store = SledStore::create(&bench.path("parts"), Durability::Tick).unwrap().with_part_entries(3);
    let mut ledger = Ledger::create(store, LedgerKey::from_seed(5), [0; 32], "0.1.0", 5).unwrap();
    let mut firsts = vec![0];
    for tick in 0..12 {
        let entry = Entry::Fingerprint { tick: Tick(tick), fingerprint: [tick as u8; 32] };
        ledger.append_tick(Tick(tick), &[entry]).unwrap();
        let first = ledger.len() - 1;
        firsts.extend(bench.path(&format!("parts/part-{first}")).exists().then_some(first));
    }
    ledger.finish().unwrap();
    assert_eq!(firsts, [0, 3, 6, 9, 12]);
    firsts
}

#[test]
fn a_ledger_of_several_parts_is_read_as_one() {
    let bench = Bench::new();
    let firsts = ledger_in_parts(&bench);
    let said = bench.run(&["ledger", "verify", "parts"]).expect(0);
    assert!(said.stdout.contains("13 entries, head of tick 11, signature ok"), "{}", said.stdout);
    let listed = bench.run(&["ledger", "list", "parts", "--after", "4"]).expect(0).stdout;
    assert_eq!(listed.lines().filter(|line| line.contains("fingerprint")).count(), 8, "{listed}");
    bench.run(&["ledger", "show", "parts", "4"]).expect(0);
    bench.run(&["ledger", "seal", "parts", "--out", "sealed"]).expect(0);
    for first in &firsts[1..] {
        let (part, aside) = (bench.path(&format!("parts/part-{first}")), bench.path("aside"));
        fs::rename(&part, &aside).unwrap();
        let said = bench.run(&["ledger", "verify", "parts", "--json"]).expect(4);
        let finding = &json(&said.stdout)["ledgers"][0];
        assert_eq!(finding["index"], *first, "{finding}");
        let text = finding["finding"].as_str().unwrap();
        assert!(text.contains(&format!("parts/part-{first}")) && text.contains("is missing"), "{text}");
        fs::rename(&aside, &part).unwrap();
    }
    bench.run(&["ledger", "verify", "parts"]).expect(0);
}

#[test]
#[cfg(unix)]
fn a_ledger_of_several_parts_is_read_in_a_copy_if_one_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    ledger_in_parts(&bench);
    for folder in [".", "parts"] {
        fs::set_permissions(bench.path(folder), fs::Permissions::from_mode(0o777)).unwrap();
    }
    // All but the last part belong to root.
    let Some(said) = bench.run_as_nobody(&["ledger", "verify", "parts"]) else { return };
    let said = said.expect(0);
    assert!(said.stdout.contains("13 entries"), "{}", said.stdout);
    assert!(said.stderr.contains("parts cannot be written"), "{}", said.stderr);
}

/// The database writes when it is opened, for which a full disk has no room.
#[test]
#[cfg(unix)]
fn a_ledger_on_a_full_disk_is_read_in_a_copy() {
    let bench = one_run();
    // In a namespace of its own, so that the mount goes with the shell.
    let script = "mkdir full && mount -t tmpfs -o size=4m tmpfs full && cp -r a full || exit 77
                  cat /dev/zero > full/filler 2>/dev/null
                  \"$1\" ledger verify full/a
                  exit $((100 + $?))";
    let runner = bench.command(&[]);
    let output = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(runner.get_program())
        .current_dir(bench.path("."))
        .output();
    let Some(output) = output.ok().filter(|output| output.status.code() >= Some(100)) else {
        eprintln!("SKIPPED: only root may mount a small disk, with `unshare`");
        return;
    };
    let said = common::Said::from(&output).expect(100);
    assert!(said.stdout.contains("ok  full/a/ledger/0"), "{}", said.stdout);
    assert!(said.stderr.contains("a copy is read"), "{}", said.stderr);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A run of four ticks less than another one of the same seed, and that one: the first ledger is no prefix of the
/// second, because a scenario's length is part of it.
fn two_runs() -> Bench {
    let bench = Bench::new();
    bench.write("small.ron", SMALL);
    bench.run(&["small.ron", "--out", "a", "-q"]).expect(0);
    bench.run(&["small.ron", "--set", "ticks=4", "--out", "b", "-q"]).expect(0);
    bench
}

fn one_run() -> Bench {
    let bench = Bench::new();
    bench.write("small.ron", SMALL);
    bench.run(&["small.ron", "--out", "a", "-q"]).expect(0);
    bench
}

#[test]
fn entries_are_listed_and_shown() {
    let bench = one_run();
    let list = |arguments: &[&str]| {
        let arguments = [&["ledger", "list", "a", "--json"], arguments].concat();
        let said = bench.run(&arguments).expect(0).stdout;
        said.lines().map(json).collect::<Vec<Value>>()
    };
    let all = list(&[]);
    assert_eq!(all[0]["kind"], "genesis");
    assert!(all.iter().enumerate().all(|(i, entry)| entry["index"] == i));
    let of = |test: &dyn Fn(&Value) -> bool| all.iter().filter(|e| test(e)).cloned().collect::<Vec<_>>();
    let reported = of(&|e| e["kind"] == "reported");
    assert!(reported.len() > 1, "something happened: {all:?}");
    assert_eq!(list(&["--kind", "reported"]), reported);
    assert_eq!(list(&["--kind", "decided"]), of(&|e| e["eligible"].is_number()));
    assert_eq!(list(&["--ticks", "2..3"]), of(&|e| e["tick"] == 2 || e["tick"] == 3));
    assert_eq!(list(&["--after", "3"]), all[4..]);
    assert_eq!(list(&["--after", "3", "--limit", "2"]), all[4..6]);
    let (agent, indicator) = (&reported[0]["agent"], reported[0]["indicator"].as_str().unwrap());
    assert_eq!(list(&["--agent", &agent.to_string()]), of(&|e| e["agent"] == *agent));
    let signatures: Vec<&Value> =
        reported.iter().filter(|e| e["indicator"] == indicator).map(|e| &e["signature"]).collect();
    assert_eq!(list(&["--indicator", indicator]), of(&|e| signatures.contains(&&e["signature"])));

    let said = bench.run(&["ledger", "list", "a/ledger/0", "--kind", "genesis"]).expect(0).stdout;
    assert!(said.contains("seed 42, engine "), "{said}");
    assert!(!said.contains('\u{1b}'), "no colours in a file");
    let shown = json(&bench.run(&["ledger", "show", "a", "1", "--json"]).expect(0).stdout);
    assert_eq!(shown["evidence"], all[1]["evidence"]);
    let said = bench.run(&["ledger", "show", "a", "1"]).expect(0).stdout;
    assert!(said.contains("leaf hash") && said.contains(shown["leaf_hash"].as_str().unwrap()), "{said}");
}

#[test]
fn proofs_hold_under_a_head_that_somebody_kept() {
    let bench = one_run();
    bench.run(&["ledger", "head", "a", "--output", "head.json"]).expect(0);
    let size = json(&bench.read("head.json"))["size"].as_u64().unwrap();
    bench.run(&["ledger", "prove", "a", "3", "--output", "p.json"]).expect(0);
    for head in ["head.json", "a/ledger/0/head", "a"] {
        let said = bench.run(&["ledger", "verify-proof", "p.json", "--head", head]).expect(0);
        assert!(said.stdout.contains("ok  entry 3 is in the ledger"), "{}", said.stdout);
        assert_eq!(said.stderr, "");
    }
    let said = bench.run(&["ledger", "verify-proof", "p.json"]).expect(0);
    assert!(said.stderr.contains("came with the proof"), "{}", said.stderr);
    let (old, new) = (size / 2, size.to_string());
    bench
        .run(&["ledger", "prove", "a", "--consistency", &old.to_string(), &new, "--output", "c.json"])
        .expect(0);
    let said = bench.run(&["ledger", "verify-proof", "c.json", "--head", "head.json", "--json"]).expect(0);
    assert_eq!(json(&said.stdout)["old_size"], old);

    // Every hash and every byte counts.
    for (file, field) in [("p.json", "entry"), ("p.json", "path"), ("c.json", "path"), ("c.json", "old_root")]
    {
        let mut proof = json(&bench.read(file));
        let text = if field == "path" { &mut proof[field][0] } else { &mut proof[field] };
        let mut digits = text.as_str().unwrap().to_owned();
        let last = if digits.ends_with('0') { "1" } else { "0" };
        digits.replace_range(digits.len() - 1.., last);
        *text = digits.into();
        bench.write("bad.json", proof.to_string());
        let said = bench.run(&["ledger", "verify-proof", "bad.json", "--head", "head.json"]).expect(4);
        assert!(said.stderr.contains("do not lead to the root"), "{field}: {}", said.stderr);
    }
    let mut head = json(&bench.read("head.json"));
    head["tick"] = 99.into();
    bench.write("forged.json", head.to_string());
    let said = bench.run(&["ledger", "verify-proof", "p.json", "--head", "forged.json"]).expect(4);
    assert!(said.stderr.contains("not signed"), "{}", said.stderr);
}

#[test]
fn wrong_numbers_and_files_are_bad_input() {
    let bench = one_run();
    bench.write("text", "text").write("empty.json", "{}");
    bench.run(&["ledger", "prove", "a", "1", "--size", "4", "--output", "p.json"]).expect(0);
    bench.run(&["ledger", "head", "a", "--output", "head.json"]).expect(0);
    for (arguments, part) in [
        (&["show", "a", "9999"][..], "there is no entry 9999; the ledger has"),
        (&["prove", "a", "9999"], "there is no entry 9999"),
        (&["prove", "a", "1", "--size", "9999"], "never had 9999 entries"),
        (&["prove", "a", "--consistency", "3", "2"], "0 < M <= N"),
        (&["prove", "a", "--consistency", "0", "2"], "0 < M <= N"),
        (&["prove", "a"], "required"),
        (&["list", "a", "--kind", "confirm"], "no kind of entry; there are decided"),
        (&["list", "a", "--ticks", "9..3"], "write 7, or 3..9"),
        (&["list", "a", "--indicator", "10.0.0"], "203.0.113.0/24:22/tcp"),
        (&["list", "absent"], "absent holds no ledger"),
        (&["verify", "text"], "text holds no ledger"),
        (&["verify", "a", "--head", "text"], "head text: it is neither"),
        (&["verify", "a", "--head", "empty.json"], "missing field"),
        (&["verify-proof", "text"], "proof text:"),
        (
            &["verify-proof", "p.json", "--head", "head.json"],
            "the proof is for 4 entries and the head counts",
        ),
        (&["export", "a", "--format", "csv", "--output", "text"], "text exists and is not overwritten"),
        (&["export", "a", "--format", "stix", "--epoch", "yesterday"], "write 2026-01-01"),
        (&["import", "text", "--out", "x"], "line 1 is not the head"),
        (&["import", "head.json", "--out", "x"], "line 1 is not the head"),
        (&["verify", "--gossip", "a/ledger/0/head", "a/ledger/0/head"], "it does not name its key"),
    ] {
        let said = bench.run(&[&["ledger"], arguments].concat()).expect(2);
        assert!(said.stderr.contains(part), "{arguments:?}: {}", said.stderr);
    }
    let said = bench.run(&["ledger", "verify", "a", "--head", "absent"]).expect(1);
    assert!(said.stderr.contains("cannot read the head in absent"), "{}", said.stderr);
    bench.run(&["small.ron", "--reps", "2", "--out", "two", "-q"]).expect(0);
    let said = bench.run(&["ledger", "list", "two"]).expect(2);
    assert!(
        said.stderr.contains("holds 2 ledgers") && said.stderr.contains("two/ledger/0"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_kept_head_finds_another_ledger() {
    let bench = two_runs();
    bench.run(&["ledger", "head", "a", "--output", "a.json"]).expect(0);
    bench.run(&["ledger", "head", "b", "--output", "b.json"]).expect(0);
    let said = bench.run(&["ledger", "verify", "a", "--head", "a.json"]).expect(0).stdout;
    assert!(said.contains("agrees with the kept head of"), "{said}");
    let said = bench.run(&["ledger", "verify", "a", "--head", "b.json", "--json"]).expect(4).stdout;
    let finding = json(&said)["ledgers"][0].clone();
    assert_eq!(finding["status"], "failed");
    assert!(finding["finding"].as_str().unwrap().contains("head that was kept"), "{finding}");

    // Heads of different sizes: only the ledger tells.
    let said = bench.run(&["ledger", "verify", "--gossip", "a.json", "b.json"]).expect(0).stdout;
    assert!(said.contains("name its folder too"), "{said}");
    bench.run(&["ledger", "verify", "a", "--gossip", "a.json", "b.json"]).expect(4);
    bench.run(&["ledger", "verify", "a", "--gossip", "a.json", "a/ledger/0/head"]).expect(0);
    bench.run(&["ledger", "verify", "--gossip", "a.json", "a.json"]).expect(0);
    // Another scenario of as many entries, signed by the same key.
    bench.write("quiet.ron", "(agents: 2, ticks: 1)").write("other.ron", "(agents: 3, ticks: 1)");
    for name in ["quiet", "other"] {
        bench.run(&[&format!("{name}.ron"), "--out", name, "-q"]).expect(0);
        bench.run(&["ledger", "head", name, "--output", &format!("{name}.json")]).expect(0);
    }
    let said = bench.run(&["ledger", "verify", "--gossip", "quiet.json", "other.json"]).expect(4).stderr;
    assert!(said.contains("keeps two ledgers"), "{said}");
}

#[test]
fn a_witness_refuses_a_ledger_that_was_rewritten() {
    let bench = two_runs();
    let look = |dir: &str| bench.run(&["ledger", "witness", dir, "--state", "seen.json"]);
    assert!(look("a").expect(0).stdout.contains("first look"));
    assert!(look("a").expect(0).stdout.contains("grew out of the"));
    let before = bench.read("seen.json");
    let said = look("b").expect(4);
    assert!(said.stderr.contains("REFUSED  b"), "{}", said.stderr);
    assert_eq!(bench.read("seen.json"), before);
}

#[test]
fn sealed_exported_and_imported_it_is_the_same_ledger() {
    let bench = one_run();
    let root = |dir: &str| {
        let said = bench.run(&["ledger", "verify", dir, "--json"]).expect(0).stdout;
        json(&said)["ledgers"][0]["root"].clone()
    };
    let expected = root("a");
    let sealed = json(&bench.run(&["ledger", "seal", "a", "--out", "seals", "--json"]).expect(0).stdout);
    let path = sealed["path"].as_str().unwrap();
    assert!(path.contains(sealed["sha256"].as_str().unwrap()));
    assert_eq!(root(path), expected);
    bench.run(&["ledger", "import", path, "--out", "c"]).expect(0);
    assert_eq!(root("c"), expected);
    bench.run(&["ledger", "export", "a", "--format", "jsonl", "--output", "a.jsonl"]).expect(0);
    bench.run(&["ledger", "import", "a.jsonl", "--out", "d"]).expect(0);
    assert_eq!(root("d"), expected);
    assert_eq!(bench.run(&["ledger", "import", "a.jsonl", "--out", "d"]).expect(2).stdout, "");

    // An export with a changed, a missing and a doubled line.
    let text = bench.read("a.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    let check = |lines: &[&str], code, part: &str| {
        bench.write("edited.jsonl", lines.join("\n"));
        let said =
            bench.run(&["ledger", "import", "edited.jsonl", "--out", &format!("e{code}{}", lines.len())]);
        let said = said.expect(code);
        assert!(said.stderr.contains(part), "{}", said.stderr);
        let left = bench.files().into_iter().filter(|name| name.starts_with('e') && name != "edited.jsonl");
        assert_eq!(left.collect::<Vec<_>>(), [""; 0], "a failed import leaves nothing");
    };
    check(&lines[..lines.len() - 1], 4, "entries were cut off");
    check(&[&lines[..], &lines[4..5]].concat(), 4, "lies behind the head");
    let (before, after) = lines[3].split_once("\"bytes\":\"").expect("an entry has bytes");
    let edited = format!("{before}\"bytes\":\"zz{}", &after[2..]);
    check(&[&lines[..3], &[&edited], &lines[4..]].concat(), 2, "line 4: `bytes` is not pairs of hex digits");
}

#[test]
fn tables_have_a_row_an_entry() {
    let bench = one_run();
    let size = bench.run(&["ledger", "list", "a", "--json"]).expect(0).stdout.lines().count();
    let csv = bench.run(&["ledger", "export", "a", "--format", "csv"]).expect(0).stdout;
    assert_eq!(csv.lines().count(), size + 1);
    assert!(csv.starts_with("index,kind,tick,agent,signature,indicator,"), "{csv}");
    bench.run(&["ledger", "export", "a", "--format", "parquet", "--output", "a.parquet"]).expect(0);
    let bytes = fs::read(bench.path("a.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let file = fs::File::open(bench.path("a.parquet")).unwrap();
    let reader = parquet::file::reader::FileReader::metadata(
        &parquet::file::serialized_reader::SerializedFileReader::new(file).unwrap(),
    )
    .clone();
    assert_eq!(reader.file_metadata().num_rows(), size as i64);
}

#[test]
fn a_bundle_refers_only_to_what_it_holds() {
    let bench = one_run();
    let export = |arguments: &[&str]| {
        let arguments = [&["ledger", "export", "a", "--format", "stix"], arguments].concat();
        bench.run(&arguments).expect(0).stdout
    };
    let text = export(&[]);
    assert_eq!(text, export(&[]), "the same ledger, the same bytes");
    let bundle = json(&text);
    let objects = bundle["objects"].as_array().unwrap();
    let ids: Vec<&str> = objects.iter().map(|object| object["id"].as_str().unwrap()).collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    let mut references = 0;
    for object in objects {
        for (name, value) in object.as_object().unwrap() {
            let named: Vec<&Value> = match value {
                Value::Array(items) if name.ends_with("_refs") => items.iter().collect(),
                value if name.ends_with("_ref") => vec![value],
                _ => continue,
            };
            for reference in named {
                references += 1;
                assert!(ids.contains(&reference.as_str().unwrap()), "{name} of {object}");
            }
        }
    }
    assert!(references > 10);
    let count = |kind: &str| objects.iter().filter(|object| object["type"] == kind).count();
    assert!(count("indicator") > 0 && count("indicator") == count("sighting") && count("opinion") > 0);
    assert_eq!(objects[0]["name"], "TLP:GREEN");
    assert_eq!(json(&export(&["--tlp", "red"]))["objects"][0]["definition"]["tlp"], "red");
    let later = json(&export(&["--epoch", "2030-05-06", "--tick-seconds", "3600"]));
    assert_eq!(later["objects"][1]["created"], "2030-05-06T00:00:00.000Z");
    assert_eq!(later["objects"][1]["id"], bundle["objects"][1]["id"]);
}

#[test]
fn agents_sign_and_ballots_are_kept_when_the_scenario_says_so() {
    let bench = one_run();
    let words =
        ["--set", "ledger.signing=Ed25519", "--set", "ledger.votes=true", "--set", "ledger.trust=true"];
    bench.run(&[&["small.ron", "--out", "s", "-q"], &words[..]].concat()).expect(0);
    let report =
        json(&bench.run(&["ledger", "verify", "s", "--json"]).expect(0).stdout)["ledgers"][0].clone();
    let count = |label: &str| report["counts"][label].as_u64().unwrap_or(0);
    assert!(count("reported") > 0 && count("trust") > 0);
    assert_eq!((count("keys"), count("statement")), (1, count("reported")));
    let list = |dir: &str, kind: &str| {
        let said = bench.run(&["ledger", "list", dir, "--kind", kind, "--json"]).expect(0).stdout;
        said.lines().map(json).collect::<Vec<Value>>()
    };
    // Every decision comes with as many ballots as it counts, and signatures of all of them.
    let (ballots, decided) = (list("s", "ballots"), list("s", "decided"));
    let len = |value: &Value| value.as_array().unwrap().len() as u64;
    let mut signatures = 0;
    for decision in &decided {
        let of: Vec<&Value> = ballots.iter().filter(|b| b["signature"] == decision["signature"]).collect();
        let sum = |name: &str| of.iter().map(|b| len(&b[name])).sum::<u64>();
        assert_eq!(
            (sum("yes"), sum("no")),
            (decision["yes"].as_u64().unwrap(), decision["no"].as_u64().unwrap())
        );
        signatures += sum("signatures");
    }
    assert!(signatures > 0);
    assert_eq!(report["statements"], count("reported") + signatures);
    // Votes of one agent are found under it, and each is an opinion in STIX.
    let voter = ballots.iter().flat_map(|b| b["yes"].as_array().unwrap()).next().unwrap().to_string();
    let of_voter = bench
        .run(&["ledger", "list", "s", "--agent", &voter, "--kind", "ballots", "--json"])
        .expect(0)
        .stdout;
    assert!(of_voter.lines().count() > 0);
    let bundle = json(&bench.run(&["ledger", "export", "s", "--format", "stix"]).expect(0).stdout);
    let opinions =
        bundle["objects"].as_array().unwrap().iter().filter(|o| o["type"] == "opinion").count() as u64;
    assert_eq!(opinions, decided.len() as u64 + signatures);
    // What the run did is the same: its reports and decisions are those of a run without.
    let strip = |dir: &str, kind: &str| {
        let without = |mut entry: Value| {
            entry.as_object_mut().unwrap().remove("index");
            entry
        };
        list(dir, kind).into_iter().map(without).collect::<Vec<_>>()
    };
    for kind in ["reported", "decided"] {
        assert_eq!(strip("s", kind), strip("a", kind));
    }
}
