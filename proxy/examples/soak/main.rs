//! Mixed traffic from several drivers through `pgtrack serve`, with sessions that end in every way:
//! `soak PROGRAM DRIVERS [MINUTES]`; `make soak` builds and runs it.
//!
//! At the end nothing may be left: no session on either side, no memory, and of each call of a function of pg_track that
//! the clients have made there has to be one record, with the outcome that the client has seen.

#![expect(clippy::print_stdout, reason = "a program for developers")]

mod ledger;
mod service;
mod worker;

use std::error::Error;
use std::time::{Duration, Instant};

use pgtrack_testkit::{Database, Server, newest, own_server};
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::service::Service;
use crate::worker::Worker;

/// How often somebody ends a session from the server's side.
const TERMINATE_EVERY: Duration = Duration::from_secs(2);
/// How often memory is measured.
const PARTS: u32 = 6;
/// By how much it may grow after the first part: what is remembered of statements takes some of that.
const MAX_GROWTH_MIB: u64 = 12;
/// How long what was begun may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, drivers, minutes @ ..] = arguments.as_slice() else {
        return Err("usage: soak PROGRAM DRIVERS [MINUTES]".into());
    };
    let minutes: f64 = minutes.first().map_or(Ok(30.0), |minutes| minutes.parse())?;
    let length = Duration::from_secs_f64(minutes * 60.0);

    let cluster = own_server(&newest(), &[("max_connections", "100")]);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let database = Server::of(&cluster).database().await;
        soak(&database, program, drivers, length).await
    })
}

async fn soak(
    database: &Database,
    program: &str,
    drivers: &str,
    length: Duration,
) -> Result<(), Box<dyn Error>> {
    let service = Service::start(program, &database.url())?;
    let admin = database.connect().await;
    admin
        .batch_execute(
            "CREATE TABLE item (id int PRIMARY KEY, v float8); INSERT INTO item SELECT i, 0 FROM generate_series(1, 100) i;
             CREATE UNLOGGED TABLE heap (n int); SELECT pgtrack.track('item')",
        )
        .await?;
    let url = service.url(database.name());
    let mut workers = worker::start_all(drivers, &url, length)?;
    let (began, mut memory) = (Instant::now(), Vec::new());
    let mut terminated = 0_u64;
    while workers.iter_mut().any(Worker::is_running) {
        sleep(TERMINATE_EVERY).await;
        let one = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name LIKE 'worker%' ORDER BY random() LIMIT 1";
        terminated += admin.execute(one, &[]).await?;
        if began.elapsed() >= length / PARTS * (u32::try_from(memory.len())? + 1) {
            memory.push(service.memory_kib()?);
        }
        if began.elapsed() > length + PATIENCE {
            return Err("a client does not come to an end".into());
        }
    }
    let mut calls = Vec::new();
    for worker in workers {
        calls.extend(worker.calls()?);
    }

    let upstream = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'worker%'";
    let until = Instant::now() + PATIENCE;
    loop {
        let sessions = service.metric("pgtrack_proxy_open_sessions")?;
        let upstream: i64 = admin.query_one(upstream, &[]).await?.get(0);
        if sessions == 0 && upstream == 0 {
            break;
        }
        if Instant::now() > until {
            return Err(format!("{sessions} sessions and {upstream} upstream are left").into());
        }
        sleep(Duration::from_millis(200)).await;
    }
    let (warm, end) = (*memory.first().ok_or("it was too short")?, service.memory_kib()?);
    println!(
        "{} sessions, {terminated} of them terminated; memory {memory:?} KiB on the way, {end} KiB at the end",
        service.metric("pgtrack_proxy_sessions_total")?
    );
    if end > warm + MAX_GROWTH_MIB * 1024 {
        return Err("memory has grown".into());
    }
    if service.metric("pgtrack_proxy_panics_total")? != 0 {
        return Err("a session has panicked".into());
    }
    ledger::check(&admin, &calls, PATIENCE).await
}
