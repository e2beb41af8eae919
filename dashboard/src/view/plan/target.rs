//! What a plan would do, what its button says, and the statement that does the same.

use std::borrow::Cow;

use pgtrack_tracker::revert::{Action, Target, Total};
use pgtrack_tracker::{RowKey, TableName};

use crate::links::Links;
use crate::revert::{BATCH_ROWS, Confirmation};
use crate::search::Search;
use crate::table_name;
use crate::visit::Visit;
use crate::words::plan::{Effect, Text};

/// What would happen, in one sentence.
pub(super) fn sentence(
    visit: &Visit,
    target: &Target,
    totals: &[Total],
    confirmation: &Confirmation,
) -> Cow<'static, str> {
    let chosen = confirmation.columns.as_ref().filter(|columns| !columns.is_empty());
    let effect = match chosen {
        _ if is_idle(totals) && totals.iter().any(|total| total.conflicts > 0) => Effect::Left,
        _ if is_idle(totals) => Effect::Nothing,
        Some(columns) => {
            Effect::Columns { columns, rows: rows(totals, |action| action != Action::Nothing) }
        }
        None => Effect::Rows {
            updated: rows(totals, |action| action == Action::Update),
            inserted: rows(totals, |action| action == Action::Insert),
            deleted: rows(totals, |action| action == Action::Delete),
        },
    };
    visit.say(Text::Sentence(target, effect))
}

/// The button: a verb and what it is done to.
pub(super) fn button(visit: &Visit, target: &Target, totals: &[Total]) -> Cow<'static, str> {
    visit.say(Text::Button(target, rows(totals, |action| action != Action::Nothing)))
}

/// Whether a plan would do nothing.
pub(super) fn is_idle(totals: &[Total]) -> bool {
    totals.iter().all(|total| total.action == Action::Nothing)
}

fn rows(totals: &[Total], is_counted: impl Fn(Action) -> bool) -> i64 {
    totals.iter().filter(|total| is_counted(total.action)).map(|total| total.rows).sum()
}

/// The page that the plan is about.
pub(crate) fn back(links: Links<'_>, target: &Target) -> String {
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

/// The command that does the same in a shell.
pub(crate) fn shell(target: &Target, confirmation: &Confirmation) -> String {
    let row = |verb: &str, table: &TableName, key: &RowKey| {
        format!("{verb} {} {}", word(&table_name::write(table)), word(&key.to_json().to_string()))
    };
    let numbers = |list: &[i64]| list.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
    let option = |name: &str, value: Option<String>| {
        value.map_or_else(String::new, |value| format!(" --{name} {}", word(&value)))
    };
    let what = match target {
        Target::Transaction(xid) => format!("undo {xid}"),
        Target::Transactions(xids) => format!("undo {}", numbers(xids)),
        // There is none for a part of a transaction.
        Target::Statements(_) => return format!("psql -c {}", word(&sql(target, confirmation))),
        Target::LastChange(table, key) => row("undo", table, key),
        Target::DeletedRow(table, key) => row("restore", table, key),
        Target::Version(table, key, version) => format!("{} {version}", row("revert", table, key)),
        Target::Table(table, point) => {
            format!("revert {} --to {}", word(&table_name::write(table)), word(point))
        }
        Target::Schema(schema, point) => {
            format!("revert --schema {} --to {}", word(schema), word(point))
        }
        Target::Cause(cause) => format!(
            "undo{}{}{}{}{}",
            option("by-actor", cause.actor.clone()),
            option("by-application", cause.application.clone()),
            option("by-user", cause.user.clone()),
            option("since", cause.from.map(|from| from.to_string())),
            option("until", cause.to.map(|to| to.to_string())),
        ),
    };
    let takes_conflicts =
        !matches!(target, Target::Version(..) | Target::Table(..) | Target::Schema(..));
    let conflict = confirmation.on_conflict.filter(|_| takes_conflicts);
    let conflict = conflict.map(|choice| choice.on_conflict().word().to_owned());
    let is_split = confirmation.in_batches && target.has_batches();
    let columns = confirmation.columns.iter().flatten();
    let columns = columns.map(|column| option("column", Some(column.clone()))).collect::<String>();
    let reason = Some(confirmation.reason.clone()).filter(|reason| !reason.is_empty());
    format!(
        "pgtrack {what}{columns}{}{}{}",
        option("on-conflict", conflict),
        option("batch", is_split.then(|| BATCH_ROWS.to_string())),
        option("message", reason)
    )
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-:/".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
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

#[cfg(test)]
mod tests {
    use pgtrack_tracker::RowKey;
    use pgtrack_tracker::revert::{Action, Target, Total};

    use super::sql;
    use crate::revert::{Choice, Confirmation};
    use crate::visit::Visit;

    fn sentence(target: &Target, totals: &[Total], confirmation: &Confirmation) -> String {
        super::sentence(&Visit::example(), target, totals, confirmation).into_owned()
    }

    fn button(target: &Target, totals: &[Total]) -> String {
        super::button(&Visit::example(), target, totals).into_owned()
    }

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
