//! Takes hidden values out of what was read, before anything else sees it.
//!
//! A hidden value becomes a mark. Of one row, equal values get equal marks and different ones different marks, so
//! that a change is still seen; marks of different rows say nothing about each other. The texts of statements hold
//! values of any column, so they go whole.

use std::collections::HashMap;

use pgtrack_tracker::activity::{Filter, Statement};
use pgtrack_tracker::history::DeletedRow;
use pgtrack_tracker::past::Difference;
use pgtrack_tracker::revert::{Plan, Target};
use pgtrack_tracker::{RowKey, TableName, TrackedTable, Transaction, Version};
use serde_json::{Map, Value};

use super::Rules;
use crate::words::Why;

/// Begins the mark; a character that no keyboard has.
const MARK: &str = "\u{f8ff}hidden ";

/// Whether this stands for a value that is not shown.
pub(crate) fn is_hidden(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(MARK))
}

/// The hidden values of one row that have been met, by column.
#[derive(Default)]
struct Seen(HashMap<String, Vec<Value>>);

impl Seen {
    fn mark(&mut self, column: &str, value: &Value) -> Value {
        let values = self.0.entry(column.to_owned()).or_default();
        let number = values.iter().position(|one| one == value).unwrap_or_else(|| {
            values.push(value.clone());
            values.len() - 1
        });
        Value::String(format!("{MARK}{number}"))
    }
}

impl Rules {
    fn hide_image(&self, table: &str, image: Option<&mut Map<String, Value>>, seen: &mut Seen) {
        for (column, value) in image.into_iter().flat_map(Map::iter_mut) {
            if self.hides_in(table, column) {
                *value = seen.mark(column, value);
            }
        }
    }

    /// The changes of one row.
    pub(crate) fn hide_history(&self, versions: &mut [Version]) {
        let mut seen = Seen::default();
        for version in versions.iter_mut().filter(|_| self.hides_any()) {
            self.hide_version(version, &mut seen);
        }
    }

    /// Changes of any rows.
    pub(crate) fn hide_versions(&self, versions: &mut [Version]) {
        for version in versions.iter_mut().filter(|_| self.hides_any()) {
            self.hide_version(version, &mut Seen::default());
        }
    }

    fn hide_version(&self, version: &mut Version, seen: &mut Seen) {
        let Version { table, key, query, before, after, .. } = version;
        *query = None;
        self.hide_image(table, before.as_mut(), seen);
        self.hide_image(table, after.as_mut(), seen);
        self.hide_image(table, key.as_mut().map(|key| &mut key.0), seen);
    }

    pub(crate) fn hide_plan(&self, plan: &mut Plan) {
        for step in plan.steps.iter_mut().filter(|_| self.hides_any()) {
            let mut seen = Seen::default();
            self.hide_image(&step.table, step.before.as_mut(), &mut seen);
            self.hide_image(&step.table, step.after.as_mut(), &mut seen);
            self.hide_image(&step.table, Some(&mut step.key.0), &mut seen);
        }
    }

    pub(crate) fn hide_deleted(&self, table: &TrackedTable, rows: &mut [DeletedRow]) {
        for row in rows {
            let mut seen = Seen::default();
            self.hide_image(&table.display_name, Some(&mut row.data), &mut seen);
            self.hide_image(&table.display_name, Some(&mut row.key.0), &mut seen);
        }
    }

    pub(crate) fn hide_rows(&self, table: &TrackedTable, rows: &mut [Map<String, Value>]) {
        for row in rows {
            self.hide_image(&table.display_name, Some(row), &mut Seen::default());
        }
    }

    pub(crate) fn hide_differences(&self, table: &TrackedTable, rows: &mut [Difference]) {
        for row in rows {
            let mut seen = Seen::default();
            self.hide_image(&table.display_name, row.before.as_mut(), &mut seen);
            self.hide_image(&table.display_name, row.after.as_mut(), &mut seen);
            self.hide_image(&table.display_name, Some(&mut row.key.0), &mut seen);
        }
    }

    pub(crate) fn hide_statements(&self, statements: &mut [Statement]) {
        for statement in statements.iter_mut().filter(|_| self.hides_any()) {
            statement.query = None;
        }
    }

    pub(crate) fn hide_transactions(&self, transactions: &mut [Transaction]) {
        for transaction in transactions.iter_mut().filter(|_| self.hides_any()) {
            transaction.query = None;
        }
    }

    /// Why a filter would tell what is hidden: whoever may ask whether a value is there can guess it.
    pub(crate) fn objection(&self, filter: &Filter) -> Option<Why> {
        if !self.hides_any() {
            return None;
        }
        let hides = |column: &str| filter.tables.iter().any(|table| self.hides(table, column));
        let row = &filter.row;
        if filter.text.is_some() {
            Some(Why::TextsHidden)
        } else if row.value.is_some() && row.column.as_deref().is_some_and(hides) {
            Some(Why::ValuesHidden)
        } else if row.key.as_ref().is_some_and(|key| key.0.keys().any(|column| hides(column))) {
            Some(Why::KeyHidden)
        } else {
            None
        }
    }

    /// Whether to ask for this revert would tell what is hidden, because it names a row by a hidden key.
    pub(crate) fn objects_to(&self, target: &Target) -> bool {
        let hides =
            |table: &TableName, key: &RowKey| key.0.keys().any(|name| self.hides(table, name));
        match target {
            Target::LastChange(table, key)
            | Target::Version(table, key, _)
            | Target::DeletedRow(table, key) => hides(table, key),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Seen, is_hidden};

    #[test]
    fn marks_tell_equal_from_different_and_nothing_else() {
        let mut seen = Seen::default();
        let (first, second) = (seen.mark("a", &json!("x")), seen.mark("a", &json!(null)));
        assert!(is_hidden(&first) && is_hidden(&second) && first != second);
        assert_eq!(seen.mark("a", &json!("x")), first);
        assert_eq!(seen.mark("b", &json!("another")), first, "the mark says nothing of the value");
        for value in [json!("x"), Value::Null, json!({"hidden": 1})] {
            assert!(!is_hidden(&value));
        }
    }
}
