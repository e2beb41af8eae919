//! How a silent peer is found to be gone, on both legs of a session; tcp(7).

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// When a TCP connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// A peer that was silent for so long is probed.
    pub keepalive_idle: Duration,
    /// The time between probes.
    pub keepalive_interval: Duration,
    /// A peer that leaves so many unanswered is gone.
    pub keepalive_count: u32,
    /// So is one that does not acknowledge what was sent for so long (`TCP_USER_TIMEOUT`); zero leaves that to
    /// the system, which takes a quarter of an hour.
    pub user_timeout: Duration,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            keepalive_idle: Duration::from_secs(30),
            keepalive_interval: Duration::from_secs(10),
            keepalive_count: 3,
            user_timeout: Duration::from_mins(1),
        }
    }
}

impl Liveness {
    pub(crate) fn apply(self, stream: &TcpStream) -> io::Result<()> {
        let keepalive = TcpKeepalive::new()
            .with_time(self.keepalive_idle)
            .with_interval(self.keepalive_interval)
            .with_retries(self.keepalive_count);
        let socket = SockRef::from(stream);
        socket.set_tcp_keepalive(&keepalive)?;
        socket.set_tcp_user_timeout((!self.user_timeout.is_zero()).then_some(self.user_timeout))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use socket2::SockRef;
    use tokio::net::{TcpListener, TcpStream};

    use super::Liveness;
    use crate::stream::Stream;

    #[tokio::test]
    async fn case_68_the_system_is_told_when_to_give_up_either_leg() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        for user_timeout in [Duration::from_secs(11), Duration::ZERO] {
            let liveness = Liveness {
                keepalive_idle: Duration::from_secs(7),
                keepalive_interval: Duration::from_secs(3),
                keepalive_count: 2,
                user_timeout,
            };
            for stream in [&dialled, &accepted] {
                liveness.apply(stream).unwrap();
                let socket = SockRef::from(stream);
                assert!(socket.keepalive().unwrap());
                assert_eq!(socket.tcp_keepalive_time().unwrap(), liveness.keepalive_idle);
                assert_eq!(socket.tcp_keepalive_interval().unwrap(), liveness.keepalive_interval);
                assert_eq!(socket.tcp_keepalive_retries().unwrap(), 2);
                let timeout = socket.tcp_user_timeout().unwrap().unwrap_or_default();
                assert_eq!(timeout, user_timeout);
            }
        }
        let Stream::Tcp(stream) = Stream::tcp(dialled, Liveness::default()).unwrap() else {
            unreachable!("it is TCP")
        };
        assert!(stream.nodelay().unwrap(), "answers of several segments would wait 40 ms each");
    }
}
