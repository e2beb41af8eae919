//! One private server: `initdb`, start, restart, crash, stop.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::Error;
use crate::keeper::{Keeper, StopWhen};

/// How long a server may take to accept connections.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// How often another free port is tried when the server does not start on the first.
const RETRIES_FOR_A_PORT: u32 = 2;

/// What kind of private server is wanted.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Where the cluster lives (created if missing); `None` makes up a temporary directory.
    pub directory: Option<PathBuf>,
    /// Whether the directory stays when the server is stopped.
    pub keep: bool,
    /// The TCP port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// `postgresql.conf` settings, applied on the server's command line.
    pub settings: Vec<(String, String)>,
    /// When the server is stopped.
    pub stop_when: StopWhen,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            directory: None,
            keep: false,
            port: None,
            settings: Vec::new(),
            stop_when: StopWhen::Dropped,
        }
    }
}

/// A running private server. Its superuser is `postgres`, trusted on 127.0.0.1 and on its unix socket.
#[derive(Debug)]
pub struct Cluster {
    binaries: Binaries,
    account: Account,
    /// Holds `data/`, the socket and `server.log`.
    directory: PathBuf,
    port: u16,
    settings: Vec<(String, String)>,
    /// The postmaster; reaped on restart, crash and drop.
    postmaster: Child,
    /// Dropped last: stops whatever still runs and cleans up.
    _keeper: Keeper,
}

impl Cluster {
    /// Creates the cluster if its directory is empty, starts the server and waits until it accepts connections.
    ///
    /// # Errors
    /// When `initdb` or the server fails; the message carries their output.
    pub fn start(binaries: &Binaries, options: ClusterOptions) -> Result<Self, Error> {
        let account = Account::unprivileged()?;
        let directory = options.directory.unwrap_or_else(unique_directory);
        create_directory(account, &directory)?;
        let data = directory.join("data");
        if !data.join("PG_VERSION").exists() {
            initdb(account, binaries, &data)?;
        }
        let remove = (!options.keep).then_some(directory.as_path());
        let keeper = Keeper::start(account, binaries, &data, remove, &options.stop_when)?;
        let port = options.port.map_or_else(free_port, Ok)?;
        let postmaster = spawn(account, binaries, &directory, port, &options.settings)?;
        let mut cluster = Self {
            binaries: binaries.clone(),
            account,
            directory,
            port,
            settings: options.settings,
            postmaster,
            _keeper: keeper,
        };
        let mut started = cluster.wait_until_ready();
        for _ in 0..RETRIES_FOR_A_PORT {
            if started.is_ok() || options.port.is_some() {
                break;
            }
            // Somebody else may have taken the free port first.
            cluster.port = free_port()?;
            started = cluster.start_again();
        }
        started.map(|()| cluster)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The programs this server was started from.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The directory that holds `data/`, the unix socket and `server.log`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A connection URL for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Ends the server at once, as a power failure would, and leaves it down.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn crash(&mut self) -> Result<(), Error> {
        self.postmaster.kill().map_err(Error::io("stop", "postgres"))?;
        self.reap();
        Ok(())
    }

    /// Stops the server, ending sessions with 57P01, and leaves it down.
    ///
    /// # Errors
    /// When `pg_ctl` cannot be run.
    pub fn stop(&mut self) -> Result<(), Error> {
        let pg_ctl = self.binaries.program("pg_ctl");
        self.account
            .command(&pg_ctl)
            .args(["stop", "-m", "fast", "-s", "-w", "-D"])
            .arg(self.directory.join("data"))
            .current_dir(&self.directory)
            .status()
            .map_err(Error::io("run", pg_ctl))?;
        self.reap();
        Ok(())
    }

    /// Starts the server again, on the same port, after [`stop`](Self::stop) or [`crash`](Self::crash).
    ///
    /// # Errors
    /// When it does not accept connections in time.
    pub fn start_again(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            self.postmaster =
                spawn(self.account, &self.binaries, &self.directory, self.port, &self.settings)?;
            match self.wait_until_ready() {
                // After a crash, the old server's last processes may take a moment to notice and leave.
                Err(Error::NotStarted { log })
                    if log.contains("pre-existing shared memory block")
                        && Instant::now() < deadline =>
                {
                    thread::sleep(Duration::from_millis(100));
                }
                result => return result,
            }
        }
    }

