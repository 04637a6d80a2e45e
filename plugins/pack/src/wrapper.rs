//! The component around a core module, as text.
//!
//! What `wit-component` would write for the interfaces of `../wit`: functions are lifted from the core module's exports,
//! and a shim component gives the types the names that an exported interface needs.

use std::fmt::Write;

use crate::Kind;

/// One function of an interface: its name, parameters and result.
struct Function {
    name: &'static str,
    parameters: &'static str,
    result: &'static str,
}

const fn function(name: &'static str, parameters: &'static str, result: &'static str) -> Function {
    Function { name, parameters, result }
}

/// The functions that keep and restore state are the same for all kinds.
const SAVE: Function = function("save", "", "(result (list u8) (error string))");
const LOAD: Function = function("load", "(param \"state\" (list u8))", "(result (error string))");

const DETECTOR: &[Function] = &[
    function("describe", "", "$info"),
    function(
        "init",
        "(param \"config\" (list $setting)) (param \"columns\" (list string)) (param \"seed\" u64)",
        "(result (error string))",
    ),
    function("fit", "(param \"rows\" (list f32))", "(result (error string))"),
    function("update", "(param \"rows\" (list f32))", "(result (error string))"),
    function("score", "(param \"rows\" (list f32))", "(result (list f32) (error string))"),
    SAVE,
    LOAD,
];

/// The named types of an interface, in an order in which each knows those before it.
type Types = &'static [(&'static str, &'static str)];

const DETECTOR_TYPES: Types = &[
    ("learning", "(enum \"batch\" \"streaming\")"),
    ("info", "(record (field \"name\" string) (field \"version\" string) (field \"learning\" $learning))"),
    ("value", "(variant (case \"flag\" bool) (case \"number\" f64) (case \"text\" string))"),
    ("setting", "(record (field \"name\" string) (field \"value\" $value))"),
];

const VOTING: &[Function] = &[
    function("describe", "", "$info"),
    function("init", "(param \"config\" (list $setting)) (param \"seed\" u64)", "(result (error string))"),
    function(
        "decide",
        "(param \"question\" $question) (param \"ballots\" (list $ballot)) (param \"standings\" (list $standing))",
        "(result $verdict (error string))",
    ),
    function(
        "learn",
        "(param \"ballots\" (list $ballot)) (param \"standings\" (list $standing))",
        "(result (error string))",
    ),
    SAVE,
    LOAD,
];

const VOTING_TYPES: Types = &[
    ("info", "(record (field \"name\" string) (field \"version\" string))"),
    ("value", "(variant (case \"flag\" bool) (case \"number\" f64) (case \"text\" string))"),
    ("setting", "(record (field \"name\" string) (field \"value\" $value))"),
    (
        "question",
        "(record (field \"author\" u32) (field \"eligible\" u32) (field \"eligible-trust\" f64) (field \"quorum\" f64) (field \"prior\" f64) (field \"expired\" bool) (field \"attempt\" u32))",
    ),
    (
        "ballot",
        "(record (field \"voter\" u32) (field \"yes\" bool) (field \"score\" f32) (field \"confidence\" f32))",
    ),
    (
        "standing",
        "(record (field \"trust\" f64) (field \"uncertainty\" f64) (field \"tpr\" f64) (field \"fpr\" f64))",
    ),
    ("verdict", "(enum \"open\" \"confirm\" \"reject\")"),
];

fn interface(kind: Kind) -> (&'static [Function], Types) {
    match kind {
        Kind::Detector => (DETECTOR, DETECTOR_TYPES),
        Kind::Voting => (VOTING, VOTING_TYPES),
    }
}

/// Names of the functions that a core module of this kind exports.
pub(crate) fn functions(kind: Kind) -> impl Iterator<Item = &'static str> {
    interface(kind).0.iter().map(|function| function.name)
}

