//! Medians, and ratios within rounds.

use std::fmt;

use crate::endpoint::Endpoint;
use crate::workload::{Measurement, Workload};

/// All measurements of one workload.
pub(crate) struct Report {
    title: String,
    names: Vec<String>,
    /// For each endpoint, one for each round.
    rounds: Vec<Vec<Measurement>>,
}

impl Report {
    pub(crate) fn new(workload: &Workload, endpoints: &[Endpoint]) -> Self {
        Self {
            title: workload.name.clone(),
            names: endpoints.iter().map(|endpoint| endpoint.name.clone()).collect(),
            rounds: endpoints.iter().map(|_| Vec::new()).collect(),
        }
    }

    pub(crate) fn add(&mut self, endpoint: usize, measurement: Measurement) {
        self.rounds[endpoint].push(measurement);
    }

    /// The median over the rounds of a value of one endpoint and the same round's of another.
    fn paired(
        &self,
        of: usize,
        to: usize,
        value: impl Fn(&Measurement, &Measurement) -> Option<f64>,
    ) -> Option<f64> {
        let pairs = self.rounds[of].iter().zip(&self.rounds[to]);
        median(pairs.filter_map(|(of, to)| value(of, to)).collect())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bouncer = self.names.iter().position(|name| name == "pgbouncer");
        let relay = self.names.iter().position(|name| name == "pg_track");
        writeln!(f, "{}", self.title)?;
        writeln!(
            f,
            "  {:<12} {:>9} {:>8} {:>9} {:>8} {:>8} {:>9} {:>8} {:>8} {:>10}",
            "", "rate", "/direct", "mean ms", "+ ms", "p99 ms", "CPU", "/pgb", "/relay", "p99 /pgb"
        )?;
        for (index, name) in self.names.iter().enumerate() {
            let own = |value: fn(&Measurement) -> Option<f64>| {
                self.paired(index, index, move |of, _| value(of))
            };
            let ratio = |to: Option<usize>, value: fn(&Measurement) -> Option<f64>| {
                let ratio = |of: &Measurement, to: &Measurement| Some(value(of)? / value(to)?);
                to.and_then(|to| self.paired(index, to, ratio))
            };
            let added = |of: &Measurement, direct: &Measurement| {
                Some(of.mean_latency? - direct.mean_latency?)
            };
            writeln!(
                f,
                "  {name:<12} {} {} {} {} {} {} {} {} {}",
                number(9, 0, own(|m| Some(m.rate))),
                number(8, 2, ratio(Some(0), |m| Some(m.rate))),
                number(9, 3, own(|m| m.mean_latency)),
                number(8, 3, self.paired(index, 0, added)),
                number(8, 2, own(|m| m.p99_latency)),
                number(9, 2, own(|m| Some(m.cpu))),
                number(8, 2, ratio(bouncer, |m| Some(m.cpu))),
                number(8, 2, ratio(relay, |m| Some(m.cpu))),
                number(10, 2, ratio(bouncer, |m| m.p99_latency)),
            )?;
        }
        Ok(())
    }
}

fn number(width: usize, precision: usize, value: Option<f64>) -> String {
    value
        .filter(|value| value.is_finite())
        .map_or_else(|| format!("{:>width$}", "-"), |value| format!("{value:>width$.precision$}"))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
