//! Field paths: `traffic.capture.path`, with variants in snake case and list elements by number.

/// `IsolationForest` → `isolation_forest`.
pub(crate) fn snake_case(variant: &str) -> String {
    let mut snake = String::with_capacity(variant.len() + 2);
    for (i, c) in variant.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// Whether two names mean the same: case, `_` and `-` aside.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase())
}

/// The most alike of `names`, if any is alike at all.
pub(crate) fn nearest<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let wrong: String = letters(wrong).collect();
    names
        .into_iter()
        .map(|name| {
            let plain: String = letters(name).collect();
            let distance = strsim::damerau_levenshtein(&wrong, &plain);
            // A beginning that was cut short (`iso`) is alike too, however much is missing.
            let cut = wrong.len() >= 3 && plain.starts_with(&wrong);
            (if cut { 0 } else { distance }, plain.len().max(wrong.len()), name)
        })
        .filter(|(distance, length, _)| 2 * distance <= *length)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(.., name)| name)
}

/// Whether `path` is `ancestor` or lies inside it.
pub(super) fn is_within(path: &str, ancestor: &str) -> bool {
    ancestor.is_empty()
        || path.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The path that encloses this one; `""` is the whole scenario.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_found_by_any_spelling() {
        assert_eq!(snake_case("IsolationForest"), "isolation_forest");
        assert!(same_name("IsolationForest", "isolation_forest"));
        assert!(same_name("ISOLATION-FOREST", "IsolationForest"));
        assert!(!same_name("Isolation", "IsolationForest"));
    }

    #[test]
    fn nearest_finds_typos_and_beginnings_but_not_strangers() {
        let names = ["agents", "ticks", "consensus", "isolation_forest"];
        assert_eq!(nearest("agnets", names), Some("agents"));
        assert_eq!(nearest("tick", names), Some("ticks"));
        assert_eq!(nearest("iso", names), Some("isolation_forest"));
        assert_eq!(nearest("colour", names), None);
    }

    #[test]
    fn paths_nest() {
        assert!(is_within("a.b.c", "a.b"));
        assert!(is_within("a.b", "a.b"));
        assert!(!is_within("a.bc", "a.b"));
        assert_eq!(parent("a.b.c"), "a.b");
        assert_eq!(parent("a"), "");
    }
}
