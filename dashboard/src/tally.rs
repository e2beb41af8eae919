//! Counts for charts: asked for once by everybody, kept for a while, and never waited for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgtrack_tracker::activity::{Count, Filter, counts};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::connections::Opened;
use crate::search::Span;

/// How long counts are good enough.
const FRESH: Duration = Duration::from_secs(30);
/// How long a page waits for counts before it goes without.
const PATIENCE: Duration = Duration::from_millis(50);
/// How many different counts are kept.
const MOST_ENTRIES: usize = 256;

/// What can be told of some counts now.
#[derive(Debug, Clone)]
pub(crate) enum Tallied {
    /// They are known.
    Known(Arc<Vec<Count>>),
    /// They are being counted.
    Pending,
    /// They could not be counted in time.
    Failed,
}

/// The counts that have been asked for lately.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    entries: Mutex<HashMap<Key, Entry>>,
}

/// The connection, what is counted, and when.
type Key = (String, String, Span);

#[derive(Debug)]
struct Entry {
    since: Instant,
    result: watch::Receiver<Tallied>,
}

impl Tally {
    /// Counts what passes a filter; `name` stands for the filter.
    pub(crate) async fn of(
        &self,
        opened: &Arc<Opened>,
        name: String,
        filter: Filter,
        span: Span,
    ) -> Tallied {
        let key = (opened.info.slug.clone(), name, span);
        let mut result = self.entry(opened, key, filter, span);
        let is_there = result.wait_for(|result| !matches!(result, Tallied::Pending));
        match timeout(PATIENCE, is_there).await {
            Ok(Ok(result)) => result.clone(),
            Ok(Err(_)) => Tallied::Failed,
            Err(_) => Tallied::Pending,
        }
    }

    fn entry(
        &self,
        opened: &Arc<Opened>,
        key: Key,
        filter: Filter,
        span: Span,
    ) -> watch::Receiver<Tallied> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |entry: &Entry| entry.since.elapsed() < FRESH;
        if let Some(entry) = entries.get(&key).filter(|entry| is_fresh(entry)) {
            return entry.result.clone();
        }
        if entries.len() >= MOST_ENTRIES {
            entries.retain(|_, entry| is_fresh(entry));
        }
        let (sender, result) = watch::channel(Tallied::Pending);
        let opened = opened.clone();
        tokio::spawn(async move {
            let tallied = count(&opened, &filter, span).await;
            // Nobody has to be waiting.
            let _ = sender.send_replace(tallied);
        });
        entries.insert(key, Entry { since: Instant::now(), result: result.clone() });
        result
    }
}

async fn count(opened: &Opened, filter: &Filter, span: Span) -> Tallied {
    let counted = async {
        let client = opened.database.read().await?;
        Ok::<_, crate::app_error::AppError>(
            counts(&client, filter, span.from, span.to, span.width).await?,
        )
    };
    match counted.await {
        Ok(counts) => Tallied::Known(Arc::new(counts)),
        Err(error) => {
            tracing::debug!(cause = error.problem().cause, "changes could not be counted");
            Tallied::Failed
        }
    }
}
