//! When a database is prepared, and when it is prepared again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{ProvisionError, Provisioner};

/// A provisioner whose attempts wait for, and end with, what is sent to them.
fn scripted() -> (Arc<Provisioner>, mpsc::UnboundedSender<Result<(), &'static str>>, Arc<AtomicU32>)
{
    let (outcomes, receiver) = mpsc::unbounded_channel::<Result<(), &'static str>>();
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let provision = move |_database: String| {
        counted.fetch_add(1, Ordering::Relaxed);
        let receiver = Arc::clone(&receiver);
        async move {
            let outcome = receiver.lock().await.recv().await.expect("the test sends an outcome");
            outcome.map(|()| None).map_err(ProvisionError::from)
        }
    };
    (Provisioner::start(Arc::new(provision)), outcomes, attempts)
}

/// Lets all tasks run until they wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_database_is_prepared_once_however_many_sessions_use_it() {
    let (provisioner, outcomes, attempts) = scripted();
    for _ in 0..3 {
        provisioner.ensure("shop");
    }
    outcomes.send(Ok(())).unwrap();
    settle().await;
    tokio::time::advance(Duration::from_secs(59)).await;
    provisioner.ensure("shop");
    settle().await;
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_database_is_looked_at_again_when_it_is_used_later_and_from_time_to_time() {
    let (provisioner, outcomes, attempts) = scripted();
    provisioner.ensure("shop");
    outcomes.send(Ok(())).unwrap();
    settle().await;
    tokio::time::advance(Duration::from_mins(1)).await;
    for _ in 0..3 {
        provisioner.ensure("shop");
        settle().await;
    }
    assert_eq!(attempts.load(Ordering::Relaxed), 2, "once, however many sessions");
    // It stays ready when that fails.
    outcomes.send(Err("the server is down")).unwrap();
    settle().await;
    assert!(provisioner.failed().is_empty());
    // Nobody uses it.
    outcomes.send(Ok(())).unwrap();
    tokio::time::advance(Duration::from_mins(10)).await;
    settle().await;
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    // As a reload does.
    outcomes.send(Ok(())).unwrap();
    provisioner.renew_soon();
    settle().await;
    assert_eq!(attempts.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn each_database_is_prepared_for_itself() {
    let (provisioner, _outcomes, attempts) = scripted();
    provisioner.ensure("shop");
    provisioner.ensure("Shop");
    settle().await;
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_after_a_minute_and_a_panic_is_a_failure() {
    let (provisioner, outcomes, attempts) = scripted();
    outcomes.send(Err("permission denied")).unwrap();
    provisioner.ensure("shop");
    settle().await;
    tokio::time::advance(Duration::from_secs(59)).await;
    provisioner.ensure("shop");
    settle().await;
    assert_eq!(attempts.load(Ordering::Relaxed), 1, "too early");

    // The channel is closed: the next attempt panics.
    drop(outcomes);
    for expected in [2, 3] {
        tokio::time::advance(Duration::from_mins(1)).await;
        provisioner.ensure("shop");
        settle().await;
        assert_eq!(attempts.load(Ordering::Relaxed), expected);
    }
}
