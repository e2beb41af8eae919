//! What is read from the database for a file: the queries, and rows as they come.

use std::error::Error as StdError;

use futures_util::TryStreamExt as _;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Row, RowStream, Transaction};

use crate::Error;
use crate::column::{Column, Kind};
use crate::run::{Dataset, Relation};

/// How much a column says of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It is part of what was recorded.
    Recorded,
    /// The query text, which `pgtrack.erase()` removes.
    Query,
    /// It follows from the others and from keys, and may be understood otherwise later.
    Derived,
}

/// A column and the expression for it, of the kind's own type or text.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) column: Column,
    pub(crate) expression: String,
    pub(crate) weight: Weight,
}

/// The rows of one table for one kind of file.
pub(crate) struct Source {
    pub(crate) relation: Relation,
    pub(crate) dataset: Dataset,
    pub(crate) parts: Vec<Part>,
    /// The columns of the primary key, in its order.
    pub(crate) keys: Vec<String>,
    /// Whether the row h was erased by `pgtrack.erase()`, as an SQL condition.
    pub(crate) is_erased: String,
    history: String,
}

/// What is said of the statement, from `pgtrack.activity`.
const STATEMENT: [(&str, Kind, Weight); 16] = [
    ("statement_id", Kind::Int64, Weight::Recorded),
    ("xid", Kind::Int64, Weight::Recorded),
    ("at", Kind::Timestamptz, Weight::Recorded),
    ("operation", Kind::Text, Weight::Recorded),
    ("row_count", Kind::Int64, Weight::Recorded),
    ("who", Kind::Text, Weight::Derived),
    ("user_name", Kind::Text, Weight::Recorded),
    ("role_name", Kind::Text, Weight::Recorded),
    ("application", Kind::Text, Weight::Recorded),
    ("client_addr", Kind::Text, Weight::Derived),
    ("through_proxy", Kind::Bool, Weight::Derived),
    ("actor", Kind::Text, Weight::Derived),
    ("message", Kind::Text, Weight::Recorded),
    ("reverts", Kind::Text, Weight::Recorded),
    ("query", Kind::Text, Weight::Query),
    ("snapshot", Kind::Text, Weight::Recorded),
];

/// The columns of a history table. What was excluded since is nobody's to see.
const COLUMNS: &str = "
    SELECT a.attname::text AS name, a.attnum::integer AS id, a.atttypid AS type, a.atttypmod AS modifier
    FROM pgtrack.relation r
    JOIN pg_class t ON t.relname = r.history_table AND t.relnamespace = 'pgtrack_history'::regnamespace
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.history_column = a.attname
    WHERE r.relation_id = $1 AND (c.attnum IS NOT NULL OR c.until IS NOT NULL)
    ORDER BY a.attnum";

/// The history table, the key's columns there, and where values were erased what says so of h.
const TABLE: &str = "
    SELECT format('pgtrack_history.%I', r.history_table) AS history,
           ARRAY(SELECT c.history_column::text FROM pgtrack.relation_column c
                 WHERE c.relation_id = r.relation_id AND c.attnum IS NOT NULL AND c.column_name = ANY (r.key_columns)
                 ORDER BY array_position(r.key_columns, c.column_name)) AS keys,
           CASE WHEN r.relid IS NOT NULL AND EXISTS (SELECT FROM pgtrack.erasure e WHERE e.relation_id = r.relation_id)
             THEN (SELECT format('pgtrack._is_erased(%s, pgtrack._canonical_key(%s, %L), s.statement_id)',
                                 r.relation_id, f.key_json, f.key_record)
                   FROM pgtrack._shape(r.relid) f) END AS is_erased
    FROM pgtrack.relation r WHERE r.relation_id = $1";

