//! History that logical replication takes to another server.

use std::time::Duration;

use pgtrack_testkit::{Cluster, Database, Server, block_on, own_server, versions};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::support::{install, on_outer_versions};

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, v text);
    CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (10);
    CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM (10) TO (99)";

/// All of pg_track's tables but `relation_shape`, which each server makes for itself.
const PUBLICATION: &str = "pgtrack.relation, pgtrack.relation_column, pgtrack.statement, pgtrack.key_change,
    pgtrack.tag, pgtrack.epoch, pgtrack.purged_version, pgtrack.erasure, pgtrack.kept, pgtrack.tracked_schema,
    pgtrack.audit_entry, pgtrack.proxy_key, pgtrack.installed_version";

/// The same answer has to come from both servers.
const QUESTIONS: [&str; 8] = [
    "SELECT * FROM pgtrack.history('t', 1)",
    "SELECT * FROM pgtrack.history('p', 12)",
    "SELECT * FROM pgtrack.log(100)",
    "SELECT * FROM pgtrack.as_of(NULL::t, 'one') ORDER BY id",
    "SELECT * FROM pgtrack.as_of(NULL::t, 'two') ORDER BY id",
    "SELECT * FROM pgtrack.deleted('t')",
    "SELECT * FROM pgtrack.blame('t', 1)",
    "SELECT count(*), max(statement_id) FROM pgtrack.statement",
];

async fn answer(client: &Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await;
    let messages = messages.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|n| row.get(n).unwrap_or("~")).collect::<Vec<_>>().join("|"))
        }
        _ => None,
    });
    rows.collect::<Vec<_>>().join("\n")
}

async fn run(client: &Client, statements: &[&str]) {
    for sql in statements {
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }
}

/// A database with pg_track and tracked tables.
async fn prepared(cluster: &Cluster) -> (Database, Client) {
    let database = Server::of(cluster).database().await;
    install(database.clone()).await;
    let client = database.connect().await;
    run(&client, &[TABLES, "SELECT pgtrack.track('t')", "SELECT pgtrack.track('p')"]).await;
    (database, client)
}

/// Asks until it is so.
async fn until(client: &Client, condition: &str) {
    let asking = async {
        while answer(client, &format!("SELECT {condition}")).await != "t" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), asking).await.expect(condition);
}

/// Waits until the copy has what the source has.
async fn caught_up(source: &Client, copy: &Client) {
    let last = answer(source, "SELECT pg_current_wal_lsn()").await;
    until(copy, "(SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel)").await;
    let confirmed =
        "(SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'copy')";
    until(source, &format!("{confirmed} >= '{last}'")).await;
}

