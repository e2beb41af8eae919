//! Which server a session goes to, where there are several.

use std::collections::BTreeMap;
use std::time::Duration;

use pgtrack_proxy::{Config, Role, SessionAttrs, Target, Upstream};
use pgtrack_testkit::{Cluster, block_on, own_server, versions};
use tokio_postgres::NoTls;

use crate::support::{
    Scripted, TestProxy, Wire, cancel_request, config, field, on_each_server, query, startup,
    within,
};

fn upstream(cluster: &Cluster) -> Upstream {
    Upstream { host: "127.0.0.1".into(), port: cluster.port() }
}

fn target(servers: &[&Cluster], session_attrs: SessionAttrs) -> Target {
    let servers = servers.iter().map(|server| upstream(server)).collect();
    Target { servers, session_attrs, balances_load: false }
}

/// The port of the server that a session of this database ends up at, or the SQLSTATE of its refusal.
async fn port(proxy: &TestProxy, database: &str) -> Result<String, String> {
    let (client, connection) =
        tokio_postgres::connect(&proxy.url(database), NoTls).await.map_err(|error| {
            error.code().map_or_else(|| error.to_string(), |code| code.code().into())
        })?;
    let connection = tokio::spawn(connection);
    let row = client.query_one("SHOW port", &[]).await.map_err(|error| error.to_string())?;
    connection.abort();
    Ok(row.get(0))
}

#[test]
fn case_65_sessions_follow_the_primary_after_a_failover() {
    for binaries in versions() {
        block_on(async {
            let mut primary = own_server(&binaries, &[]);
            let setup = pgtrack_testkit::connect(&primary.url("postgres")).await;
            setup.batch_execute("CREATE DATABASE reports").await.unwrap();
            drop(setup);
            let standby = primary.start_standby().unwrap();
            let servers = [&standby, &primary];
            let anywhere = ([127, 0, 0, 1], 0).into();
            let proxy = TestProxy::with(Config {
                upstream: target(&servers, SessionAttrs::ReadWrite),
                databases: BTreeMap::from([(
                    "reports".to_owned(),
                    target(&servers, SessionAttrs::PreferStandby),
                )]),
                ..config(anywhere)
            })
            .await;
            assert_eq!(port(&proxy, "postgres").await, Ok(primary.port().to_string()));
            assert_eq!(port(&proxy, "reports").await, Ok(standby.port().to_string()));
            let roles = proxy.control.roles();
            let role = roles.iter().find(|(server, _)| *server == upstream(&standby)).unwrap().1;
            assert!(role.unwrap().is_standby);

            primary.crash().unwrap();
            assert_eq!(port(&proxy, "postgres").await, Err("57P03".into()));
            assert_eq!(port(&proxy, "reports").await, Ok(standby.port().to_string()));
            standby.promote().unwrap();
            assert_eq!(port(&proxy, "postgres").await, Ok(standby.port().to_string()));
            // The one that is left is no standby, but better than none.
            assert_eq!(port(&proxy, "reports").await, Ok(standby.port().to_string()));
        });
    }
}

