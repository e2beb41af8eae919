//! Setting back some columns of rows and leaving the others: which can be chosen, and what a row becomes then.

use pgtrack_tracker::Column;
use pgtrack_tracker::revert::{Action, Plan, Step, Target};

use crate::comparison::{Image, compare};

/// A column that a plan would set back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) name: String,
    /// In how many rows.
    pub(crate) rows: usize,
}

/// The columns to choose from, in the table's order, with those that are chosen already; none where there is no choice:
/// rows come or go whole or get another key, the plan is about several tables, or there is only one column.
pub(crate) fn offered(
    target: &Target,
    plan: &Plan,
    order: &[Column],
    chosen: Option<&[String]>,
) -> Vec<Offered> {
    let Some(first) = plan.steps.first() else { return Vec::new() };
    let has_choice = |step: &Step| {
        matches!(step.action, Action::Update | Action::Nothing)
            && step.table == first.table
            && !changes_key(step)
    };
    if !target.has_columns() || !plan.steps.iter().all(has_choice) {
        return Vec::new();
    }
    let mut offered: Vec<Offered> = order
        .iter()
        .filter(|column| column.can_be_set)
        .map(|column| Offered { name: column.name.clone(), rows: 0 })
        .collect();
    for step in &plan.steps {
        for changed in compare(step.before.as_ref(), step.after.as_ref(), order).changed {
            if let Some(one) = offered.iter_mut().find(|one| one.name == changed.name) {
                one.rows += 1;
            }
        }
    }
    let is_chosen = |name: &String| chosen.is_some_and(|chosen| chosen.contains(name));
    offered.retain(|one| one.rows > 0 || is_chosen(&one.name));
    if offered.len() < 2 { Vec::new() } else { offered }
}

fn changes_key(step: &Step) -> bool {
    let side = |image: &Option<Image>, name: &str| {
        image.as_ref().and_then(|image| image.get(name).cloned())
    };
    step.key.0.keys().any(|name| side(&step.before, name) != side(&step.after, name))
}

/// What a row becomes if only these of its columns are set back; what the database computes is shown as it is now.
pub(crate) fn narrowed(step: &Step, columns: &[String]) -> Option<Image> {
    let (Some(before), Some(after)) = (&step.before, &step.after) else {
        return step.after.clone();
    };
    let mut image = before.clone();
    for (name, value) in after.iter().filter(|(name, _)| columns.contains(name)) {
        image.insert(name.clone(), value.clone());
    }
    Some(image)
}

#[cfg(test)]
mod tests {
    use pgtrack_tracker::revert::{Action, Plan, Step, Target};
    use pgtrack_tracker::{Column, RowKey};
    use serde_json::{Value, json};

    use super::{narrowed, offered};

    fn step(action: Action, before: Value, after: Value) -> Step {
        Step {
            table: "a.b".to_owned(),
            key: RowKey::from_json(r#"{"id": 1}"#).unwrap(),
            action,
            before: serde_json::from_value(before).unwrap(),
            after: serde_json::from_value(after).unwrap(),
            conflict: None,
        }
    }

    fn names(target: &Target, steps: Vec<Step>) -> Vec<(String, usize)> {
        let column = |name: &str| Column {
            name: name.to_owned(),
            type_name: String::new(),
            can_be_set: name != "computed",
        };
        let order = ["id", "a", "computed", "b"].map(column);
        let plan = Plan {
            steps,
            totals: Vec::new(),
            is_cut: false,
            token: String::new(),
            digest: String::new(),
        };
        offered(target, &plan, &order, None).into_iter().map(|one| (one.name, one.rows)).collect()
    }

    #[test]
    fn columns_that_differ_and_can_be_set_are_offered() {
        let now = json!({"id": 1, "a": 1, "b": 1, "computed": 1});
        let steps = vec![
            step(Action::Update, now.clone(), json!({"id": 1, "a": 2, "b": 2, "computed": 2})),
            step(Action::Update, now.clone(), json!({"id": 1, "a": 1, "b": 2, "computed": 2})),
        ];
        let target = Target::Transaction(7);
        assert_eq!(names(&target, steps.clone()), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(names(&target, steps[1..].to_vec()), [], "one is no choice");
        let table = pgtrack_tracker::TableName { schema: "a".to_owned(), name: "b".to_owned() };
        assert_eq!(names(&Target::Table(table, "now".to_owned()), steps.clone()), []);
        let mut whole = steps.clone();
        whole.push(step(Action::Insert, Value::Null, now.clone()));
        assert_eq!(names(&target, whole), [], "a row that comes back comes back whole");
        let mut moved = steps;
        moved.push(step(Action::Update, now, json!({"id": 2, "a": 2, "b": 2})));
        assert_eq!(names(&target, moved), [], "what is another row then is not mixed");
    }

    #[test]
    fn the_other_columns_stay() {
        let step = step(
            Action::Update,
            json!({"id": 1, "a": 1, "b": 1}),
            json!({"id": 1, "a": 2, "b": 2}),
        );
        assert_eq!(
            Value::Object(narrowed(&step, &["b".to_owned()]).unwrap()),
            json!({"id": 1, "a": 1, "b": 2})
        );
    }
}
