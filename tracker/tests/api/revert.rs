//! Plans are shown, then applied if nothing has changed in between.

use pgtrack_testkit::on_each_version;
use pgtrack_tracker::revert::{Action, Attribution, OnConflict, Target, apply, plan};
use pgtrack_tracker::{Error, Reverts, RowKey, feed, history};

use crate::support::{table, tracked_table, value};

const ANN: Attribution<'_> = Attribution { actor: Some("ann"), message: Some("a mistake") };

#[test]
fn a_plan_is_applied_as_shown_and_attributed() {
    on_each_version(async |database| {
        let mut client = tracked_table(&database).await;
        let key = RowKey::from_json(r#"{"id": 1}"#).unwrap();
        let changed = feed::newest(&client, 1, None).await.unwrap().0[0].xid;
        let target = Target::LastChange(table(), key.clone());
        let shown = plan(&client, &target).await.unwrap();
        assert_eq!(shown.steps.len(), 1);
        assert_eq!(shown.steps[0].action, Action::Update);
        assert_eq!(shown.steps[0].after.as_ref().unwrap()["v"], "a");
        let xid = apply(&mut client, &target, &shown.token, OnConflict::Error, ANN)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(value(&client).await, "a");
        let done = feed::transaction(&client, xid).await.unwrap().unwrap();
        assert_eq!((done.who.as_str(), done.message.as_deref()), ("ann", Some("a mistake")));
        assert_eq!(done.reverts, Some(Reverts::ChangeOf(changed)));
        let versions = history::row(&client, &table(), &key).await.unwrap();
        assert_eq!(
            versions.iter().map(|version| version.number).collect::<Vec<_>>(),
            [Some(1), Some(2), Some(3)]
        );
        assert_eq!(versions[2].changed_columns, ["v"]);
        // The actor is this transaction's, not the session's.
        client.batch_execute("UPDATE t SET v = 'z'").await.unwrap();
        assert_eq!(feed::newest(&client, 1, None).await.unwrap().0[0].who, "postgres");
    });
}

#[test]
fn a_stale_plan_and_a_second_submission_change_nothing() {
    on_each_version(async |database| {
        let mut client = tracked_table(&database).await;
        let xid = feed::newest(&client, 1, None).await.unwrap().0[0].xid;
        let target = Target::Transaction(xid);
        let shown = plan(&client, &target).await.unwrap();
        client.batch_execute("UPDATE t SET v = 'newer'").await.unwrap();
        let error =
            apply(&mut client, &target, &shown.token, OnConflict::Force, ANN).await.unwrap_err();
        assert!(matches!(error, Error::StalePlan) && error.is_conflict(), "{error}");
        assert_eq!(value(&client).await, "newer");

        let fresh = plan(&client, &target).await.unwrap();
        assert_eq!(fresh.conflicts(), 1);
        let error =
            apply(&mut client, &target, &fresh.token, OnConflict::Error, ANN).await.unwrap_err();
        assert!(error.is_conflict(), "{error}");
        apply(&mut client, &target, &fresh.token, OnConflict::Force, ANN).await.unwrap();
        assert_eq!(value(&client).await, "a");
        let error =
            apply(&mut client, &target, &fresh.token, OnConflict::Force, ANN).await.unwrap_err();
        assert!(matches!(error, Error::StalePlan), "{error}");
        assert_eq!(value(&client).await, "a");
    });
}

#[test]
fn a_deleted_row_is_restored() {
    on_each_version(async |database| {
        let mut client = tracked_table(&database).await;
        client.batch_execute("DELETE FROM t").await.unwrap();
        let gone = history::deleted(&client, &table(), 10).await.unwrap();
        assert_eq!(gone[0].data["v"], "b");
        let target = Target::DeletedRow(table(), gone[0].key.clone());
        let shown = plan(&client, &target).await.unwrap();
        assert_eq!(shown.steps[0].action, Action::Insert);
        apply(&mut client, &target, &shown.token, OnConflict::Error, ANN).await.unwrap();
        assert_eq!(value(&client).await, "b");
        assert!(history::deleted(&client, &table(), 10).await.unwrap().is_empty());
    });
}
