//! Pages over a long history. `PGTRACK_TEST_CHANGES=10000000` makes it as long as it may get.

use std::time::{Duration, Instant};

use pgtrack_dashboard::Role;
use pgtrack_testkit::{Database, Server, newest};

use crate::support::{Browser, PASSWORD, start};

/// How many row changes there are unless the environment says otherwise.
const CHANGES: i64 = 200_000;
/// How often each page is loaded.
const VISITS: i64 = 8;
/// The rows that they change.
const ROWS: i64 = 20_000;

/// Changes straight into the history: one statement each, a tenth of a second apart, in two tables of twenty.
async fn fill(database: &Database, changes: i64) {
    let client = database.connect().await;
    let tables = "CREATE SCHEMA big;
         DO $$ BEGIN FOR i IN 1..20 LOOP
           EXECUTE format('CREATE TABLE big.t%s (id bigint PRIMARY KEY, name text, points int)', i);
         END LOOP; END $$";
    client.batch_execute(tables).await.expect("the tables can be created");
    let sql = format!(
        "INSERT INTO big.t1 SELECT i, 'name ' || i, 0 FROM generate_series(1, {ROWS}) i;
         INSERT INTO big.t2 SELECT i, 'name ' || i, 0 FROM generate_series(1, {ROWS}) i;
         SELECT FROM pgtrack.track('big');
         SELECT setval('pgtrack.statement_id_seq', {changes} + 1);
         INSERT INTO pgtrack.statement (statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name, application, actor, query)
         SELECT i, (1000 + i)::text::xid8, pg_current_snapshot(), now() - make_interval(secs => ({changes} - i) * 0.1),
                CASE WHEN i % 50 = 0 THEN b.relation_id ELSE a.relation_id END, 'U', 1, 'postgres',
                CASE WHEN i % 1000 = 0 THEN 'nightly' ELSE 'app' END, '', 'UPDATE big.t SET points = points + 1 WHERE id = ' || i % {ROWS}
         FROM generate_series(1, {changes}) i,
              (SELECT relation_id FROM pgtrack.tracked_table WHERE name = 't1') a,
              (SELECT relation_id FROM pgtrack.tracked_table WHERE name = 't2') b;
         UPDATE pgtrack.epoch SET began_at = began_at - interval '1000 days';
         UPDATE pgtrack.relation SET tracked_since = tracked_since - interval '1000 days'"
    );
    client.batch_execute(&sql).await.expect("the statements can be written");
    for (table, condition) in [("t1", "<> 0"), ("t2", "= 0")] {
        let query = "SELECT t.history_table, string_agg(quote_ident(c.history_column), ', ' ORDER BY c.attnum)
                     FROM pgtrack.tracked_table t JOIN pgtrack.relation_column c USING (relation_id)
                     WHERE t.name = $1 GROUP BY 1";
        let row = client.query_one(query, &[&table]).await.expect("the history table can be found");
        let (history, columns): (String, String) = (row.get(0), row.get(1));
        let sql = format!(
            "INSERT INTO {history} (pgtrack_statement_id, {columns})
             SELECT i, 1 + i % {ROWS}, 'name ' || i % {ROWS}, i FROM generate_series(1, {changes}) i WHERE i % 50 {condition}"
        );
        client.batch_execute(&sql).await.expect("the history can be written");
    }
    client.batch_execute("VACUUM ANALYZE").await.expect("it can be analysed");
}

/// How long a page takes: the median of some visits, after one that warms up.
async fn median(browser: &mut Browser, url: &str) -> Duration {
    let mut times = Vec::new();
    for _ in 0..VISITS {
        let start = Instant::now();
        let page = browser.get(url).await;
        times.push(start.elapsed());
        assert_eq!(page.status, 200, "{url}: {}", page.text("main"));
    }
    times.remove(0);
    times.sort();
    times[times.len() / 2]
}

async fn scans(database: &Database) -> i64 {
    let client = database.connect().await;
    // What other sessions have counted is there after a second.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let query = "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables
                 WHERE (schemaname, relname) = ('pgtrack', 'statement') OR schemaname = 'pgtrack_history' AND n_live_tup > 1000";
    client.query_one(query, &[]).await.expect("it can be read").get(0)
}

