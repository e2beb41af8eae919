//! A new configuration under open sessions.

use pgtrack_proxy::{Config, SessionLimits};
use pgtrack_testkit::block_on;

use crate::support::{Scripted, TestProxy, Wire, config, field, startup};

#[test]
fn a_reload_is_for_new_sessions_and_leaves_the_others_alone() {
    block_on(async {
        let (old, new) = (Scripted::listen().await, Scripted::listen().await);
        let proxy = TestProxy::to(old.address).await;
        let mut before = Wire::connect(proxy.address).await;
        before.send(&startup(&[("user", "ada")])).await;
        let mut server = old.admit().await;
        before.until(b'Z').await;

        let limits = SessionLimits { max_sessions: 2, ..SessionLimits::default() };
        proxy.control.reload(Config { limits, ..config(new.address) }).unwrap();
        let mut after = Wire::connect(proxy.address).await;
        after.send(&startup(&[("user", "ada")])).await;
        let _open = new.admit().await;
        after.until(b'Z').await;
        assert_eq!(proxy.control.open_sessions(), 2);
        // Those that were open count.
        let mut third = Wire::connect(proxy.address).await;
        third.send(&startup(&[("user", "ada")])).await;
        assert_eq!(field(&third.message().await, b'C'), "53300");

        before.send(b"Q\0\0\0\x04").await;
        assert_eq!(server.message().await.tag, b'Q');
    });
}
