//! An upstream that is itself a pooler, and refuses startup parameters it does not know.

use pgtrack_testkit::block_on;

use crate::support::{READY, Scripted, TestProxy, Wire, message, startup};

const REFUSAL: &[u8] = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: pgtrack.ctx\0\0";

fn has_context(packet: &[u8]) -> bool {
    packet.windows(11).any(|window| window == b"pgtrack.ctx")
}

#[test]
fn case_82_a_pooler_is_dialled_again_without_the_context_and_never_sent_it_again() {
    block_on(async {
        let pooler = Scripted::listen().await;
        let proxy = TestProxy::to(pooler.address).await;
        let sent = startup(&[("user", "ada"), ("database", "shop")]);

        let mut client = Wire::connect(proxy.address).await;
        client.send(&sent).await;
        let (mut refusing, packet) = pooler.accept().await;
        assert!(has_context(&packet));
        refusing.send(&message(b'E', REFUSAL)).await;
        let (mut server, packet) = pooler.accept().await;
        assert_eq!(packet, sent);
        server.send(READY).await;
        client.until(b'Z').await;
        assert_eq!(refusing.rest().await, b"", "the refused connection is closed");

        let mut next = Wire::connect(proxy.address).await;
        next.send(&sent).await;
        let (_server, packet) = pooler.accept().await;
        assert_eq!(packet, sent);
    });
}

#[test]
fn another_error_of_the_server_is_for_the_client() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        let (mut server, _packet) = upstream.accept().await;
        let error = message(b'E', b"SFATAL\0C53300\0Msorry, too many clients already\0\0");
        // In two parts, so that the first tells nothing.
        let (start, rest) = error.split_at(9);
        server.send(start).await;
        server.send(rest).await;
        drop(server);
        assert_eq!(client.rest().await, error);
    });
}

#[test]
fn a_client_cannot_switch_the_context_off_by_provoking_an_error_that_names_it() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "pgtrack.ctx")])).await;
        let (mut server, _packet) = upstream.accept().await;
        let error = message(b'E', b"SFATAL\0C28000\0Mrole \"pgtrack.ctx\" does not exist\0\0");
        server.send(&error).await;
        drop(server);
        assert_eq!(client.rest().await, error);

        Wire::connect(proxy.address).await.send(&startup(&[("user", "ada")])).await;
        let (_server, packet) = upstream.accept().await;
        assert!(has_context(&packet));
    });
}
