//! Which statements are wanted, and the SQL condition for it.

use std::fmt::Write as _;

use jiff::Timestamp;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::Error;
use crate::model::{Operation, RowKey};
use crate::table::TableName;

/// What is wrong with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// Rows are looked for in more than one table, or in none.
    #[error("a filter by row needs exactly one table")]
    NotOneTable,
    /// There is a value and no column.
    #[error("a filter by value needs a column")]
    NoColumn,
    /// The column is not there.
    #[error("the table has no such column")]
    UnknownColumn,
    /// There is a key and the table has none.
    #[error("the table has no primary key")]
    NoKey,
    /// The database does not say where its history is now.
    #[error("the database names no place in its history")]
    NoPlace,
}

/// What a statement has to be. An empty filter lets every statement pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// It changed one of these tables.
    pub tables: Vec<TableName>,
    /// It was one of these.
    pub operations: Vec<Operation>,
    /// The actor, the session user or the role.
    pub who: Option<String>,
    /// `application_name`.
    pub application: Option<String>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// The transaction.
    pub xid: Option<i64>,
    /// It undid something.
    pub is_revert: bool,
    /// This is in its text or in the reason that was given, in any case.
    pub text: Option<String>,
    /// It changed such a row; needs exactly one table.
    pub row: RowFilter,
    /// It gave this value, as text, to some column of a row, or took it away.
    pub value: Option<String>,
}

/// What a changed row has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFilter {
    /// It has this key.
    pub key: Option<RowKey>,
    /// This column was changed, or, with a value, had or got it.
    pub column: Option<String>,
    /// The value of the column, as text.
    pub value: Option<String>,
}

impl RowFilter {
    /// Whether every row will do.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

type Parameter = Box<dyn ToSql + Sync + Send>;

/// A filter as SQL, and the tables whose statements are to be looked at.
pub(super) struct Condition {
    /// Our numbers of the tables.
    pub(super) relations: Vec<i32>,
    /// Conditions on `pgtrack.statement s`, with a parameter each, written `{}`.
    parts: Vec<(String, Option<Parameter>)>,
}

impl Condition {
    /// Whether every statement of the tables passes.
    pub(super) fn is_open(&self) -> bool {
        self.parts.is_empty()
    }

    /// The condition, whose parameters are numbered from `first` on.
    pub(super) fn sql(&self, first: usize) -> String {
        let mut number = first;
        let mut sql = String::from("true");
        for (part, parameter) in &self.parts {
            sql.push_str(" AND ");
            sql.push_str(&part.replace("{}", &format!("${number}")));
            number += usize::from(parameter.is_some());
        }
        sql
    }

    /// The parameters of a query that has its own `fixed` ones first.
    pub(super) fn parameters<'a>(
        &'a self,
        fixed: &[&'a (dyn ToSql + Sync)],
    ) -> Vec<&'a (dyn ToSql + Sync)> {
        let own = self.parts.iter().filter_map(|(_, parameter)| parameter.as_deref());
        fixed.iter().copied().chain(own.map(|own| own as &(dyn ToSql + Sync))).collect()
    }

    fn add(&mut self, part: impl Into<String>, parameter: impl ToSql + Sync + Send + 'static) {
        self.parts.push((part.into(), Some(Box::new(parameter))));
    }
}

