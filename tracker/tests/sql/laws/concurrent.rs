//! Points in time are exact while several sessions write.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::random::{Step, Transaction, transaction};
use super::trial::{number_of, runner, seed};
use super::world::{World, compare};
use crate::support::{Session, on_each_own_server, on_outer_versions};

const WRITERS: usize = 4;
const ROUNDS: u32 = 1;
const TRANSACTIONS_A_ROUND: usize = 12;
const TAGS_A_ROUND: usize = 12;

/// Points with what was in the tables then.
type Points = RefCell<Vec<(String, String)>>;

#[test]
fn every_point_is_exact_while_others_write() {
    on_outer_versions(async |session| check(&session).await);
}

#[test]
fn every_point_is_exact_with_commit_timestamps() {
    on_each_own_server(&[("track_commit_timestamp", "on")], async |session| check(&session).await);
}

async fn check(session: &Session) {
    let seed = seed();
    let mut random = runner(seed);
    let world = World::create(session).await;
    session
        .run(
            "CREATE TABLE account (id int PRIMARY KEY, balance int); SELECT pgtrack.track('shop.account');
             INSERT INTO account SELECT g, 100 FROM generate_series(1, 4) g",
        )
        .await;
    let points = Points::default();
    let moments = RefCell::new(Vec::new());
    for _ in 0..number_of(ROUNDS) {
        let work: Vec<_> = (0..WRITERS).map(|writer| some_work(&mut random, writer)).collect();
        let mut sessions = Vec::new();
        for _ in 0..WRITERS {
            sessions.push(session.another().await);
        }
        let busy = Cell::new(WRITERS);
        let writer = |number: usize| {
            let (session, work, points, busy) = (&sessions[number], &work[number], &points, &busy);
            async move {
                write(session, work, points).await;
                busy.update(|count| count - 1);
            }
        };
        tokio::join!(writer(0), writer(1), writer(2), writer(3), async {
            let watcher = session.another().await;
            for _ in 0..TAGS_A_ROUND {
                tag(&watcher, &points).await;
                let moment = watcher.rows("SELECT clock_timestamp()").await;
                moments.borrow_mut().push(moment);
                tokio::time::sleep(Duration::from_millis(5)).await;
                if busy.get() == 0 {
                    break;
                }
            }
        });
        // Now nobody writes: the moment is a point that everything is before.
        let state = world.state().await;
        let moment = session.rows("SELECT clock_timestamp()").await;
        points.borrow_mut().push((moment, state));
    }
    let repeat = format!("PGTRACK_TEST_SEED={seed} repeats the statements, not their timing");
    for (point, state) in &points.into_inner() {
        if let Err(reason) = compare(&format!("as of {point}"), &world.state_at(point).await, state)
        {
            panic!("{reason}\n{repeat}");
        }
    }
    let moments = moments.into_inner();
    assert!(moments.len() > 2, "the watcher has watched");
    for moment in moments {
        let total = session
            .rows(&format!(
                "SELECT sum(balance) FROM pgtrack.as_of(NULL::shop.account, '{moment}')"
            ))
            .await;
        assert_eq!(total, "400", "a transfer is cut at {moment}\n{repeat}");
    }
}

/// What one writer does: transactions, some of them long.
fn some_work(random: &mut TestRunner, writer: usize) -> Vec<(Transaction, [i32; 2])> {
    let length = if writer == 0 { 3 } else { 1 };
    let work = (proptest::collection::vec(transaction(), length), [1..5, 1..5]);
    (0..TRANSACTIONS_A_ROUND / length)
        .map(|_| {
            let (parts, transfer) =
                work.new_tree(random).expect("every value is acceptable").current();
            // TRUNCATE is not for snapshots: a REPEATABLE READ transaction that began before it sees an empty table.
            let steps = parts.into_iter().flatten();
            (
                steps
                    .filter(|step| !matches!(step, Step::Do(text) if text.contains("TRUNCATE")))
                    .collect(),
                transfer,
            )
        })
        .collect()
}

async fn write(session: &Session, work: &[(Transaction, [i32; 2])], points: &Points) {
    let world = World::through(session).await;
    for (number, (transaction, [from, to])) in work.iter().enumerate() {
        let isolation = if number % 2 == 0 { "REPEATABLE READ" } else { "READ COMMITTED" };
        let take = format!("UPDATE account SET balance = balance - 1 WHERE id = {from}");
        let give = format!("UPDATE account SET balance = balance + 1 WHERE id = {to}");
        session.run(&format!("BEGIN ISOLATION LEVEL {isolation}")).await;
        // Deadlocks and serialization failures end a transaction; that is as good as any other rollback.
        let done = async {
            session.attempt(&take).await?;
            let xid = world.work(transaction).await?;
            session.attempt(&give).await?;
            // Reading is where a deadlock with a TRUNCATE would be found else, and it is not expected there.
            session.attempt(&World::lock_to_read()).await?;
            // A key that others deleted since the snapshot can be inserted again, and then the transaction sees both rows.
            let is_a_state = world.every_key_is_there_once().await;
            let state = world.state().await;
            Ok::<_, String>(xid.filter(|_| is_a_state).map(|xid| (format!("xid:{xid}"), state)))
        };
        match done.await {
            Ok(point) if number % 4 != 3 => {
                if session.attempt("COMMIT").await.is_ok() && isolation == "REPEATABLE READ" {
                    points.borrow_mut().extend(point);
                }
            }
            Ok(_) => session.run("ROLLBACK").await,
            Err(error) => {
                assert!(error.starts_with("40"), "{error}");
                session.run("ROLLBACK").await;
            }
        }
    }
}

/// Tags a moment in a transaction that copies the tables.
async fn tag(session: &Session, points: &Points) {
    let world = World::through(session).await;
    let name = format!("tag {}", points.borrow().len());
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    // Whoever truncates and takes it back may be in the way, as in `write`.
    if session.attempt(&World::lock_to_read()).await.is_err() {
        return session.run("ROLLBACK").await;
    }
    let state = world.state().await;
    if session.attempt(&format!("SELECT pgtrack.tag('{name}')")).await.is_ok() {
        session.run("COMMIT").await;
        points.borrow_mut().push((name, state));
    } else {
        session.run("ROLLBACK").await;
    }
}
