//! Stops a private server when it is no longer wanted, even if the process that started it was killed.
//!
//! The keeper is a small shell process that outlives its parent: it waits until the server is no
//! longer wanted, stops it, and removes the directory if that was temporary.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};

use crate::Error;
use crate::account::Account;
use crate::binaries::Binaries;

/// When a private server is stopped.
#[derive(Debug, Clone)]
pub enum StopWhen {
    /// When the [`Cluster`](crate::Cluster) is dropped or its process ends in whatever way.
    Dropped,
    /// When no process holds a shared `flock(2)` on `users` any more; `starting` is locked while
    /// that is decided, so whoever wants to use the server holds it until it has its lock on `users`.
    Unlocked {
        /// Locked (shared) by every process that uses the server.
        users: PathBuf,
        /// Locked (exclusive) by whoever starts, joins or stops the server.
        starting: PathBuf,
    },
}

/// Waits for end of file on standard input: the parent closes it, or dies.
const WAIT_FOR_PARENT: &str = "cat >/dev/null";
/// Waits until nobody holds `$3`, looking every few seconds, and keeps `$4` locked from then on.
const WAIT_FOR_USERS: &str = "exec 8<>\"$4\"
while :; do sleep 3; flock -x 8; flock -n -x \"$3\" true && break; flock -u 8; done";

/// The running keeper process of one server.
#[derive(Debug)]
pub(crate) struct Keeper {
    process: Child,
    /// Closed to say that the server is no longer wanted; `None` when locks decide.
    parent_alive: Option<ChildStdin>,
}

impl Keeper {
    /// Starts a keeper for the server in `data_directory`; `remove` is deleted afterwards.
    pub(crate) fn start(
        account: Account,
        binaries: &Binaries,
        data_directory: &Path,
        remove: Option<&Path>,
        stop_when: &StopWhen,
    ) -> Result<Self, Error> {
        let wait = match stop_when {
            StopWhen::Dropped => WAIT_FOR_PARENT,
            StopWhen::Unlocked { .. } => WAIT_FOR_USERS,
        };
        let stop =
            "\"$0\" stop -D \"$1\" -m fast -s -w -t 20 || \"$0\" stop -D \"$1\" -m immediate -s";
        let script =
            format!("trap '' INT TERM HUP\n{wait}\n{stop}\n[ -z \"$2\" ] || rm -rf \"$2\"");
        let mut command = account.command(Path::new("/bin/sh"));
        command
            .args(["-c", &script])
            .arg(binaries.program("pg_ctl"))
            .arg(data_directory)
            .arg(remove.unwrap_or(Path::new("")))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        match stop_when {
            StopWhen::Dropped => {
                command.stdin(Stdio::piped());
            }
            StopWhen::Unlocked { users, starting } => {
                command.arg(users).arg(starting);
            }
        }
        let mut process = command.spawn().map_err(Error::io("run", "/bin/sh"))?;
        let parent_alive = process.stdin.take();
        Ok(Self { process, parent_alive })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.parent_alive.take().is_some() {
            // The pipe is closed now; the keeper stops the server and ends.
            let _ = self.process.wait();
        }
    }
}
