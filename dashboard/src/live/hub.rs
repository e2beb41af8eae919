//! One poller for all listeners. It runs only while there are any.
//!
//! A doorbell (`LISTEN`) would need a `NOTIFY` for each commit, which serialises commits; asking twice a second
//! costs one index look-up.

use std::sync::Arc;
use std::time::Duration;

use pgtrack_tracker::{Transaction, feed};
use tokio::sync::{Mutex, broadcast};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Position;
use crate::app_error::AppError;
use crate::database::Database;

const INTERVAL: Duration = Duration::from_millis(500);
/// How many batches a listener may be behind before it has to read for itself again.
const BACKLOG: usize = 64;
/// More new transactions than this at once are not worth showing one by one.
const MANY: i64 = 500;

/// What was committed between two looks.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// Where whoever has all the items is.
    pub(super) position: Position,
    /// Oldest first; `None`: too many.
    pub(super) items: Option<Vec<Arc<Transaction>>>,
}

pub(super) type Receiver = broadcast::Receiver<Arc<Batch>>;
type Sender = broadcast::Sender<Arc<Batch>>;

/// The source of new transactions.
#[derive(Debug)]
pub(crate) struct Hub {
    database: Arc<Database>,
    shutdown: CancellationToken,
    /// The poller's channel. Only the poller keeps it open: should it die, its listeners learn it and come back.
    running: Mutex<Option<broadcast::WeakSender<Arc<Batch>>>>,
}

impl Hub {
    pub(crate) fn new(database: Arc<Database>, shutdown: CancellationToken) -> Self {
        Self { database, shutdown, running: Mutex::new(None) }
    }

    /// Every batch from now on. What was committed before this returned, a listener has to read for itself, with
    /// [`since`](Self::since); what it then gets twice, it can tell by the position.
    pub(super) async fn subscribe(self: &Arc<Self>) -> Result<Receiver, AppError> {
        let mut running = self.running.lock().await;
        if let Some(sender) = running.as_ref().and_then(broadcast::WeakSender::upgrade) {
            return Ok(sender.subscribe());
        }
        let cursor = feed::now(&*self.database.read().await?).await?;
        let position = position(&cursor)?;
        let (sender, receiver) = broadcast::channel(BACKLOG);
        *running = Some(sender.downgrade());
        tokio::spawn(self.clone().poll(sender, position));
        Ok(receiver)
    }

    /// What was committed after `position`.
    pub(super) async fn since(&self, position: &Position) -> Result<Batch, AppError> {
        let cursor = position.cursor().ok_or_else(|| not_a_position(position))?;
        let client = self.database.read().await?;
        let (transactions, cursor) = feed::since(&client, &cursor, MANY).await?;
        let items = transactions.map(|list| list.into_iter().map(Arc::new).collect());
        Ok(Batch { position: self::position(&cursor)?, items })
    }

    async fn poll(self: Arc<Self>, sender: Sender, mut position: Position) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_failing = false;
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if self.stop_if_alone(&sender).await {
                return;
            }
            match self.since(&position).await {
                Ok(batch) => {
                    is_failing = false;
                    position = batch.position.clone();
                    if batch.items.as_ref().is_none_or(|items| !items.is_empty()) {
                        // Nobody listening any more is found out at the next tick.
                        let _ = sender.send(Arc::new(batch));
                    }
                }
                Err(error) if !is_failing => {
                    is_failing = true;
                    let cause = error.problem().cause;
                    tracing::warn!(cause, "the live feed waits for its database");
                }
                Err(_) => {}
            }
        }
    }

    /// Stops the poller if nobody listens; under the lock, so that nobody subscribes to a poller that has stopped.
    async fn stop_if_alone(&self, sender: &Sender) -> bool {
        let mut running = self.running.lock().await;
        let is_alone = sender.receiver_count() == 0;
        if is_alone {
            *running = None;
        }
        is_alone
    }
}

fn position(cursor: &feed::Cursor) -> Result<Position, AppError> {
    Position::parse(cursor.as_str()).ok_or_else(|| not_a_position(cursor.as_str()))
}

fn not_a_position(text: impl std::fmt::Display) -> AppError {
    AppError::Internal(format!("`{text}` is no position in the feed"))
}
