//! Compares proxies: `bench [--full] [--only WORD] [NAME=HOST:PORT:PID]…`; `make bench-proxy` builds and runs it.
//!
//! Starts a PostgreSQL of its own, this proxy, and `PgBouncer` if it is installed; further proxies, which must
//! lead to a server with the same data, are given by name. Every workload runs through all of them back to
//! back, in rounds with a rotated order; what is printed are medians over the rounds, and medians of ratios
//! within a round, because the speed of a machine changes from minute to minute and ratios do not.

#![expect(clippy::print_stdout, reason = "a program for developers")]

mod endpoint;
mod process;
mod report;
mod workload;

use std::env;
use std::error::Error;

use pgtrack_testkit::{newest, own_server};

use crate::endpoint::Endpoint;
use crate::report::Report;
use crate::workload::{Workload, idle_kib, workloads};

/// What the server needs for the largest workload.
const SETTINGS: [(&str, &str); 2] = [("max_connections", "600"), ("shared_buffers", "256MB")];

fn main() -> Result<(), Box<dyn Error>> {
    let mut is_full = false;
    let mut only = None;
    let mut others = Vec::new();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--full" => is_full = true,
            "--only" => only = Some(arguments.next().ok_or("--only needs a word")?),
            other => others.push(Endpoint::given(other)?),
        }
    }
    let (rounds, seconds) = if is_full { (9, 10) } else { (5, 2) };

    let server = own_server(&newest(), &SETTINGS);
    workload::fill(&server)?;
    let port = server.port();
    let mut endpoints =
        vec![Endpoint::direct(port), Endpoint::ours(port)?, Endpoint::watching(port)?];
    endpoints.extend(Endpoint::pgbouncer(&server)?);
    endpoints.extend(others);

    for workload in workloads() {
        if only.as_ref().is_some_and(|word| !workload.name.contains(word.as_str())) {
            continue;
        }
        println!("{}", run(&workload, &endpoints, rounds, seconds)?);
    }
    if only.is_none_or(|word| "idle".contains(&word)) {
        println!("memory of 1000 idle sessions, MiB");
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.pid.is_some()) {
            println!("  {:<12} {:>8.1}", endpoint.name, idle_kib(endpoint)? / 1024.0);
        }
    }
    workload::clear();
    Ok(())
}

/// Runs a workload through all endpoints, in every round beginning with another one.
fn run(
    workload: &Workload,
    endpoints: &[Endpoint],
    rounds: usize,
    seconds: u32,
) -> Result<Report, Box<dyn Error>> {
    let mut report = Report::new(workload, endpoints);
    for round in 0..rounds {
        for turn in 0..endpoints.len() {
            let index = (round + turn) % endpoints.len();
            report.add(index, workload.measure(&endpoints[index], seconds)?);
        }
    }
    Ok(report)
}
