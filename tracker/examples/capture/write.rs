//! Writes of one session: row by row, and a hundred thousand rows at once.

use std::error::Error;

use crate::meter::{Measurement, Meter, history_bytes};
use crate::report::Report;
use crate::subject::Prepared;

/// How many rows are written one by one.
const SINGLE: i32 = 3000;
/// How many are written at once.
const BULK: i32 = 100_000;

/// The workloads in the order in which they run; each leaves to the next what it needs.
const WORKLOADS: [Workload; 7] = [
    Workload { name: "one row: INSERT", rows: SINGLE, is_bulk: false, target: None, sql: INSERT },
    Workload {
        name: "one row: UPDATE",
        rows: SINGLE,
        is_bulk: false,
        target: Some(2.6),
        sql: UPDATE,
    },
    Workload { name: "one row: DELETE", rows: SINGLE, is_bulk: false, target: None, sql: DELETE },
    Workload {
        name: "100k rows: INSERT",
        rows: BULK,
        is_bulk: true,
        target: Some(1.5),
        sql: INSERT,
    },
    Workload {
        name: "100k rows: UPDATE",
        rows: BULK,
        is_bulk: true,
        target: Some(1.5),
        sql: UPDATE,
    },
    Workload { name: "100k rows: DELETE", rows: BULK, is_bulk: true, target: None, sql: DELETE },
    Workload { name: "100k rows: COPY", rows: BULK, is_bulk: true, target: Some(1.5), sql: COPY },
];

const INSERT: &str = "INSERT INTO wide SELECT n, n % 5000, 'new', n * 1.25, n % 9, n / 7.0, now(), NULL, true,
    'deliver to the back door', '{gift,express}', '{\"source\": \"web\"}' FROM generate_series($1::int, $2::int) n";
const UPDATE: &str =
    "UPDATE wide SET status = 'paid', updated = now() WHERE id BETWEEN $1::int AND $2::int";
const DELETE: &str = "DELETE FROM wide WHERE id BETWEEN $1::int AND $2::int";
/// The file is written by the server itself, once.
const COPY: &str = "COPY wide FROM";

struct Workload {
    name: &'static str,
    rows: i32,
    is_bulk: bool,
    /// The most CPU time it may take, as a ratio to the untracked table.
    target: Option<f64>,
    /// For the rows from $1 to $2.
    sql: &'static str,
}

/// Reports for [`measure`] to fill.
pub(crate) fn reports(subjects: usize) -> Vec<Report> {
    let mut reports = Vec::new();
    for workload in &WORKLOADS {
        let name = workload.name;
        reports.push(Report::ratio(format!("{name}, CPU µs"), workload.target, subjects));
        reports.push(Report::ratio(format!("{name}, time µs"), None, subjects));
        reports.push(Report::added(format!("{name}, WAL bytes on top"), None, subjects));
    }
    reports.push(Report::added("100k rows: DELETE, CPU µs on top".into(), Some(8.0), subjects));
    reports.push(Report::added(
        "100k rows: UPDATE, bytes of history".into(),
        Some(320.0),
        subjects,
    ));
    reports
}

/// One round of one subject.
pub(crate) async fn measure(
    turn: usize,
    subject: &Prepared,
    reports: &mut [Report],
) -> Result<(), Box<dyn Error>> {
    let mut lines = reports.iter_mut();
    let mut add = |value: f64| lines.next().map(|report| report.add(turn, value));
    // So that nobody finds what the round before has left.
    for command in ["VACUUM (ANALYZE) wide", "CHECKPOINT"] {
        subject.client.batch_execute(command).await?;
    }
    let (mut deletion, mut bytes) = (0.0, 0.0);
    for workload in &WORKLOADS {
        let before = history_bytes(&subject.client).await?;
        let taken = run(workload, subject).await?;
        let rows = f64::from(workload.rows);
        let micros = |seconds: f64| seconds * 1e6 / rows;
        add(micros(taken.cpu));
        add(micros(taken.time));
        add(taken.log / rows);
        match (workload.is_bulk, workload.sql) {
            (true, DELETE) => deletion = micros(taken.cpu),
            (true, UPDATE) => {
                bytes = (history_bytes(&subject.client).await? - before) / rows;
            }
            _ => {}
        }
    }
    add(deletion);
    add(bytes);
    subject.client.batch_execute("DELETE FROM wide").await?;
    Ok(())
}

async fn run(workload: &Workload, subject: &Prepared) -> Result<Measurement, Box<dyn Error>> {
    let client = &subject.client;
    if workload.sql == COPY {
        let file = format!("{}.copy", subject.database);
        client
            .batch_execute(&format!("COPY ({}) TO PROGRAM 'cat > {file}'", rows_to_copy()))
            .await?;
        let meter = Meter::start(subject).await?;
        client.batch_execute(&format!("COPY wide FROM PROGRAM 'cat {file}'")).await?;
        return meter.stop().await;
    }
    let statement = client.prepare(workload.sql).await?;
    let meter = Meter::start(subject).await?;
    if workload.is_bulk {
        client.execute(&statement, &[&1, &workload.rows]).await?;
    } else {
        for id in 1..=workload.rows {
            client.execute(&statement, &[&id, &id]).await?;
        }
    }
    meter.stop().await
}

fn rows_to_copy() -> String {
    let rows = INSERT.strip_prefix("INSERT INTO wide ").unwrap_or_default();
    rows.replace("$1::int", "1").replace("$2::int", &BULK.to_string())
}
