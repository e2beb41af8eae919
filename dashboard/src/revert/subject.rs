//! What a revert is about, as the query string names it.

use axum::extract::Query;
use axum::http::Uri;
use jiff::Timestamp;
use pgtrack_tracker::revert::{Cause, Target};
use pgtrack_tracker::{RowKey, TableName};

use crate::links::encode;
use crate::table_name;

/// Names a revert in a URL: an act, and what it is done to.
///
/// Undo a change, restore a version, restore a deleted row and go back to a point are different acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject(Target);

impl Subject {
    /// The act of a form that selects transactions.
    pub(crate) const UNDO_TRANSACTIONS: &str = "undo-transactions";
    /// The act of a form that selects statements.
    pub(crate) const UNDO_STATEMENTS: &str = "undo-statements";
    /// The act of a form that takes a table back to a point.
    pub(crate) const REVERT_TABLE: &str = "revert-table";
    /// The act of a form that takes a schema back to a point.
    pub(crate) const REVERT_SCHEMA: &str = "revert-schema";

    /// Everything a transaction did.
    pub(crate) fn transaction(xid: i64) -> Self {
        Self(Target::Transaction(xid))
    }

    /// What some statements did.
    pub(crate) fn statements(ids: &[i64]) -> Self {
        Self(Target::Statements(ids.to_vec()))
    }

    /// The last change of a row.
    pub(crate) fn last_change(table: &TableName, key: &RowKey) -> Self {
        Self(Target::LastChange(table.clone(), key.clone()))
    }

    /// A row as it was right after a version.
    pub(crate) fn version(table: &TableName, key: &RowKey, version: i32) -> Self {
        Self(Target::Version(table.clone(), key.clone(), version))
    }

    /// A deleted row.
    pub(crate) fn deleted_row(table: &TableName, key: &RowKey) -> Self {
        Self(Target::DeletedRow(table.clone(), key.clone()))
    }

    /// A table as it was at a point.
    pub(crate) fn table(table: &TableName, point: &str) -> Self {
        Self(Target::Table(table.clone(), point.to_owned()))
    }

    /// Everything that somebody or something did.
    pub(crate) fn cause(cause: Cause) -> Self {
        Self(Target::Cause(cause))
    }

    /// What the tracker is to revert.
    pub(crate) fn target(&self) -> &Target {
        &self.0
    }

    /// Reads the pairs of a query string; `None` if they do not say fully what to revert.
    pub(crate) fn read(pairs: &[(String, String)]) -> Option<Self> {
        let given = |name: &str| {
            let values = pairs.iter().filter(|pair| pair.0 == name).map(|pair| pair.1.trim());
            values.filter(|value| !value.is_empty()).collect::<Vec<_>>()
        };
        let one = |name: &str| given(name).first().map(|value| (*value).to_owned());
        let numbers = |name: &str| -> Option<Vec<i64>> {
            let numbers: Option<Vec<i64>> =
                given(name).iter().map(|one| one.parse().ok()).collect();
            numbers.filter(|numbers| !numbers.is_empty())
        };
        let table = || table_name::parse(&one("table")?);
        let key = || RowKey::from_json(&one("key")?);
        let moment = |name: &str| one(name).map(|text| text.parse::<Timestamp>().ok());
        Some(Self(match one("act")?.as_str() {
            "undo-transaction" => Target::Transaction(one("xid")?.parse().ok()?),
            Self::UNDO_TRANSACTIONS => return Some(Self::transactions(&numbers("xid")?)),
            Self::UNDO_STATEMENTS => Target::Statements(numbers("statement")?),
            "undo-row" => Target::LastChange(table()?, key()?),
            "restore-row" => Target::DeletedRow(table()?, key()?),
            "restore-version" => Target::Version(table()?, key()?, one("version")?.parse().ok()?),
            Self::REVERT_TABLE => Target::Table(table()?, one("point")?),
            Self::REVERT_SCHEMA => Target::Schema(one("schema")?, one("point")?),
            "undo-cause" => {
                let cause = Cause {
                    actor: one("actor"),
                    application: one("application"),
                    user: one("user"),
                    from: moment("from").map_or(Some(None), |moment| moment.map(Some))?,
                    to: moment("to").map_or(Some(None), |moment| moment.map(Some))?,
                };
                let names = [&cause.actor, &cause.application, &cause.user];
                names.iter().any(|name| name.is_some()).then_some(Target::Cause(cause))?
            }
            _ => return None,
        }))
    }

    /// Reads a query string.
    pub(crate) fn from_query(query: &str) -> Option<Self> {
        let uri: Uri = format!("/?{query}").parse().ok()?;
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
        Self::read(&pairs)
    }

