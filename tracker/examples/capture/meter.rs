//! What something took: time, processor, write-ahead log.

use std::error::Error;
use std::fs;
use std::time::Instant;

use tokio_postgres::Client;

use crate::subject::Prepared;

/// What a workload took in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measurement {
    /// Seconds on the clock.
    pub(crate) time: f64,
    /// Seconds that the session's process had a processor.
    pub(crate) cpu: f64,
    /// Bytes of write-ahead log.
    pub(crate) log: f64,
}

/// Measures a session's own work.
pub(crate) struct Meter<'a> {
    subject: &'a Prepared,
    started: Instant,
    cpu: f64,
    log: f64,
}

impl<'a> Meter<'a> {
    pub(crate) async fn start(subject: &'a Prepared) -> Result<Self, Box<dyn Error>> {
        let log = log_position(&subject.client).await?;
        let cpu = cpu_seconds(subject.backend)?;
        Ok(Self { subject, started: Instant::now(), cpu, log })
    }

    pub(crate) async fn stop(self) -> Result<Measurement, Box<dyn Error>> {
        let time = self.started.elapsed().as_secs_f64();
        let cpu = cpu_seconds(self.subject.backend)? - self.cpu;
        let log = log_position(&self.subject.client).await? - self.log;
        Ok(Measurement { time, cpu, log })
    }
}

/// The time that a process has been on a processor; proc(5), `schedstat`.
pub(crate) fn cpu_seconds(pid: i32) -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

async fn log_position(client: &Client) -> Result<f64, Box<dyn Error>> {
    let query = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8";
    Ok(client.query_one(query, &[]).await?.get(0))
}

/// The disk space of everything but the application's own tables.
pub(crate) async fn history_bytes(client: &Client) -> Result<f64, Box<dyn Error>> {
    let query = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::float8 FROM pg_class
                 WHERE relkind = 'r' AND oid >= 16384 AND relname <> 'wide' AND relname NOT LIKE 'pgbench%'";
    Ok(client.query_one(query, &[]).await?.get(0))
}