#[test]
fn case_65_the_first_session_waits_until_the_preferred_server_was_asked() {
    block_on(async {
        let (standby, primary) = (Scripted::listen().await, Scripted::listen().await);
        let servers = [&standby, &primary].map(|server| Upstream {
            host: server.address.ip().to_string(),
            port: server.address.port(),
        });
        let slow = servers[0].clone();
        let upstream = Target {
            servers: servers.into(),
            session_attrs: SessionAttrs::PreferStandby,
            balances_load: false,
        };
        let probe = move |server: Upstream| {
            let is_standby = server == slow;
            async move {
                if is_standby {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                Ok(Role { is_standby, is_read_only: is_standby })
            }
        };
        let config = Config { upstream, ..config(primary.address) };
        let proxy = TestProxy::probing(config, probe).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        within(Duration::from_secs(10), standby.admit()).await;
        client.until(b'Z').await;
    });
}

#[test]
fn databases_are_routed_by_name_and_the_rest_by_default() {
    block_on(async {
        let (named, other) = (Scripted::listen().await, Scripted::listen().await);
        let place = |scripted: &Scripted| Upstream {
            host: scripted.address.ip().to_string(),
            port: scripted.address.port(),
        };
        let databases = BTreeMap::from([("shop".to_owned(), place(&named).into())]);
        let proxy = TestProxy::with(Config { databases, ..config(other.address) }).await;
        for (parameters, server) in [
            (vec![("user", "ada"), ("database", "shop")], &named),
            (vec![("user", "shop")], &named),
            (vec![("user", "ada"), ("database", "shop2")], &other),
            (vec![("user", "ada")], &other),
        ] {
            let mut client = Wire::connect(proxy.address).await;
            client.send(&startup(&parameters)).await;
            server.admit().await;
            client.until(b'Z').await;
        }
    });
}

#[test]
fn case_65_the_next_host_is_tried_when_one_is_down() {
    block_on(async {
        let down = Scripted::listen().await.address;
        let up = Scripted::listen().await;
        let servers = [down, up.address];
        let servers = servers.map(|each| Upstream { host: "127.0.0.1".into(), port: each.port() });
        let upstream = Target {
            servers: servers.into(),
            session_attrs: SessionAttrs::Any,
            balances_load: false,
        };
        let proxy = TestProxy::with(Config { upstream, ..config(down) }).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        up.admit().await;
        client.until(b'Z').await;
    });
}

#[test]
fn without_a_suitable_server_clients_may_try_elsewhere() {
    block_on(async {
        let down = Scripted::listen().await.address;
        let server = Upstream { host: "127.0.0.1".into(), port: down.port() };
        let session_attrs = SessionAttrs::Primary;
        let upstream = Target { session_attrs, ..server.into() };
        let proxy = TestProxy::with(Config { upstream, ..config(down) }).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        let error = client.message().await;
        assert_eq!(field(&error, b'C'), "57P03");
        let expected = format!("no upstream server is primary among \"{down}\"");
        assert_eq!(field(&error, b'M'), expected);
        assert_eq!(proxy.counters.unreachable.value(), 1);
    });
}

#[test]
fn case_81_the_last_of_two_proxies_says_who_its_client_is() {
    on_each_server(async |server| {
        let inner = TestProxy::before(server).await;
        let networks = vec!["127.0.0.1/32".parse().unwrap()];
        let outer = Config { proxy_protocol_from: networks, ..config(inner.address) };
        let outer = TestProxy::with(outer).await;
        let mut client = Wire::connect(outer.address).await;
        client.send(b"PROXY TCP4 203.0.113.7 10.0.0.1 54321 5432\r\n").await;
        client.send(&startup(&[("user", "postgres")])).await;
        client.until(b'Z').await;
        let context = client.value("SHOW pgtrack.ctx").await;
        assert!(context.starts_with("2 127.0.0.1 "), "{context}");
    });
}

#[test]
fn case_71_a_cancel_request_goes_to_the_server_of_its_session_or_to_all() {
    block_on(async {
        let (one, other) = (Scripted::listen().await, Scripted::listen().await);
        let place = |scripted: &Scripted| Upstream {
            host: "127.0.0.1".into(),
            port: scripted.address.port(),
        };
        let databases = BTreeMap::from([("shop".to_owned(), place(&one).into())]);
        let proxy = TestProxy::with(Config { databases, ..config(other.address) }).await;
        let key_data = b"\0\0\0\x01some secret of protocol 3.2";
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada"), ("database", "shop")])).await;
        let (mut server, _) = one.accept().await;
        server.send(&crate::support::message(b'K', key_data)).await;
        server.send(crate::support::READY).await;
        client.until(b'Z').await;
        client.send(&query("SELECT")).await;
        server.message().await;

        let cancel = cancel_request(key_data);
        let mut canceller = Wire::connect(proxy.address).await;
        canceller.send(&cancel).await;
        let (delivered, packet) = one.accept().await;
        assert_eq!(packet, cancel);
        drop(delivered);
        assert_eq!(canceller.rest().await, b"");

        // The session of another proxy, as far as this one knows.
        drop((client, server));
        let unknown = cancel_request(b"\0\0\0\x02none");
        let mut canceller = Wire::connect(proxy.address).await;
        canceller.send(&unknown).await;
        // In the order of their ports.
        let mut both = [&one, &other];
        both.sort_by_key(|server| server.address);
        for server in both {
            assert_eq!(server.accept().await.1, unknown);
        }
        within(Duration::from_secs(20), canceller.rest()).await;
    });
}
