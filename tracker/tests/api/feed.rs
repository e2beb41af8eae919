//! The feed delivers every transaction once, in spite of those that commit late.

use pgtrack_testkit::on_each_version;
use pgtrack_tracker::{Operation, feed, tracked_tables};
use tokio_postgres::Client;

use crate::support::tracked_table;

#[test]
fn newest_pages_backwards_and_names_the_effects() {
    on_each_version(async |database| {
        let client = tracked_table(&database).await;
        let (page, _) = feed::newest(&client, 1, None).await.unwrap();
        assert_eq!(page.len(), 1);
        assert_eq!(page[0].effects[0].table, "public.t");
        assert_eq!(page[0].effects[0].operation, Operation::Update);
        assert_eq!(page[0].effects[0].rows, 1);
        assert_eq!(page[0].query.as_deref(), Some("UPDATE t SET v = 'b'"));
        let (older, _) = feed::newest(&client, 10, Some(page[0].xid)).await.unwrap();
        assert_eq!(older.len(), 1);
        assert_eq!(older[0].effects[0].operation, Operation::Insert);
        let (end, _) = feed::newest(&client, 10, Some(older[0].xid)).await.unwrap();
        assert!(end.is_empty());
        assert_eq!(
            feed::transaction(&client, older[0].xid).await.unwrap().unwrap().xid,
            older[0].xid
        );
        assert!(feed::transaction(&client, 3).await.unwrap().is_none());
        assert_eq!(tracked_tables(&client).await.unwrap()[0].key_columns, ["id"]);
    });
}

#[test]
fn a_transaction_that_commits_late_is_delivered_once() {
    on_each_version(async |database| {
        let client = tracked_table(&database).await;
        let slow = database.connect().await;
        slow.batch_execute("BEGIN; INSERT INTO t VALUES (2, 'slow')").await.unwrap();
        client.batch_execute("INSERT INTO t VALUES (3, 'fast')").await.unwrap();
        let (_, cursor) = feed::newest(&client, 10, None).await.unwrap();
        slow.batch_execute("COMMIT").await.unwrap();
        client.batch_execute("INSERT INTO t VALUES (4, 'later')").await.unwrap();
        let cursor = feed::Cursor::parse(cursor.as_str()).unwrap();
        let (news, cursor) = feed::since(&client, &cursor, 10).await.unwrap();
        let queries: Vec<_> =
            news.unwrap().into_iter().filter_map(|transaction| transaction.query).collect();
        assert_eq!(
            queries,
            ["BEGIN; INSERT INTO t VALUES (2, 'slow')", "INSERT INTO t VALUES (4, 'later')"]
        );
        let (news, cursor) = feed::since(&client, &cursor, 10).await.unwrap();
        assert!(news.unwrap().is_empty());
        for id in 5..8 {
            client.execute("INSERT INTO t VALUES ($1, '')", &[&id]).await.unwrap();
        }
        let (news, cursor) = feed::since(&client, &cursor, 2).await.unwrap();
        assert!(news.is_none());
        let (news, _) = feed::since(&client, &cursor, 2).await.unwrap();
        assert!(news.unwrap().is_empty());
    });
}

#[test]
fn what_another_cluster_recorded_is_no_news() {
    on_each_version(async |database| {
        let client = tracked_table(&database).await;
        let cursor = feed::Cursor::parse("3:3:").unwrap();
        let (news, _) = feed::since(&client, &cursor, 10).await.unwrap();
        assert_eq!(news.unwrap().len(), 2);
        client.batch_execute("UPDATE pgtrack.epoch SET system_identifier = 1").await.unwrap();
        let (news, _) = feed::since(&client, &cursor, 10).await.unwrap();
        assert!(news.unwrap().is_empty());
        assert!(feed::newest(&client, 10, None).await.unwrap().0.is_empty());
        client
            .batch_execute("SELECT pgtrack._begin_epoch(); INSERT INTO t VALUES (9, 'here')")
            .await
            .unwrap();
        assert_eq!(feed::newest(&client, 10, None).await.unwrap().0.len(), 1);
    });
}

#[test]
fn to_find_nothing_new_reads_nothing_old() {
    on_each_version(async |database| {
        let client = tracked_table(&database).await;
        client
            .batch_execute(
                "INSERT INTO pgtrack.statement (statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name)
                 SELECT nextval('pgtrack.statement_id_seq'), (3 + g % 100)::text::xid8, '3:3:', now(), 1, 'U', 1, 'ada'
                 FROM generate_series(1, 20000) g;
                 ANALYZE pgtrack.statement",
            )
            .await
            .unwrap();
        let cursor = feed::now(&client).await.unwrap();
        let before = statements_read(&client).await;
        let (news, _) = feed::since(&client, &cursor, 10).await.unwrap();
        assert!(news.unwrap().is_empty());
        let read = statements_read(&client).await - before;
        assert!(read < 10, "{read} statements read");
    });
}

/// How many rows of `pgtrack.statement`, or entries of its indexes, all sessions have read.
async fn statements_read(client: &Client) -> i64 {
    client.batch_execute("SELECT pg_stat_force_next_flush()").await.unwrap();
    let row = client
        .query_one(
            "SELECT t.seq_tup_read + (SELECT sum(i.idx_tup_read)::bigint FROM pg_stat_all_indexes i WHERE i.relid = t.relid)
             FROM pg_stat_all_tables t WHERE t.relid = 'pgtrack.statement'::regclass",
            &[],
        )
        .await
        .unwrap();
    row.get(0)
}
