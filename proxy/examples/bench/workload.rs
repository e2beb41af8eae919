//! What is run: pgbench in its modes, and bulk transfers with psql.

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pgtrack_testkit::Cluster;
use tokio::runtime::Builder;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use crate::endpoint::Endpoint;
use crate::process::{cpu_seconds, resident_kib};

/// The table for bulk transfers: a million rows, about 100 MB as text.
const FILL: &str = "CREATE TABLE bulk AS SELECT n AS id, md5(n::text) || md5((n + 1)::text) AS text, n * 7 AS number
     FROM generate_series(1, 1200000) n; CREATE UNLOGGED TABLE copied (LIKE bulk)";
/// How many idle sessions are opened to weigh one.
const IDLE_SESSIONS: u32 = 400;

pub(crate) struct Workload {
    pub(crate) name: String,
    kind: Kind,
}

enum Kind {
    /// These options of pgbench.
    Transactions(Vec<&'static str>),
    /// A statement whose output is dropped.
    Result(&'static str),
    /// `COPY … FROM STDIN`.
    CopyIn,
}

/// The result of one run.
pub(crate) struct Measurement {
    /// Transactions per second, or megabytes.
    pub(crate) rate: f64,
    /// CPU seconds of the proxy per 100 000 transactions, or per gigabyte.
    pub(crate) cpu: f64,
    /// Milliseconds; none for bulk transfers.
    pub(crate) mean_latency: Option<f64>,
    pub(crate) p99_latency: Option<f64>,
}

pub(crate) fn workloads() -> Vec<Workload> {
    let pgbench = |name: &str, options: &[&'static str]| Workload {
        name: name.into(),
        kind: Kind::Transactions(options.to_vec()),
    };
    let mut all = vec![
        pgbench("select simple, 1 client", &["-S", "-c1", "-Msimple"]),
        pgbench("select extended, 1 client", &["-S", "-c1", "-Mextended"]),
        pgbench("select prepared, 1 client", &["-S", "-c1", "-Mprepared"]),
        pgbench("select simple, 8 clients", &["-S", "-c8", "-Msimple"]),
        pgbench("select extended, 8 clients", &["-S", "-c8", "-Mextended"]),
        pgbench("select prepared, 8 clients", &["-S", "-c8", "-Mprepared"]),
        pgbench("select simple, 64 clients", &["-S", "-c64", "-Msimple"]),
        pgbench("select extended, 64 clients", &["-S", "-c64", "-Mextended"]),
        pgbench("select prepared, 64 clients", &["-S", "-c64", "-Mprepared"]),
        pgbench("select simple, 256 clients", &["-S", "-c256", "-Msimple"]),
        pgbench("TPC-B simple, 8 clients", &["-c8", "-Msimple"]),
        pgbench("TPC-B prepared, 8 clients", &["-c8", "-Mprepared"]),
        pgbench("reconnect, 4 clients", &["-S", "-C", "-c4"]),
    ];
    for (name, kind) in [
        ("bulk result", Kind::Result("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")),
        ("bulk copy out", Kind::Result("COPY bulk TO STDOUT")),
        ("bulk copy in", Kind::CopyIn),
    ] {
        all.push(Workload { name: name.into(), kind });
    }
    all
}

/// Creates the data of all workloads.
pub(crate) fn fill(server: &Cluster) -> Result<(), Box<dyn Error>> {
    let url = server.url("postgres");
    check(Command::new(program("pgbench")).args(["-i", "-q", "-s", "10", &url]))?;
    check(psql(&url).args(["-c", FILL]))?;
    let file = File::create(copy_file())?;
    check(psql(&url).args(["-c", "COPY bulk TO STDOUT"]).stdout(file))?;
    Ok(())
}

/// Removes what [`fill`] has left outside of the server.
pub(crate) fn clear() {
    // An error means that it is gone.
    let _ = fs::remove_file(copy_file());
}

impl Workload {
    /// Runs it once.
    pub(crate) fn measure(
        &self,
        endpoint: &Endpoint,
        seconds: u32,
    ) -> Result<Measurement, Box<dyn Error>> {
        match &self.kind {
            Kind::Transactions(options) => transactions(options, endpoint, seconds),
            Kind::Result(statement) => bulk(endpoint, |url| {
                let mut command = psql(url);
                command.args(["-c", statement]).stdout(File::create("/dev/null")?);
                Ok(command)
            }),
            Kind::CopyIn => bulk(endpoint, |url| {
                let mut command = psql(url);
                command.args(["-c", "TRUNCATE copied", "-c", "COPY copied FROM STDIN"]);
                command.stdin(File::open(copy_file())?);
                Ok(command)
            }),
        }
    }
}

fn transactions(
    options: &[&str],
    endpoint: &Endpoint,
    seconds: u32,
) -> Result<Measurement, Box<dyn Error>> {
    let prefix = std::env::temp_dir().join(format!("pgtrack-bench-log-{}", std::process::id()));
    let cpu = used(endpoint)?;
    let output = Command::new(program("pgbench"))
        .args(options)
        .args(["-n", "-T", &seconds.to_string(), "-l", "--log-prefix"])
        .arg(&prefix)
        .arg(endpoint.url())
        .output()?;
    let cpu = used(endpoint)? - cpu;
    let report = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || !report.contains("number of failed transactions: 0 ") {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("pgbench through {} failed\n{report}{errors}", endpoint.name).into());
    }
    let number = |start: &str| -> Result<f64, Box<dyn Error>> {
        let rest = report.lines().find_map(|line| line.strip_prefix(start)).ok_or(start)?;
        Ok(rest.split([' ', '/']).next().unwrap_or_default().parse()?)
    };
    let count = number("number of transactions actually processed: ")?;
    Ok(Measurement {
        rate: number("tps = ")?,
        cpu: cpu / count * 100_000.0,
        mean_latency: Some(number("latency average = ")?),
        p99_latency: Some(p99(&prefix)?),
    })
}

/// The 99th percentile in pgbench's log, in milliseconds, and removes the log.
fn p99(prefix: &std::path::Path) -> Result<f64, Box<dyn Error>> {
    let name = prefix.file_name().ok_or("no name")?.to_string_lossy().into_owned();
    let mut latencies = Vec::new();
    for file in fs::read_dir(prefix.parent().ok_or("no directory")?)? {
        let path = file?.path();
        if path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&name)) {
            for line in fs::read_to_string(&path)?.lines() {
                // Manual, "pgbench", "Per-Transaction Logging": the third field, in microseconds.
                latencies.push(line.split(' ').nth(2).unwrap_or_default().parse::<u32>()?);
            }
            fs::remove_file(path)?;
        }
    }
    latencies.sort_unstable();
    let latency = latencies.get(latencies.len() * 99 / 100).ok_or("an empty log")?;
    Ok(f64::from(*latency) / 1000.0)
}

