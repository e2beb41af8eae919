//! Which columns a rule means: `column`, `table.column` or `schema.table.column`, each part with `*` for any text.

use pgtrack_tracker::TableName;

use crate::words::Why;

/// No more rules than this of one kind.
const MOST: usize = 200;

/// A pattern for columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    /// One to three parts; the last one is the column.
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// In any case; `*` stands for any text.
    Any(String),
    /// A name in quotes, which is meant as it is.
    Exactly(String),
}

impl Pattern {
    /// Reads a pattern; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let (part, after) = part(rest)?;
            parts.push(part);
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => break,
                None => return None,
            }
        }
        (parts.len() <= 3).then(|| Self { text: text.to_owned(), parts })
    }

    /// Every column.
    pub(crate) fn everything() -> Self {
        Self { text: "*".to_owned(), parts: vec![Part::Any("*".to_owned())] }
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, table: &TableName, column: &str) -> bool {
        let names = [column, &*table.name, &*table.schema];
        self.parts.iter().rev().zip(names).all(|(part, name)| part.matches(name))
    }
}

impl Part {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exactly(exact) => exact == name,
            Self::Any(glob) => glob_matches(glob, &name.to_lowercase()),
        }
    }
}

/// One part and what follows it.
fn part(text: &str) -> Option<(Part, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        let (part, rest) = text.split_at(end);
        let is_plain = !part.is_empty()
            && !part.chars().any(|one| one == '"' || one.is_whitespace() || one.is_control());
        return is_plain.then(|| (Part::Any(part.to_lowercase()), rest));
    };
    let mut part = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return (!part.is_empty()).then_some((Part::Exactly(part), after)),
        }
    }
}

/// Whether a text is what a glob says; `*` stands for any text, also an empty one.
fn glob_matches(glob: &str, text: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else { return glob == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

/// Reads the lines of a form; blank ones say nothing. The error is the line that is no pattern.
pub(crate) fn parse_list(text: &str) -> Result<Vec<Pattern>, Why> {
    let mut patterns = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let pattern = Pattern::parse(line).ok_or_else(|| Why::NoRule(line.to_owned()))?;
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    if patterns.len() > MOST {
        return Err(Why::TooManyRules(MOST));
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use pgtrack_tracker::TableName;

    use super::{Pattern, Why, glob_matches, parse_list};

    #[track_caller]
    fn check(pattern: &str, matching: &[(&str, &str, &str)], others: &[(&str, &str, &str)]) {
        let parsed = Pattern::parse(pattern).unwrap_or_else(|| panic!("{pattern}"));
        let matches = |(schema, name, column): (&str, &str, &str)| {
            let table = TableName { schema: schema.to_owned(), name: name.to_owned() };
            parsed.matches(&table, column)
        };
        for one in matching {
            assert!(matches(*one), "{pattern} {one:?}");
        }
        for one in others {
            assert!(!matches(*one), "{pattern} {one:?}");
        }
    }

    #[test]
    fn the_last_parts_are_compared() {
        check("updated_at", &[("a", "b", "updated_at")], &[("a", "updated_at", "c")]);
        check("*.updated_at", &[("a", "b", "updated_at")], &[("a", "b", "updated_at2")]);
        check(
            "users.email",
            &[("a", "users", "email")],
            &[("users", "email", "x"), ("a", "b", "email")],
        );
        check("shop.users.email", &[("shop", "users", "email")], &[("bank", "users", "email")]);
        check("shop.*.*", &[("shop", "x", "y")], &[("bank", "x", "y")]);
        check(
            "*_cached_counter",
            &[("a", "b", "posts_cached_counter")],
            &[("a", "b", "cached_counters")],
        );
    }

    #[test]
    fn names_in_quotes_are_exact_and_others_in_any_case() {
        check("Users.EMail", &[("a", "users", "email"), ("a", "Users", "Email")], &[]);
        check(r#""Users"."a.b""#, &[("a", "Users", "a.b")], &[("a", "users", "a.b")]);
        check(r#""a""b*""#, &[("a", "t", "a\"b*")], &[("a", "t", "a\"bc")]);
    }

    #[test]
    fn globs_find_their_pieces_in_order() {
        for (glob, text, is_match) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("ab*bc", "abc", false),
            ("*b*b*", "abcb", true),
            ("*b*b", "ab", false),
            ("**", "x", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(glob_matches(glob, text), is_match, "{glob} {text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        for bad in ["a.b.c.d", "a..b", ".", "a b", "\"a", "\"\"", "a\"b"] {
            let error = parse_list(&format!("ok\n{bad}\n")).unwrap_err();
            assert_eq!(error, Why::NoRule(bad.to_owned()));
        }
        let list = parse_list(" a \n\n b.c\r\na\n").unwrap();
        assert_eq!(list.iter().map(Pattern::as_str).collect::<Vec<_>>(), ["a", "b.c"]);
        let many: Vec<_> = (0..300).map(|number| format!("c{number}")).collect();
        assert!(parse_list(&many.join("\n")).is_err());
    }
}
