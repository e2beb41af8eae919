//! An archive in a store that speaks S3.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use pgtrack_archive::{Archive, Error, export, purge};

use crate::support::{PATIENCE, on_each_world};

/// The server `moto`, with a bucket `bucket`.
struct Store {
    process: Child,
    port: u16,
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Store {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = root.join("../target/drivers/python/bin/moto_server");
        assert!(program.exists(), "moto is not installed; run scripts/drivers");
        let process = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let store = Self { process, port };
        let started = Instant::now();
        while !store.create_bucket() {
            assert!(started.elapsed() < 2 * PATIENCE, "moto does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        store
    }

    fn create_bucket(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let request = "PUT /bucket HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    fn archive(&self, bucket: &str) -> Archive {
        let settings = [
            ("aws_endpoint", format!("http://127.0.0.1:{}", self.port)),
            ("aws_allow_http", "true".to_owned()),
            ("aws_region", "us-east-1".to_owned()),
            ("aws_access_key_id", "id".to_owned()),
            ("aws_secret_access_key", "secret".to_owned()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        Archive::open(&format!("s3://{bucket}/some/path"), settings).unwrap()
    }
}

#[test]
fn an_archive_in_s3_is_as_one_in_a_folder() {
    on_each_world(async |world| {
        let store = Store::start();
        world
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'",
            )
            .await;
        world.settle().await;
        let archive = store.archive("bucket");
        assert_eq!(export(&mut world.client, &archive).await.unwrap().changes, 2);
        assert_eq!(export(&mut world.client, &archive).await.unwrap().changes, 0);
        world.run("DELETE FROM t").await;
        world.settle().await;
        let age = SignedDuration::ZERO;
        let refused = purge(&mut world.client, &archive, age, "x").await;
        assert!(matches!(refused, Err(Error::NotArchived { .. })), "{refused:?}");
        assert_eq!(export(&mut world.client, &archive).await.unwrap().changes, 1);
        assert_eq!(purge(&mut world.client, &archive, age, "x").await.unwrap()[0].changes, 3);
        let error = export(&mut world.client, &store.archive("no-such-bucket")).await.unwrap_err();
        assert!(matches!(error, Error::Store { .. }), "{error}");
    });
}
