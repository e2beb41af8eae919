//! Tells systemd how the program is doing; `sd_notify(3)`: a datagram to the socket in `NOTIFY_SOCKET`.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::interval;

/// Says that clients can come, and from then on that the program lives, as often as `WatchdogSec=` asks for.
pub(crate) fn ready() {
    notify("READY=1");
    let microseconds = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
    if let Some(limit) = microseconds.map(Duration::from_micros).filter(|limit| !limit.is_zero()) {
        tokio::spawn(async move {
            let mut every = interval(limit / 2);
            loop {
                every.tick().await;
                notify("WATCHDOG=1");
            }
        });
    }
}

/// Says that the program is about to end.
pub(crate) fn stopping() {
    notify("STOPPING=1");
}

/// Without systemd, or if it does not listen, there is nobody to tell.
fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}
