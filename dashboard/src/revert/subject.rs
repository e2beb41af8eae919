//! What a revert is about, as the query string names it.

use pgtrack_tracker::RowKey;
use pgtrack_tracker::revert::Target;
use serde::Deserialize;

use crate::links::encode;
use crate::table_name;

/// Names a revert in a URL: an act, and what it is done to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Subject {
    act: Act,
    xid: Option<i64>,
    table: Option<String>,
    key: Option<String>,
    version: Option<i32>,
}

/// The acts of a revert. Undo, restore a version and restore a deleted row are three different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    UndoTransaction,
    UndoRow,
    RestoreVersion,
    RestoreRow,
}

impl Subject {
    /// Everything a transaction did.
    pub(crate) fn transaction(xid: i64) -> Self {
        let act = Act::UndoTransaction;
        Self { act, xid: Some(xid), table: None, key: None, version: None }
    }

    /// The last change of a row.
    pub(crate) fn last_change(table: &str, key: &RowKey) -> Self {
        Self::of_row(Act::UndoRow, table, key, None)
    }

    /// A row as it was right after a version.
    pub(crate) fn version(table: &str, key: &RowKey, version: i32) -> Self {
        Self::of_row(Act::RestoreVersion, table, key, Some(version))
    }

    /// A deleted row.
    pub(crate) fn deleted_row(table: &str, key: &RowKey) -> Self {
        Self::of_row(Act::RestoreRow, table, key, None)
    }

    fn of_row(act: Act, table: &str, key: &RowKey, version: Option<i32>) -> Self {
        let key = key.to_json().to_string();
        Self { act, xid: None, table: Some(table.to_owned()), key: Some(key), version }
    }

    /// What the tracker is to revert; `None` if the URL does not say it fully.
    pub(crate) fn target(&self) -> Option<Target> {
        if self.act == Act::UndoTransaction {
            return self.xid.map(Target::Transaction);
        }
        let table = table_name::parse(self.table.as_deref()?)?;
        let key = RowKey::from_json(self.key.as_deref()?)?;
        match self.act {
            Act::UndoRow => Some(Target::LastChange(table, key)),
            Act::RestoreRow => Some(Target::DeletedRow(table, key)),
            Act::RestoreVersion => Some(Target::Version(table, key, self.version?)),
            Act::UndoTransaction => None,
        }
    }

    /// The table and the key, for a revert of one row.
    pub(crate) fn row(&self) -> Option<(&str, RowKey)> {
        Some((self.table.as_deref()?, RowKey::from_json(self.key.as_deref()?)?))
    }

    /// The query string that reads as this subject.
    pub(crate) fn query(&self) -> String {
        let act = match self.act {
            Act::UndoTransaction => "undo-transaction",
            Act::UndoRow => "undo-row",
            Act::RestoreVersion => "restore-version",
            Act::RestoreRow => "restore-row",
        };
        let parameters = [
            ("xid", self.xid.map(|xid| xid.to_string())),
            ("table", self.table.clone()),
            ("key", self.key.clone()),
            ("version", self.version.map(|version| version.to_string())),
        ];
        let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.fold(format!("act={act}"), |query, (name, value)| {
            format!("{query}&{name}={}", encode(&value))
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use axum::http::Uri;
    use pgtrack_tracker::RowKey;

    use super::Subject;

    fn read(query: &str) -> Option<Subject> {
        let uri: Uri = format!("/?{query}").parse().unwrap();
        Query::try_from_uri(&uri).ok().map(|Query(subject)| subject)
    }

    #[test]
    fn a_subject_reads_back_from_its_query_string() {
        let key = RowKey::from_json(r#"{"name":"a&b=c/é \"<","n":1.50}"#).unwrap();
        for subject in [
            Subject::transaction(42),
            Subject::last_change("public.users", &key),
            Subject::version(r#"public."We&rd""#, &key, 0),
            Subject::deleted_row("public.users", &key),
        ] {
            assert_eq!(read(&subject.query()).as_ref(), Some(&subject));
            assert!(subject.target().is_some());
        }
    }

    #[test]
    fn an_incomplete_subject_has_no_target() {
        for query in [
            "act=undo-transaction",
            "act=undo-row&table=users&key={}",
            "act=undo-row&table=public.users",
            "act=undo-row&table=public.users&key=7",
            "act=restore-version&table=public.users&key=%7B%22id%22:7%7D",
        ] {
            assert_eq!(read(query).unwrap().target(), None, "{query}");
        }
        for query in ["", "act=drop-table", "act=undo-transaction&xid=x"] {
            assert!(read(query).is_none(), "{query}");
        }
    }
}
