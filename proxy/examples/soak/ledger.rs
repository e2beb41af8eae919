//! Compares what clients have called with what is in the audit.

use std::collections::HashMap;
use std::error::Error;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Client;

use crate::worker::Call;

/// A call is known by what it names, or by its text.
const RECORDS: &str = "SELECT coalesce(substring(statement FROM 'soak-[a-z]+-[a-z]+-[0-9]+-[0-9]+'), arguments ->> 'name'), outcome FROM pgtrack.audit";

/// Waits until the audit has the outcome of every call whose client has seen it, and each call at most once.
pub(crate) async fn check(
    admin: &Client,
    calls: &[Call],
    patience: Duration,
) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + patience;
    loop {
        let wrong = differences(admin, calls).await?;
        let Some(first) = wrong.first() else { break };
        if Instant::now() > until {
            return Err(format!("{} calls are wrong in the audit: {first}", wrong.len()).into());
        }
        sleep(Duration::from_secs(1)).await;
    }
    let count = |outcome: &str| calls.iter().filter(|call| call.outcome == outcome).count();
    println!(
        "{} calls are in the audit once each: {} done, {} failed; of {} more the clients saw no answer",
        count("done") + count("failed"),
        count("done"),
        count("failed"),
        count("unknown"),
    );
    Ok(())
}

async fn differences(admin: &Client, calls: &[Call]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut records: HashMap<String, Vec<String>> = HashMap::new();
    for row in admin.query(RECORDS, &[]).await? {
        if let Some(id) = row.get::<_, Option<String>>(0) {
            records.entry(id).or_default().push(row.get(1));
        }
    }
    let mut wrong = Vec::new();
    for Call { id, outcome } in calls {
        let recorded = records.get(id).map(Vec::as_slice).unwrap_or_default();
        let is_right = match outcome.as_str() {
            // It may not have got anywhere; or it has, and nobody knows what came of it.
            "unknown" => recorded.len() <= 1,
            outcome => recorded == [outcome],
        };
        if !is_right {
            wrong.push(format!("{id} {outcome} is {recorded:?}"));
        }
    }
    Ok(wrong)
}
