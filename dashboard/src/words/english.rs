//! English.

pub(super) mod activity;
pub(super) mod care;
pub(super) mod connections;
pub(super) mod counted;
pub(super) mod digests;
pub(super) mod frame;
pub(super) mod marked;
pub(super) mod people;
pub(super) mod plan;
pub(super) mod problem;
pub(super) mod rows;
pub(super) mod shared;
pub(super) mod why;

use super::Words;

/// The plural category of a number, as CLDR names it.
pub(super) fn category(number: i64) -> &'static str {
    if number == 1 { "one" } else { "other" }
}

/// A number of things: `1 row`, `1,204 rows`. A language with more categories takes more forms.
fn count(words: Words, number: i64, one: &str, other: &str) -> String {
    let thing = if category(number) == "one" { one } else { other };
    format!("{} {thing}", words.number(number))
}

/// A list in a sentence: `a, b and c`.
fn listed(parts: &[String]) -> String {
    match parts {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => parts.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::{count, listed};
    use crate::words::Words;

    #[test]
    fn things_are_counted_and_listed() {
        let words = Words::default();
        assert_eq!(count(words, 1, "row", "rows"), "1 row");
        assert_eq!(count(words, 1204, "row", "rows"), "1,204 rows");
        assert_eq!(count(words, 0, "row", "rows"), "0 rows");
        let list = ["a", "b", "c"].map(str::to_owned);
        assert_eq!([listed(&list), listed(&list[..1])], ["a, b and c", "a"]);
    }
}
