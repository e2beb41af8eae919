//! What happens when there are too many clients.

use std::env;
use std::process::Command;
use std::time::Duration;

use pgtrack_proxy::{Config, SessionLimits};
use pgtrack_testkit::{Server, block_on, newest};
use tokio::net::TcpStream;

use crate::support::{
    Scripted, TestProxy, Wire, cancel_request, config, field, on_each_server, query,
    server_address, startup, within,
};

#[test]
fn case_23_beyond_the_limit_clients_are_told_and_cancel_still_works() {
    block_on(async {
        let server = Server::shared(&newest());
        let limits = SessionLimits { max_sessions: 1, ..SessionLimits::default() };
        let limits = Config { limits, ..config(server_address(server)) };
        let proxy = TestProxy::with(limits).await;
        let mut first = Wire::connect(proxy.address).await;
        let who = [("user", "postgres"), ("database", "postgres")];
        first.send(&startup(&who)).await;
        let messages = first.until(b'Z').await;
        let key_data = messages.iter().find(|message| message.tag == b'K').unwrap();

        let mut second = Wire::connect(proxy.address).await;
        second.send(&startup(&who)).await;
        let error = second.message().await;
        assert_eq!(field(&error, b'C'), "53300");
        assert_eq!(field(&error, b'M'), "sorry, too many clients already");
        assert_eq!(second.rest().await, b"");
        assert_eq!(proxy.counters.refused.value(), 1);

        // Whether the cancel request comes before or after the statement begins is open: repeat it.
        first.send(&query("SELECT pg_sleep(60)")).await;
        let cancelling = async {
            loop {
                let mut canceller = Wire::connect(proxy.address).await;
                canceller.send(&cancel_request(&key_data.body)).await;
                canceller.rest().await;
            }
        };
        let cancelled = tokio::select! {
            messages = first.until(b'Z') => messages,
            () = cancelling => unreachable!("it goes on until the statement has ended"),
        };
        let error = cancelled.iter().find(|message| message.tag == b'E').unwrap();
        assert_eq!(field(error, b'C'), "57014");

        drop(first);
        within(Duration::from_secs(20), async {
            loop {
                let mut third = Wire::connect(proxy.address).await;
                third.send(&startup(&who)).await;
                if third.message().await.tag == b'R' {
                    break;
                }
            }
        })
        .await;
    });
}

#[test]
fn case_23_a_database_and_a_user_have_limits_of_their_own() {
    on_each_server(async |server| {
        for (limits, setting) in [
            (
                SessionLimits { max_sessions_per_database: 1, ..SessionLimits::default() },
                "max_sessions_per_database",
            ),
            (
                SessionLimits { max_sessions_per_user: 1, ..SessionLimits::default() },
                "max_sessions_per_user",
            ),
        ] {
            let proxy = TestProxy::with(Config { limits, ..config(server_address(server)) }).await;
            let _first = Wire::session(proxy.address, "postgres").await;
            let mut second = Wire::connect(proxy.address).await;
            second.send(&startup(&[("user", "postgres"), ("database", "postgres")])).await;
            let error = second.message().await;
            assert_eq!(field(&error, b'C'), "53300");
            assert!(field(&error, b'H').ends_with(&format!("setting {setting}.")));
            // Somebody else somewhere else is welcome; the server is asked, and refuses.
            let mut other = Wire::connect(proxy.address).await;
            other.send(&startup(&[("user", "nobody"), ("database", "template1")])).await;
            assert_eq!(field(other.until(b'E').await.last().unwrap(), b'C'), "28000");
        }
    });
}

/// Set in the process that the next test starts for itself.
const WITH_FEW_FILES: &str = "PGTRACK_TEST_WITH_FEW_FILES";

#[test]
fn case_24_without_file_descriptors_the_proxy_waits_and_goes_on() {
    if env::var_os(WITH_FEW_FILES).is_none() {
        let name = "limits::case_24_without_file_descriptors_the_proxy_waits_and_goes_on";
        let script = format!("ulimit -n 40 && exec \"$0\" --exact {name}");
        let this = env::current_exe().unwrap();
        let status =
            Command::new("sh").arg("-c").arg(script).arg(this).env(WITH_FEW_FILES, "1").status();
        assert!(status.unwrap().success());
        return;
    }
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        let mut established = Wire::connect(proxy.address).await;
        established.send(&startup(&[("user", "ada")])).await;
        let mut server = upstream.admit().await;
        established.until(b'Z').await;

        let mut idle = Vec::new();
        while let Ok(stream) = TcpStream::connect(proxy.address).await {
            idle.push(Wire { stream });
        }
        established.send(b"Q\0\0\0\x04").await;
        assert_eq!(server.message().await.tag, b'Q', "an open session goes on");

        // The last one waits to be accepted; it gets its turn when others leave.
        let mut last = idle.pop().unwrap();
        idle.truncate(1);
        last.send(&startup(&[("user", "ada")])).await;
        upstream.admit().await;
        last.until(b'Z').await;
    });
}
