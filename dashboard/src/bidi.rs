//! Characters that turn the direction of the text around them. Unseen, they make `gpj.exe` of a name that ends in
//! `exe.jpg`; so they are shown, and what follows them stays as it is.

use std::fmt::Write as _;

/// Marks, embeddings, overrides and isolates (Unicode Standard Annex #9).
pub(crate) fn is_turn(one: char) -> bool {
    matches!(one, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Its name, such as `U+202E`.
pub(crate) fn name(one: char) -> String {
    format!("U+{:04X}", u32::from(one))
}

/// JSON with the same content, in which such characters are escaped: whoever shows it as it is shows them, too.
pub(crate) fn escaped_in_json(json: String) -> String {
    if !json.contains(is_turn) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for one in json.chars() {
        if is_turn(one) {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(one));
        } else {
            escaped.push(one);
        }
    }
    escaped
}

/// What stands around a text in HTML.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Markup,
    /// Elements may stand there.
    Text,
    /// No elements may stand there.
    Plain,
    /// It is the value of a field.
    Value,
}

/// HTML in which such characters are seen. Each stands in an element of its own, which its effect does not leave; to
/// copy the text still copies all of it. Values of fields and attributes stay as they are.
pub(crate) fn shown_in_html(html: String) -> String {
    if !html.contains(is_turn) {
        return html;
    }
    let mut shown = String::with_capacity(html.len() + 256);
    let mut place = Place::Text;
    let mut after_tag = Place::Text;
    for (index, one) in html.char_indices() {
        match (one, place) {
            ('<', _) => {
                after_tag = place_in(&html[index..]);
                place = Place::Markup;
            }
            // Attributes hold no such bracket: it is escaped in them.
            ('>', Place::Markup) => place = after_tag,
            (turn, Place::Text) if is_turn(turn) => {
                let _ =
                    write!(shown, "<bdi class=\"turn\" data-name=\"{}\">{turn}</bdi>", name(turn));
                continue;
            }
            (turn, Place::Plain) if is_turn(turn) => {
                shown.push_str(&name(turn));
                continue;
            }
            _ => {}
        }
        shown.push(one);
    }
    shown
}

/// What is behind the tag that a text begins with.
fn place_in(tag: &str) -> Place {
    let begins = |name: &str| {
        let rest = tag[1..].strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '>']))
    };
    if begins("title") || begins("option") {
        Place::Plain
    } else if begins("textarea") {
        Place::Value
    } else {
        Place::Text
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped_in_json, shown_in_html};

    #[test]
    fn turns_are_seen_and_stay_where_they_are() {
        let turn = "<bdi class=\"turn\" data-name=\"U+202E\">\u{202e}</bdi>";
        for (given, expected) in [
            ("<p>é</p>", "<p>é</p>".to_owned()),
            ("<p>a\u{202e}b</p>", format!("<p>a{turn}b</p>")),
            (
                "<input value=\"\u{202e}\"><b title=\"&gt;\u{202e}\">\u{202e}</b>",
                format!("<input value=\"\u{202e}\"><b title=\"&gt;\u{202e}\">{turn}</b>"),
            ),
            ("<title>\u{202e}x</title>\u{202e}", format!("<title>U+202Ex</title>{turn}")),
            ("<option value=\"1\">\u{2066}</option>", "<option value=\"1\">U+2066</option>".into()),
            (
                "<textarea rows=\"5\">\u{202e}</textarea>\u{202e}",
                format!("<textarea rows=\"5\">\u{202e}</textarea>{turn}"),
            ),
        ] {
            assert_eq!(shown_in_html(given.to_owned()), expected);
        }
    }

    #[test]
    fn json_means_the_same() {
        let json = serde_json::json!({"a\u{202e}": "\u{200f}é\u{61c}"}).to_string();
        let escaped = escaped_in_json(json.clone());
        assert_eq!(escaped, r#"{"a\u202e":"\u200fé\u061c"}"#);
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&escaped), read(&json));
    }
}
