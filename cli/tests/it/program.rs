//! Runs `pgtrack` and the client programs that people use with it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A running `pgtrack demo`; killed when it is dropped, which stops its server too.
pub(crate) struct Demo {
    process: Child,
    lines: Receiver<String>,
    /// The proxy's connection URL.
    pub(crate) proxy: String,
    /// The dashboard's address.
    pub(crate) dashboard: String,
    /// The administrator's password.
    pub(crate) password: String,
}

impl Demo {
    /// Starts it on free ports and waits until it has said where everything is.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = pgtrack()
            .args(["demo", "--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut demo = Self {
            process,
            lines,
            proxy: String::new(),
            dashboard: String::new(),
            password: String::new(),
        };
        demo.proxy = demo.announced("proxy      ");
        demo.dashboard = demo.announced("dashboard  ");
        demo.password = demo.announced("login      admin / ");
        demo
    }

    /// Waits for a line that begins so, and returns the rest of it.
    pub(crate) fn announced(&self, beginning: &str) -> String {
        loop {
            let line =
                self.lines.recv_timeout(Duration::from_mins(2)).expect("the demo says where it is");
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    /// What psql prints for a query through the proxy, without headers, columns separated by `|`.
    #[track_caller]
    pub(crate) fn psql(&self, sql: &str) -> String {
        psql(&self.proxy, sql)
    }

    /// Sends a signal, as Ctrl-C does.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the program's end; whether it ended well.
    pub(crate) fn wait(&mut self) -> bool {
        self.process.wait().unwrap().success()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program under test, in an environment of its own.
pub(crate) fn pgtrack() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgtrack"));
    command.env_remove("PGTRACK_CONFIG").env_remove("PGTRACK_UPSTREAM").stdin(Stdio::null());
    command
}

/// What psql prints for SQL that must succeed.
#[track_caller]
pub(crate) fn psql(url: &str, sql: &str) -> String {
    let output = run_psql(url, sql);
    assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Runs psql on one command string, whatever comes of it.
pub(crate) fn run_psql(url: &str, sql: &str) -> Output {
    Command::new("psql")
        .args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "--dbname",
            url,
            "--command",
            sql,
        ])
        .env("PGAPPNAME", "psql")
        .env("PGCONNECT_TIMEOUT", "10")
        .output()
        .expect("psql can be run")
}

/// A client program of the distribution's PostgreSQL, which may not be in PATH.
pub(crate) fn client_program(name: &str) -> PathBuf {
    let in_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .map(|directory| directory.join(name));
    let in_distribution = (15..30)
        .rev()
        .map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin/{name}")));
    in_path
        .chain(in_distribution)
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is not installed"))
}
