//! One server for each version, shared by all test processes and stopped some seconds after the last of them.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use pgtrack_cluster::{Binaries, Cluster, ClusterOptions, StopWhen};

use crate::FAST_SETTINGS;
use crate::database::Database;

/// A server that this process shares with others; it stays up while this process lives.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    major: u32,
    port: u16,
}

/// The shared locks of this process, held until it ends: they keep the servers alive.
static USED: Mutex<Vec<(Server, File)>> = Mutex::new(Vec::new());

impl Server {
    /// Joins the shared server of this version, starting it if need be.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn shared(binaries: &Binaries) -> Self {
        let mut used = USED.lock().expect("no panic happens under this lock");
        if let Some((server, _)) = used.iter().find(|(server, _)| server.major == binaries.major())
        {
            return *server;
        }
        let (server, lock) = join(binaries);
        used.push((server, lock));
        server
    }

    /// A server of a test's own, as a place for databases; it lives as long as its cluster.
    pub fn of(cluster: &Cluster) -> Self {
        Self { major: cluster.binaries().major(), port: cluster.port() }
    }

    /// The major version, such as 18.
    pub fn major(self) -> u32 {
        self.major
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(self) -> u16 {
        self.port
    }

    /// A connection URL for the superuser.
    pub fn url(self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn database(self) -> Database {
        Database::create(self, "template1").await
    }

    /// Creates a database from the template `name`, which `setup` fills the first time it is asked for.
    ///
    /// # Panics
    /// When the server refuses, or `setup` panics.
    pub async fn database_like(self, name: &str, setup: impl AsyncFnOnce(Database)) -> Database {
        Database::template(self, name, setup).await;
        Database::create(self, name).await
    }
}

fn join(binaries: &Binaries) -> (Server, File) {
    let home = home(binaries.major());
    let starting_path = home.join("starting.lock");
    let users_path = home.join("users.lock");
    let starting = lock_file(&starting_path);
    starting.lock().expect("the lock can be taken");
    let users = lock_file(&users_path);
    users.lock_shared().expect("the lock can be taken");

    let port_file = home.join("port");
    let major = binaries.major();
    if let Some(port) = running_port(&port_file) {
        return (Server { major, port }, users);
    }
    // The keeper removes this directory; a machine that went down may have left one.
    let directory = home.join("cluster");
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("leftovers can be removed");
    }
    let options = ClusterOptions {
        directory: Some(directory),
        settings: FAST_SETTINGS.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        stop_when: StopWhen::Unlocked { users: users_path, starting: starting_path },
        ..ClusterOptions::default()
    };
    let cluster = Cluster::start(binaries, options).unwrap_or_else(|error| panic!("{error}"));
    let port = cluster.port();
    fs::write(&port_file, port.to_string()).expect("the port can be noted");
    (Server { major, port }, users)
}

/// The directory of one version's shared server; writable by whoever runs the server.
fn home(major: u32) -> PathBuf {
    let user = std::env::var("USER").unwrap_or_else(|_| "root".into());
    let place = std::env::var_os("PGTRACK_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let home = place.join(format!("pgtrack-test-{user}")).join(major.to_string());
    fs::create_dir_all(&home).expect("the directory can be created");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).expect("it can be shared");
    home
}

fn lock_file(path: &Path) -> File {
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .expect("the lock file can be opened");
    // The keeper may run as another account than the tests. Only the creator may change the mode.
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o666));
    file
}

fn running_port(port_file: &Path) -> Option<u16> {
    let port = fs::read_to_string(port_file).ok()?.parse().ok()?;
    TcpStream::connect(("127.0.0.1", port)).ok()?;
    Some(port)
}
