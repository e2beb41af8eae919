//! To undo every transaction, latest first, is to go back through all states to the first; and forward again.

use super::random::transactions;
use super::trial::try_law;
use super::world::{World, compare};
use crate::support::{Session, on_outer_versions};

#[test]
fn undoing_every_transaction_in_reverse_goes_back_through_every_state_and_redoing_forward() {
    on_outer_versions(async |session| {
        try_law(9, transactions(7), async |history| {
            let world = World::create(&session).await;
            let mut done = Vec::new();
            for transaction in &history {
                let before = world.state().await;
                if let Some(xid) = world.transact(transaction).await {
                    done.push((xid, before, world.state().await));
                }
            }
            let mut undone = Vec::new();
            for (xid, before, after) in done.iter().rev() {
                undone.push((undo(&session, xid).await?, after));
                compare(&format!("after undo of {xid}"), &world.state().await, before)?;
            }
            for (xid, after) in undone.iter().rev() {
                if let Some(xid) = xid {
                    undo(&session, xid).await?;
                }
                compare(&format!("after undo of undo {xid:?}"), &world.state().await, after)?;
            }
            Ok(())
        })
        .await;
    });
}

/// Undoes a transaction. Returns the xid of the undo, unless there was nothing to do.
async fn undo(session: &Session, xid: &str) -> Result<Option<String>, String> {
    session
        .attempt(&format!("SELECT pgtrack.undo_transaction({xid})"))
        .await
        .map_err(|error| format!("undo of {xid}: {error}"))?;
    let undo = session
        .rows(&format!("SELECT xid FROM pgtrack.activity WHERE reverts = 'xid:{xid}' LIMIT 1"))
        .await;
    Ok((!undo.is_empty()).then_some(undo))
}
