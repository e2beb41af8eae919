//! Writing history to an archive.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use tokio_postgres::{Client, Transaction};

use crate::column::Column;
use crate::location::Archive;
use crate::run::{
    Dataset, File, IDENTITY, Identity, Manifest, Plan, Relation, file_path, manifest_path,
    plan_path, run_of, runs,
};
use crate::source::Source;
use crate::write::Batch;
use crate::{Error, cut};

/// A file is ended at the next statement when it has so many rows,
const ROWS: usize = 500_000;
/// or its values take so much memory, in bytes;
const BYTES: usize = 128 << 20;
/// and within a statement when they take so many times as much.
const WITHIN_STATEMENT: usize = 2;

/// What an export added to the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many row changes.
    pub changes: u64,
    /// In how many files.
    pub files: u64,
    /// Of how many bytes together.
    pub bytes: u64,
}

/// Adds to the archive what was recorded since the last export; finishes that one first if it died.
///
/// Transactions that began before one that still runs are left for the next time.
///
/// # Errors
/// When history or the archive cannot be read or written, somebody else exports, or the archive is not of this database.
pub async fn export(client: &mut Client, archive: &Archive) -> Result<Exported, Error> {
    lock(client).await?;
    let result = add(client, archive).await;
    unlock(client).await?;
    result
}

/// One export or purge at a time; the server lets go when the connection ends.
pub(crate) async fn lock(client: &Client) -> Result<(), Error> {
    let row = client
        .query_one("SELECT pg_try_advisory_lock(7380416283002)", &[])
        .await
        .map_err(Error::query("lock the archive"))?;
    if row.get(0) { Ok(()) } else { Err(Error::Busy) }
}

pub(crate) async fn unlock(client: &Client) -> Result<(), Error> {
    client
        .execute("SELECT pg_advisory_unlock(7380416283002)", &[])
        .await
        .map(|_| ())
        .map_err(Error::query("unlock the archive"))
}

/// One snapshot for everything, and values written in one form. Who may not see all rows must not export some;
/// `row_security = off` would refuse the view `pgtrack.activity` to everybody, as its owner sees what its reader may.
pub(crate) async fn begin(client: &mut Client) -> Result<Transaction<'_>, Error> {
    let failed = || Error::query("begin to read the history");
    let transaction = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await
        .map_err(failed())?;
    transaction
        .batch_execute(
            "SET LOCAL search_path = pg_catalog; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD';
             SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex';
             SET LOCAL lc_monetary = 'C'; SET LOCAL xmloption = 'content';
             DO $$
             BEGIN
               IF EXISTS (SELECT FROM pg_class c
                          WHERE c.relnamespace IN ('pgtrack'::regnamespace, 'pgtrack_history'::regnamespace) AND c.relkind = 'r'
                            AND row_security_active(c.oid) AND NOT (c.oid = 'pgtrack.statement'::regclass AND pgtrack._acts_for_owner()))
               THEN
                 RAISE EXCEPTION 'row security may hide a part of the history from %', current_user USING
                   ERRCODE = 'insufficient_privilege', HINT = 'Let the owner of pg_track or a superuser do this.';
               END IF;
             END $$",
        )
        .await
        .map_err(failed())?;
    Ok(transaction)
}

async fn add(client: &mut Client, archive: &Archive) -> Result<Exported, Error> {
    let transaction = begin(client).await?;
    let mut exported = Exported::default();
    let Some(identity) = identity(&transaction).await? else { return Ok(exported) };
    if !archive.create(IDENTITY, &identity).await? {
        require(archive, &identity).await?;
    }
    let (manifests, mut unfinished) = runs(archive).await?;
    let mut run = u32::try_from(manifests.len()).unwrap_or(u32::MAX);
    let mut last = manifests.into_iter().next_back().map(|manifest| manifest.plan.cut);
    loop {
        let next = cut::next(&transaction, last.as_ref()).await?;
        run += 1;
        let plan = match (unfinished.take(), next) {
            (Some(plan), _) => plan,
            (None, None) => break,
            (None, Some(cut)) => {
                let plan = Plan { run, relations: relations(&transaction, &cut).await?, cut };
                create(archive, &plan_path(run), &plan).await?;
                plan
            }
        };
        last = Some(plan.cut.clone());
        let files = write(&transaction, archive, &plan).await?;
        for file in &files {
            exported.files += 1;
            exported.bytes += file.bytes;
            if file.dataset == Dataset::Changes {
                exported.changes += file.rows;
            }
        }
        create(archive, &manifest_path(run), &Manifest { plan, files }).await?;
    }
    transaction.commit().await.map_err(Error::query("end reading the history"))?;
    Ok(exported)
}

/// Fails if the archive is another database's.
pub(crate) async fn require(archive: &Archive, identity: &Identity) -> Result<(), Error> {
    match archive.record::<Identity>(IDENTITY).await? {
        Some(found) if found == *identity => Ok(()),
        _ => Err(Error::OtherDatabase),
    }
}

