//! Plans are shown, then applied if nothing has changed in between.

use pgtrack_testkit::on_each_version;
use std::time::Duration;

use pgtrack_tracker::revert::{
    Action, Attribution, Batch, Batches, Limits, MOST_STEPS, OnConflict, Plan, Target, Total,
    apply, apply_outline, outline, plan, rehearse_batches,
};
use pgtrack_tracker::{Error, Reverts, RowKey, feed, history};

use crate::support::{table, tracked_table, value};

/// Recognises a plan that was shown.
fn seen(shown: &Plan) -> impl FnOnce(&Plan) -> bool {
    |plan| plan.token == shown.token
}

const ANN: Attribution<'_> = Attribution { actor: Some("ann"), message: Some("a mistake") };

#[test]
fn a_plan_is_applied_as_shown_and_attributed() {
    on_each_version(async |database| {
        let mut client = tracked_table(&database).await;
        let key = RowKey::from_json(r#"{"id": 1}"#).unwrap();
        let changed = feed::newest(&client, 1, None).await.unwrap().0[0].xid;
        let target = Target::LastChange(table(), key.clone());
        let shown = plan(&client, &target, OnConflict::Error).await.unwrap();
        assert_eq!(shown.steps.len(), 1);
        assert_eq!(shown.steps[0].action, Action::Update);
        assert_eq!(shown.steps[0].after.as_ref().unwrap()["v"], "a");
        let error = OnConflict::Error;
        let xid =
            apply(&mut client, &target, error, seen(&shown), error, ANN).await.unwrap().unwrap();
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
        let (stop, force) = (OnConflict::Error, OnConflict::Force);
        let shown = plan(&client, &target, stop).await.unwrap();
        client.batch_execute("UPDATE t SET v = 'newer'").await.unwrap();
        let error = apply(&mut client, &target, stop, seen(&shown), force, ANN).await.unwrap_err();
        assert!(matches!(error, Error::StalePlan) && error.is_conflict(), "{error}");
        assert_eq!(value(&client).await, "newer");

        let fresh = plan(&client, &target, stop).await.unwrap();
        assert_eq!(fresh.conflicts(), 1);
        let error = apply(&mut client, &target, stop, seen(&fresh), stop, ANN).await.unwrap_err();
        assert!(error.is_conflict(), "{error}");
        apply(&mut client, &target, stop, seen(&fresh), force, ANN).await.unwrap();
        assert_eq!(value(&client).await, "a");
        let error = apply(&mut client, &target, stop, seen(&fresh), force, ANN).await.unwrap_err();
        assert!(matches!(error, Error::StalePlan), "{error}");
        assert_eq!(value(&client).await, "a");
    });
}

#[test]
fn a_plan_by_the_difference_is_applied_as_shown() {
    on_each_version(async |database| {
        let mut client = tracked_table(&database).await;
        client.batch_execute("ALTER TABLE t ADD n numeric DEFAULT 100").await.unwrap();
        client.batch_execute("UPDATE t SET n = n + 50, v = 'x'").await.unwrap();
        let target = Target::Transaction(feed::newest(&client, 1, None).await.unwrap().0[0].xid);
        client.batch_execute("UPDATE t SET n = n - 30, v = 'y'").await.unwrap();
        let (stop, delta) = (OnConflict::Error, OnConflict::Delta);
        let whole = plan(&client, &target, stop).await.unwrap();
        assert_eq!(whole.steps[0].after.as_ref().unwrap()["n"], 100);
        let shown = plan(&client, &target, delta).await.unwrap();
        let first = &shown.steps[0];
        assert_eq!(first.after.as_ref().unwrap()["n"], 70);
        assert_eq!(first.after.as_ref().unwrap()["v"], "y");
        let conflict = first.conflict.as_ref().unwrap();
        assert!(conflict.ends_with("; by the difference: n; stays as it is: v"), "{conflict}");
        let error = apply(&mut client, &target, stop, seen(&shown), delta, ANN).await.unwrap_err();
        assert!(matches!(error, Error::StalePlan), "that is another plan: {error}");
        apply(&mut client, &target, delta, seen(&shown), delta, ANN).await.unwrap();
        let row = client.query_one("SELECT n::text || v FROM t", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "70y");
        // Done twice, it changes nothing the second time.
        let again = plan(&client, &target, delta).await.unwrap();
        assert_eq!((again.rows(), again.steps[0].action), (0, Action::Nothing));
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
        let shown = plan(&client, &target, OnConflict::Error).await.unwrap();
        assert_eq!(shown.steps[0].action, Action::Insert);
        let error = OnConflict::Error;
        apply(&mut client, &target, error, seen(&shown), error, ANN).await.unwrap();
        assert_eq!(value(&client).await, "b");
        assert!(history::deleted(&client, &table(), 10).await.unwrap().is_empty());
    });
}

#[test]
fn an_outline_counts_and_is_refused_when_the_rows_have_changed() {
    on_each_version(async |database| {
        let mut client = tracked_table(&database).await;
        client
            .batch_execute("INSERT INTO t SELECT n, 'x' FROM generate_series(2, 101) n")
            .await
            .unwrap();
        let query = "SELECT xid FROM pgtrack.log(1)";
        let xid: i64 = client.query_one(query, &[]).await.unwrap().get(0);
        let target = Target::Transaction(xid);
        let seen = outline(&client, &target, OnConflict::Error, 3).await.unwrap();
        assert_eq!((seen.rows(), seen.conflicts(), seen.steps.len()), (100, 0, 3));
        let total =
            Total { table: "public.t".into(), action: Action::Delete, rows: 100, conflicts: 0 };
        assert_eq!(seen.totals, [total]);

        client.batch_execute("UPDATE t SET v = 'y' WHERE id = 50").await.unwrap();
        let limits = Limits { lock: Duration::from_secs(5), statement: Duration::ZERO };
        let stale =
            apply_outline(&mut client, &target, &seen.token, OnConflict::Force, ANN, limits).await;
        assert!(matches!(stale, Err(Error::StalePlan)));
        let now = outline(&client, &target, OnConflict::Error, 0).await.unwrap();
        assert_eq!((now.rows(), now.conflicts(), now.steps.len()), (100, 1, 0));
        let skip = OnConflict::Skip;
        let now = outline(&client, &target, skip, 0).await.unwrap();
        assert_eq!((now.rows(), now.conflicts()), (99, 1), "what is left as it is does not count");
        let done = apply_outline(&mut client, &target, &now.token, skip, ANN, limits).await;
        assert!(done.unwrap().is_some());
        let left: i64 = client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
        assert_eq!(left, 2);
    });
}

#[test]
fn batches_are_begun_as_seen_and_done_one_by_one() {
    on_each_version(async |database| {
        let mut client = tracked_table(&database).await;
        client
            .batch_execute("INSERT INTO t SELECT n, 'x' FROM generate_series(2, 12001) n")
            .await
            .unwrap();
        let query = "SELECT xid FROM pgtrack.log(1)";
        let target = Target::Transaction(client.query_one(query, &[]).await.unwrap().get(0));
        let limits = Limits { lock: Duration::from_secs(5), statement: Duration::ZERO };
        let shown = plan(&client, &target, OnConflict::Error).await.unwrap();
        assert!(shown.is_cut && shown.steps.len() == MOST_STEPS);
        assert_eq!((shown.rows(), shown.conflicts()), (12_000, 0));
        rehearse_batches(&mut client, &target, &shown).await.unwrap();

        let one = "UPDATE t SET v = 'y' WHERE id = 12001";
        client.batch_execute(one).await.unwrap();
        let (error, skip) = (OnConflict::Error, OnConflict::Skip);
        let stale =
            Batches::begin(&mut client, &target, error, seen(&shown), skip, 5000, limits).await;
        assert!(matches!(stale, Err(Error::StalePlan)), "also what is not shown is compared");
        let shown = plan(&client, &target, OnConflict::Error).await.unwrap();
        assert_eq!(shown.conflicts(), 1);
        let mut batches =
            Batches::begin(&mut client, &target, error, seen(&shown), skip, 5000, limits)
                .await
                .unwrap();
        assert_eq!((batches.rows, batches.count), (12_000, 3));

        let mut done = Vec::new();
        while let Some(batch) = batches.next(&mut client, skip, ANN, limits).await.unwrap() {
            done.push(batch);
        }
        let xids: Vec<i64> = done.iter().filter_map(|batch| batch.xid).collect();
        let sizes: Vec<_> = done.iter().map(|batch| (batch.number, batch.rows)).collect();
        assert_eq!((xids.len(), sizes), (3, vec![(1, 5000), (2, 5000), (3, 2000)]));
        let left: i64 = client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
        assert_eq!(left, 2, "row 1, and the one that changed since");
        let first = feed::transaction(&client, xids[0]).await.unwrap().unwrap();
        assert_eq!((first.who.as_str(), first.message.as_deref()), ("ann", Some("a mistake")));

        // Taken back together.
        let all = Target::Transactions(xids);
        let shown = plan(&client, &all, OnConflict::Error).await.unwrap();
        let mut batches =
            Batches::begin(&mut client, &all, error, seen(&shown), error, 20_000, limits)
                .await
                .unwrap();
        let batch = batches.next(&mut client, error, ANN, limits).await.unwrap();
        assert!(matches!(batch, Some(Batch { number: 1, rows: 11_999, skipped: 0, xid: Some(_) })));
        let left: i64 = client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
        assert_eq!(left, 12_001);
    });
}

#[test]
fn a_plan_whose_rows_have_got_other_keys_has_no_batches() {
    on_each_version(async |database| {
        let mut client = tracked_table(&database).await;
        let target = Target::Transaction(feed::newest(&client, 1, None).await.unwrap().0[0].xid);
        client.batch_execute("UPDATE t SET id = 7").await.unwrap();
        let shown = plan(&client, &target, OnConflict::Error).await.unwrap();
        let refused = rehearse_batches(&mut client, &target, &shown).await.unwrap_err();
        let report = refused.db_error().unwrap();
        assert_eq!(report.message(), "cannot undo only some rows of public.t");
    });
}
