//! Random transactions on the tables of a [`World`](super::world::World).

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;

/// What one transaction tries to do, in this order.
pub(super) type Transaction = Vec<Step>;

/// One step of a transaction. It may fail by a constraint; then it leaves no trace.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A statement that stays.
    Do(String),
    /// Statements that are taken back by ROLLBACK TO SAVEPOINT.
    Abandon(Vec<String>),
}

/// Up to `n` transactions, one after the other.
pub(super) fn transactions(n: usize) -> impl Strategy<Value = Vec<Transaction>> {
    vec(transaction(), 1..=n)
}

/// As [`transactions`], but no row gets another key.
pub(super) fn transactions_that_keep_keys(n: usize) -> impl Strategy<Value = Vec<Transaction>> {
    vec(steps(|template| !changes_keys(template)), 1..=n)
}

/// One transaction of up to six steps.
pub(super) fn transaction() -> impl Strategy<Value = Transaction> {
    steps(|_| true)
}

fn steps(may: impl Fn(&str) -> bool + Copy) -> impl Strategy<Value = Transaction> {
    vec(
        prop_oneof![
            9 => statement(may).prop_map(Step::Do),
            1 => vec(statement(may), 1..3).prop_map(Step::Abandon),
        ],
        1..7,
    )
}

fn changes_keys(template: &str) -> bool {
    ["SET id =", "SET n =", "item SET customer ="].iter().any(|part| template.contains(part))
}

/// Statements of every kind. `{a}` and `{b}` are ids of customers, `{s}` and `{t}` of seats, `{v}` any number.
const STATEMENTS: &[(u32, &str)] = &[
    (3, "INSERT INTO customer VALUES ({a}, 'n{v}', {v}.0)"),
    (
        1,
        "INSERT INTO customer SELECT g, 'many', g FROM generate_series({a}, {a} + {b}) g ON CONFLICT DO NOTHING",
    ),
    (
        2,
        "INSERT INTO customer VALUES ({a}, 'c', {v}.00), ({b}, 'c', {v}) ON CONFLICT (id) DO UPDATE SET name = excluded.name, balance = customer.balance + 1",
    ),
    (3, "UPDATE customer SET name = 'u{v}', balance = {v} WHERE id <= {a}"),
    (1, "UPDATE customer SET balance = balance WHERE id = {a}"),
    (1, "UPDATE customer SET balance = balance * 1.0 WHERE id <> {a}"),
    (2, "UPDATE customer SET id = id + (SELECT max(id) FROM customer) WHERE id IN ({a}, {b})"),
    (
        1,
        "UPDATE customer SET id = id + (SELECT max(id) FROM customer), name = 'moved' WHERE id > {a}",
    ),
    (2, "UPDATE customer SET id = {b} WHERE id = {a}"),
    (2, "DELETE FROM customer WHERE id = {a}"),
    (
        2,
        "MERGE INTO customer c USING (VALUES ({a}, 'm{v}'), ({b}, NULL)) AS s (id, name) ON c.id = s.id \
         WHEN MATCHED AND s.name IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET name = s.name \
         WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name, {v})",
    ),
    (1, "TRUNCATE customer CASCADE"),
    (
        1,
        "WITH gone AS (DELETE FROM item WHERE n = {a} RETURNING customer), \
         came AS (INSERT INTO seat SELECT '{s}', customer, {v} FROM gone LIMIT 1) \
         UPDATE customer SET name = 'w{v}' WHERE id = {b}",
    ),
    (3, "INSERT INTO item VALUES ({a}, {b}, '{\"v\": {v},  \"v\": 1}')"),
    (1, "INSERT INTO item SELECT id, {b}, NULL FROM customer ON CONFLICT DO NOTHING"),
    (
        1,
        "INSERT INTO item VALUES ({a}, {b}, '1'), ({b}, {a}, '2') ON CONFLICT (n, customer) DO UPDATE SET note = excluded.note",
    ),
    (2, "UPDATE item SET note = '[{v} ]' WHERE customer = {a}"),
    (
        2,
        "UPDATE item SET n = n + (SELECT max(n) FROM item), note = NULL WHERE n = {a} OR customer = {b}",
    ),
    (2, "UPDATE item SET n = {b} WHERE n = {a}"),
    (1, "UPDATE item SET customer = {b}, note = '{v}' WHERE customer = {a}"),
    (2, "DELETE FROM item WHERE customer = {a} OR n = {b}"),
    (1, "TRUNCATE item"),
    (3, "INSERT INTO seat VALUES ('{s}', NULL, {v})"),
    (2, "INSERT INTO seat VALUES ('{s}', {a}, {v}), ('{t}', {b}, {v})"),
    (2, "UPDATE seat SET v = v + 1 WHERE id >= '{s}'"),
    (2, "UPDATE seat SET holder = {a} WHERE id = '{s}'"),
    (2, "UPDATE seat SET id = chr(97 + (ascii(id) - 96) % 6)"),
    (
        2,
        "UPDATE seat SET id = CASE id WHEN '{s}' THEN '{t}' ELSE '{s}' END, v = v + 1 WHERE id IN ('{s}', '{t}')",
    ),
    (2, "UPDATE seat SET id = '{t}' WHERE id = '{s}'"),
    (2, "DELETE FROM seat WHERE id IN ('{s}', '{t}')"),
    (1, "TRUNCATE seat"),
];

fn statement(may: impl Fn(&str) -> bool) -> impl Strategy<Value = String> {
    let allowed = STATEMENTS.iter().filter(|(_, text)| may(text));
    let template =
        Union::new_weighted(allowed.map(|(weight, text)| (*weight, Just(*text))).collect());
    let seat = || prop::sample::select(vec!["a", "b", "c", "d", "e", "f"]);
    (template, 1..6, 1..6, seat(), seat(), 0..100).prop_map(|(template, a, b, s, t, v)| {
        let mut text = template.to_owned();
        for (name, value) in [("{a}", a), ("{b}", b), ("{v}", v)] {
            text = text.replace(name, &i32::to_string(&value));
        }
        text.replace("{s}", s).replace("{t}", t)
    })
}
