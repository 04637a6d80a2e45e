//! Maps that contradict themselves, with the whole message.

use phalanx_capture::CaptureMap;

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(CaptureMap::from_ron(text).expect_err("a bad map").to_string(), expected);
}

/// A map of these columns and whatever follows them.
#[track_caller]
fn check_columns(columns: &str, rest: &str, expected: &str) {
    let text = format!("(name: \"m\", header: false, columns: [{columns}]{rest})");
    check(&text, &format!("capture map \"m\": {expected}"));
}

#[test]
fn syntax() {
    check(
        "(\n  name: \"m\",\n  headers: false,\n)",
        "capture map, line 3 column 3: Unexpected field named `headers` in `CaptureMap`, expected one of `name`, \
         `delimiter`, `header`, `columns`, `protocol`, `port`, `remote`, `columns_by_name`, \
         `not_finite`, `empty`, `unknown_protocol`, or `encoding` instead",
    );
}

#[test]
fn content() {
    let x = "(\"x\", Numeric())";
    let delimiter = "delimiter '\"' cannot be used; take another ASCII character, such as ',' or '\\t'";
    check_columns(x, ", delimiter: '\"'", delimiter);
    check_columns("(\"a=b\", Numeric())", "", "column name \"a=b\" is empty or contains '='; rename it");
    let twice = "column \"x\" is there twice; rename one, or make it Drop";
    check_columns(&format!("{x}, {x}"), "", twice);
    check_columns(&format!("{x}, (\"x\", Drop)"), ", port: Number(\"x\")", twice);
    check_columns(
        &format!("{x}, (\"class\", Label(benign: []))"),
        "",
        "label column \"class\" has no benign name; list those that mean \"no attack\"",
    );
    check_columns(
        "(\"x\", Drop)",
        "",
        "no column is Numeric or Categorical; a detector needs at least one feature",
    );
    check_columns(
        &format!("{x}, (\"a\", Label(benign: [\"0\"])), (\"b\", Label(benign: [\"0\"]))"),
        "",
        "two columns are Label; make one of them Drop",
    );
    check_columns(
        x,
        ", protocol: \"proto\"",
        "`protocol` names column \"proto\", which is not among the columns; correct the name",
    );
    let names = ", port: Names(column: \"x\", names: [\"http\", \"http\"])";
    check_columns(x, names, "port names must be distinct and at most 65535");
}

#[test]
fn shipped_maps_survive_a_round_trip() {
    for name in CaptureMap::builtin_names() {
        let map = CaptureMap::builtin(name).unwrap();
        assert_eq!(map.name, name);
        assert_eq!(CaptureMap::from_ron(&ron::to_string(&map).unwrap()).unwrap(), map);
    }
    assert_eq!(CaptureMap::builtin("nsl-kdd"), None);
    assert_eq!(CaptureMap::builtin("nsl_kdd").unwrap().columns.len(), 43);
}
