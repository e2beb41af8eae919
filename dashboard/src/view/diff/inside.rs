//! What differs inside of one value: the words of a text, the paths of a JSON document, the size of bytes.

use maud::{Markup, html};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::rules::is_hidden;
use crate::view::number::length;
use crate::view::value::value;
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::rows::Text;

/// Shorter texts are clearer as a whole.
const SHORT: usize = 40;
/// In longer ones the words are not compared: it would take too long, and nobody would read it.
const LONG: usize = 8192;
/// No more paths than this are shown.
const MOST_PATHS: usize = 50;
/// How many bytes are shown.
const FIRST_BYTES: usize = 16;

/// The two values with their differences marked; `None` where they are clearer as they are.
pub(super) fn parts(
    visit: &Visit,
    before: &Value,
    after: &Value,
    type_name: &str,
) -> Option<(Markup, Markup)> {
    if is_hidden(before) || is_hidden(after) {
        return None;
    }
    match (before, after) {
        (Value::String(old), Value::String(new)) if type_name == "bytea" => {
            Some((bytes(visit, old), bytes(visit, new)))
        }
        (Value::String(old), Value::String(new)) => {
            let fits = |text: &str| (SHORT..LONG).contains(&text.len());
            (fits(old) && fits(new)).then(|| words(old, new))
        }
        (Value::Object(_), Value::Object(_)) | (Value::Array(_), Value::Array(_)) => {
            Some(paths(visit, before, after))
        }
        _ => None,
    }
}

/// The size and the first bytes of a value that PostgreSQL writes as `\x…`.
fn bytes(visit: &Visit, text: &str) -> Markup {
    let digits = text.strip_prefix("\\x").unwrap_or(text);
    let first = digits.get(..2 * FIRST_BYTES).unwrap_or(digits);
    html! {
        span.text { (first) @if first.len() < digits.len() { "…" } }
        " " span.note { (visit.say(Shared::Bytes(length(digits.len() / 2)))) }
    }
}

fn words(old: &str, new: &str) -> (Markup, Markup) {
    let diff = TextDiff::from_words(old, new);
    let side = |own: ChangeTag| {
        let changes = diff.iter_all_changes();
        let shown = changes.filter(|one| one.tag() == ChangeTag::Equal || one.tag() == own);
        html! {
            span.text {
                @for one in shown {
                    @match one.tag() {
                        ChangeTag::Equal => (one.value()),
                        ChangeTag::Delete => del { (one.value()) },
                        ChangeTag::Insert => ins { (one.value()) },
                    }
                }
            }
        }
    };
    (side(ChangeTag::Delete), side(ChangeTag::Insert))
}

/// A place in a document and what is there on each side.
type Place<'a> = (String, Option<&'a Value>, Option<&'a Value>);

fn paths(visit: &Visit, before: &Value, after: &Value) -> (Markup, Markup) {
    let mut places = Vec::new();
    walk(String::new(), Some(before), Some(after), &mut places);
    let hidden = places.len().saturating_sub(MOST_PATHS);
    let side = |pick: fn(&Place<'_>) -> bool, get: for<'a> fn(&Place<'a>) -> Option<&'a Value>| {
        html! {
            dl.paths {
                @for place in places.iter().take(MOST_PATHS).filter(|place| pick(place)) {
                    div { dt { (place.0) } dd { (value(visit, get(place))) } }
                }
                @if hidden > 0 { div { dt { "…" } dd.note { (visit.say(Text::MoreDifferences(length(hidden)))) } } }
            }
        }
    };
    (
        side(|place| place.1.is_some(), |place| place.1),
        side(|place| place.2.is_some(), |place| place.2),
    )
}

/// Collects the innermost places that differ.
fn walk<'a>(
    path: String,
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    places: &mut Vec<Place<'a>>,
) {
    match (before, after) {
        (Some(old), Some(new)) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(path, old.get(name), new.get(name), places);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for index in 0..old.len().max(new.len()) {
                walk(format!("{path}[{index}]"), old.get(index), new.get(index), places);
            }
        }
        _ => places.push((path, before, after)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Visit;

    fn parts(
        before: &Value,
        after: &Value,
        type_name: &str,
    ) -> Option<(maud::Markup, maud::Markup)> {
        super::parts(&Visit::example(), before, after, type_name)
    }

    #[track_caller]
    fn check(before: &Value, after: &Value, type_name: &str, old: &str, new: &str) {
        let (left, right) = parts(before, after, type_name).unwrap();
        assert_eq!(left.into_string(), old);
        assert_eq!(right.into_string(), new);
    }

    #[test]
    fn changed_words_are_marked() {
        let old = json!("The quick brown fox jumps over the lazy dog <b>.");
        let new = json!("The quick red fox jumps over the lazy dog <b>.");
        check(
            &old,
            &new,
            "text",
            r#"<span class="text">The quick <del>brown</del> fox jumps over the lazy dog &lt;b&gt;.</span>"#,
            r#"<span class="text">The quick <ins>red</ins> fox jumps over the lazy dog &lt;b&gt;.</span>"#,
        );
        assert!(parts(&json!("short"), &json!("shorter"), "text").is_none());
    }

    #[test]
    fn documents_are_compared_by_path() {
        let old = json!({"a": {"b": 1, "c": [1, 2]}, "same": true, "gone": null});
        let new = json!({"a": {"b": 2, "c": [1, 2, "<x>"]}, "same": true});
        check(
            &old,
            &new,
            "jsonb",
            "<dl class=\"paths\"><div><dt>a.b</dt><dd><span class=\"text\">1</span></dd></div>\
             <div><dt>gone</dt><dd><span class=\"null\">NULL</span></dd></div></dl>",
            "<dl class=\"paths\"><div><dt>a.b</dt><dd><span class=\"text\">2</span></dd></div>\
             <div><dt>a.c[2]</dt><dd><span class=\"text\">&lt;x&gt;</span></dd></div></dl>",
        );
    }

    #[test]
    fn of_bytes_the_size_is_shown() {
        let old = json!("\\x00ff");
        let new = json!(format!("\\x{}", "ab".repeat(40)));
        let (left, right) = parts(&old, &new, "bytea").unwrap();
        assert!(left.into_string().contains("00ff</span> <span class=\"note\">2 bytes"));
        assert!(right.into_string().contains("…</span> <span class=\"note\">40 bytes"));
    }
}
