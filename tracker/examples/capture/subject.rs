//! What is compared: the same tables without tracking, tracked by `pg_track`, and tracked by peers.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pgtrack_testkit::{Cluster, connect};
use tokio_postgres::Client;

/// The table of the measurements: twelve columns, about 150 bytes a row.
const WIDE: &str = "CREATE TABLE wide (
    id bigint PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, amount numeric(12, 2) NOT NULL,
    quantity int NOT NULL, weight double precision, created timestamptz NOT NULL, updated timestamptz,
    is_open boolean NOT NULL, note text, tags text[], extra jsonb)";

/// Tables that are tracked, `pgbench`'s among them.
const TABLES: [&str; 5] =
    ["wide", "pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history"];

/// A way to track, or not to.
pub(crate) struct Subject {
    name: String,
    /// A script to run before there is a table.
    install: Option<PathBuf>,
    /// How each table comes to be tracked.
    track: Track,
}

enum Track {
    Nothing,
    Ours,
    /// A script that is given the table's name in the variable `table`.
    Script(PathBuf),
}

impl Subject {
    /// No tracking, first, then ours, then a peer for each directory with `install.sql` and `track.sql`.
    pub(crate) fn all(peers: Option<&Path>) -> Result<Vec<Self>, Box<dyn Error>> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/pg_track--1.0.sql");
        let mut all = vec![
            Self { name: "untracked".into(), install: None, track: Track::Nothing },
            Self { name: "pg_track".into(), install: Some(script), track: Track::Ours },
        ];
        let Some(peers) = peers else { return Ok(all) };
        let mut directories: Vec<PathBuf> = fs::read_dir(peers)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_, std::io::Error>>()?;
        directories.sort();
        for directory in directories {
            let (install, track) = (directory.join("install.sql"), directory.join("track.sql"));
            if install.exists() && track.exists() {
                let name = directory.file_name().unwrap_or_default().to_string_lossy();
                all.push(Self {
                    name: name.into(),
                    install: Some(install),
                    track: Track::Script(track),
                });
            }
        }
        Ok(all)
    }

    /// Makes its database.
    pub(crate) async fn prepare(self, server: &Cluster) -> Result<Prepared, Box<dyn Error>> {
        let admin = connect(&server.url("postgres")).await;
        let database = format!("bench_{}", self.name);
        admin.batch_execute(&format!("CREATE DATABASE \"{database}\"")).await?;
        let url = server.url(&database);
        if let Some(install) = &self.install {
            psql(&url, &["-f".into(), install.display().to_string()])?;
        }
        let client = connect(&url).await;
        client.batch_execute(WIDE).await?;
        run(Command::new("pgbench").args(["-i", "-q", "-s", "10", &url]))?;
        for table in TABLES {
            match &self.track {
                Track::Nothing => {}
                Track::Ours => {
                    client.execute("SELECT pgtrack.track($1)", &[&table]).await?;
                }
                Track::Script(script) => psql(
                    &url,
                    &[
                        "-v".into(),
                        format!("table=public.{table}"),
                        "-f".into(),
                        script.display().to_string(),
                    ],
                )?,
            }
        }
        let row = client.query_one("SELECT pg_backend_pid()", &[]).await?;
        Ok(Prepared { name: self.name, database, client, backend: row.get(0) })
    }
}

/// A subject's database, and a session with it.
pub(crate) struct Prepared {
    name: String,
    pub(crate) database: String,
    pub(crate) client: Client,
    /// The process that serves the session.
    pub(crate) backend: i32,
}

impl Prepared {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

fn psql(url: &str, arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url];
    run(Command::new("psql")
        .args(options)
        .args(arguments)
        .env("PGOPTIONS", "-c client_min_messages=error"))
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