impl Filter {
    /// Whether every statement passes.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Looks up what the filter names.
    pub(super) async fn condition(&self, client: &Client) -> Result<Condition, Error> {
        let mut condition =
            Condition { relations: self.relations(client).await?, parts: Vec::new() };
        if !self.operations.is_empty() {
            let letters: Vec<String> =
                self.operations.iter().map(|one| one.word()[..1].to_owned()).collect();
            condition.add("s.operation::text = ANY ({}::text[])", letters);
        }
        if let Some(who) = &self.who {
            condition.add("{}::text IN (s.actor, s.user_name, s.role_name)", who.clone());
        }
        if let Some(application) = &self.application {
            condition.add("s.application = {}::text", application.clone());
        }
        if let Some(since) = self.since {
            condition.add("s.at >= {}::timestamptz", since);
        }
        if let Some(until) = self.until {
            condition.add("s.at < {}::timestamptz", until);
        }
        if let Some(xid) = self.xid {
            condition.add("s.xid = {}::text::xid8", xid.to_string());
        }
        if self.is_revert {
            condition.parts.push(("s.reverts <> ''".to_owned(), None));
        }
        if let Some(text) = &self.text {
            let pattern =
                format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
            // Texts are read through the view, which knows whose they are. OFFSET keeps it from being joined.
            condition.add(
                "EXISTS (SELECT FROM pgtrack.activity a WHERE a.relation_id = s.relation_id AND a.statement_id = s.statement_id
                           AND concat(a.message, ' ', a.query) ILIKE {}::text OFFSET 0)",
                pattern,
            );
        }
        if !self.row.is_open() {
            self.add_row_condition(client, &mut condition).await?;
        }
        if let Some(value) = &self.value {
            let part = value_condition(client, &condition.relations).await?;
            condition.add(part, value.clone());
        }
        Ok(condition)
    }

    async fn relations(&self, client: &Client) -> Result<Vec<i32>, Error> {
        let schemas: Vec<&str> = self.tables.iter().map(|table| &*table.schema).collect();
        let names: Vec<&str> = self.tables.iter().map(|table| &*table.name).collect();
        let query = "SELECT r.relation_id FROM pgtrack.relation r
                     WHERE cardinality($1::text[]) = 0
                        OR (r.schema_name::text, r.table_name::text) IN (SELECT * FROM unnest($1::text[], $2::text[]))
                     ORDER BY 1";
        let rows = client
            .query(query, &[&schemas, &names])
            .await
            .map_err(Error::query("look up the tables of a filter"))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The rows are found in the history table. What a change made of a row is in the row's next image.
    async fn add_row_condition(
        &self,
        client: &Client,
        condition: &mut Condition,
    ) -> Result<(), Error> {
        let [table] = &*self.tables else {
            return Err(Error::Filter { fault: FilterFault::NotOneTable });
        };
        if let Some(key) = &self.row.key {
            // Follows the row through changes of its key.
            condition.parts.push((
                format!(
                    "s.statement_id IN (SELECT h.statement_id FROM pgtrack.history_pk({}, {{}}::jsonb) h WHERE h.ver IS NOT NULL)",
                    literal(&table.to_string())
                ),
                Some(Box::new(key.to_json())),
            ));
        }
        let Some(column) = &self.row.column else {
            return match self.row.value {
                Some(_) => Err(Error::Filter { fault: FilterFault::NoColumn }),
                None => Ok(()),
            };
        };
        // Live values as they are stored, so that no cast or operator of the application's is called.
        let query = format!(
            "SELECT t.history_table, c.history_column, pgtrack._output_sql(format('n.%I', a.attname), a.atttypid) AS live_value,
                            {SAME_ROW} AS same_row, {} AS live_row
                     FROM pgtrack.tracked_table t JOIN pgtrack.relation_column c USING (relation_id)
                     JOIN pgtrack.relation r USING (relation_id)
                     JOIN pg_class l ON l.oid = r.relid AND l.relkind IN ('r', 'p')
                     JOIN pg_attribute a ON a.attrelid = r.relid AND a.attname = c.column_name
                     WHERE t.schema_name = $1 AND t.name = $2 AND c.column_name = $3 AND c.attnum IS NOT NULL",
            live_row("n")
        );
        let row = client
            .query_opt(&query, &[&table.schema, &table.name, column])
            .await
            .map_err(Error::query("look up the column of a filter"))?
            .ok_or(Error::Filter { fault: FilterFault::UnknownColumn })?;
        let history: String = row.get("history_table");
        let old = quote(row.get("history_column"));
        let same_row: Option<String> = row.get("same_row");
        let (Some(same_row), Some(live_row)) = (same_row, row.get::<_, Option<String>>("live_row"))
        else {
            return Err(Error::Filter { fault: FilterFault::NoKey });
        };
        // The value after a change: of the next image, or of the live row where there is none.
        let after = format!(
            "CASE WHEN s.operation IN ('D', 'T') THEN NULL ELSE coalesce(
               (SELECT ARRAY[n.{old}::text] FROM {history} n
                WHERE {same_row} AND n.pgtrack_statement_id > h.pgtrack_statement_id
                ORDER BY n.pgtrack_statement_id LIMIT 1),
               (SELECT ARRAY[({})::text] FROM {table} n WHERE {live_row})) END",
            row.get::<_, String>("live_value")
        );
        let before = format!("CASE WHEN s.operation <> 'I' THEN ARRAY[h.{old}::text] END");
        let rows = format!("SELECT FROM {history} h WHERE h.pgtrack_statement_id = s.statement_id");
        match &self.row.value {
            Some(value) => condition.add(
                format!(
                    "EXISTS ({rows} AND (({before})[1] = {{}}::text OR ({after})[1] = {{}}::text))"
                ),
                value.clone(),
            ),
            None => condition
                .parts
                .push((format!("EXISTS ({rows} AND {before} IS DISTINCT FROM {after})"), None)),
        }
        Ok(())
    }
}

/// In a query of tables `t`: the condition that the image `n` is of the row that the image `h` is of.
const SAME_ROW: &str = "(SELECT string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, format('n.%I', k.history_column),
                                                              format('h.%I', k.history_column)), ' AND ')
     FROM pgtrack._key_parts(t.relation_id) k)";

