//! What a transaction costs, in the one unit that does not depend on the machine: system calls.

use std::env;
use std::fs;
use std::io;
use std::process::{Command, Stdio};

use pgtrack_testkit::{Server, block_on, newest};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::program;
use crate::support::{TestProxy, server_address};

/// Set in the process that the test starts for itself: that one is the proxy.
const UPSTREAM_PORT: &str = "PGTRACK_TEST_UPSTREAM_PORT";
/// Enough that starting and ending do not count.
const TRANSACTIONS: u32 = 16_000;
/// What a relay has to do with: reading, writing, waiting, and waking other threads.
const COUNTED: &str =
    "read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,epoll_wait,poll,futex";

#[test]
fn a_transaction_takes_six_system_calls_and_fewer_when_many_run() {
    if let Ok(port) = env::var(UPSTREAM_PORT) {
        return serve(port.parse().unwrap());
    }
    block_on(async {
        let database = Server::shared(&newest()).database().await;
        let url = database.url();
        let filled = Command::new(program("pgbench")).args(["-iq", &url]).output().unwrap();
        assert!(filled.status.success(), "{filled:?}");
        for (clients, limit) in [(1, 6.3), (8, 5.5)] {
            let calls = calls_per_transaction(database.server(), database.name(), clients).await;
            assert!(calls <= limit, "{calls:.2} system calls with {clients} clients");
            // Fewer would mean that nothing was counted.
            assert!(calls > 4.0, "{calls:.2} system calls with {clients} clients");
        }
        database.remove().await;
    });
}

/// Runs a proxy until standard input ends.
#[expect(clippy::print_stderr, reason = "tells the parent process")]
fn serve(upstream: u16) {
    block_on(async move {
        let proxy = TestProxy::to(([127, 0, 0, 1], upstream).into()).await;
        eprintln!("listens on {}", proxy.address);
        let ended = tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new()));
        ended.await.unwrap().unwrap();
    });
}

async fn calls_per_transaction(server: Server, database: &str, clients: u32) -> f64 {
    let summary = env::temp_dir().join(format!("{database}-{clients}.strace"));
    let name = "speed::a_transaction_takes_six_system_calls_and_fewer_when_many_run";
    let mut proxy = tokio::process::Command::new("strace")
        .args(["-f", "-q", "-c", "-U", "calls,name", "-e", &format!("trace={COUNTED}"), "-o"])
        .arg(&summary)
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(UPSTREAM_PORT, server_address(server).port().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace can be run");
    let mut lines = BufReader::new(proxy.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("the proxy says where it listens");
        if let Some(address) = line.strip_prefix("listens on ") {
            break address.to_owned();
        }
    };
    let report = tokio::process::Command::new(program("pgbench"))
        .args(["-n", "-S", "-c", &clients.to_string()])
        .args(["-t", &(TRANSACTIONS / clients).to_string()])
        .arg(format!("postgresql://postgres@{address}/{database}"))
        .output()
        .await
        .unwrap();
    assert!(report.status.success(), "{report:?}");
    drop(proxy.stdin.take());
    assert!(proxy.wait().await.unwrap().success());

    let text = fs::read_to_string(&summary).unwrap();
    fs::remove_file(&summary).unwrap();
    let total = text.lines().find(|line| line.ends_with(" total")).expect("there is a sum");
    let calls: f64 = total.split_whitespace().next().unwrap().parse().unwrap();
    calls / f64::from(TRANSACTIONS)
}
