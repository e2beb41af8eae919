//! `pgtrack check`: whether the configuration is valid, and what it means.

use std::io::Write as _;

use crate::args::ServeOptions;
use crate::config::Config;
use crate::error::Error;
use crate::upstreams::Database;

/// Reads the configuration as `serve` would, and says what that would do. Connects to nothing.
pub(crate) fn run(options: &ServeOptions) -> Result<(), Error> {
    let config = Config::load(options)?;
    config.for_proxy().check()?;
    config.dashboard.allowed_hosts()?;
    config.dashboard.keys()?;
    let mut lines = vec!["the configuration is valid".to_owned()];
    lines.extend(config.proxy.listen.iter().map(|address| format!("proxy      {address}")));
    lines.push(format!("dashboard  {}", config.dashboard.listen));
    lines.extend(config.monitor.listen.map(|address| format!("monitor    {address}")));
    let named = config.upstreams.named.iter().map(|(name, database)| (name.as_str(), database));
    for (name, Database { target, .. }) in named.chain([("*", &config.upstreams.default)]) {
        lines.push(format!("database   {name}: {target} ({})", target.session_attrs));
    }
    // Where standard output is closed there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
    Ok(())
}
