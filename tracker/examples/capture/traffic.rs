//! `pgbench`'s mixed transactions, which write to all four of its tables.

use std::error::Error;
use std::process::Command;

use pgtrack_testkit::Cluster;

use crate::report::Report;
use crate::subject::Prepared;

/// How long each measurement takes.
const SECONDS: u32 = 5;

pub(crate) struct Kind {
    clients: u32,
    /// Whether a transaction waits for its log to be on disk.
    is_durable: bool,
    target: f64,
}

pub(crate) fn kinds() -> [Kind; 2] {
    [
        Kind { clients: 8, is_durable: true, target: 0.80 },
        Kind { clients: 2, is_durable: false, target: 0.75 },
    ]
}

impl Kind {
    fn commit(&self) -> &'static str {
        if self.is_durable { "on" } else { "off" }
    }

    pub(crate) fn report(&self, subjects: usize) -> Report {
        let name =
            format!("TPC-B, {} clients, synchronous_commit {}, tps", self.clients, self.commit());
        Report::rate(name, self.target, subjects)
    }

    /// Transactions per second.
    pub(crate) fn measure(
        &self,
        server: &Cluster,
        subject: &Prepared,
    ) -> Result<f64, Box<dyn Error>> {
        let (clients, seconds) = (self.clients.to_string(), SECONDS.to_string());
        let output = Command::new("pgbench")
            .args(["-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &seconds])
            .arg(server.url(&subject.database))
            .env("PGOPTIONS", format!("-c synchronous_commit={}", self.commit()))
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let number = tps.and_then(|tps| tps.split(' ').next());
        number
            .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?
            .parse()
            .map_err(Into::into)
    }
}
