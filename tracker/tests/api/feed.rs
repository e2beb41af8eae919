//! The feed delivers every transaction once, in spite of those that commit late.

use pgtrack_testkit::on_each_version;
use pgtrack_tracker::{Operation, feed, tracked_tables};

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
