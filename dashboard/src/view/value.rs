//! One value of a column. NULL, an empty string and the absence of a row look different from any text.

use maud::{Markup, html};
use serde_json::Value;

use super::number::length;
use crate::rules::is_hidden;
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::rows::Text;

/// Texts up to this many characters are shown as they are.
const SHORT: usize = 160;
/// How much of a longer one its summary shows.
const SUMMARY: usize = 100;
/// No more than this is sent of one value.
const MOST: usize = 8192;

/// A value; `None` where there is no row.
pub(crate) fn value(visit: &Visit, value: Option<&Value>) -> Markup {
    match value {
        None => {
            html! { span.absent { span aria-hidden="true" { "·" } span.hidden { (visit.say(Text::NoRow)) } } }
        }
        Some(hidden) if is_hidden(hidden) => {
            html! { span.hidden-value { (visit.say(Shared::HiddenValue)) } }
        }
        Some(Value::Null) => html! { span.null { "NULL" } },
        Some(Value::String(text)) if text.is_empty() => {
            html! { span.empty title=(visit.say(Text::EmptyString)) { "\"\"" } }
        }
        Some(Value::String(text)) => long(visit, text),
        Some(other) => long(visit, &other.to_string()),
    }
}

/// Whether a value is aligned to the right.
pub(crate) fn is_number(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Number(_)))
}

/// A text that may be too long to be shown at once.
fn long(visit: &Visit, text: &str) -> Markup {
    let characters = text.chars().count();
    if characters <= SHORT && text.lines().count() <= 4 {
        return html! { span.text { (text) } };
    }
    html! {
        details.long {
            summary { span.text { (beginning(text, SUMMARY)) "…" } span.more { (visit.say(Text::Characters(length(characters)))) } }
            span.text { (beginning(text, MOST)) }
            @if characters > MOST {
                p.note { (visit.say(Text::FirstCharacters { shown: length(MOST), of: length(characters) })) }
            }
        }
    }
}

/// The first characters of a text.
pub(crate) fn beginning(text: &str, characters: usize) -> &str {
    match text.char_indices().nth(characters) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MOST, Visit, beginning};

    fn value(given: Option<&Value>) -> maud::Markup {
        super::value(&Visit::example(), given)
    }

    #[track_caller]
    fn check(given: Option<&Value>, expected: &str) {
        assert_eq!(value(given).into_string(), expected);
    }

    #[test]
    fn nothing_null_and_empty_are_three_different_things() {
        check(Some(&Value::Null), r#"<span class="null">NULL</span>"#);
        check(Some(&json!("")), r#"<span class="empty" title="empty string">&quot;&quot;</span>"#);
        check(Some(&json!("NULL")), r#"<span class="text">NULL</span>"#);
        assert!(value(None).into_string().contains("no row"));
    }

    #[test]
    fn values_are_escaped() {
        check(
            Some(&json!("<script>alert('\"&')</script>")),
            r#"<span class="text">&lt;script&gt;alert('&quot;&amp;')&lt;/script&gt;</span>"#,
        );
        check(
            Some(&json!({"a": "<b>"})),
            r#"<span class="text">{&quot;a&quot;:&quot;&lt;b&gt;&quot;}</span>"#,
        );
    }

    #[test]
    fn numbers_keep_every_digit() {
        let number: Value = serde_json::from_str("12345678901234567890.1234567890").unwrap();
        check(Some(&number), r#"<span class="text">12345678901234567890.1234567890</span>"#);
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        let html = value(Some(&json!("é".repeat(1_000_000)))).into_string();
        assert!(html.len() < 4 * MOST, "{}", html.len());
        assert!(html.contains("8,192 of 1,000,000 characters"));
        assert!(value(Some(&json!("a\nb\nc\nd\ne"))).into_string().starts_with("<details"));
        assert_eq!(beginning("éa", 1), "é");
        assert_eq!(beginning("é", 5), "é");
    }
}
