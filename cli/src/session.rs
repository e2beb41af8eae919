//! The database that a command is about.

use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pgtrack_connect::{Environment, Settings};
use pgtrack_tracker::{Installed, RowKey, TableName, revert};
use tokio_postgres::Client;

use crate::error::Error;
use crate::shutdown;
use crate::terminal::OutputOptions;

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionOptions {
    /// The database: a URL, keyword=value pairs, or its name [default: what PG* variables say, as for psql].
    #[arg(short = 'd', long, value_name = "URL")]
    pub(crate) db: Option<String>,
}

/// What every command about a database takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// A row, for commands that need one.
#[derive(Debug, Args)]
pub(crate) struct RowArguments {
    /// The table, named as in a query.
    pub(crate) table: String,
    #[arg(help = KEY_HELP, allow_hyphen_values = true)]
    pub(crate) key: String,
}

/// How a row's key is written.
pub(crate) const KEY_HELP: &str =
    r#"The row's key: a value, or JSON such as '{"order_id": 1, "product_id": 100}'"#;

/// A connection to it.
pub(crate) struct Session {
    pub(crate) client: Client,
    /// The database and where it is, for people.
    pub(crate) place: String,
    /// The zone in which times are shown and understood.
    zone: TimeZone,
}

impl Session {
    /// Connects to a database with pg_track.
    pub(crate) async fn open(options: &ConnectionOptions) -> Result<Self, Error> {
        let session = Self::open_any(options).await?;
        match pgtrack_tracker::installed(&session.client).await? {
            Installed::Current(_) => Ok(session),
            Installed::Missing => Err(Error::NotInstalled { place: session.place }),
            Installed::Outdated(found) => Err(Error::Outdated { place: session.place, found }),
            Installed::Newer(found) => Err(Error::TooNew { place: session.place, found }),
        }
    }

    /// Connects to a database that may not have pg_track yet.
    pub(crate) async fn open_any(options: &ConnectionOptions) -> Result<Self, Error> {
        // As psql has it, who somebody is to the system counts, and not what the environment says.
        let variable = |name: &str| match name {
            "USER" => system_user().or_else(|| std::env::var(name).ok()),
            name => std::env::var(name).ok(),
        };
        let text = options.db.as_deref().unwrap_or_default();
        let settings = Settings::read(text, Environment { variable: &variable })?;
        for notice in &settings.notices {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "pgtrack: {notice}");
        }
        let client = pgtrack_connect::connect(&settings).await?;
        cancel_on_interrupt(&settings, &client);
        let zone = TimeZone::system();
        if let Some(name) = zone.iana_name() {
            // A server that does not know the zone keeps its own; times are shown with their offset anyway.
            let query = "SELECT set_config('TimeZone', z.name, false) FROM pg_timezone_names z WHERE z.name = $1";
            client.execute(query, &[&name]).await.map_err(Error::Prepare)?;
        }
        Ok(Self { client, place: settings.to_string(), zone })
    }

    /// A time for people, with its offset.
    pub(crate) fn time(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// The moment that a person means.
    pub(crate) async fn moment(&self, text: Option<&str>) -> Result<Option<Timestamp>, Error> {
        match text {
            Some(text) => Ok(Some(pgtrack_tracker::past::moment(&self.client, text).await?)),
            None => Ok(None),
        }
    }

    /// The table that a person means.
    pub(crate) async fn table(&self, text: &str) -> Result<TableName, Error> {
        Ok(pgtrack_tracker::resolve(&self.client, text).await?)
    }

    /// The transaction that a person means: its number, `@` for their latest that is no undo, `@~1` for the one before it.
    /// `None` if the word is neither.
    pub(crate) async fn transaction(
        &self,
        word: &str,
        actor: Option<&str>,
    ) -> Result<Option<i64>, Error> {
        let Some(rest) = word.strip_prefix('@') else { return Ok(word.parse().ok()) };
        let back = match rest {
            "" => Some(0),
            "~" => Some(1),
            _ => {
                rest.strip_prefix('~').and_then(|back| back.parse().ok()).filter(|back| *back >= 0)
            }
        };
        match back {
            Some(back) => Ok(Some(revert::last(&self.client, actor, back).await?)),
            None => Ok(None),
        }
    }

    /// The row that a person means.
    pub(crate) async fn row(&self, row: &RowArguments) -> Result<(TableName, RowKey), Error> {
        self.row_of(&row.table, &row.key).await
    }

    /// The row of a table that a person means.
    pub(crate) async fn row_of(
        &self,
        table: &str,
        key: &str,
    ) -> Result<(TableName, RowKey), Error> {
        let table = self.table(table).await?;
        let key = pgtrack_tracker::key(&self.client, &table, key).await?;
        Ok((table, key))
    }
}

/// The name of whoever runs this program.
fn system_user() -> Option<String> {
    let said = Command::new("id").arg("-un").stderr(Stdio::null()).output().ok()?;
    let name = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    (said.status.success() && !name.is_empty()).then_some(name)
}

/// Ctrl-C must not leave a statement running that nobody waits for.
fn cancel_on_interrupt(settings: &Settings, client: &Client) {
    let (settings, session) = (settings.clone(), client.cancel_token());
    tokio::spawn(async move {
        shutdown::requested().cancelled().await;
        // A server that cannot be reached ends the statement when it finds that we are gone.
        let _ = pgtrack_connect::cancel(&settings, &session).await;
    });
}
