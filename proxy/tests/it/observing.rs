//! What an observation makes of the bytes of real servers.

use std::time::Instant;

use pgtrack_proxy::observe::{Executed, Limits, Observation, Outcome, Source};
use pgtrack_testkit::{Server, on_each_version};

use crate::support::{
    Message, Wire, bind, copy_data, copy_done, execute, message, on_each_server, parse, query,
    server_address, startup, sync,
};

/// A connection to a server, observed.
struct Observed {
    wire: Wire,
    observation: Observation,
}

impl Observed {
    async fn session(server: Server, database: &str) -> Self {
        let wire = Wire::connect(server_address(server)).await;
        let mut observed = Self { wire, observation: Observation::new(Limits::default()) };
        let who = startup(&[("user", "postgres"), ("database", database)]);
        observed.wire.send(&who).await;
        observed.until(b'Z').await;
        observed
    }

    async fn send(&mut self, messages: &[Vec<u8>]) {
        let bytes = messages.concat();
        // A byte at a time: how it is split says nothing.
        for byte in &bytes {
            self.observation.client_sent(&[*byte], Instant::now());
        }
        self.wire.send(&bytes).await;
    }

    async fn until(&mut self, tag: u8) -> Vec<Message> {
        let answers = self.wire.until(tag).await;
        for answer in &answers {
            self.observation.server_sent(&message(answer.tag, &answer.body), Instant::now());
        }
        answers
    }

    /// What was executed since the last time: text, command tag or what became of it, rows.
    fn executed(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.observation.next_executed()).map(|one| described(&one)).collect()
    }

    /// Sends, waits for `ReadyForQuery`, and tells what was executed.
    async fn after(&mut self, messages: &[Vec<u8>]) -> Vec<String> {
        self.send(messages).await;
        self.until(b'Z').await;
        self.executed()
    }
}

fn described(executed: &Executed) -> String {
    let text =
        executed.text.as_ref().map_or("?".into(), |text| String::from_utf8_lossy(&text.head));
    let source = match &executed.source {
        Source::Simple { index } => format!("#{index}"),
        Source::Extended { parameters, .. } => format!("${parameters}"),
        Source::FunctionCall { .. } => "call".into(),
        Source::Commit => "commit".into(),
    };
    let outcome = match &executed.outcome {
        Outcome::Completed { tag, rows } => {
            format!("{tag}{}", rows.map_or(String::new(), |rows| format!(" ({rows})")))
        }
        Outcome::Failed { sqlstate } => String::from_utf8_lossy(sqlstate).into_owned(),
        Outcome::Suspended { rows } => format!("suspended after {rows}"),
        outcome => format!("{outcome:?}"),
    };
    match &executed.prepared {
        Some(prepared) => {
            let prepared = String::from_utf8_lossy(&prepared.head);
            format!("{text} {source} [{prepared}]: {outcome}")
        }
        None => format!("{text} {source}: {outcome}"),
    }
}

#[test]
fn case_33_an_empty_query_executes_nothing() {
    on_each_server(async |server| {
        let mut session = Observed::session(server, "postgres").await;
        assert_eq!(session.after(&[query("")]).await, [" #0: Empty"]);
        assert_eq!(session.after(&[query(";")]).await, ["; #0: Empty"]);
    });
}

#[test]
fn case_34_the_statements_of_a_text_have_an_outcome_each_up_to_the_first_error() {
    on_each_server(async |server| {
        let mut session = Observed::session(server, "postgres").await;
        let text = "SELECT 1; SELECT 1/0; SELECT 3";
        let expected = [format!("{text} #0: SELECT 1 (1)"), format!("{text} #1: 22012")];
        assert_eq!(session.after(&[query(text)]).await, expected);
        assert_eq!(session.after(&[query("SELEC")]).await, ["SELEC #0: 42601"]);
        let two = "BEGIN; TABLE pg_database LIMIT 2";
        let expected = [format!("{two} #0: BEGIN"), format!("{two} #1: SELECT 2 (2)")];
        assert_eq!(session.after(&[query(two)]).await, expected);
    });
}

#[test]
fn case_38_what_the_server_ignores_behind_an_error_is_skipped() {
    on_each_server(async |server| {
        let mut session = Observed::session(server, "postgres").await;
        let one = |sql: &str| [parse("", sql), bind("", "", &[]), execute("", 0)].concat();
        let pipeline =
            [one("SELECT 1"), one("SELECT 1/0"), one("SELECT 3"), one("SELECT 4"), sync()];
        let executed = session.after(&pipeline).await;
        let expected = [
            "SELECT 1 $0: SELECT 1 (1)",
            "SELECT 1/0 $0: 22012",
            "SELECT 3 $0: Skipped",
            "SELECT 4 $0: Skipped",
        ];
        assert_eq!(executed, expected);

        // The client may send them after it was told.
        session.send(&[one("SELEC"), message(b'H', &[])]).await;
        session.until(b'E').await;
        let executed = session.after(&[one("SELECT 5"), sync(), one("SELECT 6"), sync()]).await;
        assert_eq!(executed, ["SELEC $0: 42601", "SELECT 5 $0: Skipped"]);
        session.until(b'Z').await;
        assert_eq!(session.executed(), ["SELECT 6 $0: SELECT 1 (1)"]);
    });
}

