//! `pgtrack check`: whether the configuration is valid, and what it means; or how the one that runs with it is.

use std::io::Write as _;
use std::time::Duration;

use pgtrack_tracker::calls::Spool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::args::CheckOptions;
use crate::config::Config;
use crate::error::Error;
use crate::upstreams::Database;

/// Reads the configuration as `serve` would, and says what that would do, or how the one that runs is.
pub(crate) async fn run(options: &CheckOptions) -> Result<(), Error> {
    let config = Config::load(&options.serve)?;
    if options.running { ask(&config).await } else { explain(&config) }
}

/// How long the one that runs may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks /readyz.
async fn ask(config: &Config) -> Result<(), Error> {
    let Some(address) = config.monitor.listen else {
        let message =
            "there is nothing to ask at: the setting `listen` in the section [monitor] is missing";
        return Err(Error::Setting { message });
    };
    let request = format!("GET /readyz HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(PATIENCE, exchange).await.map_err(std::io::Error::from);
    let answer =
        answer.and_then(|answer| answer).map_err(|source| Error::AskMonitor { address, source })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) == Some("200") {
        say(body.trim_end());
        return Ok(());
    }
    Err(Error::NotReady { report: body.trim_end().to_owned() })
}

/// Says what the configuration means. Connects to nothing.
fn explain(config: &Config) -> Result<(), Error> {
    config.for_proxy().check()?;
    config.dashboard.allowed_hosts()?;
    config.dashboard.webhook_hosts()?;
    config.dashboard.public_url()?;
    config.dashboard.keys()?;
    if let Some(spool) = config.audit.spool.as_ref().filter(|_| config.audit.enabled) {
        Spool::check(spool)?;
    }
    let mut lines = vec!["the configuration is valid".to_owned()];
    lines.extend(config.proxy.listen.iter().map(|address| format!("proxy      {address}")));
    lines.push(format!("dashboard  {}", config.dashboard.listen));
    lines.extend(config.monitor.listen.map(|address| format!("monitor    {address}")));
    let named = config.upstreams.named.iter().map(|(name, database)| (name.as_str(), database));
    for (name, Database { target, .. }) in named.chain([("*", &config.upstreams.default)]) {
        lines.push(format!("database   {name}: {target} ({})", target.session_attrs));
    }
    say(&lines.join("\n"));
    Ok(())
}

fn say(text: &str) {
    // Where standard output is closed there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{text}");
}