/// The component around an empty core module, which [`filled`] replaces. `core_name` says what the core module calls a
/// function, and `post_return` what it wants called after a result has been read.
pub(crate) fn component(
    kind: Kind,
    core_name: impl Fn(&str) -> String,
    post_return: impl Fn(&str) -> Option<String>,
) -> String {
    let (functions, types) = interface(kind);
    let mut text = String::with_capacity(8192);
    let mut put = |line: String| writeln!(text, "{line}").expect("a text takes every line");
    put("(component (core module)".to_owned());
    put("(core instance $i (instantiate 0))".to_owned());
    put("(alias core export $i \"memory\" (core memory $memory))".to_owned());
    put("(alias core export $i \"cabi_realloc\" (core func $realloc))".to_owned());
    types.iter().for_each(|(name, shape)| put(format!("(type ${name} {shape})")));
    for Function { name, parameters, result } in functions {
        put(format!("(type $t-{name} (func {parameters} (result {result})))"));
        put(format!("(alias core export $i \"{}\" (core func $c-{name}))", core_name(name)));
        let post_return = post_return(name).map_or_else(String::new, |after| {
            put(format!("(alias core export $i \"{after}\" (core func $p-{name}))"));
            format!("(post-return $p-{name})")
        });
        put(format!(
            "(func $f-{name} (type $t-{name}) (canon lift (core func $c-{name}) (memory $memory) (realloc \
             $realloc) string-encoding=utf8 {post_return}))"
        ));
    }
    // The shim: what comes in has types without names, what goes out has them.
    put("(component $shim".to_owned());
    for (name, shape) in types {
        put(format!("(type $u-{name} {})", renamed(shape, types, "$i-")));
        put(format!("(import \"import-type-{name}\" (type $i-{name} (eq $u-{name})))"));
    }
    for Function { name, parameters, result } in functions {
        let (parameters, result) = (renamed(parameters, types, "$i-"), renamed(result, types, "$i-"));
        put(format!("(type $ti-{name} (func {parameters} (result {result})))"));
        put(format!("(import \"import-func-{name}\" (func $g-{name} (type $ti-{name})))"));
    }
    for (name, shape) in types {
        put(format!("(type $o-{name} {})", renamed(shape, types, "$e-")));
        put(format!("(export $e-{name} \"{name}\" (type $o-{name}))"));
    }
    for Function { name, parameters, result } in functions {
        let (parameters, result) = (renamed(parameters, types, "$e-"), renamed(result, types, "$e-"));
        put(format!("(type $te-{name} (func {parameters} (result {result})))"));
        put(format!("(export \"{name}\" (func $g-{name}) (func (type $te-{name})))"));
    }
    put(")".to_owned());
    put("(instance $exported (instantiate $shim".to_owned());
    types.iter().for_each(|(name, _)| put(format!("(with \"import-type-{name}\" (type ${name}))")));
    functions.iter().for_each(|f| put(format!("(with \"import-func-{0}\" (func $f-{0}))", f.name)));
    put("))".to_owned());
    put(format!("(export \"{}\" (instance $exported))", kind.interface()));
    put(")".to_owned());
    text
}

/// The text with `$name` of every type replaced by `prefix` and the name.
fn renamed(text: &str, types: Types, prefix: &str) -> String {
    types.iter().fold(text.to_owned(), |text, (name, _)| {
        text.replace(&format!("${name}"), &format!("{prefix}{name}"))
    })
}

/// The empty core module as the encoder writes it, after the component's header: a section of kind 1 with eight bytes.
const EMPTY: &[u8] = b"\x01\x08\0asm\x01\0\0\0";
const HEADER_BYTES: usize = 8;

/// The encoded component with `module` in place of the empty one.
pub(crate) fn filled(component: &[u8], module: &[u8]) -> Vec<u8> {
    let (header, rest) = component.split_at(HEADER_BYTES);
    let rest = rest.strip_prefix(EMPTY).expect("the component begins with its core module, which is empty");
    let mut out = Vec::with_capacity(component.len() + module.len() + 8);
    out.extend_from_slice(header);
    out.push(EMPTY[0]);
    let mut length = module.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(module);
    out.extend_from_slice(rest);
    out
}
