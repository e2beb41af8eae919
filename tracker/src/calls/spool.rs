//! A bounded file for records that the database cannot take at the moment: one JSON document on each line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Call, CallId, CallOutcome};

/// What is kept free for the outcome of each call, so that a recorded call can be completed.
const OUTCOME_BYTES: u64 = 512;

/// A record that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// Made at this time by the proxy's clock.
    Begin(Timestamp, Box<Call>),
    Finish(CallId, CallOutcome),
}

/// Why a record could not be kept in the file.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file cannot be used.
    #[error("cannot use the audit's spool file {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Somebody else may read it, or write into it.
    #[error(
        "the audit's spool file {path} is not ours alone, {reason}: `chmod 600` it, or remove it if nothing waits in it"
    )]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are too many records in it.
    #[error("the audit's spool file {path} is full")]
    Full {
        /// The file.
        path: PathBuf,
    },
}

/// The file. One program may use it at a time.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: File,
    bytes: u64,
    reserved_bytes: u64,
    max_bytes: u64,
}

impl Spool {
    /// Opens the file, with what it holds from before.
    ///
    /// # Errors
    /// [`SpoolError::File`] when it cannot be opened, or another program has it open; [`SpoolError::NotPrivate`] when
    /// somebody else may read it or write into it.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path);
        let mut file = file.map_err(failed)?;
        require_private(path, &file)?;
        file.try_lock().map_err(|error| failed(error.into()))?;
        let bytes = file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, bytes, reserved_bytes: 0, max_bytes })
    }

    /// Sees whether a file could be opened and replaced here. Leaves none behind.
    ///
    /// # Errors
    /// [`SpoolError::File`] when its directory is missing or cannot be written to, [`SpoolError::NotPrivate`] as
    /// [`open`](Self::open).
    pub fn check(path: &Path) -> Result<(), SpoolError> {
        let failed = |source| SpoolError::File { path: path.to_owned(), source };
        match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => require_private(path, &file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let probe = path.with_extension(format!("check-{}", std::process::id()));
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe);
        made.and_then(|_| std::fs::remove_file(&probe)).map_err(failed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Keeps a record; it is on the disk when this returns.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), SpoolError> {
        // Should the last write have failed in the middle of a line, that ends here.
        let mut line = String::from("\n");
        line.push_str(&serde_json::to_string(record).map_err(|error| self.failed(error.into()))?);
        line.push('\n');
        let bytes = line.len() as u64;
        match record {
            Record::Begin(..) => {
                if self.bytes + self.reserved_bytes + bytes + OUTCOME_BYTES > self.max_bytes {
                    return Err(SpoolError::Full { path: self.path.clone() });
                }
                self.reserved_bytes += OUTCOME_BYTES;
            }
            // It may be the outcome of a call that the database has: then nothing was reserved.
            Record::Finish(..) if self.bytes + bytes > self.max_bytes => {
                return Err(SpoolError::Full { path: self.path.clone() });
            }
            Record::Finish(..) => {
                self.reserved_bytes = self.reserved_bytes.saturating_sub(OUTCOME_BYTES);
            }
        }
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        self.bytes = self.file.metadata().map_or(self.bytes + bytes, |metadata| metadata.len());
        written.map_err(|source| self.failed(source))
    }

    /// Every record in it, in order. A line that was cut off when the machine stopped is none.
    pub(super) fn records(&mut self) -> Result<Vec<Record>, SpoolError> {
        let mut text = Vec::new();
        let read =
            self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read_to_end(&mut text));
        read.map_err(|source| self.failed(source))?;
        let lines = text.split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Forgets the records that do not wait any more.
    pub(super) fn retain(
        &mut self,
        mut is_waiting: impl FnMut(&Record) -> bool,
    ) -> Result<(), SpoolError> {
        let waiting: Vec<_> =
            self.records()?.into_iter().filter(|record| is_waiting(record)).collect();
        let mut text = String::new();
        for record in &waiting {
            let line = serde_json::to_string(record).map_err(|error| self.failed(error.into()))?;
            text.push_str(&line);
            text.push('\n');
        }
        // A new file takes the place of the old one at once: whenever the machine stops, one of them is whole.
        let new = self.path.with_extension("new");
        let replace = || {
            let mut options = OpenOptions::new();
            let mut file =
                options.read(true).append(true).create_new(true).mode(0o600).open(&new)?;
            file.try_lock()?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            std::fs::rename(&new, &self.path)?;
            Ok(file)
        };
        // What an earlier attempt left.
        let _ = std::fs::remove_file(&new);
        self.file = replace().map_err(|source| self.failed(source))?;
        self.bytes = text.len() as u64;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> SpoolError {
        SpoolError::File { path: self.path.clone(), source }
    }
}

/// What others can write is no record, and it is not for others to read.
fn require_private(path: &Path, file: &File) -> Result<(), SpoolError> {
    let failed = |source| SpoolError::File { path: path.to_owned(), source };
    let not_private = |reason| SpoolError::NotPrivate { path: path.to_owned(), reason };
    let permissions = file.metadata().map_err(failed)?.permissions();
    let mode = permissions.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(not_private(format!("its mode is {mode:04o}")));
    }
    // Only the owner may do this, and root.
    file.set_permissions(permissions).map_err(|_| not_private("it belongs to somebody else".into()))
}

impl Record {
    pub(super) fn database(&self) -> &str {
        match self {
            Self::Begin(_, call) => &call.id.database,
            Self::Finish(id, _) => &id.database,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Spool, SpoolError};

    #[test]
    fn the_file_is_ours_alone() {
        let directory =
            std::env::temp_dir().join(format!("pgtrack-spool-mode-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("audit.spool");
        Spool::check(&path).unwrap();
        assert!(!path.exists());
        drop(Spool::open(&path, 1000).unwrap());
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(), 0o600);
        Spool::check(&path).unwrap();
        for wide in [0o666, 0o640, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(wide)).unwrap();
            for refused in [Spool::open(&path, 1000).map(drop), Spool::check(&path)] {
                let Err(SpoolError::NotPrivate { reason, .. }) = refused else {
                    panic!("{wide:o}: {refused:?}")
                };
                assert_eq!(reason, format!("its mode is {wide:04o}"));
            }
            assert_eq!(mode(), wide, "it is for its owner to say what is in it");
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is left behind");
        fs::remove_dir_all(&directory).unwrap();
        assert!(matches!(Spool::check(&path), Err(SpoolError::File { .. })));
    }
}
