//! Log lines go to standard error.

use std::io::{self, Stderr, Write};

use tracing_subscriber::EnvFilter;

use crate::args::Command;

/// Starts logging. All but the service keep quiet unless something is wrong; `PGTRACK_LOG` says otherwise ("debug").
/// With `PGTRACK_LOG_FORMAT=json`, each line is a JSON object.
pub(crate) fn start(command: &Command) {
    let level = match command {
        Command::Serve(_) | Command::Check(_) | Command::Rekey(_) => "info",
        _ => "warn",
    };
    let filter = EnvFilter::try_from_env("PGTRACK_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Unfailing(io::stderr()))
        .with_target(false);
    if std::env::var_os("PGTRACK_LOG_FORMAT").is_some_and(|format| format == "json") {
        lines.json().flatten_event(true).init();
    } else {
        lines.init();
    }
}

/// Standard error, if somebody reads it. A closed log must not end a session, as a failed write would by its panic.
struct Unfailing(Stderr);

impl Write for Unfailing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
