//! Compares two images of a row, column by column.

use pgtrack_tracker::Column as TableColumn;
use serde_json::{Map, Value};

/// A row's columns and values.
pub(crate) type Image = Map<String, Value>;

/// What differs between two images, and what does not.
#[derive(Debug, PartialEq)]
pub(crate) struct Comparison<'a> {
    pub(crate) changed: Vec<Column<'a>>,
    pub(crate) unchanged: Vec<(&'a str, &'a Value)>,
}

/// A column that differs; `None` where there is no row, or the row has no such column.
#[derive(Debug, PartialEq)]
pub(crate) struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) before: Option<&'a Value>,
    pub(crate) after: Option<&'a Value>,
}

/// Compares two images. The columns come in the table's order, then those it no longer has.
pub(crate) fn compare<'a>(
    before: Option<&'a Image>,
    after: Option<&'a Image>,
    order: &'a [TableColumn],
) -> Comparison<'a> {
    let mut comparison = Comparison { changed: Vec::new(), unchanged: Vec::new() };
    for name in columns(before, after, order) {
        let before = before.and_then(|image| image.get(name));
        let after = after.and_then(|image| image.get(name));
        match (before, after) {
            (Some(old), Some(new)) if old == new => comparison.unchanged.push((name, old)),
            _ => comparison.changed.push(Column { name, before, after }),
        }
    }
    comparison
}

/// The columns that either image has.
fn columns<'a>(
    before: Option<&'a Image>,
    after: Option<&'a Image>,
    order: &'a [TableColumn],
) -> Vec<&'a str> {
    let has =
        |name: &str| [before, after].into_iter().flatten().any(|image| image.contains_key(name));
    let mut names: Vec<&str> =
        order.iter().map(|column| &*column.name).filter(|name| has(name)).collect();
    for name in [after, before].into_iter().flatten().flat_map(Map::keys) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use pgtrack_tracker::Column;

    use super::{Image, compare};

    fn image(value: Value) -> Image {
        match value {
            Value::Object(columns) => columns,
            _ => panic!("not a row"),
        }
    }

    fn order(names: &[&str]) -> Vec<Column> {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            type_name: String::new(),
            can_be_set: true,
        };
        names.iter().map(column).collect()
    }

    #[test]
    fn only_what_differs_is_changed() {
        let before = image(json!({"id": 1, "name": "a", "note": null, "tags": [1, 2]}));
        let after = image(json!({"id": 1, "name": "b", "note": "", "tags": [1, 2]}));
        let order = order(&["id", "note", "name", "tags"]);
        let comparison = compare(Some(&before), Some(&after), &order);
        let changed: Vec<_> = comparison.changed.iter().map(|column| column.name).collect();
        let unchanged: Vec<_> = comparison.unchanged.iter().map(|(name, _)| *name).collect();
        assert_eq!(changed, ["note", "name"]);
        assert_eq!(unchanged, ["id", "tags"]);
    }

    #[test]
    fn numbers_that_are_equal_but_not_the_same_differ() {
        let before: Image = serde_json::from_str(r#"{"price": 1.0}"#).unwrap();
        let after: Image = serde_json::from_str(r#"{"price": 1.00}"#).unwrap();
        assert_eq!(compare(Some(&before), Some(&after), &[]).changed.len(), 1);
    }

    #[test]
    fn without_a_row_every_column_differs() {
        let row = image(json!({"id": 1, "old_column": null}));
        let order = order(&["id"]);
        let comparison = compare(None, Some(&row), &order);
        assert_eq!(comparison.changed.len(), 2);
        assert!(comparison.unchanged.is_empty());
        assert_eq!(compare(Some(&row), None, &order).changed[1].name, "old_column");
        assert!(compare(None, None, &order).changed.is_empty());
    }
}
