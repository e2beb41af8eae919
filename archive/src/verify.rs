//! Whether an archive holds what a database has, value by value.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use tokio_postgres::Transaction;

use crate::Error;
use crate::column::Values;
use crate::export::sha256;
use crate::location::Archive;
use crate::read::read;
use crate::run::{Dataset, File, Manifest, Relation, runs};
use crate::source::{Part, Source, Weight};
use crate::write::Batch;

/// How many rows of the database are compared at a time.
const ROWS: usize = 10_000;

const EXPORT: &str =
    "run `pgtrack export --to` with this URL first; transactions that still run hold it back";
const DAMAGED: &str =
    "the file was changed or lost; the database still has what it held: export to a new URL";

/// Fails unless the archive holds every change made by the statements `s` that meet a condition.
/// It may hold more of them: what is purged already.
pub(crate) async fn verify(
    transaction: &Transaction<'_>,
    archive: &Archive,
    condition: &str,
) -> Result<(), Error> {
    let (manifests, _) = runs(archive).await?;
    let query = format!(
        "SELECT r.relation_id, format('%I.%I', r.schema_name, r.table_name) AS name FROM pgtrack.relation r
         WHERE EXISTS (SELECT FROM pgtrack.statement s WHERE s.relation_id = r.relation_id AND ({condition})) ORDER BY 1"
    );
    let rows = transaction.query(&query, &[]).await.map_err(Error::query("list the tables"))?;
    for row in rows {
        let relation = Relation { relation_id: row.get("relation_id"), table: row.get("name") };
        for source in Source::of(transaction, &relation).await? {
            let expected = source.count(transaction, condition).await?;
            let mut found = 0;
            for (manifest, files) in groups(&manifests, &source) {
                found += compare(transaction, archive, &source, manifest, files, condition).await?;
            }
            if found != expected {
                return Err(Error::NotArchived {
                    reason: format!(
                        "{} of {expected} row changes of {}",
                        expected - found,
                        relation.table
                    ),
                    hint: EXPORT,
                });
            }
        }
    }
    Ok(())
}

/// The files of a table, with those that share a statement together.
fn groups<'a>(manifests: &'a [Manifest], source: &Source) -> Vec<(&'a Manifest, Vec<&'a File>)> {
    let mut groups: Vec<(&Manifest, Vec<&File>)> = Vec::new();
    for manifest in manifests {
        let mut last: Option<&File> = None;
        for file in &manifest.files {
            if (file.relation_id, file.dataset) != (source.relation.relation_id, source.dataset) {
                continue;
            }
            let is_next = last.is_some_and(|last| {
                last.day == file.day && last.last_statement_id == file.first_statement_id
            });
            match groups.last_mut() {
                Some((_, files)) if is_next => files.push(file),
                _ => groups.push((manifest, vec![file])),
            }
            last = Some(file);
        }
    }
    groups
}

/// How many changes the database and these files have in common; fails if the files lack one of their statements'.
async fn compare(
    transaction: &Transaction<'_>,
    archive: &Archive,
    source: &Source,
    manifest: &Manifest,
    files: Vec<&File>,
    condition: &str,
) -> Result<i64, Error> {
    let (Some(first), Some(last)) = (files.first(), files.last()) else { return Ok(0) };
    let condition = format!(
        "({condition}) AND {} AND s.statement_id BETWEEN {} AND {} AND (s.at AT TIME ZONE 'UTC')::date = '{}'",
        manifest.plan.cut.condition(),
        first.first_statement_id,
        last.last_statement_id,
        first.day.replace('\'', "''"),
    );
    if source.count(transaction, &condition).await? == 0 {
        return Ok(0);
    }
    let mut held = Held::default();
    // Files of one run and table have the same columns.
    let layout = Shared::of(source, first);
    for file in &files {
        held.add(&fetch(archive, file).await?, &layout);
    }
    let mut found = 0;
    let mut expressions = vec![source.is_erased.clone(), layout.has_more(source)];
    expressions.extend(layout.parts.iter().map(|part| part.expression.clone()));
    let expressions: Vec<&str> = expressions.iter().map(String::as_str).collect();
    let mut rows = source.rows(transaction, &expressions, &condition).await?;
    let columns: Vec<_> = layout.parts.iter().map(|part| part.column.clone()).collect();
    let mut chunk = Chunk { batch: Batch::new(columns.clone()), of: Vec::new() };
    loop {
        let row = rows.next().await?;
        if let Some(row) = &row {
            if row.get(3) {
                return Err(differs(source, row.get(1)));
            }
            chunk.of.push((row.get(1), row.get(2)));
            chunk.batch.push(row, 4)?;
        }
        if row.is_none() || chunk.of.len() >= ROWS {
            let of = std::mem::take(&mut chunk.of);
            let batch = std::mem::replace(&mut chunk.batch, Batch::new(columns.clone()));
            let prints = prints(&batch, &layout.parts, &(0..columns.len()).collect::<Vec<_>>());
            for ((statement, is_erased), print) in of.into_iter().zip(prints) {
                if !held.take(statement, is_erased, &print) {
                    return Err(differs(source, statement));
                }
                found += 1;
            }
        }
        if row.is_none() {
            return Ok(found);
        }
    }
}

