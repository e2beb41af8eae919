//! Serves HTTP/1.1, and gives nobody the means to hold a connection open without asking for anything.

mod seats;

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::network::origin;
use seats::{Busy, Seats, Ticket};

/// How long to wait when the system has no more connections to give.
const BREATH: Duration = Duration::from_millis(100);
/// How long requests that are being answered may take to finish once the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What clients may hold.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// How long a client may take to say what it wants, also between two requests.
    pub(crate) header_patience: Duration,
    /// How many connections there may be.
    pub(crate) connections: usize,
    /// How many of them may come from one address, unless a web server of ours stands there.
    pub(crate) of_one: usize,
    pub(crate) trusted_proxies: Vec<IpAddr>,
}

impl Limits {
    /// Far more than people need, and of one address no more than a quarter.
    pub(crate) fn usual(trusted_proxies: Vec<IpAddr>) -> Self {
        let header_patience = Duration::from_secs(10);
        Self { header_patience, connections: 1024, of_one: 256, trusted_proxies }
    }
}

/// Serves until `shutdown` is cancelled, and then until the requests at hand are answered, for some seconds.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let seats = Seats::new(limits.connections, limits.of_one);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let ip = address.ip().to_canonical();
        let counted = (!limits.trusted_proxies.contains(&ip)).then(|| origin(ip));
        // Whoever finds no place is turned away at once: to wait in line would hold up everybody.
        let Some(ticket) = seats.take(counted) else { continue };
        let router = router.clone().layer(Extension(ConnectInfo(address)));
        connections.spawn(connection(
            stream,
            router,
            limits.header_patience,
            ticket,
            shutdown.clone(),
        ));
    }
    drop(listener);
    connections.close();
    // What is not done by then is cut off.
    let _ = tokio::time::timeout(DRAIN, connections.wait()).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    header_patience: Duration,
    ticket: Ticket,
    shutdown: CancellationToken,
) {
    // An answer goes out at once; a socket that refuses this works all the same.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        let busy = ticket.begin();
        let response = service.call(request);
        async { response.await.map(|response| response.map(|body| Held { body, _busy: busy })) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_patience)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // Clients that break off or send nonsense are their own concern.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = ticket.ended() => {}
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// The body of an answer: until it has been sent, its request is being answered.
struct Held {
    body: Body,
    _busy: Busy,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    use super::{Limits, serve};

    /// Connects from an address of this machine.
    async fn from(last: u8, to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, last], 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    async fn asks(stream: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// With these limits, nothing ends by itself. Tells when a request for `/slow` has begun.
    async fn start(
        connections: usize,
        of_one: usize,
    ) -> (SocketAddr, CancellationToken, mpsc::UnboundedReceiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, begun) = mpsc::unbounded_channel();
        let router = Router::new().route("/healthz", get(async || "ok")).route(
            "/slow",
            get(async move || -> &'static str {
                sender.send(()).unwrap();
                std::future::pending().await
            }),
        );
        let header_patience = Duration::from_hours(1);
        let limits = Limits { header_patience, connections, of_one, trusted_proxies: Vec::new() };
        let shutdown = CancellationToken::new();
        tokio::spawn(serve(listener, router, limits, shutdown.clone()));
        (address, shutdown, begun)
    }

    #[tokio::test]
    async fn silent_connections_keep_nobody_away() {
        let (address, shutdown, _begun) = start(16, 8).await;
        let mut other = from(2, address).await;
        assert!(asks(&mut other, "/healthz").await.ends_with("ok"));
        let mut silent = Vec::new();
        for _ in 0..40 {
            let mut stream = from(1, address).await;
            stream.write_all(b"GET / HTTP/1.1\r\nx-slow: ").await.unwrap();
            silent.push(stream);
        }
        // From the same address, from another one, and on a connection that was there before.
        for last in [1, 3] {
            assert!(asks(&mut from(last, address).await, "/healthz").await.ends_with("ok"));
        }
        assert!(asks(&mut other, "/healthz").await.ends_with("ok"));
        // The first ones had to go.
        assert!(matches!(silent[0].read(&mut [0; 16]).await, Ok(0) | Err(_)));
        shutdown.cancel();
    }

    #[tokio::test]
    async fn requests_at_hand_do_not_make_room() {
        let (address, shutdown, mut begun) = start(16, 2).await;
        let mut busy = Vec::new();
        for _ in 0..2 {
            let mut stream = from(1, address).await;
            stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            begun.recv().await.unwrap();
            busy.push(stream);
        }
        let mut third = from(1, address).await;
        assert!(matches!(third.read(&mut [0; 16]).await, Ok(0) | Err(_)), "it is turned away");
        assert!(asks(&mut from(2, address).await, "/healthz").await.ends_with("ok"));
        shutdown.cancel();
    }
}
