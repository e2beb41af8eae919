//! What every handler shares.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pgtrack_connect::Connector;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{Limiter, Passwords, SessionCookie, SetupToken};
use crate::config::Config;
use crate::connections::{Connection, Connections, Environment, Opened};
use crate::database::Database;
use crate::digests::Sender;
use crate::live::Streams;
use crate::middleware::HostNames;
use crate::public_url::PublicUrl;
use crate::revert::{PlanKey, Plannings};
use crate::tally::Tally;

/// The running application behind [`app`](crate::app).
#[derive(Debug)]
pub struct AppState {
    pub(crate) https: bool,
    /// Holds the dashboard's own tables.
    pub(crate) database: Arc<Database>,
    pub(crate) connections: Connections,
    pub(crate) cookie: SessionCookie,
    pub(crate) setup: SetupToken,
    pub(crate) passwords: Passwords,
    /// For a name from an address.
    pub(crate) attempts_by_guesser: Limiter,
    pub(crate) attempts_by_address: Limiter,
    /// For a name from everywhere: against guessing from many addresses, and too many for one to use up.
    pub(crate) attempts_by_name: Limiter,
    /// Tests of connections and digests.
    pub(crate) tests: Limiter,
    /// Delivers digests.
    pub(crate) sender: Sender,
    /// Where links in them lead to.
    pub(crate) public_url: Option<PublicUrl>,
    /// Where requests may be meant for.
    pub(crate) host_names: HostNames,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) tally: Tally,
    /// Makes the tokens of plans; in the database.
    pub(crate) plan_key: OnceCell<PlanKey>,
    /// Plans that are being worked out.
    pub(crate) plannings: Plannings,
    /// Undoes in batches that are running.
    pub(crate) jobs: TaskTracker,
    /// Ends the streams, the poller and the courier; they would keep the server from stopping.
    pub(crate) shutdown: CancellationToken,
}

impl AppState {
    /// Touches neither the network nor the database.
    pub(crate) fn new(config: &Config, connector: &Connector) -> Result<Self, getrandom::Error> {
        let configured = Connection {
            slug: config.slug.clone(),
            label: config.label.clone(),
            environment: Environment::None,
            is_read_only: false,
        };
        let database = Arc::new(Database::new(&config.database.config, connector));
        let shutdown = CancellationToken::new();
        let minute = Duration::from_mins(1);
        Ok(Self {
            connections: Connections::new(
                Opened::new(configured, database.clone(), shutdown.clone()),
                config.allowed_hosts.clone(),
                config.keys.clone(),
                shutdown.clone(),
            ),
            trusted_proxies: config.trusted_proxies.clone(),
            tests: Limiter::new(10, minute),
            sender: Sender::new(config.webhook_hosts.clone()),
            host_names: {
                let public = config.public_url.iter().map(|url| url.host().to_owned());
                config.host_names.iter().cloned().chain(public).collect()
            },
            public_url: config.public_url.clone(),
            https: config.https,
            database,
            cookie: SessionCookie::new(config.https),
            setup: SetupToken::new()?,
            passwords: Passwords::new(),
            attempts_by_guesser: Limiter::new(5, minute),
            attempts_by_address: Limiter::new(20, minute),
            attempts_by_name: Limiter::new(100, 5 * minute),
            streams: Arc::default(),
            tally: Tally::default(),
            plan_key: OnceCell::new(),
            plannings: Plannings::default(),
            jobs: TaskTracker::new(),
            shutdown,
        })
    }
}
