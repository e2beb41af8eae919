//! What a plan is called, what it would do, and what its button says.

use pgtrack_tracker::revert::{Action, Step, Target};

use crate::links::Links;
use crate::revert::Subject;
use crate::view::number::{count, length};

/// The page's heading.
pub(super) fn title(target: &Target) -> String {
    match target {
        Target::Transaction(xid) => format!("Undo transaction {xid}"),
        Target::LastChange(_, key) => format!("Undo the last change of {key}"),
        Target::Version(_, key, 0) => format!("Restore {key} as it was before version 1"),
        Target::Version(_, key, version) => format!("Restore version {version} of {key}"),
        Target::DeletedRow(_, key) => format!("Restore the deleted row {key}"),
    }
}

/// What would happen, in one sentence.
pub(super) fn sentence(target: &Target, steps: &[Step]) -> String {
    if is_idle(steps) {
        return "There is nothing to do: everything is as wanted already.".to_owned();
    }
    let (subject, until) = match target {
        Target::Transaction(xid) => (None, format!("everything is as before transaction {xid}")),
        Target::LastChange(..) => (Some("the row"), "it is as before its last change".to_owned()),
        Target::Version(_, _, 0) => (Some("the row"), "it is as before version 1".to_owned()),
        Target::Version(_, _, version) => {
            (Some("the row"), format!("it is as right after version {version}"))
        }
        Target::DeletedRow(..) => (Some("the row"), "it is as before its deletion".to_owned()),
    };
    let parts: Vec<String> = [Action::Update, Action::Insert, Action::Delete]
        .into_iter()
        .filter_map(|action| {
            let number = steps.iter().filter(|step| step.action == action).count();
            let rows = subject.map_or_else(|| count(length(number), "row"), str::to_owned);
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
pub(super) fn button(target: &Target, steps: &[Step]) -> String {
    let changes = steps.iter().filter(|step| step.action != Action::Nothing).count();
    match target {
        Target::Transaction(_) | Target::LastChange(..) => {
            format!("Undo {}", count(length(changes), "change"))
        }
        Target::Version(_, _, 0) => "Restore first state".to_owned(),
        Target::Version(_, _, version) => format!("Restore version {version}"),
        Target::DeletedRow(..) => "Restore 1 row".to_owned(),
    }
}

/// Whether a plan would do nothing.
pub(super) fn is_idle(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.action == Action::Nothing)
}

/// The page that the plan is about.
pub(super) fn back(links: Links<'_>, subject: &Subject, target: &Target) -> String {
    match (target, subject.row()) {
        (Target::Transaction(xid), _) => links.transaction(*xid),
        (_, Some((table, key))) => links.row(table, &key),
        (_, None) => links.overview(),
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
    use pgtrack_tracker::revert::{Action, Step, Target};

    use super::{button, sentence};

    fn steps(actions: &[Action]) -> Vec<Step> {
        actions
            .iter()
            .map(|action| Step {
                table: "public.users".to_owned(),
                key: RowKey::from_json(r#"{"id":1}"#).unwrap(),
                action: *action,
                before: None,
                after: None,
                conflict: None,
            })
            .collect()
    }

    #[track_caller]
    fn check(actions: &[Action], expected_sentence: &str, expected_button: &str) {
        let (target, steps) = (Target::Transaction(7), steps(actions));
        assert_eq!(sentence(&target, &steps), expected_sentence);
        assert_eq!(button(&target, &steps), expected_button);
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
            sentence(&target, &steps(&[Action::Nothing])).starts_with("There is nothing to do")
        );
        assert!(sentence(&target, &[]).starts_with("There is nothing to do"));
    }
}
