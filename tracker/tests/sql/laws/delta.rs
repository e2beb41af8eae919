//! Additions, of which some are undone by the difference, in any order, together or twice: what is left is the sum of the
//! others.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::trial::try_law;
use crate::support::{Session, on_outer_versions};

/// The rows have the ids 1 to this number.
const ROWS: usize = 3;

/// What happens in one transaction. Numbers name earlier ones, counted round.
#[derive(Debug, Clone)]
enum Step {
    /// An amount is added to the rows of a mask; the note of them may change, too.
    Add { amount: i32, rows: u32, has_note: bool },
    /// Some additions are undone as if they had been one, at once or in batches.
    Undo { additions: Vec<usize>, in_batches: bool },
    /// An undo is undone.
    Redo(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let amount = prop::sample::select(vec![-3, -2, -1, 1, 2, 3]);
    prop_oneof![
        4 => (amount, 1..8u32, any::<bool>())
            .prop_map(|(amount, rows, has_note)| Step::Add { amount, rows, has_note }),
        3 => (vec(0..100usize, 1..4), any::<bool>())
            .prop_map(|(additions, in_batches)| Step::Undo { additions, in_batches }),
        1 => (0..100usize).prop_map(Step::Redo),
    ]
}

/// What is to be expected of one row.
#[derive(Default, Clone)]
struct Expected {
    value: i32,
    /// The additions that are in it.
    in_force: BTreeSet<usize>,
}

/// An undo: its transaction, and of each row the additions that it took away and that have not come back.
struct Undone {
    xid: String,
    rows: Vec<BTreeSet<usize>>,
}

#[derive(Default)]
struct Ledger {
    rows: Vec<Expected>,
    /// The transaction and amount of each addition.
    additions: Vec<(String, i32)>,
    undone: Vec<Undone>,
}

impl Ledger {
    fn sum(&self, additions: &BTreeSet<usize>) -> i32 {
        additions.iter().map(|one| self.additions[*one].1).sum()
    }

    async fn add(&mut self, session: &Session, amount: i32, rows: u32, has_note: bool) {
        let note = if has_note { ", note = note || 'x'" } else { "" };
        let ids = (0..ROWS).filter(|row| rows & (1u32 << *row) != 0);
        let ids: Vec<usize> = ids.collect();
        let list = ids.iter().map(|row| (row + 1).to_string()).collect::<Vec<_>>().join(", ");
        let added = format!(
            "UPDATE t SET v = v + {amount}, n = n + {amount}, d = d + {amount}{note} WHERE id IN ({list})"
        );
        session.run(&added).await;
        let xid = session.rows("SELECT max(xid) FROM pgtrack.log(1)").await;
        for row in ids {
            self.rows[row].value += amount;
            self.rows[row].in_force.insert(self.additions.len());
        }
        self.additions.push((xid, amount));
    }

    async fn undo(&mut self, session: &Session, chosen: &BTreeSet<usize>, in_batches: bool) {
        let xids: Vec<&str> = chosen.iter().map(|one| self.additions[*one].0.as_str()).collect();
        let xids = xids.join(", ");
        let before = session.rows("SELECT max(statement_id) FROM pgtrack.statement").await;
        let undo = if in_batches {
            format!(
                "SELECT count(u) FROM (SELECT * FROM pgtrack.plan_batches('{{\"xids\": [{xids}]}}', 2, 'delta')) b
                 CROSS JOIN LATERAL pgtrack.undo_batch('{{\"xids\": [{xids}]}}', b.rows, b.seen, 'delta') u"
            )
        } else {
            format!("SELECT pgtrack.undo_transactions('{{{xids}}}', on_conflict => 'delta')")
        };
        session.run(&undo).await;
        let query =
            format!("SELECT max(xid::text) FROM pgtrack.statement WHERE statement_id > {before}");
        let xid = session.rows(&query).await;
        let mut rows = Vec::new();
        for row in 0..ROWS {
            let mut gone: BTreeSet<usize> =
                self.rows[row].in_force.intersection(chosen).copied().collect();
            let sum = self.sum(&gone);
            // What comes to nothing is not undone: nothing is recorded.
            if sum == 0 {
                gone.clear();
            }
            self.rows[row].value -= sum;
            self.rows[row].in_force.retain(|one| !gone.contains(one));
            rows.push(gone);
        }
        if xid != "~" {
            self.undone.push(Undone { xid, rows });
        }
    }

    async fn redo(&mut self, session: &Session, number: usize) {
        let xid = self.undone[number].xid.clone();
        session
            .run(&format!("SELECT pgtrack.undo_transaction({xid}, on_conflict => 'delta')"))
            .await;
        for row in 0..ROWS {
            let back = std::mem::take(&mut self.undone[number].rows[row]);
            self.rows[row].value += self.sum(&back);
            self.rows[row].in_force.extend(back);
        }
    }
}

#[test]
fn what_is_undone_by_the_difference_in_any_order_leaves_the_sum_of_the_others() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v int, n numeric, d float8, note text); SELECT pgtrack.track('t')",
            )
            .await;
        try_law(25, vec(step(), 1..14), async |steps| {
            session
                .run("TRUNCATE t; INSERT INTO t SELECT i, 0, 0, 0, '' FROM generate_series(1, 3) i")
                .await;
            let mut ledger = Ledger { rows: vec![Expected::default(); ROWS], ..Ledger::default() };
            for step in &steps {
                match step {
                    Step::Add { amount, rows, has_note } => {
                        ledger.add(&session, *amount, *rows, *has_note).await;
                    }
                    Step::Undo { additions, in_batches } if !ledger.additions.is_empty() => {
                        let count = ledger.additions.len();
                        let chosen = additions.iter().map(|one| one % count).collect();
                        ledger.undo(&session, &chosen, *in_batches).await;
                    }
                    Step::Redo(number) if !ledger.undone.is_empty() => {
                        let number = number % ledger.undone.len();
                        ledger.redo(&session, number).await;
                    }
                    Step::Undo { .. } | Step::Redo(_) => {}
                }
                let actual = session.rows("SELECT v, n - v, d - v FROM t ORDER BY id").await;
                let expected: Vec<String> =
                    ledger.rows.iter().map(|row| format!("{}|0|0", row.value)).collect();
                if actual != expected.join("\n") {
                    return Err(format!("after {step:?}: {actual}, not {}", expected.join("\n")));
                }
            }
            Ok(())
        })
        .await;
    });
}
