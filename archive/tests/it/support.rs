//! An archive in a folder of the test's own, and what DuckDB finds there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pgtrack_archive::{Archive, Error, Exported};
use pgtrack_testkit::{Database, on_each_version};
use tokio_postgres::Client;

/// How long a test waits for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A database with pg_track, and a folder for its archive.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) client: Client,
    pub(crate) folder: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn on_each_world(body: impl AsyncFn(&mut World)) {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    on_each_version(async |database| {
        let mut client = database.connect().await;
        pgtrack_tracker::install(&mut client).await.unwrap();
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let folder = format!("pgtrack-archive-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        body(&mut World { database, client, folder }).await;
    });
}

impl World {
    pub(crate) async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    /// A single value.
    pub(crate) async fn value(&self, sql: &str) -> String {
        self.client.query_one(&format!("SELECT ({sql})::text"), &[]).await.unwrap().get(0)
    }

    pub(crate) fn archive(&self) -> Archive {
        Archive::open(self.folder.to_str().unwrap(), []).unwrap()
    }

    pub(crate) async fn try_export(&mut self) -> Result<Exported, Error> {
        let archive = self.archive();
        pgtrack_archive::export(&mut self.client, &archive).await
    }

    /// Waits until every transaction that began before now has ended: other databases' hold exports and purges back.
    pub(crate) async fn settle(&self) {
        let end = self.value("pg_snapshot_xmax(pg_current_snapshot())").await;
        let is_over = format!("pg_snapshot_xmin(pg_current_snapshot()) >= '{end}'::xid8");
        let started = Instant::now();
        while self.value(&is_over).await != "true" {
            assert!(started.elapsed() < PATIENCE, "a transaction does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Exports everything that was committed by now; how many changes.
    pub(crate) async fn export(&mut self) -> u64 {
        self.settle().await;
        self.try_export().await.unwrap().changes
    }

    /// The archive's files that end so, sorted.
    pub(crate) fn files(&self, ending: &str) -> Vec<PathBuf> {
        fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, ending, found);
                } else if path.to_str().unwrap().ends_with(ending) {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.folder, ending, &mut found);
        found.sort();
        found
    }

    /// The rows of a query of `DuckDB`, for which CHANGES and KEYS are the archive's files.
    pub(crate) fn duckdb(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let folder = self.folder.display();
        let files = |name: &str| {
            format!("read_parquet('{folder}/{name}/*/*/*.parquet', union_by_name = true)")
        };
        duckdb(&sql.replace("CHANGES", &files("changes")).replace("KEYS", &files("key_changes")))
    }

    /// The statement ids of all archived and of all recorded changes.
    pub(crate) async fn assert_complete(&self, history: &str) {
        let archived = self.duckdb(
            "SELECT string_agg(pgtrack_statement_id::text, ',' ORDER BY pgtrack_statement_id) FROM CHANGES",
        );
        let recorded = format!(
            "SELECT string_agg(h.pgtrack_statement_id::text, ',' ORDER BY h.pgtrack_statement_id) FROM pgtrack_history.{history} h"
        );
        assert_eq!(archived[0][0].clone().unwrap_or_default(), self.value(&recorded).await);
    }
}

pub(crate) fn duckdb(sql: &str) -> Vec<Vec<Option<String>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../target/drivers/python/bin/python");
    assert!(python.exists(), "DuckDB is not installed; run scripts/drivers");
    let output =
        Command::new(python).arg("-B").arg(root.join("tests/query.py")).arg(sql).output().unwrap();
    assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
