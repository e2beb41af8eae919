//! The promises of the test servers themselves.

use pgtrack_testkit::{connect, newest, on_each_version, own_server};
use tokio_postgres::error::SqlState;

#[test]
fn every_version_under_test_answers_with_its_own_version() {
    on_each_version(async |database| {
        let row = database.connect().await.query_one("SHOW server_version_num", &[]).await.unwrap();
        let number: String = row.get(0);
        assert_eq!(number[..2], database.server().major().to_string());
    });
}

#[test]
fn a_server_is_gone_with_its_directory_once_it_is_dropped_even_by_a_panic() {
    let (directory, port) = std::thread::spawn(|| {
        let cluster = own_server(&newest(), &[]);
        let facts = (cluster.directory().to_owned(), cluster.port());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _dropped_while_unwinding = cluster;
            panic!("a test fails");
        }));
        assert!(panicked.is_err());
        facts
    })
    .join()
    .unwrap();
    assert!(!directory.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_crashed_server_comes_back_on_the_same_port() {
    let mut cluster = own_server(&newest(), &[]);
    cluster.crash().unwrap();
    cluster.start_again().unwrap();
    pgtrack_testkit::block_on(async {
        let error = connect(&cluster.url("postgres"))
            .await
            .query("SELECT nonsense", &[])
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::UNDEFINED_COLUMN));
    });
}
