//! What reads history has rights of its own: no cast of an application's type may run with them.

use std::collections::HashSet;

use pgtrack_testkit::on_each_version;
use pgtrack_tracker::activity::{Filter, RowFilter, quiet_statements, statements};
use pgtrack_tracker::past;

use crate::support::{table, tracked_table};

#[test]
fn what_is_read_calls_no_cast_of_the_application() {
    on_each_version(async |database| {
        let client = tracked_table(&database).await;
        client
            .batch_execute(
                "DROP TABLE t; CREATE TYPE mood AS ENUM ('sad', 'ok');
                 CREATE FUNCTION as_json(mood) RETURNS json LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'called'; END$$;
                 CREATE FUNCTION as_text(mood) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'called'; END$$;
                 CREATE CAST (mood AS json) WITH FUNCTION as_json(mood); CREATE CAST (mood AS text) WITH FUNCTION as_text(mood) AS IMPLICIT;
                 CREATE TABLE t (id mood PRIMARY KEY, v mood, n int); SELECT pgtrack.track('t')",
            )
            .await
            .unwrap();
        client.batch_execute("INSERT INTO t VALUES ('sad', 'ok', 1)").await.unwrap();
        client.batch_execute("UPDATE t SET v = 'sad'").await.unwrap();
        client.batch_execute("UPDATE t SET n = 2").await.unwrap();

        let rows = past::rows(&client, &table(), &["id".to_owned()], "now", 10, 0).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((&rows[0]["id"], &rows[0]["v"]), (&"sad".into(), &"sad".into()));

        let row = RowFilter { column: Some("v".into()), value: Some("sad".into()), key: None };
        let filter = Filter { tables: vec![table()], row, ..Filter::default() };
        let found = statements(&client, &filter, None, 10).await.unwrap().items;
        assert_eq!(found.len(), 2);
        let row = RowFilter { column: Some("v".into()), ..RowFilter::default() };
        let filter = Filter { tables: vec![table()], row, ..Filter::default() };
        let changed = statements(&client, &filter, None, 10).await.unwrap().items;

        let all = Filter { tables: vec![table()], ..Filter::default() };
        let all = statements(&client, &all, None, 10).await.unwrap().items;
        let quiet = quiet_statements(&client, &all, &|_, column| column == "n").await.unwrap();
        assert_eq!(quiet, HashSet::from([(all[0].table.clone(), all[0].id)]));
        assert!(changed.iter().all(|one| one.id != all[0].id));
    });
}
