//! Installing upstream.

use pgtrack_testkit::on_each_version;
use pgtrack_tracker::{Error, Installation, install};

#[test]
fn any_number_of_installers_may_run_at_once() {
    on_each_version(async |database| {
        let installers: Vec<_> = (0..8)
            .map(|_| {
                let database = database.clone();
                tokio::spawn(async move { install(&mut database.connect().await).await.unwrap() })
            })
            .collect();
        let mut outcomes = Vec::new();
        for installer in installers {
            outcomes.push(installer.await.unwrap());
        }
        assert_eq!(
            outcomes.iter().filter(|outcome| **outcome == Installation::Installed).count(),
            1
        );
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Installation::Present).count(), 7);
    });
}

#[test]
fn a_newer_incompatible_version_is_refused_and_a_newer_compatible_one_is_left_alone() {
    on_each_version(async |database| {
        let mut client = database.connect().await;
        install(&mut client).await.unwrap();
        let set = "UPDATE pgtrack.installed_version SET version = $1";
        client.execute(set, &[&"1.9"]).await.unwrap();
        assert_eq!(install(&mut client).await.unwrap(), Installation::Present);
        client.execute(set, &[&"2.0"]).await.unwrap();
        let error = install(&mut client).await.unwrap_err();
        assert!(matches!(error, Error::NewerVersion { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "database has pg_track 2.0, this program understands versions up to 1.0; use a newer pgtrack"
        );
    });
}

#[test]
fn an_older_version_is_upgraded() {
    on_each_version(async |database| {
        let mut client = database.connect().await;
        install(&mut client).await.unwrap();
        client
            .batch_execute(
                "UPDATE pgtrack.installed_version SET version = '0.9'; DROP FUNCTION pgtrack.help(text)",
            )
            .await
            .unwrap();
        assert_eq!(install(&mut client).await.unwrap(), Installation::Upgraded);
        client.query("SELECT pgtrack.help()", &[]).await.unwrap();
        assert_eq!(install(&mut client).await.unwrap(), Installation::Present);
    });
}

#[test]
fn somebody_elses_schema_is_reported_with_what_to_do() {
    on_each_version(async |database| {
        let mut client = database.connect().await;
        client.batch_execute("CREATE SCHEMA pgtrack").await.unwrap();
        let error = install(&mut client).await.unwrap_err();
        assert!(
            error.chain().contains("exists and does not belong to pg_track"),
            "{}",
            error.chain()
        );
        assert!(error.chain().contains("HINT: Rename or drop that schema"), "{}", error.chain());
    });
}
