//! What a plan is called, what it would do, and what its button says.

use pgtrack_tracker::revert::{Action, Cause, Target, Total};
use pgtrack_tracker::{RowKey, TableName};

use crate::links::Links;
use crate::revert::Confirmation;
use crate::search::Search;
use crate::table_name;
use crate::view::number::count;

/// The page's heading.
pub(super) fn title(target: &Target) -> String {
    match target {
        Target::Transaction(xid) => format!("Undo transaction {xid}"),
        Target::Transactions(xids) => format!("Undo {} transactions", xids.len()),
        Target::Statements(ids) => match **ids {
            [id] => format!("Undo change {id}"),
            _ => format!("Undo {} changes", ids.len()),
        },
        Target::LastChange(_, key) => format!("Undo the last change of {key}"),
        Target::Version(_, key, 0) => format!("Restore {key} as it was before version 1"),
        Target::Version(_, key, version) => format!("Restore version {version} of {key}"),
        Target::DeletedRow(_, key) => format!("Restore the deleted row {key}"),
        Target::Table(table, point) => format!("Revert {} to {point}", table_name::write(table)),
        Target::Schema(schema, point) => format!("Revert schema {schema} to {point}"),
        Target::Cause(cause) => format!("Undo everything by {}", by(cause)),
    }
}

