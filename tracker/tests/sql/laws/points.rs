//! The tables as of a point are what they were then, and can be made so again.

use proptest::prelude::*;

use super::random::{Transaction, transaction};
use super::trial::try_law;
use super::world::{TABLES, World, compare};
use crate::support::{Session, on_outer_versions};

/// What happens between two points.
#[derive(Debug, Clone)]
enum Event {
    Transaction(Transaction),
    /// The latest transaction but so many is undone, whatever happened since.
    Undo(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => transaction().prop_map(Event::Transaction),
        1 => (0..3_u8).prop_map(Event::Undo),
    ]
}

/// The columns by which rows of a table are matched.
const KEYS: [&str; 3] = ["id", "n, customer", "id"];

#[test]
fn every_point_shows_what_was_there_then() {
    on_outer_versions(async |session| {
        try_law(4, proptest::collection::vec(event(), 1..7), async |events| {
            let world = World::create(&session).await;
            let points = live(&world, &events).await;
            for (point, state) in &points {
                compare(&format!("as of {point}"), &world.state_at(point).await, state)?;
            }
            for pair in points.windows(3) {
                let (from, to) = (&pair[0].0, &pair[2].0);
                for (table, key) in TABLES.iter().zip(KEYS) {
                    check_difference(&session, table, key, from, to).await?;
                    check_difference(&session, table, key, to, from).await?;
                }
            }
            Ok(())
        })
        .await;
    });
}

#[test]
fn a_schema_reverted_to_a_point_is_what_it_was_and_the_undo_of_that_brings_back_the_present() {
    on_outer_versions(async |session| {
        try_law(6, proptest::collection::vec(event(), 1..6), async |events| {
            let world = World::create(&session).await;
            let points = live(&world, &events).await;
            let present = world.state().await;
            for (point, state) in points.iter().rev() {
                let what = format!("reverted to {point}");
                session.run("BEGIN").await;
                session
                    .attempt(&format!("SELECT pgtrack.revert_schema('shop', '{point}')"))
                    .await
                    .map_err(|error| format!("{what}: {error}"))?;
                let xid = session
                    .rows("SELECT xid FROM pgtrack.statement WHERE xid = pg_current_xact_id_if_assigned() LIMIT 1")
                    .await;
                session.run("COMMIT").await;
                compare(&what, &world.state().await, state)?;
                if !xid.is_empty() {
                    session
                        .attempt(&format!("SELECT pgtrack.undo_transaction({xid})"))
                        .await
                        .map_err(|error| format!("{what}, undone: {error}"))?;
                }
                compare(&format!("{what}, undone"), &world.state().await, &present)?;
            }
            // All of that has changed nothing about the past.
            for (point, state) in &points {
                compare(&format!("as of {point}, at last"), &world.state_at(point).await, state)?;
            }
            Ok(())
        })
        .await;
    });
}

#[test]
fn a_table_reverted_to_a_point_is_what_it_was_or_its_foreign_keys_forbid_it() {
    on_outer_versions(async |session| {
        try_law(6, proptest::collection::vec(event(), 1..6), async |events| {
            let world = World::create(&session).await;
            for (point, _) in live(&world, &events).await {
                for table in TABLES {
                    session.run("BEGIN").await;
                    let wanted =
                        sorted(&session, &format!("pgtrack.as_of(NULL::shop.{table}, '{point}')"))
                            .await;
                    match session
                        .attempt(&format!("SELECT pgtrack.revert_table('{table}', '{point}')"))
                        .await
                    {
                        Ok(()) => compare(
                            &format!("{table} reverted to {point}"),
                            &sorted(&session, &format!("shop.{table}")).await,
                            &wanted,
                        )?,
                        Err(error) if error.starts_with("23503") => {}
                        Err(error) => return Err(format!("{table} reverted to {point}: {error}")),
                    }
                    session.run("ROLLBACK").await;
                }
            }
            Ok(())
        })
        .await;
    });
}

/// Lets the events happen. Returns points of each kind with what was in the tables then.
async fn live(world: &World<'_>, events: &[Event]) -> Vec<(String, String)> {
    let session = world.session;
    let mut points = Vec::new();
    let mut xids: Vec<String> = Vec::new();
    for (number, event) in events.iter().enumerate() {
        session.run(&format!("SELECT pgtrack.tag('before {number}')")).await;
        points.push((format!("before {number}"), world.state().await));
        let xid = match event {
            Event::Transaction(transaction) => world.transact(transaction).await,
            Event::Undo(back) => {
                if let Some(xid) = xids.iter().rev().nth(usize::from(*back)) {
                    // What came since may be in the way.
                    let undo = format!("SELECT pgtrack.undo_transaction({xid}, 'force')");
                    if let Err(error) = session.attempt(&undo).await {
                        assert!(error.starts_with("23"), "{error}");
                    }
                }
                None
            }
        };
        let state = world.state().await;
        points.push((session.rows("SELECT clock_timestamp()").await, state.clone()));
        if let Some(xid) = xid {
            points.push((format!("xid:{xid}"), state));
            xids.push(xid);
        }
    }
    points
}

/// The rows of a table or function, byte for byte, in a fixed order.
async fn sorted(session: &Session, source: &str) -> String {
    session.rows(&format!("SELECT t::text COLLATE \"C\" FROM {source} t ORDER BY 1")).await
}

/// Compares `diff()` with the difference of the two states.
async fn check_difference(
    session: &Session,
    table: &str,
    key: &str,
    from: &str,
    to: &str,
) -> Result<(), String> {
    let shown = session
        .rows(&format!(
            "SELECT op, before, after FROM pgtrack.diff('{table}', '{from}', '{to}') ORDER BY before::text, after::text"
        ))
        .await;
    let real = session
        .rows(&format!(
            "SELECT CASE WHEN before IS NULL THEN 'INSERT' WHEN after IS NULL THEN 'DELETE' ELSE 'UPDATE' END, before, after
             FROM (SELECT {key}, to_jsonb(t) AS before FROM pgtrack.as_of(NULL::shop.{table}, '{from}') t) a
             FULL JOIN (SELECT {key}, to_jsonb(t) AS after FROM pgtrack.as_of(NULL::shop.{table}, '{to}') t) b USING ({key})
             WHERE before::text IS DISTINCT FROM after::text ORDER BY before::text, after::text"
        ))
        .await;
    compare(&format!("difference of {table} from {from} to {to}"), &shown, &real)
}