impl Source {
    /// The changes of a table, and the changes of its rows' keys.
    pub(crate) async fn of(
        transaction: &Transaction<'_>,
        relation: &Relation,
    ) -> Result<[Self; 2], Error> {
        let failed = || Error::query(format!("read what is recorded of {}", relation.table));
        let id = &relation.relation_id;
        let table = transaction.query_one(TABLE, &[id]).await.map_err(failed())?;
        let mut parts: Vec<Part> = STATEMENT
            .into_iter()
            .map(|(name, kind, weight)| Part {
                column: Column { name: format!("pgtrack_{name}"), id: None, kind },
                expression: format!("s.{name}"),
                weight,
            })
            .collect();
        for row in transaction.query(COLUMNS, &[id]).await.map_err(failed())? {
            let name: &str = row.get("name");
            let (kind, is_text) = Kind::of(row.get("type"), row.get("modifier"));
            let mut free = name.to_owned();
            while parts.iter().any(|part| part.column.name == free) {
                free.push('_');
            }
            let quoted = format!("h.\"{}\"", name.replace('"', "\"\""));
            parts.push(Part {
                column: Column { name: free, id: Some(row.get("id")), kind },
                expression: if is_text { format!("({quoted})::text") } else { quoted },
                weight: Weight::Recorded,
            });
        }
        let history: String = table.get("history");
        let is_erased: Option<String> = table.get("is_erased");
        let changes = Self {
            relation: relation.clone(),
            dataset: Dataset::Changes,
            parts,
            keys: table.get("keys"),
            is_erased: is_erased.unwrap_or_else(|| "false".to_owned()),
            history: history.clone(),
        };
        let key_parts = [
            ("statement_id", Kind::Int64, "s.statement_id"),
            ("xid", Kind::Int64, "s.xid"),
            ("old_key", Kind::Json, "h.old_key::text"),
            ("new_key", Kind::Json, "h.new_key::text"),
        ];
        let key_changes = Self {
            relation: relation.clone(),
            dataset: Dataset::KeyChanges,
            parts: key_parts
                .into_iter()
                .map(|(name, kind, expression)| Part {
                    column: Column { name: format!("pgtrack_{name}"), id: None, kind },
                    expression: expression.to_owned(),
                    weight: Weight::Recorded,
                })
                .collect(),
            keys: Vec::new(),
            is_erased: "false".to_owned(),
            history,
        };
        Ok([changes, key_changes])
    }

    /// The rows of the statements `s` that meet a condition, in an order that stays: day, statement, expressions.
    pub(crate) async fn rows(
        &self,
        transaction: &Transaction<'_>,
        expressions: &[&str],
        condition: &str,
    ) -> Result<Rows, Error> {
        let listed =
            expressions.iter().fold(String::new(), |list, expression| list + ", " + expression);
        let query = self.query(&format!("s.day, s.statement_id{listed}"), condition);
        let order = match self.dataset {
            Dataset::Changes => "h.ctid",
            Dataset::KeyChanges => "h.old_key",
        };
        let action = format!("read what is recorded of {}", self.relation.table);
        let stream = transaction
            .query_raw(&format!("{query} ORDER BY 1, 2, {order}"), std::iter::empty::<&str>())
            .await
            .map_err(Error::query(action.clone()))?;
        Ok(Rows { stream: Box::pin(stream), action })
    }

    /// How many rows of the statements `s` meet a condition.
    pub(crate) async fn count(
        &self,
        transaction: &Transaction<'_>,
        condition: &str,
    ) -> Result<i64, Error> {
        let action = format!("count what is recorded of {}", self.relation.table);
        let query = self.query("count(*)", condition);
        Ok(transaction.query_one(&query, &[]).await.map_err(Error::query(action))?.get(0))
    }

    fn query(&self, what: &str, condition: &str) -> String {
        let id = self.relation.relation_id;
        let rows = match self.dataset {
            Dataset::Changes => {
                format!("{} h ON h.pgtrack_statement_id = s.statement_id", self.history)
            }
            Dataset::KeyChanges => {
                format!("pgtrack._noted_key_changes({id}) h ON h.statement_id = s.statement_id")
            }
        };
        // Who did it is found once for each statement, not for each row.
        format!(
            "WITH s AS MATERIALIZED (
               SELECT (s.at AT TIME ZONE 'UTC')::date::text AS day, s.snapshot::text AS snapshot, s.statement_id, a.xid, a.at,
                      a.operation, a.row_count, a.who, a.user_name, a.role_name, a.application, a.client_addr,
                      a.through_proxy, a.actor, a.message, a.reverts, a.query
               FROM pgtrack.statement s JOIN pgtrack.activity a USING (relation_id, statement_id)
               WHERE relation_id = {id} AND ({condition}))
             SELECT {what} FROM s JOIN {rows}"
        )
    }
}

/// Rows as the server sends them.
pub(crate) struct Rows {
    stream: std::pin::Pin<Box<RowStream>>,
    action: String,
}

impl Rows {
    pub(crate) async fn next(&mut self) -> Result<Option<Row>, Error> {
        self.stream.try_next().await.map_err(Error::query(self.action.clone()))
    }
}

/// A value as it came.
pub(crate) struct Wire<'a>(pub(crate) &'a [u8]);

impl<'a> FromSql<'a> for Wire<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
