//! A table as of a point is what it was then.

use super::random::transactions;
use super::trial::try_law;
use super::world::{World, compare};
use crate::support::on_each_version;

#[test]
fn as_of_a_tag_or_a_transaction_is_the_state_that_was() {
    on_each_version(async |session| {
        try_law(12, transactions(7), async |history| {
            let world = World::create(&session).await;
            let mut points = Vec::new();
            for (number, transaction) in history.iter().enumerate() {
                if let Some(xid) = world.transact(transaction).await {
                    session.run(&format!("SELECT pgtrack.tag('after {number}')")).await;
                    let state = world.state().await;
                    points.push((format!("after {number}"), state.clone()));
                    points.push((format!("xid:{xid}"), state));
                }
            }
            for (point, state) in &points {
                compare(&format!("as of {point}"), &world.state_at(point).await, state)?;
            }
            Ok(())
        })
        .await;
    });
}