/// Loads the pages and says how long each takes; no longer than so many milliseconds, times `patience`.
#[expect(clippy::print_stdout, reason = "the numbers are what a long run is for")]
async fn time_all(browser: &mut Browser, pages: &[(String, u64)], patience: u64) {
    for (url, limit) in pages {
        let time = median(browser, url).await;
        // Shown by `cargo nextest run --no-capture`.
        println!("{:7.1} ms  {url}", time.as_secs_f64() * 1000.0);
        assert!(time < Duration::from_millis(limit * patience), "{url}: {time:?}");
    }
}

#[test]
fn a_long_history_is_read_by_its_indexes() {
    pgtrack_testkit::block_on(async {
        let given =
            std::env::var("PGTRACK_TEST_CHANGES").ok().and_then(|number| number.parse().ok());
        let changes = given.unwrap_or(CHANGES);
        let server = Server::shared(&newest());
        let database = server.database().await;
        let mut client = database.connect().await;
        pgtrack_tracker::install(&mut client).await.expect("pg_track can be installed");
        fill(&database, changes).await;
        let dashboard = start(&database.url(), false).await;
        dashboard.create_account("ada", PASSWORD, Role::Operator).await.expect("it can be created");
        let mut browser = Browser::new(dashboard.state());
        browser.log_in("ada").await;
        // The counts for charts are made once, behind the pages.
        for url in [
            "/c/shop",
            "/c/shop/changes",
            "/c/shop/changes?app=nightly",
            "/c/shop/changes?table=big.t2",
        ] {
            browser.get(url).await;
        }
        tokio::time::sleep(Duration::from_secs(if given.is_some() { 12 } else { 2 })).await;
        let before = scans(&database).await;
        // A debug build on a busy machine is given more time.
        let patience = if given.is_some() { 1 } else { 5 };
        let key = "%7B%22id%22:77%7D";
        let middle = changes / 2 + 1;
        let by_index = [
            ("/c/shop".to_owned(), 100),
            ("/c/shop/changes".to_owned(), 100),
            (format!("/c/shop/changes?before={middle}"), 100),
            ("/c/shop/changes?view=transactions".to_owned(), 100),
            (format!("/c/shop/changes?view=transactions&before={middle}"), 100),
            ("/c/shop/changes?table=big.t2".to_owned(), 100),
            ("/c/shop/tables".to_owned(), 100),
            ("/c/shop/tables/big.t1".to_owned(), 100),
            ("/c/shop/storage".to_owned(), 100),
            (format!("/c/shop/changes/{middle}"), 100),
            (format!("/c/shop/tx/{}", 1000 + middle), 100),
            (format!("/c/shop/tables/big.t1/rows/{key}"), 50),
        ];
        // These look at up to 100,000 statements; of a short history that is all of it.
        let by_looking = [
            (format!("/c/shop/changes?app=nightly&before={middle}"), 100),
            ("/c/shop/changes?op=delete".to_owned(), 100),
            ("/c/shop/tables/big.t1/deleted".to_owned(), 100),
        ];
        time_all(&mut browser, &by_index, patience).await;
        // Charts are counted anew now and then; a page that reads a table whole does so at every visit.
        let scanned = scans(&database).await - before;
        assert!(scanned < VISITS, "tables were read from beginning to end {scanned} times");
        time_all(&mut browser, &by_looking, patience).await;
        // With rules, each change of a page is looked into; first all of them are left out, then none is.
        for pattern in ["points", "name"] {
            let rule = format!(
                "TRUNCATE pgtrack_dashboard.column_rule;
                 INSERT INTO pgtrack_dashboard.column_rule VALUES ('shop', 'ignore', '{pattern}')"
            );
            client.batch_execute(&rule).await.expect("the rule can be written");
            time_all(&mut browser, &by_index[..6], patience).await;
        }
        drop(client);
        database.remove().await;
    });
}
