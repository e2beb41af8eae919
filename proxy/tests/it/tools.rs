//! PostgreSQL's own programs, through the proxy.

use pgtrack_testkit::block_on;

use crate::support::{Scripted, TestProxy, run};

#[test]
fn case_67_pg_isready_says_rejecting_when_the_upstream_is_down() {
    block_on(async {
        let closed = Scripted::listen().await.address;
        let proxy = TestProxy::to(closed).await;
        let port = proxy.address.port().to_string();
        let output = run("pg_isready", &["-h", "127.0.0.1", "-p", &port]).await;
        // Manual, "pg_isready", "Exit Status".
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    });
}
