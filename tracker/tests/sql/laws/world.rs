//! Three tracked tables that refer to each other, and what is in them.

use super::random::{Step, Transaction};
use crate::support::Session;

/// The tables: a plain key, a composite one whose order is not that of the columns, and one that may be swapped.
pub(super) const TABLES: [&str; 3] = ["customer", "item", "seat"];

const SCHEMA: &str = "
    CREATE TABLE customer (id int PRIMARY KEY, name text, balance numeric);
    CREATE TABLE item (customer int REFERENCES customer ON UPDATE CASCADE ON DELETE CASCADE, n int, note json, PRIMARY KEY (n, customer));
    CREATE TABLE seat (id text PRIMARY KEY DEFERRABLE, holder int REFERENCES customer ON UPDATE CASCADE ON DELETE SET NULL, v int);
    INSERT INTO customer VALUES (1, 'before', 1.0), (2, 'before', 1.00);
    INSERT INTO item VALUES (1, 1, '{\"a\":  1}'), (2, 1, NULL);
    INSERT INTO seat VALUES ('a', 1, 1), ('b', NULL, 2), ('c', 2, 3);
    SELECT pgtrack.track('shop');";

/// A fresh set of the tables in schema `shop`, reached through one session.
pub(super) struct World<'a> {
    pub(super) session: &'a Session,
}

impl<'a> World<'a> {
    /// Creates the tables anew, with some rows from before tracking.
    pub(super) async fn create(session: &'a Session) -> Self {
        session
            .run(&format!(
                "SET client_min_messages = error; DROP SCHEMA IF EXISTS shop CASCADE; SELECT pgtrack.untag(name) FROM pgtrack.tags();
                 CREATE SCHEMA shop; SET search_path = shop; {SCHEMA}"
            ))
            .await;
        Self { session }
    }

    /// The same tables through another session.
    pub(super) async fn through(session: &'a Session) -> Self {
        session.run("SET search_path = shop").await;
        Self { session }
    }

    /// Everything in the tables, byte for byte, in a fixed order.
    pub(super) async fn state(&self) -> String {
        self.rows_of(|table| format!("shop.{table}")).await
    }

    /// Everything that was in the tables at a point.
    pub(super) async fn state_at(&self, point: &str) -> String {
        self.rows_of(|table| format!("pgtrack.as_of(NULL::shop.{table}, '{point}')")).await
    }

    /// Makes sure that what reads the tables does not wait.
    pub(super) fn lock_to_read() -> String {
        let tables = TABLES.map(|table| format!("shop.{table}"));
        format!("LOCK TABLE {} IN ACCESS SHARE MODE", tables.join(", "))
    }

    /// Whether no two rows with the same key are visible.
    pub(super) async fn every_key_is_there_once(&self) -> bool {
        self.session
            .rows(
                "SELECT (SELECT count(*) = count(DISTINCT id) FROM customer) AND (SELECT count(*) = count(DISTINCT id) FROM seat)
                    AND (SELECT count(*) = count(DISTINCT (n, customer)) FROM item)",
            )
            .await
            == "t"
    }

    async fn rows_of(&self, source: impl Fn(&str) -> String) -> String {
        let parts = TABLES.map(|table| {
            format!(
                "SELECT '{table}' AS name, t::text COLLATE \"C\" AS row FROM {} t",
                source(table)
            )
        });
        self.session.rows(&format!("{} ORDER BY name, row", parts.join(" UNION ALL "))).await
    }

    /// Does what a transaction does. Returns its xid if it changed a tracked table, and fails when the server has ended
    /// the transaction, by a deadlock for example.
    pub(super) async fn work(&self, transaction: &Transaction) -> Result<Option<String>, String> {
        for step in transaction {
            self.session.run("SAVEPOINT step").await;
            let (statements, keep) = match step {
                Step::Do(statement) => (std::slice::from_ref(statement), true),
                Step::Abandon(statements) => (statements.as_slice(), false),
            };
            let mut succeeded = true;
            for statement in statements {
                if let Err(error) = self.session.attempt(statement).await {
                    if error.starts_with("40") {
                        return Err(error);
                    }
                    // Constraints (23), a row that one command would change twice (21, 27), and keys that have grown
                    // too large (22003) are the application's business; anything else would be ours.
                    let is_theirs =
                        ["21", "23", "27"].contains(&&error[..2]) || error.starts_with("22003");
                    assert!(is_theirs, "{statement}: {error}");
                    succeeded = false;
                    break;
                }
            }
            if !keep || !succeeded {
                self.session.run("ROLLBACK TO step").await;
            }
        }
        let xid = self
            .session
            .rows("SELECT xid FROM pgtrack.statement WHERE xid = pg_current_xact_id_if_assigned() LIMIT 1")
            .await;
        Ok((!xid.is_empty()).then_some(xid))
    }

    /// Runs a whole transaction. Returns its xid if it changed a tracked table.
    pub(super) async fn transact(&self, transaction: &Transaction) -> Option<String> {
        self.session.run("BEGIN").await;
        let xid = self.work(transaction).await.unwrap_or_else(|error| panic!("{error}"));
        self.session.run("COMMIT").await;
        xid
    }
}

/// Says how two states differ.
pub(super) fn compare(what: &str, actual: &str, expected: &str) -> Result<(), String> {
    if actual == expected {
        return Ok(());
    }
    let only_in = |one: &str, other: &str| {
        one.lines()
            .filter(|line| !other.lines().any(|l| l == *line))
            .collect::<Vec<_>>()
            .join("\n  ")
    };
    Err(format!(
        "{what}\nonly in what came out:\n  {}\nonly in what was expected:\n  {}",
        only_in(actual, expected),
        only_in(expected, actual)
    ))
}
