//! Another parser's opinion: on the texts that `sqlparser` understands, it must agree.

use pgtrack_tracker::statement::{Statement, Text, analyze};
use sqlparser::ast::{self, ObjectName, SetExpr, Statement as Peer, TableFactor, TableObject};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::specification::cases;

/// What both can tell of a statement: its command, the target of its change, and whether every row is changed.
type Opinion = (String, Option<String>, bool);

fn ours(statement: &Statement) -> Opinion {
    let write = statement.writes.first();
    let command = statement.tag.split(' ').take(2).collect::<Vec<_>>().join(" ");
    (
        command,
        write.map(|write| write.table.to_string()),
        write.is_some_and(|write| write.is_unfiltered),
    )
}

/// `None` for statements that the peer tells apart differently.
fn theirs(statement: &Peer) -> Option<Opinion> {
    let change = |command: &str, table: Option<String>, is_unfiltered| {
        Some((command.to_owned(), table, is_unfiltered))
    };
    match statement {
        Peer::Query(query) => match query.body.as_ref() {
            SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) => {
                theirs(inner)
            }
            _ if query.to_string().contains(" INTO ") || has_change(query) => None,
            _ => change("SELECT", None, false),
        },
        Peer::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => change("INSERT", Some(folded(name)), false),
            _ => None,
        },
        Peer::Update(update) => {
            change("UPDATE", target(&update.table.relation), update.selection.is_none())
        }
        Peer::Delete(delete) => {
            let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) =
                &delete.from;
            change("DELETE", target(&from.first()?.relation), delete.selection.is_none())
        }
        Peer::Truncate(truncate) => {
            let first = truncate.table_names.first()?;
            change("TRUNCATE TABLE", Some(folded(&first.name)), false)
        }
        Peer::CreateTable(create) if create.query.is_none() => change("CREATE TABLE", None, false),
        Peer::CreateView(create) if !create.materialized => change("CREATE VIEW", None, false),
        Peer::CreateIndex(_) => change("CREATE INDEX", None, false),
        Peer::CreateFunction(_) => change("CREATE FUNCTION", None, false),
        Peer::CreateSchema { .. } => change("CREATE SCHEMA", None, false),
        Peer::AlterTable(_) => change("ALTER TABLE", None, false),
        Peer::AlterIndex { .. } => change("ALTER INDEX", None, false),
        Peer::CreateTrigger(_) => change("CREATE TRIGGER", None, false),
        Peer::DropTrigger(_) => change("DROP TRIGGER", None, false),
        Peer::CreatePolicy(_) => change("CREATE POLICY", None, false),
        Peer::CreateExtension(_) => change("CREATE EXTENSION", None, false),
        Peer::DropExtension(_) => change("DROP EXTENSION", None, false),
        Peer::CreateSequence { .. } => change("CREATE SEQUENCE", None, false),
        Peer::Drop { object_type, .. } => {
            let words = object_type.to_string().split(' ').take(1).collect::<String>();
            change(&format!("DROP {words}"), None, false)
        }
        _ => None,
    }
}

fn target(table: &TableFactor) -> Option<String> {
    match table {
        TableFactor::Table { name, .. } => Some(folded(name)),
        _ => None,
    }
}

/// Whether a query's `WITH` changes rows; the peer's first target is then not the statement's own.
fn has_change(query: &ast::Query) -> bool {
    let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
    ctes.into_iter().any(|cte| {
        matches!(
            cte.query.body.as_ref(),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_)
        )
    })
}

/// A name as the server reads it.
fn folded(name: &ObjectName) -> String {
    let parts: Vec<_> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident())
        .map(|part| match part.quote_style {
            Some(_) => part.to_string(),
            None => part.value.to_lowercase(),
        })
        .collect();
    parts[parts.len().saturating_sub(2)..].join(".")
}

/// Compares what both understand, and returns how many statements that were.
fn compare(text: &str) -> usize {
    let analysis = analyze(&Text::utf8(text));
    let Ok(peers) = Parser::parse_sql(&PostgreSqlDialect {}, text) else { return 0 };
    // The peer takes ONLY for the table.
    let is_misread = text.contains(" ONLY ");
    if is_misread || analysis.opaque.is_some() || analysis.statements.len() != peers.len() {
        return 0;
    }
    let pairs = analysis.statements.iter().zip(&peers);
    let mut compared = 0;
    for (statement, peer) in pairs {
        if let Some(opinion) = theirs(peer) {
            assert_eq!(ours(statement), opinion, "{text}\n{peer:?}");
            compared += 1;
        }
    }
    compared
}

#[test]
fn the_peer_agrees_about_the_specification() {
    let compared: usize = cases().iter().map(|case| compare(&case.text)).sum();
    // Most of the others are utility statements that the peer does not know, or that it names otherwise.
    assert!(compared >= 140, "{compared}");
}

#[test]
fn the_peer_agrees_about_changes_of_every_shape() {
    let mut compared = 0;
    let tables = ["t", "s.t", "\"T\"", "S.T"];
    let conditions = ["", " WHERE a = 1", " WHERE a IN (SELECT b FROM u WHERE c)", " WHERE true"];
    let values = ["1", "(SELECT b FROM u WHERE c)", "'WHERE'", "f(1)", "$1", "u.where"];
    let returning = ["", " RETURNING a", " RETURNING (SELECT 1 WHERE a)"];
    for table in tables {
        for condition in conditions {
            for end in returning {
                for value in values {
                    let source = if value.starts_with('u') { " FROM u" } else { "" };
                    compared +=
                        compare(&format!("UPDATE {table} SET a = {value}{source}{condition}{end}"));
                }
                compared += compare(&format!("DELETE FROM {table}{condition}{end}"));
            }
        }
    }
    assert!(compared >= 300, "{compared}");
}
