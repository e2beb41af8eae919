//! What reads of the history and an undo take, and how that grows with the history.

use std::error::Error;
use std::time::Instant;

use pgtrack_testkit::{Cluster, connect};
use tokio_postgres::Client;

/// How often each row of the growing table changes.
const VERSIONS: i32 = 10;
/// The rows of the table that is read as it was.
const ROWS: i32 = 100_000;
/// How often each read is repeated; the median counts.
const REPEATED: usize = 41;

/// The lines of the table, for histories of these many changes.
pub(crate) async fn measure(
    server: &Cluster,
    sizes: [i32; 2],
) -> Result<Vec<String>, Box<dyn Error>> {
    let client = connect(&server.url("bench_pg_track")).await;
    client
        .batch_execute(
            "CREATE TABLE deep (id int PRIMARY KEY, value int NOT NULL); SELECT pgtrack.track('deep')",
        )
        .await?;
    let mut lines = Vec::new();
    let mut rows = 0;
    for changes in sizes {
        grow(&client, rows, changes / VERSIONS).await?;
        rows = changes / VERSIONS;
        let row = rows / 2;
        let history = format!("SELECT * FROM pgtrack.history('deep', {row})");
        lines.push(line(
            &format!("history of a row, {changes} changes, ms"),
            millis(&client, &history, REPEATED).await?,
            1.0,
        ));
        let log = "SELECT * FROM pgtrack.log(50)";
        lines.push(line(
            &format!("log(50), {changes} changes, ms"),
            millis(&client, log, REPEATED).await?,
            5.0,
        ));
    }
    lines.extend(points_in_time(&client).await?);
    Ok(lines)
}

/// Brings the table to this many rows that have changed equally often.
async fn grow(client: &Client, from: i32, to: i32) -> Result<(), Box<dyn Error>> {
    let rows = format!("generate_series({}, {to})", from + 1);
    client.batch_execute(&format!("INSERT INTO deep SELECT n, 0 FROM {rows} n")).await?;
    for version in 1..VERSIONS {
        client
            .batch_execute(&format!("UPDATE deep SET value = {version} WHERE id > {from}"))
            .await?;
    }
    client.batch_execute("VACUUM (ANALYZE)").await?;
    Ok(())
}

/// A table as it was before one in a hundred of its rows changed, and the undo of a change to all of them.
async fn points_in_time(client: &Client) -> Result<Vec<String>, Box<dyn Error>> {
    client
        .batch_execute(&format!(
            "DELETE FROM wide; INSERT INTO wide SELECT n, n % 5000, 'new', n * 1.25, n % 9, n / 7.0, now(), NULL, true,
               'deliver to the back door', '{{gift,express}}', '{{\"source\": \"web\"}}' FROM generate_series(1, {ROWS}) n"
        ))
        .await?;
    client.batch_execute("VACUUM (ANALYZE) wide").await?;
    client.batch_execute("SELECT pgtrack.tag('then')").await?;
    client.batch_execute("UPDATE wide SET status = 'paid' WHERE id % 100 = 0").await?;
    let mut lines = Vec::new();
    for (what, select) in [
        ("every row sent", "SELECT * FROM"),
        ("aggregated", "SELECT sum(amount), max(note), max(status), count(extra) FROM"),
    ] {
        let now = millis(client, &format!("{select} wide"), REPEATED / 4).await?;
        let then = format!("{select} pgtrack.as_of(NULL::wide, 'then')");
        let then = millis(client, &then, REPEATED / 4).await?;
        let name = format!("as_of of 100k rows, 1 % changed / scan, {what}");
        lines.push(line(&name, then / now, 1.5));
    }

    let mut ratios = Vec::new();
    for round in 0..5 {
        client.batch_execute("VACUUM wide").await?;
        let update = format!("UPDATE wide SET quantity = {round}, updated = now()");
        let update = millis(client, &update, 1).await?;
        let undo = "SELECT * FROM pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))";
        ratios.push(millis(client, undo, 1).await? / update);
    }
    lines.push(line("undo of an UPDATE of 100k rows / the UPDATE", median(ratios), 3.0));
    Ok(lines)
}

/// How long a query takes.
async fn millis(client: &Client, query: &str, repeated: usize) -> Result<f64, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..repeated {
        let started = Instant::now();
        client.simple_query(query).await?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(times))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn line(name: &str, value: f64, most: f64) -> String {
    format!("{name:<58} {:>13} {value:>13.2} ≤ {most:>6}", "")
}
