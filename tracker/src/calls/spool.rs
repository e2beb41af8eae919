//! A bounded file for records that the database cannot take at the moment: one JSON document on each line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
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
    /// [`SpoolError::File`] when it cannot be opened, or another program has it open.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path);
        let mut file = file.map_err(failed)?;
        file.try_lock().map_err(|error| failed(error.into()))?;
        let bytes = file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, bytes, reserved_bytes: 0, max_bytes })
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

impl Record {
    pub(super) fn database(&self) -> &str {
        match self {
            Self::Begin(_, call) => &call.id.database,
            Self::Finish(id, _) => &id.database,
        }
    }
}
