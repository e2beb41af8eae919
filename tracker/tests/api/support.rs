//! A database that the tracker installed itself into.

use pgtrack_testkit::Database;
use pgtrack_tracker::{Installation, TableName, install};
use tokio_postgres::Client;

/// Installs pg_track and creates and tracks `t (id, v)` with a row `(1, 'a')` that has been updated to `b`.
pub(crate) async fn tracked_table(database: &Database) -> Client {
    let mut client = database.connect().await;
    assert_eq!(install(&mut client).await.unwrap(), Installation::Installed);
    client
        .batch_execute("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t')")
        .await
        .unwrap();
    client.batch_execute("INSERT INTO t VALUES (1, 'a')").await.unwrap();
    client.batch_execute("UPDATE t SET v = 'b'").await.unwrap();
    client
}

/// The table's name.
pub(crate) fn table() -> TableName {
    TableName { schema: "public".into(), name: "t".into() }
}

/// The value in the only row.
pub(crate) async fn value(client: &Client) -> String {
    client.query_one("SELECT v FROM t", &[]).await.unwrap().get(0)
}
