//! How the upstream is dialled, and what clients hear when it cannot be reached.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pgtrack_proxy::{Config, Upstream};
use pgtrack_testkit::block_on;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::time::Instant;

use crate::support::{Scripted, TestProxy, Wire, config, field, startup};

async fn check_told(limits: Config) {
    let expected = limits.upstream.to_string();
    let proxy = TestProxy::with(limits).await;
    let mut client = Wire::connect(proxy.address).await;
    client.send(&startup(&[("user", "ada")])).await;
    let error = client.message().await;
    for (code, value) in [
        (b'S', "FATAL".to_owned()),
        (b'V', "FATAL".to_owned()),
        (b'C', "57P03".to_owned()),
        (b'M', format!("could not connect to upstream server \"{expected}\"")),
        (
            b'H',
            "Check that PostgreSQL runs there and accepts connections from the proxy.".to_owned(),
        ),
    ] {
        assert_eq!(field(&error, code), value);
    }
    assert_eq!(client.rest().await, b"");
    assert_eq!(proxy.counters.unreachable.value(), 1);
}

#[test]
fn a_name_is_resolved_and_all_its_addresses_are_tried() {
    block_on(async {
        // Where the name stands for ::1 as well, nobody listens there.
        let upstream = Scripted::listen().await;
        let by_name = Upstream { host: "localhost".into(), port: upstream.address.port() };
        let proxy =
            TestProxy::with(Config { upstream: by_name.into(), ..config(upstream.address) }).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        upstream.admit().await;
        client.until(b'Z').await;
    });
}

#[test]
fn case_67_a_refused_connection_is_cannot_connect_now() {
    block_on(async {
        let closed = Scripted::listen().await.address;
        check_told(config(closed)).await;
    });
}

#[test]
fn case_67_an_unknown_host_and_a_missing_socket_are_cannot_connect_now() {
    block_on(async {
        for host in ["no-such-host.invalid", "/nonexistent"] {
            let upstream = Upstream { host: host.into(), port: 5432 };
            let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
            check_told(Config { upstream: upstream.into(), ..config(anywhere) }).await;
        }
    });
}

#[test]
fn case_67_a_host_that_swallows_packets_is_given_up_after_the_connect_timeout() {
    block_on(async {
        let (address, _full) = listener_that_never_accepts();
        let limits = Config { connect_timeout: Duration::from_millis(300), ..config(address) };
        let began = Instant::now();
        check_told(limits).await;
        assert!(began.elapsed() < Duration::from_secs(3));
    });
}

#[test]
fn a_server_that_never_answers_is_given_up_at_the_startup_deadline() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let limits =
            Config { startup_timeout: Duration::from_millis(300), ..config(upstream.address) };
        check_told(limits).await;
    });
}

/// A listener whose queue is full, so that the system drops what more arrives.
fn listener_that_never_accepts() -> (SocketAddr, Vec<Socket>) {
    let any: SockAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into();
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&any).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut sockets = vec![listener];
    loop {
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let connected = filler.connect_timeout(&address, Duration::from_millis(100));
        sockets.push(filler);
        if connected.is_err() {
            return (address.as_socket().unwrap(), sockets);
        }
    }
}
