//! Two servers and two proxies: the primary dies under load, and nothing that was acknowledged is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pgtrack_testkit::{Cluster, block_on, connect, own_server, versions};
use tokio_postgres::{Client, NoTls};

use crate::operating::Service;

/// For what takes a moment.
const PATIENCE: Duration = Duration::from_mins(1);
const CLIENTS: u8 = 4;
/// How many changes the clients make before the primary dies, and after it.
const CHANGES: u32 = 100;

/// What one client was told is done.
#[derive(Default)]
struct Acknowledged {
    /// The values of its counter.
    values: Vec<i64>,
    /// The names of its tags.
    tags: Vec<String>,
}

/// A proxy in front of both servers, with a file for audit records.
fn proxy(name: &str, servers: [&Cluster; 2]) -> Service {
    let spool = spool(name);
    let _ = std::fs::remove_file(&spool);
    let content = format!(
        "upstream = \"postgresql://postgres@127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs=read-write\"\n\
         [proxy]\nlisten = [\"127.0.0.1:0\"]\n[dashboard]\nlisten = \"127.0.0.1:0\"\n\
         [monitor]\nlisten = \"127.0.0.1:0\"\n[audit]\nspool = \"{}\"\n",
        servers[0].port(),
        servers[1].port(),
        spool.display()
    );
    Service::start(name, &content, &[])
}

fn spool(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("pgtrack-{name}.spool"))
}

/// Connects by way of one of the proxies, whichever works.
async fn session(urls: &[String], first: usize) -> Option<Client> {
    for url in urls.iter().cycle().skip(first).take(urls.len()) {
        if let Ok(Ok((client, connection))) =
            tokio::time::timeout(PATIENCE, tokio_postgres::connect(url, NoTls)).await
        {
            tokio::spawn(connection);
            return Some(client);
        }
    }
    None
}

/// Changes the counter of one client again and again, on new sessions when one breaks, and calls pg_track meanwhile.
/// An unanswered change may or may not be there: the next value is another one.
async fn load(
    client: u8,
    urls: Arc<[String]>,
    count: Arc<AtomicU32>,
    is_over: Arc<AtomicBool>,
) -> Acknowledged {
    let mut told = Acknowledged::default();
    let mut value = 0;
    while !is_over.load(Ordering::Relaxed) {
        let Some(session) = session(&urls, client.into()).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while !is_over.load(Ordering::Relaxed) {
            value += 1;
            let change = format!("UPDATE counters SET value = {value} WHERE id = {client}");
            if session.batch_execute(&change).await.is_err() {
                break;
            }
            told.values.push(value);
            count.fetch_add(1, Ordering::Relaxed);
            if value % 5 == 0 {
                let tag = format!("tag-{client}-{value}");
                let call = format!("SELECT pgtrack.tag('{tag}')");
                if session.batch_execute(&call).await.is_err() {
                    break;
                }
                told.tags.push(tag);
            }
        }
    }
    told
}

