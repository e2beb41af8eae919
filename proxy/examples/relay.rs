//! Runs the relay alone, for measurements: `relay <listen address> <upstream host> <upstream port> [<threads>]`.

use std::error::Error;
use std::sync::Arc;

use pgtrack_proxy::{Config, Proxy, Upstream};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (listen, host, port, threads) = match arguments.as_slice() {
        [listen, host, port] => (listen, host, port, Config::default().threads),
        [listen, host, port, threads] => (listen, host, port, threads.parse()?),
        _ => return Err("usage: relay <listen> <upstream host> <upstream port> [<threads>]".into()),
    };
    let config = Config {
        listen: vec![listen.parse()?],
        upstream: Upstream { host: host.clone(), port: port.parse()? }.into(),
        threads,
        ..Config::default()
    };
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let proxy = Proxy::bind(config, Arc::new(|_database| async { Ok(None) })).await?;
        Ok(proxy.run(CancellationToken::new()).await?)
    })
}
