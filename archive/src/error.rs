//! What can go wrong with an archive.

/// A failed operation on an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive's address makes no sense, or is of a kind that this program was built without.
    #[error("`{url}` is no place for an archive: {reason}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store refused, or cannot be reached.
    #[error("could not {action}")]
    Store {
        /// What was attempted, as a verb ("write runs/00000001.json").
        action: String,
        /// The store's reason.
        #[source]
        source: object_store::Error,
    },
    /// The database could not be read.
    #[error("could not {action}")]
    Query {
        /// What was attempted, as a verb.
        action: String,
        /// The server's or the driver's reason.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A file of the archive could not be written or understood.
    #[error("could not {action}")]
    Parquet {
        /// What was attempted, as a verb.
        action: String,
        /// The reason.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A file that says what the archive holds is not understood.
    #[error("`{path}` in the archive is not understood")]
    Record {
        /// The file.
        path: String,
        /// The reason.
        #[source]
        source: serde_json::Error,
    },
    /// Somebody else exports from this database.
    #[error(
        "another export or purge of this database's history is running\nhint: wait until it has ended"
    )]
    Busy,
    /// Somebody else writes to this archive.
    #[error(
        "`{path}` was written by somebody else meanwhile\nhint: export from one place to one archive"
    )]
    Overtaken {
        /// The file.
        path: String,
    },
    /// The archive is another database's.
    #[error(
        "the archive is of another database, or of a copy of this one that went on by itself\nhint: export to a new URL"
    )]
    OtherDatabase,
    /// The database was taken back to a point before the archive's end.
    #[error(
        "the archive goes on to transaction {archived}, this database only to {present}: it was restored to an earlier point\nhint: export to a new URL"
    )]
    Behind {
        /// The first transaction that the archive does not have.
        archived: u64,
        /// The first transaction that may still be running.
        present: u64,
    },
    /// The archive does not hold what is to be dropped.
    #[error("the archive does not hold all that would be forgotten: {reason}\nhint: {hint}")]
    NotArchived {
        /// What is missing, and of which table.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// The server sent a value in a form that we do not know.
    #[error("a value of column {column} is not in the form that its type has")]
    Value {
        /// The column.
        column: String,
    },
}

impl Error {
    pub(crate) fn store(action: impl Into<String>) -> impl FnOnce(object_store::Error) -> Self {
        let action = action.into();
        move |source| Self::Store { action, source }
    }

    pub(crate) fn query(action: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let action = action.into();
        move |source| Self::Query { action, source }
    }

    pub(crate) fn parquet(
        action: impl Into<String>,
    ) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let action = action.into();
        move |source| Self::Parquet { action, source }
    }
}