/// Waits until so many more changes were acknowledged.
async fn wait_for(count: &AtomicU32, more: u32) {
    let goal = count.load(Ordering::Relaxed) + more;
    let waiting = async {
        while count.load(Ordering::Relaxed) < goal {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("changes are made");
}

async fn until_true(client: &Client, condition: &str) {
    let waiting = async {
        while !client.query_one(condition, &[]).await.unwrap().get::<_, bool>(0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect(condition);
}

async fn texts(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_primary_dies_under_load() {
    for binaries in versions() {
        block_on(async {
            let mut primary = own_server(&binaries, &[]);
            let standby = primary.start_standby().unwrap();
            let admin = connect(&primary.url("postgres")).await;
            let names = ["failover_a", "failover_b"]
                .map(|name| format!("{name}_{}_{}", binaries.major(), std::process::id()));
            let mut proxies = names.each_ref().map(|name| proxy(name, [&primary, &standby]));
            for sql in [
                "CREATE TABLE counters (id int PRIMARY KEY, value bigint NOT NULL)",
                "SELECT pgtrack.track('counters')",
                "INSERT INTO counters SELECT i, 0 FROM generate_series(0, 3) AS i",
                "ALTER SYSTEM SET synchronous_standby_names = '*'",
                // Each session is told when the standby has its change on disk.
                "ALTER DATABASE postgres SET synchronous_commit = on",
                "SELECT pg_reload_conf()",
            ] {
                admin.batch_execute(sql).await.unwrap();
            }
            until_true(
                &admin,
                "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'",
            )
            .await;

            let urls: Arc<[String]> = proxies.iter().map(|proxy| proxy.url("postgres")).collect();
            let (count, is_over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    tokio::spawn(load(client, urls.clone(), count.clone(), is_over.clone()))
                })
                .collect();
            wait_for(&count, CHANGES).await;
            primary.crash().unwrap();
            standby.promote().unwrap();
            // It waits for nobody: synchronous_standby_names is in a file, and files are not replicated.
            let admin = connect(&standby.url("postgres")).await;
            wait_for(&count, CHANGES).await;
            // One of two proxies is enough.
            proxies[0].signal("KILL");
            proxies[0].wait();
            wait_for(&count, CHANGES).await;
            is_over.store(true, Ordering::Relaxed);
            let mut told = Vec::new();
            for client in clients {
                told.push(client.await.unwrap());
            }

            // Each proxy writes what waits in its file, the killed one when it is started again.
            proxies[0] = Service::start(
                &names[0],
                &std::fs::read_to_string(&proxies[0].config).unwrap(),
                &[],
            );
            check_history(&admin, &told).await;
            check_audit(&admin, &told).await;
            for name in &names {
                let waiting = async {
                    while !std::fs::read_to_string(spool(name)).unwrap().trim().is_empty() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                };
                tokio::time::timeout(PATIENCE, waiting)
                    .await
                    .expect("the file is written to the database");
                std::fs::remove_file(spool(name)).unwrap();
            }

            // And a mistake is undone as ever.
            let before = texts(&admin, "SELECT value::text FROM counters ORDER BY id").await;
            let mistaken = session(&urls, 1).await.unwrap();
            mistaken.batch_execute("UPDATE counters SET value = -1").await.unwrap();
            let undo = "SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))";
            mistaken.batch_execute(undo).await.unwrap();
            assert_eq!(texts(&admin, "SELECT value::text FROM counters ORDER BY id").await, before);
        });
    }
}

/// Each acknowledged change is there exactly once, in order; what is there besides was not answered.
async fn check_history(admin: &Client, told: &[Acknowledged]) {
    for (client, told) in told.iter().enumerate() {
        let sql = format!(
            "SELECT after->>'value' FROM pgtrack.history('counters', {client}) WHERE op = 'UPDATE' ORDER BY ver"
        );
        let recorded: Vec<i64> =
            texts(admin, &sql).await.iter().map(|value| value.parse().unwrap()).collect();
        // A session whose client has gone may still do what it was asked, after the client's next session began.
        let acknowledged: Vec<_> =
            recorded.iter().filter(|value| told.values.contains(value)).copied().collect();
        assert_eq!(acknowledged, told.values, "client {client}, of {recorded:?}");
        let unique: BTreeSet<_> = recorded.iter().collect();
        assert_eq!(unique.len(), recorded.len(), "{recorded:?}");
        let sql = format!("SELECT value::text FROM counters WHERE id = {client}");
        assert_eq!(texts(admin, &sql).await, [recorded.last().unwrap().to_string()]);
    }
    assert_eq!(
        texts(admin, "SELECT problem FROM pgtrack.verify()").await,
        <[String; 0]>::default()
    );
}

/// Each acknowledged call is in the audit exactly once, and done. Of a proxy that is killed between an answer and its
/// record, the record says no more than that the call was made.
async fn check_audit(admin: &Client, told: &[Acknowledged]) {
    let tags: Vec<&str> = told.iter().flat_map(|told| &told.tags).map(String::as_str).collect();
    let calls = "SELECT split_part(statement, '''', 2) AS name, outcome FROM pgtrack.audit
                 WHERE through_proxy AND verb = 'tag'";
    let count = async |condition: &str| {
        let sql = format!(
            "SELECT count(*) FROM unnest($1::text[]) AS told (name) WHERE \
             (SELECT {condition} FROM ({calls}) AS call WHERE call.name = told.name)"
        );
        admin.query_one(&sql, &[&tags]).await.unwrap().get::<_, i64>(0)
    };
    let all = i64::try_from(tags.len()).unwrap();
    let recorded = async {
        while count("count(*) = 1").await < all
            || count("bool_and(outcome = 'done')").await < all - i64::from(CLIENTS)
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, recorded).await.is_ok();
    let lines =
        texts(admin, &format!("SELECT name || ' ' || outcome FROM ({calls}) AS call")).await;
    assert!(in_time, "recorded: {lines:?}");
    assert_eq!(count("bool_and(outcome IN ('done', 'started'))").await, all);
    let made =
        "SELECT count(*) FROM unnest($1::text[]) AS told (name) JOIN pgtrack.tags() USING (name)";
    assert_eq!(admin.query_one(made, &[&tags]).await.unwrap().get::<_, i64>(0), all);
}
