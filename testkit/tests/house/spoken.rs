//! Finds texts that people would read and that are written where they are shown, in the markup of Maud's `html!`.

/// Attributes whose values nobody reads.
const SILENT: [&str; 43] = [
    "action",
    "aria-current",
    "aria-describedby",
    "aria-hidden",
    "aria-invalid",
    "aria-labelledby",
    "autocomplete",
    "charset",
    "class",
    "colspan",
    "content",
    "d",
    "data-environment",
    "data-live",
    "focusable",
    "for",
    "form",
    "formmethod",
    "height",
    "href",
    "http-equiv",
    "id",
    "inputmode",
    "lang",
    "list",
    "max",
    "maxlength",
    "method",
    "min",
    "name",
    "patternUnits",
    "preserveAspectRatio",
    "rel",
    "role",
    "rows",
    "scope",
    "spellcheck",
    "src",
    "tabindex",
    "type",
    "value",
    "viewBox",
    "width",
];
/// What is the same in every language.
const NAMES: [&str; 2] = ["pg_track", "NULL"];

/// Where a piece of source text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In elements: what is written here is shown.
    Markup,
    /// In the value of an attribute, or a class.
    Silent,
    /// In an expression.
    Code,
}

/// The texts in the `html!` blocks of a source file, outside of its tests, that should come from the table of words.
pub(crate) fn texts(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    source
        .match_indices("html! {")
        .flat_map(|(at, start)| block(&source[at + start.len()..]))
        .collect()
}

/// Reads from behind the brace that opens a block to the one that closes it.
fn block(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut places = vec![Place::Markup];
    // Whether an `@if` or the like has not come to its block yet.
    let mut is_control = false;
    let mut before = String::new();
    let mut rest = source;
    while let (Some(one), Some(place)) = (rest.chars().next(), places.last().copied()) {
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find('\n').map_or("", |end| &comment[end..]);
            continue;
        }
        if one == '"' {
            let (text, after) = literal(&rest[1..]);
            let is_pattern = after.trim_start().starts_with("=>");
            let place = if is_control { Place::Code } else { place };
            let is_said = match place {
                Place::Markup => !is_silent(&before),
                Place::Silent => false,
                Place::Code => looks_like_a_text(text),
            };
            let has_letters = text.chars().any(char::is_alphabetic);
            let name = text.trim_matches(|one: char| !one.is_alphabetic());
            if is_said && !is_pattern && has_letters && !NAMES.contains(&name) {
                found.push(text.to_owned());
            }
            before.push('"');
            rest = after;
            continue;
        }
        match one {
            '@' => is_control = true,
            ';' => is_control = false,
            '(' | '[' => places.push(Place::Code),
            '{' if is_control && place != Place::Code => {
                is_control = false;
                places.push(place);
            }
            '{' if place == Place::Markup && is_silent(&before) => places.push(Place::Silent),
            '{' => places.push(place),
            ')' | ']' | '}' => drop(places.pop()),
            _ => {}
        }
        before.push(one);
        rest = &rest[one.len_utf8()..];
    }
    found
}

/// A literal up to its closing quote, and what follows.
fn literal(source: &str) -> (&str, &str) {
    let mut is_escaped = false;
    for (at, one) in source.char_indices() {
        match one {
            '"' if !is_escaped => return (&source[..at], &source[at + 1..]),
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    (source, "")
}

/// Whether what follows is the value of an attribute that nobody reads, or a class.
fn is_silent(before: &str) -> bool {
    if before.ends_with(['.', '#']) {
        return true;
    }
    before.strip_suffix('=').is_some_and(|before| {
        let is_name = |one: char| one.is_ascii_alphanumeric() || one == '-';
        let start = before.rfind(|one| !is_name(one)).map_or(0, |at| at + 1);
        SILENT.contains(&&before[start..])
    })
}

/// Words of code are in small letters; a text has blanks or begins with a capital.
fn looks_like_a_text(text: &str) -> bool {
    let mut letters = text.chars().filter(|one| one.is_alphabetic());
    letters.next().is_some_and(char::is_uppercase) || text.trim().contains(' ')
}

#[test]
fn texts_are_found_wherever_they_are_shown() {
    for (markup, expected) in [
        (r#"p { "Hello" }"#, Some("Hello")),
        (r#"p { (name) " was here" }"#, Some(" was here")),
        (r#"@if x { "yes" } @else { (y) }"#, Some("yes")),
        (r#"@match x { Some(y) => (y), None => "none" }"#, Some("none")),
        (r#"a title="Hello" {}"#, Some("Hello")),
        (r#"a aria-label="Hello" {}"#, Some("Hello")),
        (r#"input placeholder="name";"#, Some("name")),
        (r#"a aria-label={ "Remove " (name) } {}"#, Some("Remove ")),
        (r#"(entry("Overview", x))"#, Some("Overview")),
        (r#"p { (say(&format!("{x} rows"))) }"#, Some("{x} rows")),
        (r#"a.b #c href={ "/users/" (id) } class="d" { (e) " · " "(" }"#, None),
        (r#"td.{ "heat-" (shade) } { (f("density", x)) }"#, None),
        (r#"@for x in ["table", "op"] { input name=(x); }"#, None),
        (r#"@let y = Search::with("table", x); b { (y) }"#, None),
        (r#"p { "NULL" } // "Hello""#, None),
    ] {
        let found = texts(&format!("fn f() {{ html! {{ {markup}\n}} }} fn g() {{ \"Other\" }}"));
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{markup}");
    }
}
