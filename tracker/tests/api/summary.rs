//! Sums of what was committed since a place in the history.

use pgtrack_testkit::on_each_version;
use pgtrack_tracker::Operation;
use pgtrack_tracker::activity::{Bookmark, Filter, bookmark, summary};

use crate::support::{table, tracked_table};

#[test]
fn what_was_committed_is_summed_once_whatever_was_running() {
    on_each_version(async |database| {
        let client = tracked_table(&database).await;
        let filter = Filter::default();
        let (start, _) = bookmark(&client).await.unwrap();
        // An older transaction that is still running, and a later one that is done.
        let slow = database.connect().await;
        slow.batch_execute("BEGIN; INSERT INTO t VALUES (2, 'slow'), (3, 'slow')").await.unwrap();
        client.batch_execute("DELETE FROM t WHERE id = 1").await.unwrap();
        let first = summary(&client, &filter, &start).await.unwrap().unwrap();
        assert_eq!((first.statements, first.reverts), (1, 0));
        assert_eq!(first.operations, [(Operation::Delete, 1)]);
        assert!(first.first_at.unwrap() <= first.at);

        slow.batch_execute("COMMIT").await.unwrap();
        let second = summary(&client, &filter, &first.next).await.unwrap().unwrap();
        assert_eq!(second.operations, [(Operation::Insert, 2)]);
        assert_eq!((second.tables.first[0].name.as_str(), second.tables.all), ("public.t", 1));
        let third = summary(&client, &filter, &second.next).await.unwrap().unwrap();
        assert_eq!((third.statements, third.first_at), (0, None));
        assert!(third.operations.is_empty() && third.tables.first.is_empty());
        // The same place says the same again.
        let again = summary(&client, &filter, &start).await.unwrap().unwrap();
        assert_eq!(again.statements, 2);
    });
}

#[test]
fn a_filter_is_kept_to_and_long_lists_are_cut() {
    on_each_version(async |database| {
        let client = tracked_table(&database).await;
        let (start, _) = bookmark(&client).await.unwrap();
        for number in 1..=12 {
            let sql = format!(
                "SELECT pgtrack.set_actor('person {number:02}');
                 INSERT INTO t SELECT {number} * 100 + i, 'x' FROM generate_series(1, {number}) i"
            );
            client.batch_execute(&sql).await.unwrap();
        }
        client
            .batch_execute("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))")
            .await
            .unwrap();
        let all = summary(&client, &Filter::default(), &start).await.unwrap().unwrap();
        assert_eq!((all.statements, all.reverts), (13, 1));
        assert_eq!(all.operations, [(Operation::Insert, 78), (Operation::Delete, 12)]);
        assert_eq!((all.people.first.len(), all.people.all), (10, 12));
        assert_eq!(
            (all.people.first[0].name.as_str(), all.people.first[0].rows),
            ("person 12", 24)
        );

        let filter = Filter {
            tables: vec![table()],
            operations: vec![Operation::Insert],
            who: Some("person 07".to_owned()),
            ..Filter::default()
        };
        let some = summary(&client, &filter, &start).await.unwrap().unwrap();
        assert_eq!((some.statements, some.people.all), (1, 1));
        assert_eq!(some.operations, [(Operation::Insert, 7)]);
    });
}

#[test]
fn a_place_elsewhere_is_none() {
    on_each_version(async |database| {
        let client = tracked_table(&database).await;
        let filter = Filter::default();
        let (here, _) = bookmark(&client).await.unwrap();
        let text = here.to_string();
        let (place, cursor) = text.rsplit_once('/').unwrap();
        for other in [format!("1/1/{cursor}"), format!("{place}/999999999:999999999:")] {
            let other = Bookmark::parse(&other).unwrap();
            assert_eq!(summary(&client, &filter, &other).await.unwrap(), None);
        }
        assert!(summary(&client, &filter, &here).await.unwrap().is_some());
    });
}
