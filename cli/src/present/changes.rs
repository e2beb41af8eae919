//! One row before and after a change.

use std::collections::BTreeSet;

use pgtrack_tracker::{Operation, RowKey, Version};
use serde_json::{Map, Value};

use crate::terminal::{Paint, Tone, escaped};

type Row = Map<String, Value>;

/// A value for people, on one line.
pub(crate) fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        // A text that would be taken for something else.
        Value::String(text) if text.is_empty() || text == "null" => format!("'{text}'"),
        Value::String(text) => escaped(text),
        other => escaped(&other.to_string()),
    }
}

/// What was done to which row: `UPDATE demo.users id=1`.
pub(crate) fn headline(
    operation: Operation,
    table: &str,
    key: Option<&RowKey>,
    paint: Paint,
) -> String {
    let key = key.map(|key| format!(" {}", escaped(&key.to_string()))).unwrap_or_default();
    let tone = match operation {
        Operation::Insert => Tone::Added,
        Operation::Update => Tone::Changed,
        Operation::Delete | Operation::Truncate => Tone::Removed,
    };
    format!("{} {}{key}", paint.text(tone, operation.word()), escaped(table))
}

/// The columns that differ: `+` for those of a new row, `-` for those of one that is gone, `~` for both values.
pub(crate) fn change_lines(before: Option<&Row>, after: Option<&Row>, paint: Paint) -> Vec<String> {
    match (before, after) {
        (Some(before), Some(after)) => changed(before, after, paint),
        (None, Some(row)) => columns(row, '+', Tone::Added, paint),
        (Some(row), None) => columns(row, '-', Tone::Removed, paint),
        (None, None) => Vec::new(),
    }
}

/// The changed lines of a version that was recorded. A column that was added to the table later did not change then,
/// though only the newer image has it.
pub(crate) fn version_lines(version: &Version, paint: Paint) -> Vec<String> {
    match (&version.before, &version.after) {
        (Some(before), Some(after)) => {
            let only = |row: &Row| {
                let changed = row.iter().filter(|(name, _)| version.changed_columns.contains(name));
                changed.map(|(name, value)| (name.clone(), value.clone())).collect::<Row>()
            };
            let lines = changed(&only(before), &only(after), paint);
            if lines.is_empty() {
                return vec![format!("  {}", paint.text(Tone::Faint, "no value changed"))];
            }
            lines
        }
        (before, after) => change_lines(before.as_ref(), after.as_ref(), paint),
    }
}

fn columns(row: &Row, sign: char, tone: Tone, paint: Paint) -> Vec<String> {
    row.iter()
        .map(|(name, value)| {
            let text = format!("{sign} {}: {}", escaped(name), value_text(value));
            format!("  {}", paint.text(tone, &text))
        })
        .collect()
}

fn changed(before: &Row, after: &Row, paint: Paint) -> Vec<String> {
    let mut seen = BTreeSet::new();
    before
        .keys()
        .chain(after.keys())
        .filter(|name| seen.insert(*name) && before.get(*name) != after.get(*name))
        .map(|name| {
            let text = |row: &Row| row.get(name).map_or_else(|| "(none)".to_owned(), value_text);
            format!(
                "  ~ {}: {} → {}",
                escaped(name),
                paint.text(Tone::Removed, &text(before)),
                paint.text(Tone::Added, &text(after))
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Paint, Row, change_lines};

    fn row(value: Value) -> Row {
        let Value::Object(row) = value else { panic!("it is an object") };
        row
    }

    #[test]
    fn only_what_differs_is_shown() {
        let paint = Paint::new(false);
        let before = row(json!({"id": 1, "name": "Ada", "note": "", "gone": true}));
        let after = row(json!({"id": 1, "name": "Ben\u{1b}", "note": null, "new": [1]}));
        assert_eq!(
            change_lines(Some(&before), Some(&after), paint),
            [
                r"  ~ name: Ada → Ben\u{1b}",
                "  ~ note: '' → null",
                "  ~ gone: true → (none)",
                "  ~ new: (none) → [1]",
            ]
        );
        assert_eq!(
            change_lines(None, Some(&row(json!({"id": 1, "a": "x"}))), paint),
            ["  + id: 1", "  + a: x"]
        );
        assert_eq!(change_lines(Some(&row(json!({"id": 1}))), None, paint), ["  - id: 1"]);
    }
}
