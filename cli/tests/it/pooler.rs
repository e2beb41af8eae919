//! `pgtrack serve` in front of a real `PgBouncer`, which refuses startup parameters that it does not know.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use pgtrack_testkit::{Database, on_each_version};

use crate::operating::{PATIENCE, Service, content};
use crate::program::psql;

/// A pooler in session mode; killed when it is dropped.
struct PgBouncer {
    process: Child,
    directory: PathBuf,
    port: u16,
}

impl PgBouncer {
    fn before(database: &Database) -> Self {
        let directory = std::env::temp_dir().join(format!("pgtrack-pooler-{}", database.name()));
        fs::create_dir_all(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (users, file) = (directory.join("users.txt"), directory.join("pgbouncer.ini"));
        fs::write(&users, "\"postgres\" \"\"\n").unwrap();
        let (upstream, users) = (database.server().port(), users.display());
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={upstream}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {users}\npool_mode = session\n"
        );
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program());
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            // It refuses to run as root.
            command.args(["-u", "nobody"]);
        }
        let process = command.arg("-q").arg(&file).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < until, "PgBouncer does not listen");
            std::thread::yield_now();
        }
        Self { process, directory, port }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // Errors mean that it has ended, or the directory is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn program() -> &'static Path {
    let mut places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().map(Path::new);
    places.find(|program| program.exists()).expect("pgbouncer is installed (scripts/setup test)")
}

#[test]
fn case_82_behind_a_pooler_sessions_go_without_the_context_and_the_log_says_so() {
    on_each_version(async |database| {
        let pooler = PgBouncer::before(&database);
        let behind = database.server().database().await;
        let settings = format!(
            "{}[databases]\n{} = \"postgresql://postgres@127.0.0.1:{}/{1}\"\n",
            content(&database.url(), 10),
            behind.name(),
            pooler.port
        );
        let service = Service::start(database.name(), &settings, &[]);
        let url = service.url(behind.name());
        psql(&url, "CREATE TABLE users (id int PRIMARY KEY, name text)");
        service.logged("the upstream refuses the startup parameter pgtrack.ctx");
        service.logged("database is ready for tracking");
        psql(&url, "SELECT pgtrack.track('users'); INSERT INTO users VALUES (1, 'Ada')");
        psql(&url, "UPDATE users SET name = 'Eve' /*actor='ada'*/");
        psql(&url, "SELECT pgtrack.undo('users', 1)");
        // Whom the application says it works for is known all the same, and calls are recorded.
        assert_eq!(psql(&url, "SELECT actor FROM pgtrack.log() WHERE actor IS NOT NULL"), "ada");
        assert_eq!(psql(&url, "SELECT count(context) FROM pgtrack.statement"), "0");
        let audit =
            "SELECT outcome, client_addr FROM pgtrack.audit WHERE verb = 'undo' AND through_proxy";
        let until = Instant::now() + PATIENCE;
        while psql(&url, audit) != "done|127.0.0.1" {
            assert!(Instant::now() < until, "{}", psql(&url, audit));
        }

        // What one upstream refuses, the other takes.
        let url = service.url(database.name());
        psql(&url, "CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t')");
        psql(&url, "INSERT INTO t VALUES (1)");
        let contexts = "SELECT context LIKE '2 127.0.0.1 %' FROM pgtrack.statement";
        assert_eq!(psql(&url, contexts), "t");
        drop(service);
        drop(pooler);
        behind.remove().await;
    });
}
