//! Random histories of the tables of a [`Group`](super::twin_schema::Group).

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;

use super::random::Step;
use super::twin_schema::{GROUPS, Group};

/// Tables, and what happens to them.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) schema: String,
    /// Whether an undo gives back exactly what was there: it does not where triggers change what it writes.
    pub(super) is_exact: bool,
    pub(super) acts: Vec<Act>,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    /// A statement in a transaction of its own.
    Alone(String),
    /// A transaction that an error ends, or that has a savepoint before each step.
    Transaction {
        isolation: &'static str,
        /// What another session commits after the transaction has begun to read, and before it writes.
        meanwhile: Option<String>,
        savepoints: bool,
        steps: Vec<Step>,
    },
    /// A definition, in a transaction of its own.
    Define(String),
}

/// Histories of one group or another with up to `n` acts.
pub(super) fn history(n: usize) -> impl Strategy<Value = History> {
    Union::new(GROUPS.iter().map(move |group| history_of(group, n).boxed()))
}

fn history_of(group: &'static Group, n: usize) -> impl Strategy<Value = History> {
    (schema(group), vec(act(group), 1..=n)).prop_map(|(schema, acts)| History {
        schema,
        is_exact: group.is_exact,
        acts,
    })
}

/// A group's tables, with what its holes may say.
fn schema(group: &'static Group) -> impl Strategy<Value = String> {
    let action = || {
        prop::sample::select(vec!["CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION", "RESTRICT"])
    };
    let check = || prop::sample::select(vec!["", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"]);
    (action(), action(), action(), action(), check(), check()).prop_map(
        move |(update, delete, other_update, other_delete, check, other_check)| {
            let holes = [
                ("{update}", update),
                ("{delete}", delete),
                ("{update2}", other_update),
                ("{delete2}", other_delete),
                ("{check}", check),
                ("{check2}", other_check),
            ];
            holes
                .iter()
                .fold(group.schema.to_owned(), |text, (hole, value)| text.replace(hole, value))
        },
    )
}

fn act(group: &'static Group) -> impl Strategy<Value = Act> {
    let isolation = prop::sample::select(vec![
        "READ COMMITTED",
        "READ COMMITTED",
        "REPEATABLE READ",
        "SERIALIZABLE",
    ]);
    let meanwhile = prop::option::weighted(0.2, statement(group.statements));
    let transaction = (isolation, meanwhile, any::<bool>(), steps(group)).prop_map(
        |(isolation, meanwhile, savepoints, mut steps)| {
            // TRUNCATE is refused where others have committed since the snapshot, in whatever database.
            if isolation != "READ COMMITTED" {
                steps.retain(|step| !format!("{step:?}").contains("TRUNCATE"));
            }
            Act::Transaction { isolation, meanwhile, savepoints, steps }
        },
    );
    let define = statement(group.definitions).prop_map(Act::Define);
    prop_oneof![
        3 => statement(group.statements).prop_map(Act::Alone),
        7 => transaction,
        2 => define,
    ]
}

fn steps(group: &'static Group) -> impl Strategy<Value = Vec<Step>> {
    vec(
        prop_oneof![
            9 => statement(group.statements).prop_map(Step::Do),
            1 => vec(statement(group.statements), 1..3).prop_map(Step::Abandon),
        ],
        1..7,
    )
}

/// One of some statements, its holes filled: `{a}`, `{b}` and `{c}` are small numbers, `{s}` and `{t}` letters of either case,
/// `{e}` and `{f}` labels, `{v}` any number, `{now}` and `{then}` when a constraint is checked.
fn statement(templates: &'static [(u32, &'static str)]) -> impl Strategy<Value = String> {
    let template = Union::new_weighted(
        templates.iter().map(|(weight, text)| (*weight, Just(*text))).collect(),
    );
    let letter = || prop::sample::select(vec!["a", "b", "c", "d", "e", "A", "B", "C"]);
    let label = || prop::sample::select(vec!["low", "mid", "high"]);
    let number = || 1..7;
    (template, [number(), number(), number()], [letter(), letter()], [label(), label()], 0..100)
        .prop_map(|(template, [a, b, c], [s, t], [e, f], v)| {
            let mut text = template.to_owned();
            for (hole, number) in [("{a}", a), ("{b}", b), ("{c}", c), ("{v}", v)] {
                text = text.replace(hole, &i32::to_string(&number));
            }
            [("{s}", s), ("{t}", t), ("{e}", e), ("{f}", f)]
                .iter()
                .fold(text, |text, (hole, value)| text.replace(hole, value))
        })
}
