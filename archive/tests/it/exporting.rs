//! Every change is in the archive once, whatever happens meanwhile.

use std::fs;
use std::time::Instant;

use pgtrack_archive::Error;
use tokio::task::JoinSet;

use crate::support::{PATIENCE, on_each_world};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t')";

#[test]
fn a_change_says_who_made_it_and_what_it_overwrote() {
    on_each_world(async |world| {
        world.run(TABLE).await;
        world
            .run(
                "SET application_name = 'app'; INSERT INTO t VALUES (1, 'a');
                 BEGIN; SELECT pgtrack.set_actor('eve', true), pgtrack.set_message('why', true); UPDATE t SET v = 'b'; COMMIT;
                 UPDATE t SET id = 2; DELETE FROM t",
            )
            .await;
        assert_eq!(world.export().await, 4);
        let rows = world.duckdb(
            "SELECT pgtrack_table, pgtrack_operation, id, v, pgtrack_who, pgtrack_message, pgtrack_application,
                    pgtrack_client_addr, pgtrack_row_count, typeof(pgtrack_at), pgtrack_query LIKE '%SET%'
             FROM CHANGES ORDER BY pgtrack_statement_id",
        );
        let text: Vec<_> = rows
            .iter()
            .map(|row| {
                let values = row.iter().map(|value| value.as_deref().unwrap_or("-"));
                values.collect::<Vec<_>>().join(" ")
            })
            .collect();
        let rest = "app 127.0.0.1 1 TIMESTAMP WITH TIME ZONE True";
        assert_eq!(
            text,
            [
                format!("public.t INSERT 1 - postgres - {rest}"),
                format!("public.t UPDATE 1 a eve why {rest}"),
                format!("public.t UPDATE 1 b postgres - {rest}"),
                format!("public.t DELETE 2 b postgres - {rest}"),
            ]
        );
        let keys = world.duckdb("SELECT pgtrack_old_key, pgtrack_new_key FROM KEYS");
        assert_eq!(keys, [[Some(r#"{"id": 1}"#.to_owned()), Some(r#"{"id": 2}"#.to_owned())]]);
        let day = world.value("(clock_timestamp() AT TIME ZONE 'UTC')::date").await;
        let days =
            world.duckdb("SELECT count(*) FROM CHANGES WHERE pgtrack_day = pgtrack_at::date");
        assert_eq!(days[0][0].as_deref(), Some("4"), "{day}");
    });
}

#[test]
fn a_transaction_that_commits_late_comes_with_a_later_run() {
    on_each_world(async |world| {
        world.run(TABLE).await;
        let late = world.database.connect().await;
        late.batch_execute("BEGIN; INSERT INTO t VALUES (1, 'late')").await.unwrap();
        world.run("INSERT INTO t VALUES (2, 'early')").await;
        assert_eq!(world.try_export().await.unwrap().changes, 0);
        late.batch_execute("COMMIT").await.unwrap();
        assert_eq!(world.export().await, 2);
        assert_eq!(world.export().await, 0);
        world.assert_complete("t_1").await;
    });
}

#[test]
fn writers_are_not_waited_for_and_nothing_is_lost_or_doubled() {
    on_each_world(async |world| {
        world.run(TABLE).await;
        let mut writers = JoinSet::new();
        for writer in 0..4 {
            let client = world.database.connect().await;
            writers.spawn(async move {
                for n in 0..100 {
                    let id = writer * 1000 + n;
                    let end = if n % 5 == 0 { "ROLLBACK" } else { "COMMIT" };
                    let sql = format!(
                        "BEGIN; INSERT INTO t VALUES ({id}, 'x'); SELECT pg_sleep(random() / 500); UPDATE t SET v = 'y' WHERE id = {id}; {end}"
                    );
                    client.batch_execute(&sql).await.unwrap();
                }
            });
        }
        let mut exported = 0;
        while writers.try_join_next().is_some() || !writers.is_empty() {
            exported += world.try_export().await.unwrap().changes;
        }
        exported += world.export().await;
        assert_eq!(exported, 4 * 80 * 2);
        world.assert_complete("t_1").await;
    });
}

#[test]
fn an_export_that_died_is_finished_by_the_next() {
    on_each_world(async |world| {
        world
            .run(
                "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);
                 SELECT pgtrack.track('a'); SELECT pgtrack.track('b');
                 INSERT INTO a SELECT generate_series(1, 10); INSERT INTO b VALUES (1)",
            )
            .await;
        world.settle().await;
        // It writes the files of the first table, and then waits for the history of the second.
        let obstacle = world.database.connect().await;
        obstacle.batch_execute("BEGIN; LOCK TABLE pgtrack_history.b_2").await.unwrap();
        let (archive, mut client) = (world.archive(), world.database.connect().await);
        let exporter =
            tokio::spawn(async move { pgtrack_archive::export(&mut client, &archive).await });
        let started = Instant::now();
        while world.files(".parquet").is_empty() {
            assert!(started.elapsed() < PATIENCE && !exporter.is_finished());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(matches!(world.try_export().await, Err(Error::Busy)));
        exporter.abort();
        assert!(exporter.await.unwrap_err().is_cancelled());
        assert_eq!(world.files(".plan.json").len(), 1);
        assert!(world.files("00000001.json").is_empty());
        // What it had written beyond what is written now is no part of the archive.
        let written = world.files(".parquet").remove(0);
        fs::copy(&written, written.with_file_name("00000001-1-0002.parquet")).unwrap();
        obstacle.batch_execute("ROLLBACK; DELETE FROM a WHERE id = 1").await.unwrap();
        let started = Instant::now();
        // The server finds out at its own time that the first one is gone.
        let changes = loop {
            match world.try_export().await {
                Err(Error::Busy) => assert!(started.elapsed() < PATIENCE),
                exported => break exported.unwrap().changes,
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        assert_eq!(changes + world.export().await, 12);
        let rows = world.duckdb(
            "SELECT pgtrack_table, count(*), count(DISTINCT id) FROM CHANGES GROUP BY 1 ORDER BY 1",
        );
        let text = rows.concat().into_iter().flatten().collect::<Vec<_>>().join(" ");
        assert_eq!(text, "public.a 11 10 public.b 1 1");
    });
}

#[test]
fn columns_come_and_go_and_tables_too() {
    on_each_world(async |world| {
        world.run(TABLE).await;
        world.run("INSERT INTO t VALUES (1, '7'); UPDATE t SET v = '8'").await;
        world.export().await;
        world.run("ALTER TABLE t ALTER v TYPE int USING v::int; ALTER TABLE t ADD w bool; UPDATE t SET w = true; ALTER TABLE t RENAME w TO x; DELETE FROM t; DROP TABLE t").await;
        world.run(TABLE).await;
        world.run("INSERT INTO t VALUES (1, 'new')").await;
        world.export().await;
        let rows = world.duckdb(
            "SELECT pgtrack_operation, v::text, v_retyped, x FROM CHANGES ORDER BY pgtrack_statement_id",
        );
        let text: Vec<_> = rows
            .iter()
            .map(|row| {
                row.iter()
                    .map(|value| value.as_deref().unwrap_or("-"))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(
            text,
            ["INSERT - - -", "UPDATE 7 - -", "UPDATE 8 - -", "DELETE 8 - True", "INSERT - - -"]
        );
    });
}

#[test]
fn an_archive_is_one_databases_own() {
    on_each_world(async |world| {
        world.run(TABLE).await;
        world.run("INSERT INTO t VALUES (1, 'a')").await;
        world.export().await;
        world.run("UPDATE pgtrack.epoch SET began_at = began_at - interval '1 day'").await;
        assert!(matches!(world.try_export().await, Err(Error::OtherDatabase)));
        assert!(matches!(
            pgtrack_archive::Archive::open("ftp://host/path", []),
            Err(Error::Url { .. })
        ));
    });
}

#[test]
fn who_may_not_see_every_row_cannot_export_some() {
    on_each_world(async |world| {
        world.run(TABLE).await;
        world
            .run("INSERT INTO t VALUES (1, 'a'); GRANT SELECT ON t TO PUBLIC; SET ROLE pg_monitor")
            .await;
        let error = world.try_export().await.unwrap_err();
        assert!(matches!(error, Error::Query { .. }), "{error}");
        assert!(world.files(".parquet").is_empty());
    });
}
