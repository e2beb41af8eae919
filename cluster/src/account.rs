//! The operating-system account a private server runs as.
//!
//! PostgreSQL refuses to run as root, so root drops to `postgres` or `nobody`; anybody else runs it as themselves.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::Error;

/// The account to run server programs as; `None` inside means the current one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account(Option<Ids>);

#[derive(Debug, Clone, Copy)]
struct Ids {
    uid: u32,
    gid: u32,
}

impl Account {
    /// Picks the account: the current one, or an unprivileged one when this is root.
    pub(crate) fn unprivileged() -> Result<Self, Error> {
        if !is_root()? {
            return Ok(Self(None));
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(Error::io("read", "/etc/passwd"))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| lookup(&passwd, name))
            .map(|ids| Self(Some(ids)))
            .ok_or(Error::NoUnprivilegedAccount)
    }

    /// A command that will run as this account.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(Ids { uid, gid }) = self.0 {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a file or directory to this account.
    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        match self.0 {
            Some(Ids { uid, gid }) => {
                chown(path, Some(uid), Some(gid)).map_err(Error::io("change the owner of", path))
            }
            None => Ok(()),
        }
    }
}

/// Whether this process is root. The standard library has no `geteuid`, so `id` is asked.
fn is_root() -> Result<bool, Error> {
    let output = Command::new("id").arg("-u").output().map_err(Error::io("run", "id"))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

fn lookup(passwd: &str, name: &str) -> Option<Ids> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Ids { uid, gid })
    })
}