#[test]
fn case_39_a_portal_that_is_read_in_parts_is_one_statement() {
    on_each_server(async |server| {
        let mut session = Observed::session(server, "postgres").await;
        let text = "SELECT generate_series(1, $1)";
        let begin = [parse("s", text), bind("p", "s", &[b"25"])];
        let executed = [execute("p", 10), execute("p", 10), execute("p", 10), sync()];
        let executed = session.after(&[begin.concat(), executed.concat()]).await;
        assert_eq!(executed, [format!("{text} $1: SELECT 5 (25)")]);

        let executed = session.after(&[bind("p", "s", &[b"25"]), execute("p", 10), sync()]).await;
        assert_eq!(executed, [format!("{text} $1: suspended after 10")]);
    });
}

#[test]
fn case_40_a_portal_keeps_the_text_that_it_was_bound_to() {
    on_each_server(async |server| {
        let mut session = Observed::session(server, "postgres").await;
        let pipeline = [
            parse("", "SELECT 1"),
            bind("", "", &[]),
            parse("", "SELECT 2"),
            execute("", 0),
            bind("", "", &[]),
            execute("", 0),
            sync(),
        ];
        let expected = ["SELECT 1 $0: SELECT 1 (1)", "SELECT 2 $0: SELECT 1 (1)"];
        assert_eq!(session.after(&pipeline).await, expected);
    });
}

#[test]
fn case_42_a_function_call_has_an_outcome() {
    on_each_server(async |server| {
        let mut session = Observed::session(server, "postgres").await;
        // pi(), without arguments and with a result in text.
        let pi = message(b'F', &[0, 0, 6, 74, 0, 0, 0, 0, 0, 0]);
        assert_eq!(session.after(&[pi]).await, ["? call: "]);
        let nothing = message(b'F', &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        let executed = session.after(&[nothing]).await;
        assert!(executed[0].starts_with("? call: 42"), "{executed:?}");
    });
}

#[test]
fn case_50_a_sync_within_a_copy_is_not_answered() {
    on_each_version(async |database| {
        let mut session = Observed::session(database.server(), database.name()).await;
        session.after(&[query("CREATE TABLE t (line text)")]).await;
        let copy = "COPY t FROM STDIN";
        let pipeline = [
            parse("", copy),
            bind("", "", &[]),
            execute("", 0),
            sync(),
            copy_data(b"a\nb\n"),
            copy_done(),
            sync(),
            query("SELECT 1"),
        ];
        assert_eq!(session.after(&pipeline).await, [format!("{copy} $0: COPY 2 (2)")]);
        session.until(b'Z').await;
        assert_eq!(session.executed(), ["SELECT 1 #0: SELECT 1 (1)"]);

        let pipeline = [query(copy), copy_data(b"a\tb\n"), copy_done(), query("SELECT 2")];
        assert_eq!(session.after(&pipeline).await, [format!("{copy} #0: 22P04")]);
        session.until(b'Z').await;
        assert_eq!(session.executed(), ["SELECT 2 #0: SELECT 1 (1)"]);
        assert_eq!(
            session.after(&[query("COPY t TO STDOUT")]).await,
            ["COPY t TO STDOUT #0: COPY 2 (2)"]
        );
        database.remove().await;
    });
}

#[test]
fn case_59_execute_in_sql_is_known_by_what_it_executes() {
    on_each_server(async |server| {
        let mut session = Observed::session(server, "postgres").await;
        let prepare = "PREPARE \"P\" AS SELECT 1";
        session.after(&[query(prepare)]).await;
        let executed = session.after(&[query("/* x */ execute \"P\"")]).await;
        assert_eq!(executed, [format!("/* x */ execute \"P\" #0 [{prepare}]: SELECT 1 (1)")]);
        session.after(&[query("DEALLOCATE ALL")]).await;
        let executed = session.after(&[query("EXECUTE \"P\"")]).await;
        assert_eq!(executed, ["EXECUTE \"P\" #0: 26000"]);
    });
}

#[test]
fn an_error_at_the_commit_is_not_one_of_a_statement() {
    on_each_version(async |database| {
        let mut session = Observed::session(database.server(), database.name()).await;
        let table = "CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)";
        session.after(&[query(table)]).await;
        let insert = "INSERT INTO t VALUES (1), (1)";
        let pipeline = [parse("", insert), bind("", "", &[]), execute("", 0), sync()];
        let expected = [format!("{insert} $0: INSERT 0 2 (2)"), "? commit: 23505".into()];
        assert_eq!(session.after(&pipeline).await, expected);
        database.remove().await;
    });
}

#[test]
fn what_is_not_answered_when_the_session_ends_is_said_to_be_so() {
    on_each_server(async |server| {
        let mut session = Observed::session(server, "postgres").await;
        session
            .send(&[query("SELECT 1"), parse("", "SELECT 2"), bind("", "", &[]), execute("", 0)])
            .await;
        session.observation.ended(Instant::now());
        assert_eq!(session.executed(), ["SELECT 1 #0: Unanswered", "SELECT 2 $0: Unanswered"]);
    });
}