#[test]
fn history_on_a_logical_copy_is_the_same_and_goes_on_when_the_copy_takes_over() {
    for binaries in versions() {
        block_on(async {
            let settings = [
                ("wal_level", "logical"),
                ("wal_receiver_status_interval", "1s"),
                ("synchronous_commit", "on"),
            ];
            let (here, there) =
                (own_server(&binaries, &settings), own_server(&binaries, &settings));
            let (database, source) = prepared(&here).await;
            let (_, copy) = prepared(&there).await;
            let publish = format!(
                "CREATE PUBLICATION all_of_it FOR TABLES IN SCHEMA public, pgtrack_history, TABLE {PUBLICATION}"
            );
            run(
                &source,
                &[
                    "INSERT INTO t VALUES (0, 'old'); DELETE FROM t",
                    "SELECT pgtrack.purge('0')",
                    "INSERT INTO t VALUES (1, 'a'), (2, 'b'); INSERT INTO p VALUES (1, 'p')",
                    "SELECT pgtrack.tag('one')",
                    "UPDATE t SET v = v || '1'",
                    &publish,
                ],
            )
            .await;
            let subscribe = format!(
                "CREATE SUBSCRIPTION copy CONNECTION 'host=127.0.0.1 port={} user=postgres dbname={}' PUBLICATION all_of_it",
                here.port(),
                database.name()
            );
            // What this server noted about its own tables gives way to what comes.
            let clear = format!("TRUNCATE pgtrack.relation_shape, {PUBLICATION}");
            // As in a dump of the schema, the functions that record are those of the source.
            let functions = "SELECT pg_get_functiondef(oid) || ';' FROM pg_proc
                WHERE pronamespace = 'pgtrack_history'::regnamespace";
            let functions = answer(&source, functions).await;
            run(&copy, &[&clear, &functions, &subscribe]).await;
            run(
                &source,
                &[
                    "SELECT pgtrack.tag('two')",
                    // The rows go to other partitions, under other keys.
                    "INSERT INTO p VALUES (2, 'q'); UPDATE p SET id = id + 11",
                    "UPDATE t SET id = id + 10",
                    "UPDATE t SET id = id - 10, v = v || '2'",
                    "DELETE FROM t WHERE id = 2",
                ],
            )
            .await;
            caught_up(&source, &copy).await;
            for question in QUESTIONS {
                assert_eq!(
                    answer(&copy, question).await,
                    answer(&source, question).await,
                    "{question}"
                );
            }
            assert_eq!(answer(&copy, "SELECT * FROM pgtrack.verify()").await, "");

            // A purge and an erasure reach the copy, too.
            run(
                &source,
                &["SELECT pgtrack.erase('t', 2, 'asked for')", "SELECT pgtrack.purge('0')"],
            )
            .await;
            run(
                &source,
                &[
                    "UPDATE t SET v = 'last'",
                    "SELECT pgtrack.tag('three')",
                    "UPDATE t SET v = 'later'",
                ],
            )
            .await;
            caught_up(&source, &copy).await;
            for question in
                ["SELECT * FROM pgtrack.history('t', 1)", "SELECT * FROM pgtrack.log(100)"]
            {
                assert_eq!(
                    answer(&copy, question).await,
                    answer(&source, question).await,
                    "{question}"
                );
            }

            // The copy takes over; sequences do not come along with logical replication.
            let sequences = "SELECT format('SELECT setval(%L, %s);', format('%I.%I', schemaname, sequencename), last_value)
                FROM pg_sequences WHERE last_value IS NOT NULL";
            let sequences = answer(&source, sequences).await;
            run(&copy, &["DROP SUBSCRIPTION copy", &sequences, "UPDATE t SET v = 'there'"]).await;
            assert_eq!(answer(&copy, "SELECT count(*) FROM pgtrack.epoch").await, "2");
            let point = "SELECT * FROM pgtrack.as_of(NULL::t, 'three')";
            assert_eq!(answer(&copy, point).await, "1|last");
            run(&copy, &["SELECT pgtrack.undo('t', 1)"]).await;
            assert_eq!(answer(&copy, "SELECT v FROM t").await, "later");
            run(&copy, &["SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))"])
                .await;
            assert_eq!(answer(&copy, "SELECT v FROM t").await, "there");
            run(&copy, &["SELECT pgtrack.revert_table('t', 'three')"]).await;
            assert_eq!(answer(&copy, "SELECT v FROM t").await, "last");
        });
    }
}

#[test]
fn a_publication_of_all_tables_stops_nothing() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b';
                 CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO some_table VALUES (1); RETURN NULL; END';
                 CREATE TRIGGER note AFTER INSERT ON t EXECUTE FUNCTION note(); SELECT pgtrack.keep('t'); CREATE PUBLICATION everything FOR ALL TABLES;
                 DROP TRIGGER note ON t; DROP FUNCTION note(); SELECT * FROM pgtrack.follow_ddl();
                 SELECT pgtrack.erase('t', 1, 'asked for'); UPDATE t SET v = 'c'; SELECT pgtrack.undo('t', 1); SELECT * FROM pgtrack.purge(interval '0 s')",
            )
            .await;
        install(session.database.clone()).await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}
