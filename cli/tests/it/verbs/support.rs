//! A database that the command line is tried on, and what it says.

use std::process::Command;

use pgtrack_testkit::{Database, on_each_version};
use serde_json::Value;
use tokio_postgres::Client;

use crate::program::pgtrack;

/// What a command said, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) code: i32,
}

/// A database of this test's own, with pg_track and a table `users` with a small history.
pub(super) struct Shop {
    pub(super) database: Database,
    pub(super) client: Client,
    /// The transactions of the history, in their order.
    pub(super) xids: Vec<i64>,
}

/// Tries something on a shop on every version.
pub(super) fn on_shop(body: impl AsyncFn(Shop)) {
    on_each_version(async |database| {
        let mut client = database.connect().await;
        pgtrack_tracker::install(&mut client).await.unwrap();
        client
            .batch_execute(
                "SET application_name = 'app';
                 CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, role text);
                 SELECT pgtrack.track('users')",
            )
            .await
            .unwrap();
        let mut xids = Vec::new();
        for statement in [
            "INSERT INTO users VALUES (1, 'Ada', 'clerk'), (2, 'Ben', 'clerk')",
            "UPDATE users SET role = 'boss'",
            "DELETE FROM users WHERE id = 2",
        ] {
            let sql = format!(
                "BEGIN; SELECT pgtrack.set_actor('eve', true); {statement}; SELECT pg_current_xact_id()::text; COMMIT"
            );
            xids.push(last_value(&client, &sql).await);
        }
        body(Shop { database, client, xids }).await;
    });
}

/// The last value that a script returns.
async fn last_value(client: &Client, sql: &str) -> i64 {
    let messages = client.simple_query(sql).await.unwrap();
    let rows = messages.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    rows.last().unwrap().parse().unwrap()
}

impl Shop {
    /// The program, about this database, in UTC.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pgtrack();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") && !name.to_string_lossy().contains('_') {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("PGTRACK_PAGER", "cat")
            .env("TZ", "UTC")
            .env("HOME", "/nonexistent");
        command.args(["--db", &self.database.url()]);
        command
    }

    /// Runs it. Times are written TIME, this history's transactions XID1 to XID3, later ones XID, the place PLACE.
    pub(super) fn says(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        Said {
            out: self.normal(&String::from_utf8(output.stdout).unwrap()),
            err: self.normal(&String::from_utf8(output.stderr).unwrap()),
            code: output.status.code().unwrap(),
        }
    }

    /// What it prints when all goes well.
    #[track_caller]
    pub(super) fn prints(&self, arguments: &[&str]) -> String {
        let said = self.says(arguments);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{arguments:?}\n{}", said.out);
        said.out
    }

    /// The JSON objects that it prints.
    #[track_caller]
    pub(super) fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments = [arguments, &["--json"]].concat();
        let output = self.command(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// All rows of the table, as PostgreSQL writes them.
    pub(super) async fn rows(&self) -> String {
        let query = "SELECT string_agg(u::text, ' ' ORDER BY id) FROM users u";
        self.client
            .query_one(query, &[])
            .await
            .unwrap()
            .get::<_, Option<String>>(0)
            .unwrap_or_default()
    }

    fn normal(&self, text: &str) -> String {
        let place = format!(
            "database `{}` at 127.0.0.1:{} as `postgres`",
            self.database.name(),
            self.database.server().port()
        );
        let mut text = text.replace(&place, "PLACE");
        for (index, xid) in self.xids.iter().enumerate() {
            text = replace_number(&text, &xid.to_string(), &format!("XID{}", index + 1));
        }
        text.split('\n').map(replace_times).collect::<Vec<_>>().join("\n")
    }
}

/// Replaces a number where it stands alone.
fn replace_number(text: &str, number: &str, by: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(position) = rest.find(number) {
        let (before, after) = (&rest[..position], &rest[position + number.len()..]);
        let is_alone = !before.ends_with(|c: char| c.is_ascii_digit())
            && !after.starts_with(|c: char| c.is_ascii_digit());
        result.push_str(before);
        result.push_str(if is_alone { by } else { number });
        rest = after;
    }
    result + rest
}

/// Replaces `2026-11-23 14:05:09 +00:00`.
fn replace_times(line: &str) -> String {
    let mut result = String::new();
    let mut rest = line;
    while let Some(position) = rest.find(" +00:00") {
        let start = position.checked_sub("2026-11-23 14:05:09".len()).unwrap();
        result.push_str(&rest[..start]);
        result.push_str("TIME");
        rest = &rest[position + " +00:00".len()..];
    }
    result + rest
}
