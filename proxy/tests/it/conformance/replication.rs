//! The programs that replicate: physical and logical streams, in COPY BOTH mode.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use pgtrack_testkit::{Cluster, block_on, connect, own_server};
use tokio_postgres::Client;

use crate::support::{Bench, check_success, for_tools, run};

/// A server that can be replicated, its superuser, and how to get to it directly and otherwise.
struct Primary {
    cluster: Cluster,
    admin: Client,
    bench: Bench,
}

impl Primary {
    async fn start() -> Self {
        let cluster = own_server(&for_tools(), &[("wal_level", "logical")]);
        let admin = connect(&cluster.url("postgres")).await;
        admin.batch_execute("CREATE TABLE t (id int PRIMARY KEY, text text)").await.unwrap();
        let bench = Bench::new((Ipv4Addr::LOCALHOST, cluster.port()).into()).await;
        Self { cluster, admin, bench }
    }

    fn directly(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.cluster.port()).into()
    }

    async fn insert(&self, rows: i32) {
        let insert = "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(
            (SELECT count(*) FROM t) + 1, (SELECT count(*) FROM t) + $1) g";
        self.admin.execute(insert, &[&i64::from(rows)]).await.unwrap();
    }

    async fn position(&self) -> String {
        let row =
            self.admin.query_one("SELECT pg_current_wal_insert_lsn()::text", &[]).await.unwrap();
        row.get(0)
    }
}

fn connection(address: SocketAddr) -> String {
    format!("host=127.0.0.1 port={} user=postgres dbname=postgres", address.port())
}

/// A new directory.
fn directory(name: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("pgtrack-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn case_52_pg_basebackup_with_the_log_streamed_beside() {
    block_on(async {
        let primary = Primary::start().await;
        primary.insert(50_000).await;
        let to = directory("backup");
        let path = to.to_str().unwrap();
        let from = connection(primary.bench.address());
        check_success(
            &run("pg_basebackup", &["-X", "stream", "-c", "fast", "-D", path, "-d", &from]).await,
        );
        check_success(&run("pg_verifybackup", &["-q", path]).await);
        fs::remove_dir_all(&to).unwrap();
        let received = primary.bench.check().await;
        assert!(received > 25_000_000, "{received}");
    });
}

#[test]
fn case_51_pg_receivewal_gets_the_same_log() {
    block_on(async {
        let primary = Primary::start().await;
        primary
            .admin
            .batch_execute(
                "SELECT pg_create_physical_replication_slot('a', true);
                 SELECT pg_create_physical_replication_slot('b', true)",
            )
            .await
            .unwrap();
        primary.insert(40_000).await;
        primary.admin.batch_execute("SELECT pg_switch_wal()").await.unwrap();
        primary.insert(10).await;
        let end = primary.position().await;
        let mut received = Vec::new();
        for (slot, address) in [("a", primary.directly()), ("b", primary.bench.address())] {
            let to = directory(&format!("wal-{slot}"));
            let path = to.to_str().unwrap();
            let from = connection(address);
            let options = ["-n", "-D", path, "-S", slot, "-E", &end, "-d", &from];
            check_success(&run("pg_receivewal", &options).await);
            received.push(files(&to));
            fs::remove_dir_all(&to).unwrap();
        }
        assert!(received[0].len() >= 2, "{:?}", received[0].keys());
        assert!(received[0] == received[1], "the logs differ");
        primary.bench.check().await;
    });
}

#[test]
fn case_51_pg_recvlogical_gets_the_same_changes() {
    block_on(async {
        let primary = Primary::start().await;
        for slot in ["a", "b"] {
            let create = "SELECT pg_create_logical_replication_slot($1, 'test_decoding')";
            primary.admin.query(create, &[&slot]).await.unwrap();
        }
        primary.insert(5_000).await;
        primary
            .admin
            .batch_execute("UPDATE t SET text = 'y' WHERE id < 9; DELETE FROM t")
            .await
            .unwrap();
        let end = primary.position().await;
        let mut received = Vec::new();
        for (slot, address) in [("a", primary.directly()), ("b", primary.bench.address())] {
            let from = connection(address);
            let options = ["--start", "-n", "-S", slot, "-f", "-", "-E", &end, "-d", &from];
            received.push(check_success(&run("pg_recvlogical", &options).await));
        }
        assert!(received[0].contains("DELETE: id[integer]:5000"), "{}", received[0].len());
        assert!(received[0] == received[1], "the changes differ");
        primary.bench.check().await;
    });
}
