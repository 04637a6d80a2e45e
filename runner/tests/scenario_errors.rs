//! Every way to write a scenario wrongly: what is said, exit code 2, and nothing written.

mod common;

use common::Bench;

/// Runs `text` as `s.ron` and returns what is said.
fn complaint(text: impl AsRef<[u8]>, arguments: &[&str]) -> String {
    let bench = Bench::new();
    bench.write("s.ron", text).write("base.ron", "(agents: 5)");
    said(&bench, &[&["s.ron", "--out", "out"], arguments].concat())
}

fn said(bench: &Bench, arguments: &[&str]) -> String {
    let before = bench.files();
    let said = bench.run(arguments).expect(2);
    assert_eq!(said.stdout, "", "nothing is said on standard output");
    assert_eq!(bench.files(), before, "nothing is written");
    said.stderr
}

/// The first line names place, path and problem; the help names the remedy.
#[track_caller]
fn check(text: &str, title: &str, help: &str) {
    let said = complaint(text, &[]);
    let first = said.lines().next().unwrap_or_default();
    assert_eq!(first.trim_start_matches([' ', 'x']), title);
    let last = said.lines().rfind(|line| line.contains("help: ")).unwrap_or_default();
    assert!(last.contains(help), "{last:?} should contain {help:?}");
}

#[test]
fn unknown_fields_are_named_with_the_nearest() {
    check("(agnets: 3)", "s.ron:1:2: agnets: unknown field `agnets`", "did you mean `agents`?");
    check(
        "(\n    consensus: (\n        quorom: 0.6,\n    ),\n)",
        "s.ron:3:9: consensus.quorom: unknown field `quorom`",
        "did you mean `quorum`? the fields here are: rule, plugin, quorum, deadline_ticks",
    );
    check(
        "(traffic: Synthetic(flow: 3))",
        "s.ron:1:21: traffic.synthetic.flow: unknown field `flow`",
        "did you mean `flows`?",
    );
    check(
        "(detector: IsolationForest(treess: 3))",
        "s.ron:1:28: detector.isolation_forest.treess: unknown field `treess`",
        "did you mean `trees`?",
    );
    check(
        "(campaigns: [(kind: Worm),\n (kind: Beacon, strat: 3)])",
        "s.ron:2:17: campaigns.1.strat: unknown field `strat`",
        "did you mean `start`?",
    );
    check("(colour: 3)", "s.ron:1:2: colour: unknown field `colour`", "the fields here are: extends, agents");
}

#[test]
fn unknown_variants_are_named_with_the_nearest() {
    check(
        "(detector: isolationforest())",
        "s.ron:1:12: detector: unknown variant `isolationforest`",
        "`IsolationForest`?",
    );
    check(
        "(campaigns: [(kind: Wurm)])",
        "s.ron:1:21: campaigns.0.kind: unknown variant `Wurm`",
        "did you mean `Worm`?",
    );
    check(
        "(consensus: (rule: Fiat))",
        "s.ron:1:20: consensus.rule: unknown variant `Fiat`",
        "Majority, TrustWeighted",
    );
}

#[test]
fn wrong_types_say_what_was_expected() {
    let whole = "expected a whole number, found";
    check("(agents: \"ten\")", &format!("s.ron:1:10: agents: {whole} `\"ten\"`"), "its default is `25`");
    check("(agents: 2.5)", &format!("s.ron:1:10: agents: {whole} `2.5`"), "change `agents`");
    check("(agents: ten)", &format!("s.ron:1:10: agents: {whole} `ten`"), "change `agents`");
    check("(agents: [3])", &format!("s.ron:1:10: agents: {whole} several values"), "change `agents`");
    check(
        "(network: (enabled: 1))",
        "s.ron:1:21: network.enabled: expected true or false, found `1`",
        "`true`",
    );
    check("(seed: -1)", "s.ron:1:8: seed: expected a whole number of 0 or more, found `-1`", "`42`");
    check(
        "(threshold: Fixed(\"a\"))",
        "s.ron:1:19: threshold.fixed: expected a number, found `\"a\"`",
        "change",
    );
    check("(network: 5)", "s.ron:1:11: network: expected a block `( field: value, … )`, found `5`", "change");
    check("(campaigns: 5)", "s.ron:1:13: campaigns: expected a list `[ … ]`, found `5`", "change");
    check(
        "(detector: 5)",
        "s.ron:1:12: detector: expected one of IsolationForest, ExtendedForest, KurtosisForest, HalfSpaceTrees, RandomCutForest, ZScore, Ecod, Copod, Hbos, Loda, Knn, Mahalanobis, Pca, Ensemble, Ewma, Cusum, Rules, Plugin, found `5`",
        "change",
    );
}

#[test]
fn values_out_of_range_say_the_range() {
    check(
        "(consensus: (quorum: 1.5))",
        "s.ron:1:22: consensus.quorum: 1.5 is out of range: expected a number from 0 to 1",
        "change `consensus.quorum`; its default is `0.5`",
    );
    check(
        "(ticks: -5)",
        "s.ron:1:9: ticks: -5 is out of range: expected a whole number from 1 to 1073741824",
        "its default is `50`",
    );
    check(
        "(agents: 0)",
        "s.ron:1:10: agents: 0 is out of range: expected a whole number from 1 to 1073741824",
        "`25`",
    );
}

