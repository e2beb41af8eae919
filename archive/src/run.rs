//! What is written about a run: its plan before its files, its manifest after them.

use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::location::Archive;
use crate::{Error, cut::Cut};

/// Whose history an archive is: the first of the clusters that it was recorded in. A dump takes it along.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) format: u32,
    pub(crate) system_identifier: i64,
    /// When recording began there, in microseconds since 1970.
    pub(crate) began_at: i64,
}

/// What a run is going to hold. Fixed before its first file is written, so that whoever goes on writes the same.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) run: u32,
    pub(crate) cut: Cut,
    pub(crate) relations: Vec<Relation>,
}

/// A table of a run.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) relation_id: i32,
    /// Its name when the run was planned, quoted where necessary.
    pub(crate) table: String,
}

/// What a run holds.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Manifest {
    #[serde(flatten)]
    pub(crate) plan: Plan,
    pub(crate) files: Vec<File>,
}

/// A file of a run.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) dataset: Dataset,
    pub(crate) relation_id: i32,
    /// The day of its changes, in UTC.
    pub(crate) day: String,
    pub(crate) rows: u64,
    pub(crate) first_statement_id: i64,
    pub(crate) last_statement_id: i64,
    pub(crate) bytes: u64,
    /// In hexadecimal.
    pub(crate) sha256: String,
    pub(crate) columns: Vec<Column>,
}

/// What files are about.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dataset {
    /// Old images of changed rows.
    Changes,
    /// Changes of row keys.
    KeyChanges,
}

impl Dataset {
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::KeyChanges => "key_changes",
        }
    }
}

pub(crate) const IDENTITY: &str = "archive.json";

pub(crate) fn plan_path(run: u32) -> String {
    format!("runs/{run:08}.plan.json")
}

pub(crate) fn manifest_path(run: u32) -> String {
    format!("runs/{run:08}.json")
}

/// The path of a file. Tables with the same name, or names that differ in unusual characters only, share a folder.
pub(crate) fn file_path(
    run: u32,
    relation: &Relation,
    dataset: Dataset,
    day: &str,
    part: u32,
) -> String {
    let usual = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' };
    let table: String = relation.table.chars().map(usual).collect();
    format!(
        "{}/pgtrack_table={table}/pgtrack_day={day}/{run:08}-{}-{part:04}.parquet",
        dataset.folder(),
        relation.relation_id
    )
}

/// The run that a file is of.
pub(crate) fn run_of(path: &str) -> Option<u32> {
    path.rsplit('/').next()?.split('-').next()?.parse().ok()
}

/// All complete runs, oldest first, and the plan of one that was not completed.
pub(crate) async fn runs(archive: &Archive) -> Result<(Vec<Manifest>, Option<Plan>), Error> {
    let mut manifests: Vec<Manifest> = Vec::new();
    for run in 1.. {
        match archive.record(&manifest_path(run)).await? {
            Some(manifest) => manifests.push(manifest),
            None => return Ok((manifests, archive.record(&plan_path(run)).await?)),
        }
    }
    Ok((manifests, None))
}

#[cfg(test)]
mod tests {
    use super::{Dataset, Relation, file_path, run_of};

    #[test]
    fn paths_hold_no_strange_characters_and_tell_the_run() {
        let relation = Relation { relation_id: 7, table: "\"a/b\".\"..=é\"".to_owned() };
        let path = file_path(12, &relation, Dataset::KeyChanges, "2026-11-23", 3);
        assert_eq!(
            path,
            "key_changes/pgtrack_table=_a_b_._..___/pgtrack_day=2026-11-23/00000012-7-0003.parquet"
        );
        assert_eq!(run_of(&path), Some(12));
        assert_eq!(run_of("changes/notes.txt"), None);
    }
}