/// Who or what did it.
fn by(cause: &Cause) -> String {
    let names = [
        cause.actor.clone(),
        cause.application.as_ref().map(|name| format!("application {name}")),
        cause.user.as_ref().map(|name| format!("user {name}")),
        cause.from.map(|from| format!("since {from}")),
        cause.to.map(|to| format!("before {to}")),
    ];
    names.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What would happen, in one sentence.
pub(super) fn sentence(target: &Target, totals: &[Total], confirmation: &Confirmation) -> String {
    if is_idle(totals) {
        return "There is nothing to do: everything is as wanted already.".to_owned();
    }
    if let Some(columns) = confirmation.columns.as_ref().filter(|columns| !columns.is_empty()) {
        return format!(
            "This will set {} of {} back and leave all other columns as they are. Nothing has been changed yet.",
            listed(columns),
            count(rows(totals, |_| true), "row")
        );
    }
    let (subject, until) = match target {
        Target::Transaction(xid) => (None, format!("everything is as before transaction {xid}")),
        Target::Transactions(_) => (None, "everything is as before these transactions".to_owned()),
        Target::Statements(_) | Target::Cause(_) => {
            (None, "everything is as before these changes".to_owned())
        }
        Target::LastChange(..) => (Some("the row"), "it is as before its last change".to_owned()),
        Target::Version(_, _, 0) => (Some("the row"), "it is as before version 1".to_owned()),
        Target::Version(_, _, version) => {
            (Some("the row"), format!("it is as right after version {version}"))
        }
        Target::DeletedRow(..) => (Some("the row"), "it is as before its deletion".to_owned()),
        Target::Table(_, point) => (None, format!("the table is as it was at {point}")),
        Target::Schema(_, point) => (None, format!("its tables are as they were at {point}")),
    };
    let parts: Vec<String> = [Action::Update, Action::Insert, Action::Delete]
        .into_iter()
        .filter_map(|action| {
            let number = rows(totals, |one| one == action);
            let rows = subject.map_or_else(|| count(number, "row"), str::to_owned);
            (number > 0).then(|| act(action, &rows))
        })
        .collect();
    format!("This will {}, so that {until}. Nothing has been changed yet.", listed(&parts))
}

fn act(action: Action, rows: &str) -> String {
    match action {
        Action::Update => format!("set {rows} back"),
        Action::Insert => format!("insert {rows} again"),
        Action::Delete => format!("delete {rows}"),
        Action::Nothing => format!("leave {rows}"),
    }
}

/// The button: a verb and what it is done to.
pub(super) fn button(target: &Target, totals: &[Total]) -> String {
    let changes = rows(totals, |action| action != Action::Nothing);
    match target {
        Target::Transaction(_)
        | Target::Transactions(_)
        | Target::Statements(_)
        | Target::LastChange(..)
        | Target::Cause(_) => format!("Undo {}", count(changes, "change")),
        Target::Table(..) | Target::Schema(..) => {
            format!("Revert {}", count(changes, "row"))
        }
        Target::Version(_, _, 0) => "Restore first state".to_owned(),
        Target::Version(_, _, version) => format!("Restore version {version}"),
        Target::DeletedRow(..) => "Restore 1 row".to_owned(),
    }
}

/// Whether a plan would do nothing.
pub(super) fn is_idle(totals: &[Total]) -> bool {
    totals.iter().all(|total| total.action == Action::Nothing)
}

fn rows(totals: &[Total], is_counted: impl Fn(Action) -> bool) -> i64 {
    totals.iter().filter(|total| is_counted(total.action)).map(|total| total.rows).sum()
}

/// The page that the plan is about.
pub(super) fn back(links: Links<'_>, target: &Target) -> String {
    match target {
        Target::Transaction(xid) => links.transaction(*xid),
        Target::Statements(ids) if ids.len() == 1 => links.change(ids[0]),
        Target::LastChange(table, key)
        | Target::DeletedRow(table, key)
        | Target::Version(table, key, _) => links.row(&table_name::write(table), key),
        Target::Table(table, _) => links.as_of(&table_name::write(table)),
        _ => links.changes(&Search::default()),
    }
}

/// The statement that does the same.
pub(super) fn sql(target: &Target, confirmation: &Confirmation) -> String {
    let row = |table: &TableName, key: &RowKey| {
        format!("{}, {}", literal(&table_name::write(table)), literal(&key.to_json().to_string()))
    };
    let numbers = |list: &[i64]| list.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let call = match target {
        Target::Transaction(xid) => format!("* FROM pgtrack.undo_transaction({xid}"),
        Target::Transactions(xids) => {
            format!("* FROM pgtrack.undo_transactions('{{{}}}'", numbers(xids))
        }
        Target::Statements(ids) => {
            format!("* FROM pgtrack.undo_statements('{{{}}}'", numbers(ids))
        }
        Target::LastChange(table, key) => format!("pgtrack.undo_pk({}", row(table, key)),
        Target::DeletedRow(table, key) => format!("pgtrack.restore_pk({}", row(table, key)),
        Target::Version(table, key, version) => {
            format!("pgtrack.revert_pk({}, {version}", row(table, key))
        }
        Target::Table(table, point) => {
            let table = literal(&table_name::write(table));
            format!("* FROM pgtrack.revert_table({table}, {}", literal(point))
        }
        Target::Schema(schema, point) => {
            format!("* FROM pgtrack.revert_schema({}, {}", literal(schema), literal(point))
        }
        Target::Cause(cause) => {
            let given: Vec<String> = [
                named("actor", cause.actor.clone()),
                named("application", cause.application.clone()),
                named("\"user\"", cause.user.clone()),
                named("\"from\"", cause.from.map(|from| from.to_string())),
                named("\"to\"", cause.to.map(|to| to.to_string())),
            ]
            .into_iter()
            .flatten()
            .collect();
            format!("* FROM pgtrack.undo_where({}", given.join(", "))
        }
    };
    let conflict = confirmation.on_conflict.map(|choice| choice.on_conflict().word().to_owned());
    let reason = Some(confirmation.reason.clone()).filter(|reason| !reason.is_empty());
    let columns = confirmation.columns.as_ref().map(|columns| array(columns));
    let options = [named("on_conflict", conflict), named("message", reason), columns];
    let options = options.into_iter().flatten().fold(String::new(), |all, one| all + ", " + &one);
    format!("SELECT {call}{options});")
}

fn named(name: &str, value: Option<String>) -> Option<String> {
    value.map(|value| format!("{name} => {}", literal(&value)))
}

/// An argument that names columns.
fn array(columns: &[String]) -> String {
    let names: Vec<_> = columns.iter().map(|one| literal(one)).collect();
    format!("columns => ARRAY[{}]", names.join(", "))
}

/// A text as SQL takes it.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

fn listed(parts: &[String]) -> String {
    match parts {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => parts.join(""),
    }
}

#[cfg(test)]
mod tests {
    use pgtrack_tracker::RowKey;
    use pgtrack_tracker::revert::{Action, Target, Total};

    use super::{button, sentence, sql};
    use crate::revert::{Choice, Confirmation};

    fn totals(actions: &[Action]) -> Vec<Total> {
        let table = || "public.users".to_owned();
        let total =
            |action: &Action| Total { table: table(), action: *action, rows: 1, conflicts: 0 };
        actions.iter().map(total).collect()
    }

    #[track_caller]
    fn check(actions: &[Action], expected_sentence: &str, expected_button: &str) {
        let (target, totals) = (Target::Transaction(7), totals(actions));
        assert_eq!(sentence(&target, &totals, &Confirmation::default()), expected_sentence);
        assert_eq!(button(&target, &totals), expected_button);
    }

    #[test]
    fn the_sentence_counts_what_would_happen() {
        check(
            &[Action::Update],
            "This will set 1 row back, so that everything is as before transaction 7. Nothing has been changed yet.",
            "Undo 1 change",
        );
        check(
            &[Action::Update, Action::Insert, Action::Delete, Action::Delete, Action::Nothing],
            "This will set 1 row back, insert 1 row again and delete 2 rows, so that everything is as \
             before transaction 7. \
             Nothing has been changed yet.",
            "Undo 4 changes",
        );
    }

    #[test]
    fn a_plan_that_does_nothing_says_so() {
        let target = Target::Transaction(7);
        assert!(
            sentence(&target, &totals(&[Action::Nothing]), &Confirmation::default())
                .starts_with("There is nothing to do")
        );
        assert!(
            sentence(&target, &[], &Confirmation::default()).starts_with("There is nothing to do")
        );
        let some = Confirmation {
            columns: Some(vec!["a".to_owned(), "b".to_owned()]),
            ..Confirmation::default()
        };
        assert_eq!(
            sentence(&target, &totals(&[Action::Update]), &some),
            "This will set a and b of 1 row back and leave all other columns as they are. Nothing has been changed yet."
        );
    }

    #[test]
    fn the_sql_says_the_same() {
        let confirmation = Confirmation {
            on_conflict: Some(Choice::Overwrite),
            reason: "it's wrong".to_owned(),
            ..Confirmation::default()
        };
        let usual = Confirmation::default();
        let columns = Some(vec!["a".to_owned(), "b'c".to_owned()]);
        assert_eq!(
            sql(&Target::Transaction(7), &Confirmation { columns, ..usual.clone() }),
            "SELECT * FROM pgtrack.undo_transaction(7, columns => ARRAY['a', 'b''c']);"
        );
        assert_eq!(
            sql(&Target::Transaction(7), &confirmation),
            "SELECT * FROM pgtrack.undo_transaction(7, on_conflict => 'force', message => 'it''s wrong');"
        );
        let table = pgtrack_tracker::TableName { schema: "a".to_owned(), name: "B'c".to_owned() };
        let key = RowKey::from_json(r#"{"id":"x\\y"}"#).unwrap();
        assert_eq!(
            sql(&Target::Version(table, key, 3), &usual),
            r#"SELECT pgtrack.revert_pk('a."B''c"', E'{"id":"x\\\\y"}', 3);"#
        );
        assert_eq!(
            sql(&Target::Statements(vec![1, 2]), &usual),
            "SELECT * FROM pgtrack.undo_statements('{1,2}');"
        );
    }
}