#[test]
fn contradictions_point_at_the_value_to_change() {
    check(
        "(\n network: (\n  latency: (min_ticks: 5, max_ticks: 2)))",
        "s.ron:3:38: network.latency.max_ticks: 2 is below min_ticks (5): give at least that",
        "--set network.latency.max_ticks=",
    );
    let stand_in = format!(
        "(detector: Plugin(path: \"a.wasm\", sha256: \"{}\", on_fault: Native(Rules([Any([])]))))",
        "0".repeat(64)
    );
    check(
        &stand_in,
        "s.ron:1:135: detector.plugin.on_fault.native.rules.0: a rule without clauses says nothing: give it at least one",
        "--set detector.plugin",
    );
    let error = complaint("(agents: 3)", &["--set", "network.latency.min_ticks=7"]);
    assert!(
        error.contains("--set network.latency.min_ticks=7: network.latency.max_ticks: 1 is below"),
        "{error}"
    );
}

#[test]
fn syntax_errors_have_a_place() {
    check("(agents: 3 ticks: 4)", "s.ron:1:12: not valid RON: expected comma", "with commas between fields");
    check(
        "(agents: 3",
        "s.ron:1:11: not valid RON: expected comma, and the text ends here",
        "( field: value",
    );
    check("", "s.ron:1:1: not valid RON: expected `(`, and the text ends here", "( field: value");
    check("(agents: 3) x", "s.ron:1:13: not valid RON: non-whitespace trailing characters", "( field: value");
    check("(agents: 3, agents: 4)", "s.ron:1:13: agents: field `agents` is given twice", "remove one");
    check("(campaigns: [(start: 3)])", "s.ron:1:14: campaigns.0: field `kind` is missing", "add `kind: …`");
}

#[test]
fn files_that_are_no_scenario_files() {
    let error = complaint(b"(agents: 3,\n \xff)", &[]);
    assert!(
        error.contains("s.ron:2:2: not UTF-8 text") && error.contains("save the file as UTF-8"),
        "{error}"
    );

    let bench = Bench::new();
    bench.write("edge.ron", "()").write("folder/a.ron", "()");
    let error = said(&bench, &["egde.ron"]);
    assert!(
        error.contains("egde.ron: no such file") && error.contains("did you mean `edge.ron`?"),
        "{error}"
    );
    let error = said(&bench, &["folder"]);
    assert!(error.contains("folder: is a folder, expected a scenario file"), "{error}");
}

#[test]
fn extends_is_checked_where_it_stands() {
    check(
        "(extends: \"bse.ron\")",
        "s.ron:1:11: extends: no file `bse.ron`; did you mean `base.ron`?",
        "change",
    );
    check(
        "(extends: \"s.ron\")",
        "s.ron:1:11: extends: the file extends itself: s.ron → s.ron",
        "remove one",
    );

    let bench = Bench::new();
    bench.write("a.ron", "(extends: \"deep/b.ron\")").write("deep/b.ron", "(\n  extends: \"../a.ron\")");
    let error = said(&bench, &["a.ron"]);
    assert!(
        error.contains("deep/b.ron:2:12: extends: the file extends itself: a.ron → b.ron → a.ron"),
        "{error}"
    );

    bench.write("deep/b.ron", "(agnets: 3)");
    let error = said(&bench, &["a.ron"]);
    assert!(error.contains("deep/b.ron:1:2: agnets: unknown field"), "the base names itself: {error}");
}

#[test]
fn flags_and_variables_name_themselves() {
    let error = complaint("()", &["--set", "consensus.quorom=0.6"]);
    assert!(
        error.contains("--set consensus.quorom=0.6: consensus.quorom: unknown field `quorom`"),
        "{error}"
    );
    assert!(error.contains("did you mean `quorum`?"), "{error}");
    let error = complaint("()", &["--set", "quorum"]);
    assert!(error.contains("--set quorum: expected path.to.field=value"), "{error}");

    let bench = Bench::new().with_variable("PHALANX_CONSENSUS__QUORUM", "1.5");
    bench.write("s.ron", "()");
    let error = said(&bench, &["s.ron"]);
    assert!(
        error.contains(
            "environment variable PHALANX_CONSENSUS__QUORUM=1.5: consensus.quorum: 1.5 is out of range"
        ),
        "{error}"
    );
}

#[test]
fn the_whole_message_reads_well() {
    let said = complaint("(\n    agents: 3,\n    consensus: (rule: Majority, quorom: 0.5),\n)", &[]);
    insta::assert_snapshot!(said, @r"
     x s.ron:3:33: consensus.quorom: unknown field `quorom`
      ,-[s.ron:3:33]
    2 |     agents: 3,
    3 |     consensus: (rule: Majority, quorom: 0.5),
      :                                 ^^^|^^
      :                                    `-- unknown field `quorom`
    4 | )
      `----
     help: did you mean `quorum`? the fields here are: rule, plugin, quorum, deadline_ticks, electorate, prior, merge, similarity, heed_blacklist
    ");
    let said = complaint("(agents: 3)", &["--set", "agents=many"]);
    insta::assert_snapshot!(said, @r"
    x --set agents=many: agents: expected a whole number, found `many`
    help: change `agents`; its default is `25`
    ");
}

#[test]
fn captures_are_checked_before_anything_is_written() {
    let bench = Bench::new();
    bench.write("s.ron", "(traffic: Capture(path: \"data/flows.csv\"))");
    let error = said(&bench, &["s.ron"]);
    assert!(error.contains("traffic.capture.path: ") && error.contains("data/flows.csv"), "{error}");
    assert!(error.contains("no such file"), "{error}");
}

#[test]
fn check_reports_every_file() {
    let bench = Bench::new();
    bench.write("a.ron", "()").write("b.ron", "(agnets: 1)").write("c.ron", "(ticks: 0)");
    let said = bench.run(&["scenario", "check", "a.ron", "b.ron", "c.ron"]).expect(2);
    assert_eq!(said.stdout, "ok  a.ron\n");
    assert!(said.stderr.contains("b.ron:1:2") && said.stderr.contains("c.ron:1:9"), "{}", said.stderr);
    bench.run(&["scenario", "check", "a.ron"]).expect(0);
}
