//! Runs the relay alone, for measurements: `relay <listen address> <upstream host> <upstream port> [<threads> [watch]]`.
//!
//! No example, because those are built with what tests need of tokio, and a clock that can be stopped is slower.

use std::error::Error;
use std::sync::Arc;

use pgtrack_proxy::{Config, Proxy, SslMode, Upstream, UpstreamTls, Watch};
use pgtrack_tracker::calls::{AuditLog, Connecting};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (listen, host, port, threads, watches) = match arguments.as_slice() {
        [listen, host, port] => (listen, host, port, Config::default().threads, false),
        [listen, host, port, threads] => (listen, host, port, threads.parse()?, false),
        [listen, host, port, threads, watch] if watch == "watch" => {
            (listen, host, port, threads.parse()?, true)
        }
        _ => {
            return Err(
                "usage: relay <listen> <upstream host> <upstream port> [<threads> [watch]]".into(),
            );
        }
    };
    let config = Config {
        listen: vec![listen.parse()?],
        upstream: Upstream { host: host.clone(), port: port.parse()? }.into(),
        threads,
        // As the direct connections that it is compared with.
        upstream_tls: UpstreamTls { mode: SslMode::Disable, ..UpstreamTls::default() },
        ..Config::default()
    };
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut proxy = Proxy::bind(config, Arc::new(|_database| async { Ok(None) })).await?;
        if watches {
            // The workloads call nothing that is recorded.
            let connect = |_database| -> Connecting {
                Box::pin(async { Err("nothing is recorded here".into()) })
            };
            proxy = proxy.with_watch(Arc::new(Watch::start(AuditLog::start(connect, None)?)?));
        }
        Ok(proxy.run(CancellationToken::new()).await?)
    })
}
