//! `pgtrack install`: puts pg_track into a database, or upgrades it, and makes the role of a service.

use clap::Args;
use pgtrack_tracker::Installation;
use pgtrack_tracker::service::{self, Reach};
use serde_json::json;

use crate::error::Error;
use crate::session::{Common, Session};
use crate::terminal::Screen;

/// Gives the role of a service a password, without one on the command line or in a server's log.
const PASSWORD: &str = "PGTRACK_SERVICE_PASSWORD";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Make this role, or give it, what `pgtrack serve` needs to connect as it; the environment variable
    /// `PGTRACK_SERVICE_PASSWORD` gives it a password.
    #[arg(long, value_name = "NAME")]
    service_role: Option<String>,
    /// Let it read these, and so show their history: schemas, with tables to come, and tables as schema.table.
    #[arg(long, value_name = "SCHEMA | TABLE", num_args = 1.., requires = "service_role")]
    read: Vec<String>,
    /// Let it undo in the tables of this role, and so show their history: it becomes a member of it.
    #[arg(long, value_name = "OWNER", num_args = 1.., requires = "service_role")]
    undo_as: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let mut session = Session::open_any(&options.common.connection).await?;
    let done = pgtrack_tracker::install(&mut session.client).await?;
    let (word, text) = match done {
        Installation::Present => ("present", "pg_track is already in"),
        Installation::Installed => ("installed", "pg_track is now in"),
        Installation::Upgraded => ("upgraded", "pg_track was upgraded in"),
    };
    let mut screen = Screen::plain(&options.common.output);
    let mut object = json!({ "outcome": word });
    if !screen.is_json {
        screen.line(&format!("{text} {}.", session.place))?;
    }
    if let Some(role) = &options.service_role {
        let reach = Reach { read: options.read, undo_as: options.undo_as };
        let statements = grant(&session, role, &reach).await?;
        if screen.is_json {
            object["statements"] = json!(statements);
        } else {
            screen.lines(&statements)?;
        }
    }
    if screen.is_json {
        screen.json(&object)?;
    }
    screen.finish()
}

/// Makes the role; returns what was done, for people.
async fn grant(session: &Session, role: &str, reach: &Reach) -> Result<Vec<String>, Error> {
    let mut statements = service::grant(&session.client, role, reach).await?;
    match std::env::var(PASSWORD).ok().filter(|password| !password.is_empty()) {
        Some(password) => {
            let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
            service::set_verifier(&session.client, role, &verifier).await?;
            statements.push(format!("-- {role} has the password of {PASSWORD} now"));
        }
        None => statements.push(format!(
            "-- a password, if it needs one: \\password {role} in psql, or {PASSWORD} for this command"
        )),
    }
    Ok(statements)
}