    /// Everything that some transactions did.
    pub(crate) fn transactions(xids: &[i64]) -> Self {
        match *xids {
            [xid] => Self::transaction(xid),
            ref several => Self(Target::Transactions(several.to_vec())),
        }
    }

    /// The query string that reads as this subject.
    pub(crate) fn query(&self) -> String {
        let act = match &self.0 {
            Target::Transaction(_) => "undo-transaction",
            Target::Transactions(_) => Self::UNDO_TRANSACTIONS,
            Target::Statements(_) => Self::UNDO_STATEMENTS,
            Target::LastChange(..) => "undo-row",
            Target::DeletedRow(..) => "restore-row",
            Target::Version(..) => "restore-version",
            Target::Table(..) => Self::REVERT_TABLE,
            Target::Schema(..) => Self::REVERT_SCHEMA,
            Target::Cause(_) => "undo-cause",
        };
        let pairs = pairs(&self.0);
        pairs.into_iter().fold(format!("act={act}"), |query, (name, value)| {
            format!("{query}&{name}={}", encode(&value))
        })
    }
}

fn pairs(target: &Target) -> Vec<(&'static str, String)> {
    let row = |table: &TableName, key: &RowKey| {
        vec![("table", table_name::write(table)), ("key", key.to_json().to_string())]
    };
    match target {
        Target::Transaction(xid) => vec![("xid", xid.to_string())],
        Target::Transactions(xids) => xids.iter().map(|xid| ("xid", xid.to_string())).collect(),
        Target::Statements(ids) => ids.iter().map(|id| ("statement", id.to_string())).collect(),
        Target::LastChange(table, key) | Target::DeletedRow(table, key) => row(table, key),
        Target::Version(table, key, version) => {
            let mut pairs = row(table, key);
            pairs.push(("version", version.to_string()));
            pairs
        }
        Target::Table(table, point) => {
            vec![("table", table_name::write(table)), ("point", point.clone())]
        }
        Target::Schema(schema, point) => {
            vec![("schema", schema.clone()), ("point", point.clone())]
        }
        Target::Cause(cause) => {
            let all = [
                ("actor", cause.actor.clone()),
                ("application", cause.application.clone()),
                ("user", cause.user.clone()),
                ("from", cause.from.map(|from| from.to_string())),
                ("to", cause.to.map(|to| to.to_string())),
            ];
            all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use pgtrack_tracker::revert::{Cause, Target};
    use pgtrack_tracker::{RowKey, TableName};

    use super::Subject;

    fn read(query: &str) -> Option<Subject> {
        Subject::from_query(query)
    }

    fn table(schema: &str, name: &str) -> TableName {
        TableName { schema: schema.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_subject_reads_back_from_its_query_string() {
        let key = RowKey::from_json(r#"{"name":"a&b=c/é \"<","n":1.50}"#).unwrap();
        let users = table("public", "users");
        let cause = Cause {
            application: Some("nightly".to_owned()),
            from: Some("2026-11-23T00:00:00Z".parse().unwrap()),
            ..Cause::default()
        };
        for subject in [
            Subject::transaction(42),
            Subject(Target::Transactions(vec![42, 43])),
            Subject::statements(&[7]),
            Subject::last_change(&users, &key),
            Subject::version(&table("public", "We&rd"), &key, 0),
            Subject::deleted_row(&users, &key),
            Subject::table(&users, "before-import"),
            Subject(Target::Schema("a b".to_owned(), "2026-11-23 14:00".to_owned())),
            Subject::cause(cause),
        ] {
            assert_eq!(read(&subject.query()).as_ref(), Some(&subject));
        }
    }

    #[test]
    fn one_selected_transaction_is_a_transaction() {
        assert_eq!(read("act=undo-transactions&xid=5"), Some(Subject::transaction(5)));
    }

    #[test]
    fn an_incomplete_subject_is_none() {
        for query in [
            "",
            "act=drop-table",
            "act=undo-transaction",
            "act=undo-transaction&xid=x",
            "act=undo-transactions",
            "act=undo-statements&statement=1&statement=x",
            "act=undo-row&table=users&key={}",
            "act=undo-row&table=public.users",
            "act=undo-row&table=public.users&key=7",
            "act=restore-version&table=public.users&key=%7B%22id%22:7%7D",
            "act=revert-table&table=public.users",
            "act=undo-cause&from=2026-11-23T00:00:00Z",
            "act=undo-cause&user=x&from=yesterday",
        ] {
            assert_eq!(read(query), None, "{query}");
        }
    }
}
