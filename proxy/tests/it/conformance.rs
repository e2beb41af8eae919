//! Programs and drivers behave the same through the proxy as without it, to the last line of their output;
//! and the server gets every byte that they send.

mod drivers;
mod psql;
mod replication;
mod tools;

use std::net::SocketAddr;
use std::process::Output;
use std::time::Duration;

use pgtrack_testkit::Database;
use tokio::process::Command;

use crate::support::{Bench, server_address, within};

/// How long a program may run.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs a program directly and through the proxy. `command` makes it for an address.
async fn check_same(database: &Database, command: impl Fn(SocketAddr) -> Command) -> String {
    let server = server_address(database.server());
    let directly = output_of(command(server), server).await;
    let bench = Bench::new(server).await;
    let through_proxy = output_of(command(bench.address()), bench.address()).await;
    check_lines(&directly, &through_proxy);
    bench.check().await;
    directly
}

#[track_caller]
fn check_lines(directly: &str, through_proxy: &str) {
    let difference =
        directly.lines().zip(through_proxy.lines()).find(|(left, right)| left != right);
    assert_eq!(difference, None, "{through_proxy}");
    assert_eq!(directly.len(), through_proxy.len(), "one output is longer");
}

/// What a program prints, without what differs from run to run.
async fn output_of(mut command: Command, address: SocketAddr) -> String {
    command.kill_on_drop(true).env_remove("PGSSLMODE");
    let Output { status, stdout, stderr } = within(PATIENCE, command.output()).await.unwrap();
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let port = format!("port {}", address.port());
    let text: String = text
        .replace(&port, "port …")
        .split_inclusive('\n')
        .map(|line| match line.split_once(" with PID ") {
            Some((start, _)) => format!("{start}\n"),
            None => line.to_owned(),
        })
        .collect();
    format!("{text}\n{status}\n")
}

/// A connection URL for the superuser.
fn url(address: SocketAddr, database: &Database) -> String {
    format!("postgresql://postgres@{address}/{}", database.name())
}
