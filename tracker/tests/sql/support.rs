//! A database with pg_track in it, and SQL in and out of it as text.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use pgtrack_testkit::{
    Database, Server, block_on, newest, on_each_version_like, on_outer_versions_like, own_server,
    versions,
};
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage};

/// The SQL under test, as psql and CREATE EXTENSION run it.
const SCRIPT: &str = include_str!("../../../sql/pg_track--1.0.sql");

/// A session with a database of its own that has pg_track installed.
pub(crate) struct Session {
    pub(crate) database: Database,
    client: Client,
}

/// Runs a test body on a server of every version under test.
pub(crate) fn on_each_version(body: impl AsyncFn(Session)) {
    on_each_version_like("pgtrack_template", install, async |database| {
        body(Session::open(database).await).await;
    });
}

/// Runs a test body on a server of the oldest and of the newest version under test.
pub(crate) fn on_outer_versions(body: impl AsyncFn(Session)) {
    on_outer_versions_like("pgtrack_template", install, async |database| {
        body(Session::open(database).await).await;
    });
}

/// Runs a test body on a server of the newest version: for what takes long, and is the same in all.
pub(crate) fn on_newest_version(body: impl AsyncFn(Session)) {
    block_on(async {
        let server = Server::shared(&newest());
        let database = server.database_like("pgtrack_template", install).await;
        body(Session::open(database.clone()).await).await;
        database.remove().await;
    });
}

/// Runs a test body on a server of its own of every version under test: with settings of its own, and without the
/// transactions of other tests.
pub(crate) fn on_each_own_server(settings: &[(&str, &str)], body: impl AsyncFn(Session)) {
    for binaries in versions() {
        block_on(async {
            let cluster = own_server(&binaries, settings);
            let database = Server::of(&cluster).database().await;
            install(database.clone()).await;
            body(Session::open(database).await).await;
        });
    }
}

/// Installs pg_track as psql does it.
pub(crate) async fn install(database: Database) {
    let client = database.connect().await;
    if let Err(error) =
        client.batch_execute(&format!("BEGIN; {}; COMMIT", without_psql_lines(SCRIPT))).await
    {
        panic!("{}", describe(&error));
    }
}

/// A script without psql's own commands.
pub(crate) fn without_psql_lines(script: &str) -> String {
    script.lines().filter(|line| !line.starts_with('\\')).collect::<Vec<_>>().join("\n")
}

impl Session {
    /// A session with a database.
    pub(crate) async fn open(database: Database) -> Self {
        let client = database.connect().await;
        Self { database, client }
    }

    /// Another session with the same database.
    pub(crate) async fn another(&self) -> Self {
        Self { database: self.database.clone(), client: self.database.connect().await }
    }

    /// Another session with the same database, of another role.
    pub(crate) async fn another_as(&self, role: &str) -> Self {
        Self { database: self.database.clone(), client: self.database.connect_as(role).await }
    }

    /// Another session with the same database that sets options when it starts.
    pub(crate) async fn another_with(&self, options: &str) -> Self {
        let mut config: tokio_postgres::Config = self.database.url().parse().expect("a valid URL");
        config.options(options);
        let (client, connection) = config.connect(NoTls).await.expect("a session");
        tokio::spawn(connection);
        Self { database: self.database.clone(), client }
    }

    /// Runs statements that must succeed.
    #[track_caller]
    pub(crate) fn run(&self, sql: &str) -> impl Future<Output = ()> {
        let location = std::panic::Location::caller();
        async move {
            if let Err(error) = self.client.batch_execute(sql).await {
                panic!("{location}: {}\n{sql}", describe(&error));
            }
        }
    }

    /// Runs statements and returns the rows of the last, one a line, columns separated by `|`, NULL as `~`.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> impl Future<Output = String> {
        let location = std::panic::Location::caller();
        async move {
            let messages = match self.client.simple_query(sql).await {
                Ok(messages) => messages,
                Err(error) => panic!("{location}: {}\n{sql}", describe(&error)),
            };
            let mut lines: Vec<String> = Vec::new();
            for message in messages {
                match message {
                    SimpleQueryMessage::RowDescription(_) => lines.clear(),
                    SimpleQueryMessage::Row(row) => {
                        let values: Vec<_> =
                            (0..row.len()).map(|column| row.get(column).unwrap_or("~")).collect();
                        lines.push(values.join("|"));
                    }
                    _ => {}
                }
            }
            lines.join("\n")
        }
    }

    /// Compares the rows of a query with what is expected, ignoring the expectation's indentation.
    #[track_caller]
    pub(crate) fn check(&self, sql: &str, expected: &str) -> impl Future<Output = ()> {
        let location = std::panic::Location::caller();
        async move {
            let expected: Vec<_> =
                expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let actual = self.rows(sql).await;
            assert_eq!(actual, expected.join("\n"), "{location}\n{sql}\ngave\n{actual}");
        }
    }

    /// Runs a statement in a session of its own and returns the notices that come with it.
    pub(crate) async fn notices(&self, sql: &str) -> Vec<String> {
        let (client, mut connection) =
            tokio_postgres::connect(&self.database.url(), NoTls).await.expect("a session");
        let notices = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&notices);
        let listener = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notice(notice) = message {
                    heard.lock().expect("nobody panicked").push(notice.message().to_owned());
                }
            }
        });
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{}", describe(&error)));
        drop(client);
        listener.await.expect("the listener ends");
        let heard = notices.lock().expect("nobody panicked");
        heard.clone()
    }

    /// Runs statements that may fail; an error is described as [`error`](Self::error) does it.
    pub(crate) async fn attempt(&self, sql: &str) -> Result<(), String> {
        self.client.batch_execute(sql).await.map_err(|error| describe(&error))
    }

    /// Runs statements and returns what a client sees of them: rows and how many were changed, or the error.
    pub(crate) async fn outcome(&self, sql: &str) -> Result<Vec<String>, String> {
        let messages = self.client.simple_query(sql).await.map_err(|error| describe(&error))?;
        let seen = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let values = (0..row.len()).map(|column| row.get(column).unwrap_or("~"));
                Some(values.collect::<Vec<_>>().join("|"))
            }
            SimpleQueryMessage::CommandComplete(count) => Some(count.to_string()),
            _ => None,
        });
        Ok(seen.collect())
    }

    /// Runs a statement that must fail, and returns `SQLSTATE: message`, then DETAIL and HINT on lines of their own.
    #[track_caller]
    pub(crate) fn error(&self, sql: &str) -> impl Future<Output = String> {
        let location = std::panic::Location::caller();
        async move {
            match self.client.simple_query(sql).await {
                Ok(_) => panic!("{location}: this should have failed\n{sql}"),
                Err(error) => describe(&error),
            }
        }
    }
}

fn describe(error: &tokio_postgres::Error) -> String {
    let Some(report) = error.as_db_error() else { return error.to_string() };
    let mut text = format!("{}: {}", report.code().code(), report.message());
    for (label, part) in [("DETAIL", report.detail()), ("HINT", report.hint())] {
        if let Some(part) = part {
            let _ = write!(text, "\n{label}: {part}");
        }
    }
    text
}