/// The same for the row of the table itself, under an alias.
fn live_row(alias: &str) -> String {
    format!(
        "(SELECT string_agg(pgtrack._live_is_sql(format('{alias}.%I', k.column_name), k.type, format('h.%I', k.history_column),
                                                k.operator, k.equality), ' AND ')
          FROM pgtrack._key_parts(t.relation_id) k)"
    )
}

/// Whether a value came or went with a statement on one of these tables, as far as we may read them. What a change made of
/// a row is in the row's next image `n`, or in the live row `l`.
async fn value_condition(client: &Client, relations: &[i32]) -> Result<String, Error> {
    // Live values as they are stored, so that no cast or operator of the application's is called.
    let query = format!(
        "SELECT t.relation_id, t.history_table, format('%I.%I', t.schema_name, t.name) AS table_name,
                        array_agg(c.history_column::text ORDER BY c.attnum) AS columns,
                        array_agg(pgtrack._output_sql(format('l.%I', a.attname), a.atttypid) ORDER BY c.attnum) AS live_values,
                        {SAME_ROW} AS same_row, {} AS live_row
                 FROM pgtrack.tracked_table t JOIN pgtrack.relation_column c USING (relation_id)
                 JOIN pgtrack.relation r USING (relation_id)
                 JOIN pg_class o ON o.oid = r.relid AND o.relkind IN ('r', 'p')
                 JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum = c.attnum
                 WHERE t.relation_id = ANY ($1) AND has_table_privilege(r.relid, 'SELECT')
                 GROUP BY t.relation_id, t.history_table, t.schema_name, t.name ORDER BY 1",
        live_row("l")
    );
    let rows = client
        .query(&query, &[&relations])
        .await
        .map_err(Error::query("look up the columns of a filter"))?;
    let mut sql = String::from("CASE s.relation_id");
    for row in &rows {
        let history: String = row.get("history_table");
        let (columns, lives): (Vec<String>, Vec<String>) =
            (row.get("columns"), row.get("live_values"));
        let id: i32 = row.get("relation_id");
        let keyed: (Option<String>, Option<String>) = (row.get("same_row"), row.get("live_row"));
        let rows = if let (Some(same_row), Some(live_row)) = keyed {
            let table: String = row.get("table_name");
            let differs = columns.iter().zip(&lives).map(|(column, live)| {
                    let column = quote(column);
                    format!(
                        "(s.operation <> 'I' AND h.{column}::text IS NOT DISTINCT FROM {{}}::text)
                         <> (s.operation NOT IN ('D', 'T') AND CASE WHEN n.pgtrack_statement_id IS NULL THEN ({live})::text
                                                                    ELSE n.{column}::text END IS NOT DISTINCT FROM {{}}::text)"
                    )
                });
            format!(
                    "FROM {history} h
                     LEFT JOIN LATERAL (SELECT n.* FROM {history} n
                                        WHERE {same_row} AND n.pgtrack_statement_id > h.pgtrack_statement_id
                                        ORDER BY n.pgtrack_statement_id LIMIT 1) n ON s.operation NOT IN ('D', 'T')
                     LEFT JOIN {table} l ON n.pgtrack_statement_id IS NULL AND s.operation NOT IN ('D', 'T') AND {live_row}
                     WHERE h.pgtrack_statement_id = s.statement_id AND ({})",
                    differs.collect::<Vec<_>>().join(" OR ")
                )
        } else {
            // Without a key no row is found again; its images have all that is known.
            let is_there = columns.iter().map(|column| format!("h.{}::text", quote(column)));
            let is_there = is_there.collect::<Vec<_>>().join(", ");
            format!(
                "FROM {history} h WHERE h.pgtrack_statement_id = s.statement_id AND {{}}::text IN ({is_there})"
            )
        };
        // Writing to a String cannot fail.
        let _ = write!(sql, " WHEN {id} THEN EXISTS (SELECT {rows})");
    }
    // The parameter is named where there is no table, too.
    Ok(format!("{sql} WHEN -1 THEN {{}}::text IS NULL ELSE false END"))
}

pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL takes it, whatever `standard_conforming_strings` says.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::{Condition, literal, quote};

    #[test]
    fn parameters_are_numbered_in_their_order() {
        let mut condition = Condition { relations: vec![1], parts: Vec::new() };
        assert_eq!(condition.sql(3), "true");
        condition.add("a = {} OR b = {}", 1_i64);
        condition.parts.push(("c".to_owned(), None));
        condition.add("d = {}", "x".to_owned());
        assert_eq!(condition.sql(3), "true AND a = $3 OR b = $3 AND c AND d = $4");
        assert_eq!(condition.parameters(&[&7_i32]).len(), 3);
    }

    #[test]
    fn names_and_texts_cannot_break_out() {
        assert_eq!(quote(r#"a"b"#), r#""a""b""#);
        assert_eq!(literal(r"a'\b"), r"E'a''\\b'");
    }
}
