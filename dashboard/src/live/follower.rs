//! One listener's way through the feed.

use std::collections::VecDeque;
use std::sync::Arc;

use pgtrack_tracker::Transaction;
use tokio::sync::broadcast::error::RecvError;

use super::hub::{Batch, Hub, Receiver};
use super::position::Position;
use crate::app_error::AppError;

/// What a listener is sent.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// A transaction, and the id from which a later stream goes on after it.
    Transaction {
        /// The transaction.
        transaction: Arc<Transaction>,
        /// Where the listener is now.
        position: Position,
    },
    /// Too much has happened to show it one by one; the page has to be loaded again.
    Resync,
}

/// Delivers every transaction after a position once, whatever the hub has seen already.
#[derive(Debug)]
pub(crate) struct Follower {
    hub: Arc<Hub>,
    receiver: Receiver,
    /// Where the listener is once the queue has been delivered.
    position: Position,
    queue: VecDeque<Arc<Transaction>>,
    needs_resync: bool,
}

impl Follower {
    /// Begins after `position`.
    pub(crate) async fn start(hub: Arc<Hub>, position: Position) -> Result<Self, AppError> {
        // First the subscription, then the look: what is committed in between comes twice, never not at all.
        let receiver = hub.subscribe().await?;
        let batch = hub.since(&position).await?;
        let mut follower =
            Self { hub, receiver, position, queue: VecDeque::new(), needs_resync: false };
        follower.position = batch.position.clone();
        match batch.items {
            Some(items) => follower.queue = items.into(),
            None => follower.needs_resync = true,
        }
        Ok(follower)
    }

    /// The next thing to send; `None` when the feed has ended. A resync is the last one.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        loop {
            if self.needs_resync {
                return Some(Delivery::Resync);
            }
            if let Some(transaction) = self.queue.pop_front() {
                let pending = self.queue.iter().map(|later| later.xid);
                let position = self.position.without(pending);
                return Some(Delivery::Transaction { transaction, position });
            }
            match self.receiver.recv().await {
                Ok(batch) => self.take(&batch),
                Err(RecvError::Lagged(_)) => {
                    let hub = self.hub.clone();
                    *self = Self::start(hub, self.position.clone()).await.ok()?;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Queues what is new in a batch. A batch with something new is later than where we are.
    fn take(&mut self, batch: &Batch) {
        let Some(items) = &batch.items else {
            self.needs_resync = true;
            return;
        };
        self.queue.extend(items.iter().filter(|item| !self.position.sees(item.xid)).cloned());
        if !self.queue.is_empty() {
            self.position = batch.position.clone();
        }
    }
}
