//! Databases are prepared for tracking when they are first used.

use std::time::Duration;

use pgtrack_proxy::ProvisionError;
use pgtrack_testkit::{Database, on_each_version};
use tokio::sync::mpsc;

use crate::support::{TestProxy, Wire, config, server_address, startup, within};

/// A proxy, and the databases that it asks to be prepared, which all fail.
async fn failing(database: &Database) -> (TestProxy, mpsc::UnboundedReceiver<String>) {
    let (asked, receiver) = mpsc::unbounded_channel();
    let provision = move |database: String| {
        asked.send(database).unwrap();
        async { Err(ProvisionError::from("permission denied")) }
    };
    (TestProxy::providing(config(server_address(database.server())), provision).await, receiver)
}

#[test]
fn case_83_each_database_is_prepared_once_and_a_failure_does_not_matter() {
    on_each_version(async |database| {
        let (proxy, mut asked) = failing(&database).await;
        for _ in 0..3 {
            let mut client = Wire::session(proxy.address, database.name()).await;
            assert_eq!(client.value("SELECT 'works'").await, "works");
        }
        // The database of a session without one is that of its user.
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "postgres")])).await;
        client.until(b'Z').await;
        for expected in [database.name(), "postgres"] {
            let name = within(Duration::from_secs(20), asked.recv()).await;
            assert_eq!(name.as_deref(), Some(expected));
        }
        assert!(asked.is_empty());
    });
}

#[test]
fn a_database_is_not_prepared_for_replication_or_for_a_session_that_was_refused() {
    on_each_version(async |database| {
        let (proxy, mut asked) = failing(&database).await;
        let name = ("database", database.name());
        for (parameters, last) in [
            (vec![("user", "postgres"), name, ("replication", "database")], b'Z'),
            (vec![("user", "postgres"), ("replication", "true")], b'Z'),
            (vec![("user", "nobody with this name"), name], b'E'),
            (vec![("user", "postgres"), ("database", "no such database")], b'E'),
        ] {
            let mut client = Wire::connect(proxy.address).await;
            client.send(&startup(&parameters)).await;
            client.until(last).await;
        }
        assert!(asked.try_recv().is_err());
    });
}