/// None before anything was recorded.
pub(crate) async fn identity(transaction: &Transaction<'_>) -> Result<Option<Identity>, Error> {
    let query =
        "SELECT e.system_identifier, (extract(epoch FROM e.began_at) * 1000000)::bigint AS began_at
                 FROM pgtrack.epoch e ORDER BY e.first_statement_id LIMIT 1";
    let row = transaction.query_opt(query, &[]).await;
    let row = row.map_err(Error::query("ask where the history began"))?;
    Ok(row.map(|row| Identity {
        format: 1,
        system_identifier: row.get("system_identifier"),
        began_at: row.get("began_at"),
    }))
}

async fn create(
    archive: &Archive,
    path: &str,
    record: &impl serde::Serialize,
) -> Result<(), Error> {
    if archive.create(path, record).await? {
        Ok(())
    } else {
        Err(Error::Overtaken { path: path.to_owned() })
    }
}

async fn relations(transaction: &Transaction<'_>, cut: &cut::Cut) -> Result<Vec<Relation>, Error> {
    let query = format!(
        "SELECT r.relation_id, format('%I.%I', r.schema_name, r.table_name) AS name FROM pgtrack.relation r
         WHERE EXISTS (SELECT FROM pgtrack.statement s WHERE s.relation_id = r.relation_id AND {}) ORDER BY 1",
        cut.condition()
    );
    let rows = transaction.query(&query, &[]).await.map_err(Error::query("list the tables"))?;
    Ok(rows
        .iter()
        .map(|row| Relation { relation_id: row.get("relation_id"), table: row.get("name") })
        .collect())
}

/// Writes a run's files. What else has the run's names is of one that died, when there was more to write.
async fn write(
    transaction: &Transaction<'_>,
    archive: &Archive,
    plan: &Plan,
) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    for relation in &plan.relations {
        for source in Source::of(transaction, relation).await? {
            write_source(transaction, archive, plan, &source, &mut files).await?;
        }
    }
    for dataset in [Dataset::Changes, Dataset::KeyChanges] {
        for path in archive.list(dataset.folder()).await? {
            if run_of(&path) == Some(plan.run) && !files.iter().any(|file| file.path == path) {
                archive.delete(&path).await?;
            }
        }
    }
    Ok(files)
}

async fn write_source(
    transaction: &Transaction<'_>,
    archive: &Archive,
    plan: &Plan,
    source: &Source,
    files: &mut Vec<File>,
) -> Result<(), Error> {
    let columns: Vec<Column> = source.parts.iter().map(|part| part.column.clone()).collect();
    let expressions: Vec<&str> = source.parts.iter().map(|part| part.expression.as_str()).collect();
    let mut rows = source.rows(transaction, &expressions, &plan.cut.condition()).await?;
    let mut open: Option<Part> = None;
    let mut number = 0;
    while let Some(row) = rows.next().await? {
        let (day, statement): (&str, i64) = (row.get(0), row.get(1));
        if let Some(part) = open.take_if(|part| part.ends_before(day, statement)) {
            files.push(part.write(archive, plan, source).await?);
        }
        let part = open.get_or_insert_with(|| {
            number += 1;
            Part::new(number, day, statement, columns.clone())
        });
        part.last_statement = statement;
        part.batch.push(&row, 2)?;
    }
    if let Some(part) = open {
        files.push(part.write(archive, plan, source).await?);
    }
    Ok(())
}

/// A file that is being filled.
struct Part {
    number: u32,
    day: String,
    first_statement: i64,
    last_statement: i64,
    batch: Batch,
}

impl Part {
    fn new(number: u32, day: &str, statement: i64, columns: Vec<Column>) -> Self {
        Self {
            number,
            day: day.to_owned(),
            first_statement: statement,
            last_statement: statement,
            batch: Batch::new(columns),
        }
    }

    fn ends_before(&self, day: &str, statement: i64) -> bool {
        let (rows, bytes) = (self.batch.rows, self.batch.bytes);
        day != self.day
            || (statement != self.last_statement && (rows >= ROWS || bytes >= BYTES))
            || rows >= ROWS * WITHIN_STATEMENT
            || bytes >= BYTES * WITHIN_STATEMENT
    }

    async fn write(self, archive: &Archive, plan: &Plan, source: &Source) -> Result<File, Error> {
        let Self { number, day, first_statement, last_statement, batch } = self;
        let path = file_path(plan.run, &source.relation, source.dataset, &day, number);
        let rows = batch.rows as u64;
        let about = vec![
            ("table", source.relation.table.clone()),
            ("relation_id", source.relation.relation_id.to_string()),
            ("key_columns", source.keys.join(",")),
            ("run", plan.run.to_string()),
        ];
        let (content, columns) =
            batch.into_file(about).map_err(Error::parquet(format!("write `{path}`")))?;
        let file = File {
            dataset: source.dataset,
            relation_id: source.relation.relation_id,
            day,
            rows,
            first_statement_id: first_statement,
            last_statement_id: last_statement,
            bytes: content.len() as u64,
            sha256: sha256(&content),
            columns,
            path,
        };
        archive.write(&file.path, content).await?;
        Ok(file)
    }
}

/// In hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