/// Rows of the database, with their statement and whether they were erased.
struct Chunk {
    batch: Batch,
    of: Vec<(i64, bool)>,
}

fn differs(source: &Source, statement: i64) -> Error {
    Error::NotArchived {
        reason: format!(
            "what it has of {}, statement {statement}, differs from the database",
            source.relation.table
        ),
        hint: DAMAGED,
    }
}

/// A file's rows, if it is still what was written.
async fn fetch(archive: &Archive, file: &File) -> Result<Batch, Error> {
    let damaged = |what: &str| Error::NotArchived {
        reason: format!("`{}` {what}", file.path),
        hint: DAMAGED,
    };
    let content = archive.read(&file.path).await?.ok_or_else(|| damaged("is missing"))?;
    if sha256(&content) != file.sha256 {
        return Err(damaged("is not what was written"));
    }
    let batch =
        read(content, &file.columns).map_err(Error::parquet(format!("read `{}`", file.path)))?;
    if batch.rows as u64 == file.rows { Ok(batch) } else { Err(damaged("has lost rows")) }
}

/// The columns that a file and the database have, as the database has them, and their places in the file.
struct Shared {
    parts: Vec<Part>,
    places: Vec<usize>,
}

impl Shared {
    fn of(source: &Source, file: &File) -> Self {
        let (mut parts, mut places) = (Vec::new(), Vec::new());
        for (place, column) in file.columns.iter().enumerate() {
            // A column of the table may have been renamed since.
            let found = source.parts.iter().find(|part| match column.id {
                Some(_) => part.column.id == column.id,
                None => part.column.id.is_none() && part.column.name == column.name,
            });
            if let Some(part) = found {
                parts.push(part.clone());
                places.push(place);
            }
        }
        Self { parts, places }
    }

    /// Whether a row h has a value in a column that the file does not have.
    fn has_more(&self, source: &Source) -> String {
        let more = source.parts.iter().filter(|part| {
            part.column.id.is_some()
                && !self.parts.iter().any(|own| own.column.id == part.column.id)
        });
        let more: Vec<&str> = more.map(|part| part.expression.as_str()).collect();
        if more.is_empty() || source.dataset == Dataset::KeyChanges {
            "false".to_owned()
        } else {
            format!("num_nonnulls({}) > 0", more.join(", "))
        }
    }
}

/// What tells a row from others.
struct Print {
    recorded: [u8; 16],
    /// None where the query text is null.
    with_query: Option<[u8; 16]>,
}

/// For each statement, its rows in the archive that were not yet found in the database.
#[derive(Default)]
struct Held {
    rows: HashMap<i64, u64>,
    recorded: HashMap<(i64, [u8; 16]), u64>,
    with_query: HashMap<(i64, [u8; 16]), u64>,
}

impl Held {
    fn add(&mut self, batch: &Batch, shared: &Shared) {
        let Some(Values::Int64(statements)) = batch.values.first() else { return };
        for (statement, print) in
            statements.iter().zip(prints(batch, &shared.parts, &shared.places))
        {
            *self.rows.entry(*statement).or_default() += 1;
            *self.recorded.entry((*statement, print.recorded)).or_default() += 1;
            if let Some(with_query) = print.with_query {
                *self.with_query.entry((*statement, with_query)).or_default() += 1;
            }
        }
    }

    /// Whether there is this row, or for an erased one any; not found a second time.
    fn take(&mut self, statement: i64, is_erased: bool, print: &Print) -> bool {
        let is_there = |count: Option<&mut u64>| {
            count.is_some_and(|count| {
                let is_left = *count > 0;
                *count = count.saturating_sub(1);
                is_left
            })
        };
        is_there(self.rows.get_mut(&statement))
            && (is_erased
                || match print.with_query {
                    Some(with_query) => is_there(self.with_query.get_mut(&(statement, with_query))),
                    None => is_there(self.recorded.get_mut(&(statement, print.recorded))),
                })
    }
}

/// Of each row, from the columns at these places.
fn prints(batch: &Batch, parts: &[Part], places: &[usize]) -> Vec<Print> {
    let mut next = vec![0; batch.columns.len()];
    (0..batch.rows)
        .map(|row| {
            let mut recorded = Sha256::new();
            let mut query = None;
            for (part, place) in parts.iter().zip(places) {
                let value = (batch.levels[*place][row] == 1).then(|| {
                    next[*place] += 1;
                    batch.values[*place].bytes(batch.columns[*place].kind, next[*place] - 1)
                });
                let value = value.flatten();
                match part.weight {
                    Weight::Recorded => {
                        // The length tells where a value ends; that of a null is none of a value.
                        let length = value.as_ref().map_or(u64::MAX, |value| value.len() as u64);
                        recorded.update(length.to_le_bytes());
                        recorded.update(value.unwrap_or_default());
                    }
                    Weight::Query => query = value,
                    Weight::Derived => {}
                }
            }
            let with_query = query.map(|query| {
                let mut with_query = recorded.clone();
                with_query.update(query);
                half(&with_query.finalize())
            });
            Print { recorded: half(&recorded.finalize()), with_query }
        })
        .collect()
}

fn half(digest: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}
