//! SIGHUP: reads the configuration again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use crate::args::ServeOptions;
use crate::config::Config;
use crate::error::Error;
use crate::monitor::Watched;

/// Reloads whenever the program is asked to. A configuration that is not valid changes nothing.
pub(crate) fn on_request(options: ServeOptions, watched: Arc<Watched>) -> Result<(), Error> {
    let mut requests = signal(SignalKind::hangup()).map_err(Error::Runtime)?;
    tokio::spawn(async move {
        while requests.recv().await.is_some() {
            let loaded = Config::load(&options);
            let reloaded =
                loaded.and_then(|config| Ok(watched.proxy.reload(config.for_proxy())?));
            watched.is_reloaded.store(reloaded.is_ok(), Ordering::Relaxed);
            match reloaded {
                Ok(()) => {
                    info!(
                        "the configuration was reloaded; sessions that are open keep the old one"
                    );
                }
                Err(error) => {
                    error!("the old configuration stays in use: {}", error.report());
                }
            }
        }
    });
    Ok(())
}
