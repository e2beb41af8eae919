//! The clients: one process for each driver, and what they say about their calls.

use std::error::Error;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// A call, with the outcome that its client has seen: `done`, `failed` or `unknown`.
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) outcome: String,
}

/// A client process.
pub(crate) struct Worker {
    process: Child,
    /// Everything that it prints.
    output: JoinHandle<std::io::Result<String>>,
}

/// Starts two clients with each driver; `drivers` is where `scripts/drivers` has installed them.
pub(crate) fn start_all(
    drivers: &str,
    url: &str,
    length: Duration,
) -> Result<Vec<Worker>, Box<dyn Error>> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/soak");
    let drivers = Path::new(drivers);
    let python = drivers.join("python/bin/python");
    let mut workers = Vec::new();
    for (program, script) in [
        (python.as_path(), "psycopg_worker.py"),
        (python.as_path(), "asyncpg_worker.py"),
        (Path::new("node"), "node_worker.cjs"),
    ] {
        for number in 1..=2 {
            let name = format!("worker-{}-{number}", script.split('_').next().unwrap_or(script));
            let mut command = Command::new(program);
            command.arg(scripts.join(script)).arg(url).arg(length.as_secs().to_string()).arg(name);
            command.env("NODE_PATH", drivers.join("node/node_modules")).stdin(Stdio::null());
            let mut process = command.stdout(Stdio::piped()).spawn()?;
            let mut stdout = process.stdout.take().ok_or("no output")?;
            let output = std::thread::spawn(move || {
                let mut text = String::new();
                stdout.read_to_string(&mut text).map(|_| text)
            });
            workers.push(Worker { process, output });
        }
    }
    Ok(workers)
}

impl Worker {
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// What it has called, once it has ended.
    pub(crate) fn calls(mut self) -> Result<Vec<Call>, Box<dyn Error>> {
        let status = self.process.wait()?;
        if !status.success() {
            return Err(format!("a client has failed: {status}").into());
        }
        let text = self.output.join().map_err(|_| "the reader has panicked")??;
        let call = |line: &str| {
            let (id, outcome) = line.split_once(' ')?;
            Some(Call { id: id.to_owned(), outcome: outcome.to_owned() })
        };
        Ok(text.lines().filter_map(call).collect())
    }
}
