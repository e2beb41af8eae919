//! A recorder on either side of the proxy proves that it passes on what it gets.

use pgtrack_testkit::on_each_version;
use tokio_postgres::NoTls;

use crate::support::{
    Bench, Wire, copy_data, copy_done, extended, message, query, server_address, startup, sync,
    terminate,
};

#[test]
fn every_byte_of_a_hand_written_session_is_passed_on() {
    on_each_version(async |database| {
        let bench = Bench::new(server_address(database.server())).await;
        let mut client = Wire::connect(bench.address()).await;
        let session = [
            startup(&[
                ("user", "postgres"),
                ("database", database.name()),
                ("application_name", "x"),
                ("options", r"-c search_path=a,\ public"),
                ("application_name", "y"),
            ]),
            query("CREATE TABLE public.t (number int, text text); SET client_encoding = 'LATIN1'"),
            extended("SELECT 1/0"),
            sync(),
            query("COPY public.t FROM STDIN"),
            copy_data(b"1\t\xe9\n"),
            copy_done(),
            query("COPY public.t TO STDOUT; SELECT repeat('x', 1000000); LISTEN t; NOTIFY t, 'x'"),
            message(b'Q', b"SELECT '\xff"),
            query("DO $$ BEGIN RAISE WARNING 'careful'; END $$"),
            message(b'~', &[0; 100]),
            terminate(),
        ];
        client.send(&session.concat()).await;
        client.rest().await;
        drop(client);
        assert!(bench.check().await > 100_000, "the session did not get far");
    });
}

#[test]
fn every_byte_of_a_driver_is_passed_on() {
    on_each_version(async |database| {
        let bench = Bench::new(server_address(database.server())).await;
        let url = format!("postgresql://postgres@{}/{}", bench.address(), database.name());
        let (mut client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute("CREATE TABLE t (number int8, data bytea)").await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let insert = transaction.prepare("INSERT INTO t VALUES ($1, $2)").await.unwrap();
        for number in 0..100_i64 {
            let data = vec![u8::try_from(number).unwrap(); 10_000];
            transaction.execute(&insert, &[&number, &data]).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let rows = client.query("SELECT * FROM t WHERE number < $1", &[&50_i64]).await.unwrap();
        assert_eq!(rows.len(), 50);
        drop((client, insert));
        connection.await.unwrap().unwrap();
        assert!(bench.check().await > 100_000, "the session did not get far");
    });
}
