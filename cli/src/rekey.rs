//! `pgtrack rekey`: after a new key was put first into the key file, seals what the dashboard keeps with it.

use std::io::Write as _;

use crate::args::ServeOptions;
use crate::config::Config;
use crate::error::Error;

/// Seals them again, and says how many there were.
pub(crate) async fn run(options: &ServeOptions) -> Result<(), Error> {
    let config = Config::load(options)?;
    if config.dashboard.key_file.is_none() {
        return Err(Error::NoKeyFile);
    }
    let keys = config.dashboard.keys()?;
    let count = pgtrack_dashboard::rekey(&config.upstreams.default.settings, &keys).await?;
    // Where standard output is closed there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{count} secrets were sealed with the first key");
    Ok(())
}
