//! An undo in batches leaves what the undo in one step leaves.

use proptest::prelude::*;

use super::random::{transactions, transactions_that_keep_keys};
use super::trial::try_law;
use super::world::{World, compare};
use crate::support::on_outer_versions;

/// Which of the transactions to undo, in batches of which size, and what to do with what happened since.
fn undo() -> impl Strategy<Value = (Vec<bool>, u32, &'static str)> {
    let ways = prop::sample::select(vec!["force", "skip", "merge", "delta"]);
    (proptest::collection::vec(any::<bool>(), 7), 1..6u32, ways)
}

#[test]
fn batches_of_any_size_leave_what_one_step_leaves() {
    on_outer_versions(async |session| {
        try_law(8, (transactions_that_keep_keys(7), undo()), async |(history, undo)| {
            let world = World::create(&session).await;
            let Some(xids) = happened(&world, &history, &undo.0).await else { return Ok(()) };
            let refused = check(&world, &xids, undo.1, undo.2).await?;
            refused.map_or(Ok(()), |error| Err(format!("no key has changed: {error}")))
        })
        .await;
    });
}

#[test]
fn where_keys_have_changed_batches_are_refused_or_right() {
    on_outer_versions(async |session| {
        try_law(10, (transactions(7), undo()), async |(history, undo)| {
            let world = World::create(&session).await;
            let Some(xids) = happened(&world, &history, &undo.0).await else { return Ok(()) };
            let moves = session.rows("SELECT count(*) FROM pgtrack.key_change").await;
            match check(&world, &xids, undo.1, undo.2).await? {
                Some(error) if moves == "0" => Err(format!("no key has changed: {error}")),
                _ => Ok(()),
            }
        })
        .await;
    });
}

/// Runs a history; returns the chosen ones of its transactions, as an array.
async fn happened(
    world: &World<'_>,
    history: &[super::random::Transaction],
    chosen: &[bool],
) -> Option<String> {
    let mut xids = Vec::new();
    for (transaction, is_chosen) in history.iter().zip(chosen) {
        let xid = world.transact(transaction).await;
        xids.extend(xid.filter(|_| *is_chosen));
    }
    (!xids.is_empty()).then(|| xids.join(","))
}

/// Compares both ways. Returns why batches are refused from the start, if they are.
async fn check(
    world: &World<'_>,
    xids: &str,
    size: u32,
    way: &str,
) -> Result<Option<String>, String> {
    let session = world.session;
    let start = world.state().await;
    session.run("BEGIN").await;
    let undo = format!("SELECT pgtrack.undo_transactions('{{{xids}}}', '{way}')");
    let whole = session.attempt(&undo).await;
    let expected = if whole.is_ok() { world.state().await } else { String::new() };
    session.run("ROLLBACK").await;
    let choice = format!(r#"{{"xids": [{xids}]}}"#);
    let plan = format!(
        "SELECT format('SELECT pgtrack.undo_batch(%L, %L, %L, ''{way}'')', '{choice}', rows, seen)
         FROM pgtrack.plan_batches('{choice}', {size}, '{way}') ORDER BY batch"
    );
    if let Err(error) = session.attempt(&plan).await {
        return if error.starts_with("55000: cannot undo only some rows of ") {
            Ok(Some(error))
        } else {
            Err(error)
        };
    }
    let batches = session.rows(&plan).await;
    let last = session.rows("SELECT max(statement_id) FROM pgtrack.statement").await;
    for batch in batches.lines() {
        let before = world.state().await;
        if let Err(error) = session.attempt(batch).await {
            compare("after a batch that failed", &world.state().await, &before)?;
            // What others made refers to what is undone. One step lets go also of rows that it updates itself.
            return if whole.is_err() && error.starts_with("23")
                || error.starts_with("23503: rows of ")
            {
                Ok(None)
            } else {
                Err(format!("{batch}: {error}"))
            };
        }
    }
    if whole.is_ok() {
        compare(&format!("{xids} undone in batches"), &world.state().await, &expected)?;
        take_back(world, &last, &start).await?;
    }
    Ok(None)
}

/// All the batches together are undone like any change.
async fn take_back(world: &World<'_>, last: &str, start: &str) -> Result<(), String> {
    let undone = format!(
        "SELECT array_agg(DISTINCT s.xid) FROM pgtrack.statement s WHERE s.statement_id > {last}"
    );
    let undone = world.session.rows(&undone).await;
    if undone != "~" {
        let undo = format!("SELECT pgtrack.undo_transactions('{undone}')");
        world.session.attempt(&undo).await.map_err(|error| format!("{undo}: {error}"))?;
        compare("all batches undone", &world.state().await, start)?;
    }
    Ok(())
}
