//! History that was dumped, and restored into another cluster.

use std::process::Command;

use pgtrack_testkit::{Server, block_on, connect, own_server, versions};

use crate::support::install;

async fn text(client: &tokio_postgres::Client, sql: &str) -> String {
    let rows = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    let rows = rows.into_iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|n| row.get(n).unwrap_or("~").to_owned())
                .collect::<Vec<_>>()
                .join("|"),
        ),
        _ => None,
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn case_72_a_restored_dump_goes_on_recording_and_does_not_mix_up_transactions() {
    for binaries in versions() {
        let dump_program = binaries.program("pg_dump");
        // The server builds from npm have no client programs; a distribution's do.
        if !dump_program.exists() {
            continue;
        }
        block_on(async {
            let source = Server::shared(&binaries).database().await;
            install(source.clone()).await;
            let client = connect(&source.url()).await;
            client
                .batch_execute(
                    "CREATE TABLE t (gone int, id serial PRIMARY KEY, v text, s text); ALTER TABLE t DROP COLUMN gone;
                     CREATE TABLE m (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (0) TO (10);",
                )
                .await
                .unwrap();
            for sql in [
                r#"SELECT pgtrack.track('t', '{"redact": ["s"]}')"#,
                "SELECT pgtrack.track('m')",
                "INSERT INTO t (v, s) VALUES ('a', 's1'), ('b', 's2')",
                "SELECT pgtrack.tag('one')",
                "UPDATE t SET v = v || '1'",
                "UPDATE t SET id = 20 WHERE id = 2",
                "INSERT INTO m VALUES (1)",
            ] {
                client.batch_execute(sql).await.unwrap();
            }
            let dump = Command::new(&dump_program).arg(source.url()).output().unwrap();
            assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));

            // In the new cluster transaction numbers begin again, so they collide with those in the history.
            let cluster = own_server(&binaries, &[]);
            let target = cluster.url("postgres");
            // Roles belong to a cluster and are in no dump.
            connect(&target)
                .await
                .batch_execute("CREATE ROLE pgtrack_activity; CREATE ROLE pgtrack_reader")
                .await
                .unwrap();
            let mut psql = Command::new(binaries.program("psql"));
            psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &target])
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::null());
            let mut psql = psql.spawn().unwrap();
            std::io::Write::write_all(&mut psql.stdin.take().unwrap(), &dump.stdout).unwrap();
            assert!(psql.wait().unwrap().success());

            let here = connect(&target).await;
            assert_eq!(
                text(&here, "SELECT id, v FROM pgtrack.as_of(NULL::t, 'one') ORDER BY id").await,
                "1|a\n2|b"
            );
            here.batch_execute("UPDATE t SET v = 'here', s = 'new'").await.unwrap();
            here.batch_execute("SELECT pgtrack.tag('two')").await.unwrap();
            here.batch_execute("TRUNCATE m; DELETE FROM t").await.unwrap();
            assert_eq!(text(&here, "SELECT count(*) FROM pgtrack.epoch").await, "2");
            assert_eq!(
                text(&here, "SELECT id, v FROM pgtrack.as_of(NULL::t, 'one') ORDER BY id").await,
                "1|a\n2|b"
            );
            assert_eq!(
                text(&here, "SELECT id, v, s FROM pgtrack.as_of(NULL::t, 'two') ORDER BY id").await,
                "1|here|~\n20|here|~"
            );
            assert_eq!(
                text(&here, "SELECT ver, op FROM pgtrack.history('t', 20)").await,
                "1|INSERT\n2|UPDATE\n3|UPDATE\n4|UPDATE\n5|DELETE"
            );
            assert_eq!(
                text(&here, "SELECT tables FROM pgtrack.log(2)").await,
                "{public.m,public.t}\n{public.t}"
            );
            here.batch_execute("SELECT pgtrack.revert_table('t', 'one')").await.unwrap();
            assert_eq!(text(&here, "SELECT id, v FROM t ORDER BY id").await, "1|a\n2|b");
            source.remove().await;
        });
    }
}
