//! What is compared: a direct connection, this proxy, `PgBouncer`, and whatever else is given.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use pgtrack_testkit::Cluster;

/// The relay alone, as it was built for measurements.
const RELAY: &str = "target/release/relay";

/// A place to connect to.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The process whose CPU time is measured; none for a direct connection.
    pub(crate) pid: Option<u32>,
    /// Set for what was started here.
    child: Option<Child>,
}

impl Endpoint {
    pub(crate) fn direct(port: u16) -> Self {
        let host = Ipv4Addr::LOCALHOST.to_string();
        Self { name: "direct".into(), host, port, pid: None, child: None }
    }

    /// Reads `name=host:port:pid`.
    pub(crate) fn given(text: &str) -> Result<Self, Box<dyn Error>> {
        let usage = || format!("`{text}` is not NAME=HOST:PORT:PID");
        let (name, place) = text.split_once('=').ok_or_else(usage)?;
        let mut parts = place.rsplitn(3, ':');
        let mut next = || parts.next().ok_or_else(usage);
        let (pid, port, host) = (next()?.parse()?, next()?.parse()?, next()?.to_owned());
        Ok(Self { name: name.into(), host, port, pid: Some(pid), child: None })
    }

    pub(crate) fn ours(upstream: u16) -> Result<Self, Box<dyn Error>> {
        let port = free_port()?;
        let mut command = Command::new(RELAY);
        command.args([&format!("127.0.0.1:{port}"), "127.0.0.1", &upstream.to_string()]);
        Self::started("pg_track", port, command)
    }

    /// The relay, watching what passes.
    pub(crate) fn watching(upstream: u16) -> Result<Self, Box<dyn Error>> {
        let port = free_port()?;
        let mut command = Command::new(RELAY);
        let threads = pgtrack_proxy::Config::default().threads.to_string();
        command.args([&format!("127.0.0.1:{port}"), "127.0.0.1", &upstream.to_string()]);
        command.args([&threads, "watch"]);
        Self::started("watching", port, command)
    }

    /// `PgBouncer` in session mode: the program that `PGBOUNCER` names, or what is installed.
    pub(crate) fn pgbouncer(server: &Cluster) -> Result<Option<Self>, Box<dyn Error>> {
        let installed = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(PathBuf::from);
        let given = std::env::var_os("PGBOUNCER").map(PathBuf::from);
        let program = given.or_else(|| installed.into_iter().find(|program| program.exists()));
        let Some(program) = program else { return Ok(None) };
        let port = free_port()?;
        let file = write_pgbouncer_config(server.port(), port)?;
        let mut command = Command::new(program);
        // It refuses to run as root.
        command.args(["-q", "-u", "nobody"]).arg(file);
        Self::started("pgbouncer", port, command).map(Some)
    }

    fn started(name: &str, port: u16, mut command: Command) -> Result<Self, Box<dyn Error>> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let host = Ipv4Addr::LOCALHOST.to_string();
        let pid = Some(child.id());
        let endpoint = Self { name: name.into(), host, port, pid, child: Some(child) };
        for _ in 0..100 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(endpoint);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("{name} does not listen").into())
    }

    pub(crate) fn url(&self) -> String {
        format!("postgresql://postgres@{}:{}/postgres?sslmode=disable", self.host, self.port)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // An error means that it has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn write_pgbouncer_config(upstream: u16, port: u16) -> Result<PathBuf, Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("pgtrack-bench-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
    let users = directory.join("users.txt");
    fs::write(&users, "\"postgres\" \"\"\n")?;
    let file = directory.join("pgbouncer.ini");
    fs::write(
        &file,
        format!(
            "[databases]\n* = host=127.0.0.1 port={upstream}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
             pool_mode = session\nmax_client_conn = 2000\ndefault_pool_size = 500\n",
            users.display()
        ),
    )?;
    Ok(file)
}

fn free_port() -> Result<u16, Box<dyn Error>> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
