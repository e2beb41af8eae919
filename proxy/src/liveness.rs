//! How a silent peer is found to be gone, on both legs of a session; tcp(7).

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

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
    /// Prepares a TCP connection for relaying, or those that a listening socket will accept.
    pub(crate) fn prepare(self, socket: &impl AsFd) -> io::Result<()> {
        let keepalive = TcpKeepalive::new()
            .with_time(self.keepalive_idle)
            .with_interval(self.keepalive_interval)
            .with_retries(self.keepalive_count);
        let socket = SockRef::from(socket);
        // Without this, answers of several segments wait for delayed acknowledgements: 40 ms each.
        socket.set_tcp_nodelay(true)?;
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
    use crate::listen::{Accepted, ListenAddress, ListenOptions};
    use crate::stream::Stream;

    fn liveness(user_timeout: Duration) -> Liveness {
        Liveness {
            keepalive_idle: Duration::from_secs(7),
            keepalive_interval: Duration::from_secs(3),
            keepalive_count: 2,
            user_timeout,
        }
    }

    fn assert_prepared(stream: &TcpStream, liveness: Liveness) {
        let socket = SockRef::from(stream);
        assert!(socket.tcp_nodelay().unwrap(), "answers of several segments would wait 40 ms each");
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), liveness.keepalive_idle);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), liveness.keepalive_interval);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), liveness.keepalive_count);
        let timeout = socket.tcp_user_timeout().unwrap().unwrap_or_default();
        assert_eq!(timeout, liveness.user_timeout);
    }

    #[tokio::test]
    async fn case_68_the_system_is_told_when_to_give_up_either_leg() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        for user_timeout in [Duration::from_secs(11), Duration::ZERO] {
            let liveness = liveness(user_timeout);
            let Stream::Tcp(stream) = Stream::tcp(dialled, liveness).unwrap() else {
                unreachable!("it is TCP")
            };
            assert_prepared(&stream, liveness);
            dialled = stream;
        }
    }

    #[tokio::test]
    async fn accepted_connections_inherit_from_the_socket_until_the_configuration_changes() {
        let bound = liveness(Duration::from_secs(11));
        let address = ListenAddress::Tcp(([127, 0, 0, 1], 0).into());
        let socket = address.bind(ListenOptions::default(), bound).await.unwrap();
        let port = socket.tcp_address().unwrap();
        let acceptor = socket.accept().unwrap();
        for liveness in [bound, liveness(Duration::ZERO), Liveness::default()] {
            let _client = TcpStream::connect(port).await.unwrap();
            let accepted = acceptor.accept().await.unwrap();
            if let Accepted::Tcp(stream, ..) = &accepted {
                let stream = TcpStream::from_std(stream.try_clone().unwrap()).unwrap();
                assert_prepared(&stream, bound);
            }
            let Ok((Stream::Tcp(stream), _)) = Stream::accepted(accepted, liveness) else {
                unreachable!("it is TCP")
            };
            assert_prepared(&stream, liveness);
        }
    }
}