    /// Starts a standby that streams from this server, on a copy of its data. The server is down while it is copied,
    /// so that this works without the client programs.
    ///
    /// # Errors
    /// When the data cannot be copied or a server does not start.
    pub fn start_standby(&mut self) -> Result<Self, Error> {
        self.stop()?;
        let directory = unique_directory();
        create_directory(self.account, &directory)?;
        let data = directory.join("data");
        let copied = self
            .account
            .command(Path::new("cp"))
            .arg("-a")
            .args([&self.directory.join("data"), &data])
            .current_dir(&directory)
            .status()
            .map_err(Error::io("run", "cp"))?;
        if !copied.success() {
            return Err(Error::io("copy", data)(std::io::ErrorKind::Other.into()));
        }
        self.start_again()?;
        let signal = data.join("standby.signal");
        fs::write(&signal, "").map_err(Error::io("write", &signal))?;
        self.account.own(&signal)?;
        let mut settings = self.settings.clone();
        let conninfo = format!("host=127.0.0.1 port={} user=postgres", self.port);
        settings.push(("primary_conninfo".into(), conninfo));
        let directory = Some(directory);
        let options = ClusterOptions { directory, settings, ..ClusterOptions::default() };
        Self::start(&self.binaries, options)
    }

    /// Makes a standby a primary, and waits until it is.
    ///
    /// # Errors
    /// When `pg_ctl` cannot be run.
    pub fn promote(&self) -> Result<(), Error> {
        let pg_ctl = self.binaries.program("pg_ctl");
        self.account
            .command(&pg_ctl)
            .args(["promote", "-s", "-w", "-D"])
            .arg(self.directory.join("data"))
            .current_dir(&self.directory)
            .status()
            .map_err(Error::io("run", pg_ctl))?;
        Ok(())
    }

    fn reap(&mut self) {
        // An error means that it was reaped before.
        let _ = self.postmaster.wait();
    }

    /// Waits for "ready" on the status line of `postmaster.pid` (manual section "Postmaster PID file", line 8).
    fn wait_until_ready(&mut self) -> Result<(), Error> {
        let pid_file = self.directory.join("data/postmaster.pid");
        let deadline = Instant::now() + START_TIMEOUT;
        let pid = self.postmaster.id().to_string();
        loop {
            let state = fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = state.lines();
            if lines.next() == Some(&pid)
                && lines.nth(6).is_some_and(|status| status.trim() == "ready")
            {
                return Ok(());
            }
            let ended = matches!(self.postmaster.try_wait(), Ok(Some(_)));
            if ended || Instant::now() > deadline {
                return Err(Error::NotStarted {
                    log: last_lines(&self.directory.join("server.log")),
                });
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A fresh name under the system's temporary directory.
fn unique_directory() -> PathBuf {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("pgtrack-{}-{number}", std::process::id()))
}

fn create_directory(account: Account, directory: &Path) -> Result<(), Error> {
    fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
        .map_err(Error::io("protect", directory))?;
    account.own(directory)
}

fn initdb(account: Account, binaries: &Binaries, data: &Path) -> Result<(), Error> {
    let program = binaries.program("initdb");
    let output = account
        .command(&program)
        .args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-D",
        ])
        .arg(data)
        .current_dir(data.parent().unwrap_or(data))
        .output()
        .map_err(Error::io("run", program))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Initdb { output: String::from_utf8_lossy(&output.stderr).into_owned() })
}

fn spawn(
    account: Account,
    binaries: &Binaries,
    directory: &Path,
    port: u16,
    settings: &[(String, String)],
) -> Result<Child, Error> {
    let log = directory.join("server.log");
    let log_file =
        File::options().create(true).append(true).open(&log).map_err(Error::io("open", &log))?;
    let program = binaries.program("postgres");
    let mut command = account.command(&program);
    command
        .arg("-D")
        .arg(directory.join("data"))
        .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")])
        .arg("-c")
        .arg(format!("unix_socket_directories={}", directory.display()))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log_file)
        // A Ctrl-C in the terminal is for the program that owns the server, not for the server.
        .process_group(0);
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    command.spawn().map_err(Error::io("run", program))
}

/// Asks the system for a port that nobody listens on.
fn free_port() -> Result<u16, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(Error::io("bind", "127.0.0.1:0"))
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
