//! `pgbench`, `pg_dump` and `pg_restore`.

use std::env;
use std::net::SocketAddr;

use pgtrack_testkit::{Database, Server, block_on, on_each_version};
use tokio::process::Command;

use super::{check_same, url};
use crate::support::{Bench, check_success, for_tools, program, run, server_address};

/// Runs pgbench in a way that gives the same every time, and returns what the tables have then.
async fn balances(address: SocketAddr, database: &Database, options: &[&str]) -> String {
    let url = url(address, database);
    check_success(&run("pgbench", &["-i", "-q", "-I", "dtgvp", "-s", "1", &url]).await);
    let fixed = ["-n", "-t", "50", "--random-seed=7"];
    let report = check_success(&run("pgbench", &[&fixed, options, &[&url]].concat()).await);
    assert!(report.contains("number of failed transactions: 0 "), "{report}");
    let sums = "SELECT sum(abalance), count(*) FROM pgbench_accounts;
        SELECT sum(bbalance) FROM pgbench_branches; SELECT count(*), sum(delta) FROM pgbench_history";
    check_success(&run("psql", &["-XAtq", "-c", sums, &url]).await)
}

fn check_pgbench(options: &[&str]) {
    on_each_version(async |database| {
        let server = server_address(database.server());
        let directly = balances(server, &database, options).await;
        let bench = Bench::new(server).await;
        let through_proxy = balances(bench.address(), &database, options).await;
        assert_eq!(directly, through_proxy);
        bench.check().await;
    });
}

#[test]
fn pgbench_in_every_protocol() {
    for protocol in ["simple", "extended", "prepared"] {
        check_pgbench(&["-c", "4", "-M", protocol]);
    }
}

#[test]
fn pgbench_with_a_connection_for_each_transaction() {
    check_pgbench(&["-c", "2", "-C"]);
}

#[test]
fn pgbench_with_pipelines() {
    let script = "\\set id random(1, 100000)\n\\startpipeline\n\
        UPDATE pgbench_accounts SET abalance = abalance + :id WHERE aid = :id;\n\
        SELECT abalance FROM pgbench_accounts WHERE aid = :id;\n\
        UPDATE pgbench_branches SET bbalance = bbalance + :id;\n\\endpipeline\n";
    let file = env::temp_dir().join(format!("pipeline-{}.sql", std::process::id()));
    std::fs::write(&file, script).unwrap();
    check_pgbench(&["-c", "4", "-M", "extended", "-f", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn pg_dump_and_pg_restore() {
    block_on(async {
        let database = Server::shared(&for_tools()).database().await;
        let admin = database.connect().await;
        admin
            .batch_execute(
                "CREATE TABLE t (id int PRIMARY KEY, text text, data bytea);
                 INSERT INTO t SELECT g, repeat('x', g % 500), decode(md5(g::text), 'hex') FROM generate_series(1, 20000) g;
                 CREATE VIEW v AS SELECT * FROM t; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
                 SELECT lo_from_bytea(0, 'a large object')",
            )
            .await
            .unwrap();
        let dump = |address: SocketAddr, database: &Database| {
            let mut command = Command::new(program("pg_dump"));
            command.arg("--restrict-key=conformance").arg(url(address, database));
            command
        };
        let plain = check_same(&database, |address| dump(address, &database)).await;
        assert!(plain.len() > 5_000_000, "{}", plain.len());

        // Down and up again, through the proxy in parallel.
        let bench = Bench::new(server_address(database.server())).await;
        let copy = database.server().database().await;
        let directory = env::temp_dir().join(format!("{}.dump", database.name()));
        let path = directory.to_str().unwrap();
        let from = url(bench.address(), &database);
        check_success(&run("pg_dump", &["-Fd", "-j", "2", "-f", path, &from]).await);
        let to = url(bench.address(), &copy);
        check_success(&run("pg_restore", &["-e", "-j", "2", "-d", &to, path]).await);
        std::fs::remove_dir_all(&directory).unwrap();
        bench.check().await;
        let restored =
            check_success(&dump(server_address(copy.server()), &copy).output().await.unwrap());
        assert!(plain.starts_with(&restored), "the restored database is another");
        copy.remove().await;
        database.remove().await;
    });
}