fn bulk(
    endpoint: &Endpoint,
    command: impl Fn(&str) -> Result<Command, Box<dyn Error>>,
) -> Result<Measurement, Box<dyn Error>> {
    let bytes = fs::metadata(copy_file())?.len();
    #[expect(clippy::cast_precision_loss, reason = "a hundred megabytes")]
    let gigabytes = bytes as f64 / 1e9;
    let cpu = used(endpoint)?;
    let began = Instant::now();
    check(&mut command(&endpoint.url())?)?;
    Ok(Measurement {
        rate: gigabytes * 1000.0 / began.elapsed().as_secs_f64(),
        cpu: (used(endpoint)? - cpu) / gigabytes,
        mean_latency: None,
        p99_latency: None,
    })
}

/// The memory that 1000 idle sessions take, in KiB.
pub(crate) fn idle_kib(endpoint: &Endpoint) -> Result<f64, Box<dyn Error>> {
    let pid = endpoint.pid.ok_or("no process")?;
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let open = async || -> Result<Client, Box<dyn Error>> {
            let (client, connection) = tokio_postgres::connect(&endpoint.url(), NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute("SELECT 1").await?;
            Ok(client)
        };
        // What is there once, such as the first buffers, belongs to no session.
        let mut idle = vec![open().await?];
        let before = resident_kib(pid)?;
        for _ in 0..IDLE_SESSIONS {
            idle.push(open().await?);
        }
        sleep(Duration::from_secs(1)).await;
        Ok((resident_kib(pid)? - before) * 1000.0 / f64::from(IDLE_SESSIONS))
    })
}

fn used(endpoint: &Endpoint) -> Result<f64, Box<dyn Error>> {
    endpoint.pid.map_or(Ok(0.0), cpu_seconds)
}

fn copy_file() -> PathBuf {
    std::env::temp_dir().join(format!("pgtrack-bench-copy-{}", std::process::id()))
}

fn psql(url: &str) -> Command {
    let mut command = Command::new(program("psql"));
    command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", url]);
    command
}

/// A client program of the distribution, which may not be in `PATH`.
fn program(name: &str) -> PathBuf {
    let installed = (15..30).rev().map(|major| format!("/usr/lib/postgresql/{major}/bin/{name}"));
    installed.map(PathBuf::from).find(|path| path.exists()).unwrap_or_else(|| name.into())
}

fn check(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
