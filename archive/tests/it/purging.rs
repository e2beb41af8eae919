//! Only what the archive verifiably holds is forgotten.

use std::fs;

use jiff::SignedDuration;
use pgtrack_archive::{Error, plan_purge, purge};

use crate::support::{World, on_each_world};

const NOW: SignedDuration = SignedDuration::ZERO;

async fn forget(world: &mut World) -> Result<i64, Error> {
    let archive = world.archive();
    plan_purge(&mut world.client, &archive, NOW).await?;
    let purged = purge(&mut world.client, &archive, NOW, "file:///x").await?;
    Ok(purged.iter().map(|table| table.changes).sum())
}

#[track_caller]
fn assert_refused(result: Result<i64, Error>, why: &str) {
    let Err(Error::NotArchived { reason, .. }) = result else { panic!("{result:?}") };
    assert!(reason.contains(why), "{reason}");
}

async fn changed(world: &mut World) {
    world
        .run(
            "CREATE TABLE t (id int PRIMARY KEY, v numeric(6,2), w text); SELECT pgtrack.track('t');
             INSERT INTO t SELECT n, n, 'x' FROM generate_series(1, 5) n; UPDATE t SET v = -0.5; UPDATE t SET id = 7 WHERE id = 5",
        )
        .await;
    assert_eq!(world.export().await, 11);
}

#[test]
fn what_is_archived_is_forgotten_and_versions_keep_their_numbers() {
    on_each_world(async |world| {
        changed(world).await;
        assert_eq!(forget(world).await.unwrap(), 11);
        assert_eq!(world.value("SELECT count(*) FROM pgtrack.key_change").await, "0");
        assert_eq!(forget(world).await.unwrap(), 0);
        world.run("UPDATE t SET w = 'y' WHERE id = 7").await;
        assert_eq!(world.value("SELECT ver FROM pgtrack.history('t', 7)").await, "4");
        world.export().await;
        assert_eq!(forget(world).await.unwrap(), 1);
        let rows = world.duckdb("SELECT count(*) FROM CHANGES");
        assert_eq!(rows[0][0].as_deref(), Some("12"));
        let audit =
            "SELECT arguments ->> 'exported' FROM pgtrack.audit WHERE verb = 'purge' LIMIT 1";
        assert_eq!(world.value(audit).await, "file:///x");
    });
}

#[test]
fn what_is_not_archived_stays() {
    on_each_world(async |world| {
        changed(world).await;
        world.run("DELETE FROM t WHERE id = 1").await;
        world.settle().await;
        assert_refused(forget(world).await, "1 of 12 row changes of public.t");
        assert_eq!(world.value("SELECT count(*) FROM pgtrack_history.t_1").await, "12");
    });
}

#[test]
fn a_damaged_or_lost_file_is_noticed() {
    on_each_world(async |world| {
        changed(world).await;
        let path = world.files(".parquet").remove(0);
        let content = fs::read(&path).unwrap();
        let mut damaged = content.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        fs::write(&path, damaged).unwrap();
        assert_refused(forget(world).await, "is not what was written");
        fs::remove_file(&path).unwrap();
        assert_refused(forget(world).await, "is missing");
        fs::write(&path, content).unwrap();
        // The file is as it was written, but the database has something else.
        world.run("UPDATE pgtrack_history.t_1 SET v = 9 WHERE id = 2 AND v IS NOT NULL").await;
        assert_refused(forget(world).await, "differs");
        assert_eq!(world.value("SELECT count(*) FROM pgtrack_history.t_1").await, "11");
    });
}

#[test]
fn what_was_erased_or_renamed_since_does_not_stand_in_the_way() {
    on_each_world(async |world| {
        changed(world).await;
        world.run("ALTER TABLE t RENAME w TO x; ALTER TABLE t ADD y int; ALTER TABLE t ALTER v TYPE text; SELECT pgtrack.erase('t', 2, 'asked for')").await;
        assert_eq!(forget(world).await.unwrap(), 11);
    });
}

#[test]
fn a_value_that_came_after_the_export_is_noticed() {
    on_each_world(async |world| {
        changed(world).await;
        world
            .run("ALTER TABLE t ADD y int; UPDATE pgtrack_history.t_1 SET y = 1 WHERE id = 2")
            .await;
        assert_refused(forget(world).await, "differs");
    });
}
