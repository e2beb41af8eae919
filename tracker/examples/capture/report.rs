//! A line of the table: one quantity of every subject, as medians over the rounds.

use std::fmt;

/// One quantity. Subject 0 is the untracked one, to which the others are compared.
pub(crate) struct Report {
    name: String,
    target: Option<Target>,
    comparison: Comparison,
    /// For each subject, one for each round.
    rounds: Vec<Vec<f64>>,
}

#[derive(Clone, Copy)]
enum Comparison {
    Ratio,
    Difference,
}

#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Report {
    /// What should be little, as a ratio to the untracked subject's.
    pub(crate) fn ratio(name: String, target: Option<f64>, subjects: usize) -> Self {
        Self::new(name, target.map(Target::AtMost), Comparison::Ratio, subjects)
    }

    /// What should be little, on top of the untracked subject's.
    pub(crate) fn added(name: String, target: Option<f64>, subjects: usize) -> Self {
        Self::new(name, target.map(Target::AtMost), Comparison::Difference, subjects)
    }

    /// What should be much, as a ratio to the untracked subject's.
    pub(crate) fn rate(name: String, target: f64, subjects: usize) -> Self {
        Self::new(name, Some(Target::AtLeast(target)), Comparison::Ratio, subjects)
    }

    fn new(name: String, target: Option<Target>, comparison: Comparison, subjects: usize) -> Self {
        Self { name, target, comparison, rounds: vec![Vec::new(); subjects] }
    }

    pub(crate) fn add(&mut self, subject: usize, value: f64) {
        self.rounds[subject].push(value);
    }

    /// The names of the columns.
    pub(crate) fn heading(subjects: &[String]) -> String {
        let names: Vec<String> = subjects.iter().map(|name| format!(" {name:>13}")).collect();
        format!("{:<52}{} {:>8}", "", names.concat(), "target")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<52}", self.name)?;
        let untracked = &self.rounds[0];
        write!(f, " {:>13.1}", median(untracked.clone()))?;
        for values in &self.rounds[1..] {
            let pairs = values.iter().zip(untracked);
            match self.comparison {
                Comparison::Ratio => {
                    write!(f, " {:>12.2}×", median(pairs.map(|(value, to)| value / to).collect()))?;
                }
                Comparison::Difference => {
                    write!(f, " {:>+13.1}", median(pairs.map(|(value, to)| value - to).collect()))?;
                }
            }
        }
        match self.target {
            Some(Target::AtMost(most)) => write!(f, " ≤ {most:>6}"),
            Some(Target::AtLeast(least)) => write!(f, " ≥ {least:>6}"),
            None => Ok(()),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
