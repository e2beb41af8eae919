//! What sessions cost in memory. The proxy runs in a process of its own here, so that its clients do not count.

use std::env;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use pgtrack_testkit::block_on;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{
    READY, Scripted, TestProxy, Wire, message, peak_growth, query, startup, within,
};

/// Set in the process that is the proxy.
const UPSTREAM_PORT: &str = "PGTRACK_TEST_IDLE_UPSTREAM_PORT";
/// Each takes two files here and two there, and 1024 is a usual limit.
const SESSIONS: usize = 300;
/// What is there once, such as each thread's own heap, is there after these.
const FIRST: usize = 100;

#[test]
fn case_77_a_thousand_idle_sessions_take_four_megabytes() {
    if let Ok(port) = env::var(UPSTREAM_PORT) {
        return serve(port.parse().unwrap());
    }
    block_on(async {
        let upstream = Scripted::listen().await;
        let (proxy, address) = start(upstream.address.port()).await;
        let mut open = Vec::new();
        let mut first = Vec::new();
        for _ in 0..FIRST {
            first.push(session(&address, &upstream).await);
        }
        let before = resident_kib(&proxy);
        for _ in 0..SESSIONS {
            open.push(session(&address, &upstream).await);
        }
        let idle = (resident_kib(&proxy) - before) * 1000 / SESSIONS;
        assert!(idle <= 4096, "{idle} KiB for 1000 idle sessions");

        // A large result passes through each, and leaves nothing behind.
        let result = [message(b'D', &vec![b'x'; 200_000]), b"Z\0\0\0\x05I".to_vec()].concat();
        let before = resident_kib(&proxy);
        for (client, server) in &mut open {
            client.send(&query("SELECT")).await;
            server.message().await;
            tokio::join!(server.send(&result), client.skip_until(b'Z'));
        }
        let after = resident_kib(&proxy).saturating_sub(before);
        assert!(after <= 1024, "{after} KiB stay after large results");
        drop(first);
    });
}

/// Opens a session that has executed something and is idle.
async fn session(address: &str, upstream: &Scripted) -> (Wire, Wire) {
    let mut client = Wire::connect(address.parse().unwrap()).await;
    client.send(&startup(&[("user", "ada")])).await;
    let (mut server, _startup) = upstream.accept().await;
    server.send(READY).await;
    client.until(b'Z').await;
    client.send(&query("SELECT 1")).await;
    server.message().await;
    let answer = [message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat();
    tokio::join!(server.send(&answer), client.until(b'Z'));
    (client, server)
}

#[expect(clippy::print_stderr, reason = "tells the parent process")]
fn serve(upstream: u16) {
    block_on(async move {
        let proxy = TestProxy::to(([127, 0, 0, 1], upstream).into()).await;
        eprintln!("listens on {}", proxy.address);
        // Until the test ends, and kills this.
        within(Duration::from_mins(5), std::future::pending::<()>()).await;
    });
}

async fn start(upstream: u16) -> (Child, String) {
    let name = "memory::case_77_a_thousand_idle_sessions_take_four_megabytes";
    let mut proxy = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(UPSTREAM_PORT, upstream.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(proxy.stderr.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the proxy says where it listens");
        if let Some(address) = line.strip_prefix("listens on ") {
            return (proxy, address.to_owned());
        }
    }
}

fn resident_kib(process: &Child) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn case_46_a_literal_of_a_gigabyte_streams_to_whoever_takes_it() {
    const LITERAL_BYTES: u32 = 1_000_000_000;
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        let mut server = upstream.admit().await;
        client.until(b'Z').await;
        let part = vec![b'x'; 100_000];
        let growth = peak_growth(async {
            let sending = async {
                client.send(b"Q").await;
                client.send(&(LITERAL_BYTES + 4).to_be_bytes()).await;
                for _ in 0..LITERAL_BYTES / 100_000 {
                    client.send(&part).await;
                }
            };
            tokio::join!(sending, server.skip_until(b'Q'));
        })
        .await;
        assert!(growth < 1024, "{growth} KiB");
    });
}
