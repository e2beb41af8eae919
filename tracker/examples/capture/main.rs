//! Measures what capture costs: `capture [--full] [--only WORD] [PEERS]`; `make bench-capture` builds and runs it.
//!
//! Starts a PostgreSQL of its own and gives each subject (no tracking, `pg_track`, and every peer found in the
//! directory PEERS) a database with the same tables. Every workload runs on all of them back to back, in rounds with a
//! rotated order; what is printed are medians of ratios within a round, because the speed of a machine changes from
//! minute to minute and ratios do not.

#![expect(clippy::print_stdout, reason = "a program for developers")]

mod meter;
mod read;
mod report;
mod subject;
mod traffic;
mod write;

use std::env;
use std::error::Error;
use std::path::PathBuf;

use pgtrack_testkit::{own_server, versions};

use crate::report::Report;
use crate::subject::{Prepared, Subject};

/// Durable, as the measurements with `synchronous_commit` on need it; the others turn that off.
const SETTINGS: [(&str, &str); 7] = [
    ("fsync", "on"),
    ("synchronous_commit", "off"),
    ("autovacuum", "on"),
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "1h"),
    ("jit", "off"),
];

/// What is asked for on the command line.
struct Request {
    is_full: bool,
    only: Option<String>,
    peers: Option<PathBuf>,
}

impl Request {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut request = Self { is_full: false, only: None, peers: None };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--full" => request.is_full = true,
                "--only" => request.only = Some(arguments.next().ok_or("--only needs a word")?),
                directory => request.peers = Some(directory.into()),
            }
        }
        Ok(request)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|word| name.contains(word.as_str()))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let request = Request::parse(env::args().skip(1))?;
    let binaries = versions().remove(0);
    println!("PostgreSQL {}", binaries.major());
    let server = own_server(&binaries, &SETTINGS);

    let mut subjects = Vec::new();
    for subject in Subject::all(request.peers.as_deref())? {
        subjects.push(subject.prepare(&server).await?);
    }
    let names: Vec<String> = subjects.iter().map(|subject| subject.name().to_owned()).collect();

    println!("{}", Report::heading(&names));
    if request.wants("write") {
        let rounds = if request.is_full { 9 } else { 5 };
        let mut reports = write::reports(names.len());
        for turn in turns(rounds, subjects.len()) {
            write::measure(turn, &subjects[turn], &mut reports).await?;
        }
        print(&reports);
    }
    if request.wants("traffic") {
        let rounds = if request.is_full { 9 } else { 3 };
        for kind in traffic::kinds() {
            let mut report = kind.report(names.len());
            for turn in turns(rounds, subjects.len()) {
                report.add(turn, kind.measure(&server, &subjects[turn])?);
            }
            print(&[report]);
        }
    }
    drop::<Vec<Prepared>>(subjects);
    if request.wants("read") {
        let sizes = if request.is_full { [5_000_000, 50_000_000] } else { [100_000, 1_000_000] };
        for line in read::measure(&server, sizes).await? {
            println!("{line}");
        }
    }
    Ok(())
}

/// Which subject's turn it is: all in each round, beginning with another one each time.
fn turns(rounds: usize, subjects: usize) -> impl Iterator<Item = usize> {
    (0..rounds).flat_map(move |round| (0..subjects).map(move |turn| (round + turn) % subjects))
}

fn print(reports: &[Report]) {
    for report in reports {
        println!("{report}");
    }
}
