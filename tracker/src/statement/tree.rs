//! What a parse tree reads, writes and calls, however deeply nested.
//!
//! The tree is walked in its generic form, so no place where an expression may stand can be forgotten.

use std::borrow::Cow;

use pg_query::protobuf::{CmdType, OnConflictAction};
use serde_json::Value;

use super::{Argument, Call, ObjectName, Statement, Write};
use crate::Operation;

/// The schema whose calls are looked at in detail.
pub(super) const SCHEMA: &str = "pgtrack";

/// What the `WHEN` clauses of a MERGE may do.
const MERGE_COMMANDS: [(CmdType, Operation); 3] = [
    (CmdType::CmdInsert, Operation::Insert),
    (CmdType::CmdUpdate, Operation::Update),
    (CmdType::CmdDelete, Operation::Delete),
];

/// Adds what a part of a parse tree does to the statement that it belongs to.
pub(super) fn collect(tree: &impl serde::Serialize, statement: &mut Statement) {
    if let Ok(tree) = serde_json::to_value(tree) {
        walk(&tree, &[], statement);
    }
    statement.reads.sort();
    statement.reads.dedup();
    statement.functions.sort();
    statement.functions.dedup();
}

/// Visits a node; `ctes` are the names that `WITH` gives in its place.
fn walk<'a>(node: &'a Value, ctes: &[&'a str], statement: &mut Statement) {
    match node {
        Value::Array(items) => items.iter().for_each(|item| walk(item, ctes, statement)),
        Value::Object(fields) => {
            let visible = with_clause(&node["with_clause"], ctes, statement);
            for (name, field) in fields {
                match name.as_str() {
                    // What `FOR UPDATE OF` names is in FROM, too, where an alias is not taken for a table.
                    "with_clause" | "locked_rels" => continue,
                    "RangeVar" => read(field, &visible, statement),
                    "InsertStmt" => insert(field, statement),
                    "UpdateStmt" => filtered(field, Operation::Update, statement),
                    "DeleteStmt" => filtered(field, Operation::Delete, statement),
                    "MergeStmt" => merge(field, statement),
                    "FuncCall" | "funccall" => call(field, statement),
                    _ => {}
                }
                walk(field, &visible, statement);
            }
        }
        _ => {}
    }
}

/// Visits the queries of a `WITH` clause, and returns the names that are visible behind it.
fn with_clause<'a, 'c>(
    clause: &'a Value,
    ctes: &'c [&'a str],
    statement: &mut Statement,
) -> Cow<'c, [&'a str]> {
    if clause.is_null() {
        return ctes.into();
    }
    let mut visible = ctes.to_vec();
    let queries = clause["ctes"].as_array().into_iter().flatten();
    let queries: Vec<_> = queries.map(|query| &query["node"]["CommonTableExpr"]).collect();
    let names = queries.iter().filter_map(|query| query["ctename"].as_str());
    if clause["recursive"] == true {
        visible.extend(names);
        for query in queries {
            walk(&query["ctequery"], &visible, statement);
        }
    } else {
        for query in queries {
            walk(&query["ctequery"], &visible, statement);
            visible.extend(query["ctename"].as_str());
        }
    }
    visible.into()
}

fn read(range: &Value, ctes: &[&str], statement: &mut Statement) {
    if let Some(table) = relation(range)
        && (table.schema.is_some() || !ctes.contains(&table.name.as_str()))
    {
        statement.reads.push(table);
    }
}

fn insert(insert: &Value, statement: &mut Statement) {
    write(insert, Operation::Insert, false, statement);
    if insert["on_conflict_clause"]["action"] == OnConflictAction::OnconflictUpdate as i32 {
        write(insert, Operation::Update, false, statement);
    }
}

fn filtered(change: &Value, operation: Operation, statement: &mut Statement) {
    write(change, operation, change["where_clause"].is_null(), statement);
}

fn merge(merge: &Value, statement: &mut Statement) {
    let clauses = merge["merge_when_clauses"].as_array().into_iter().flatten();
    let commands: Vec<_> =
        clauses.map(|clause| &clause["node"]["MergeWhenClause"]["command_type"]).collect();
    for (command, operation) in MERGE_COMMANDS {
        if commands.iter().any(|found| **found == command as i32) {
            write(merge, operation, false, statement);
        }
    }
}

fn write(change: &Value, operation: Operation, is_unfiltered: bool, statement: &mut Statement) {
    if let Some(table) = relation(&change["relation"]) {
        let write = Write { table, operation, is_unfiltered };
        if !statement.writes.contains(&write) {
            statement.writes.push(write);
        }
    }
}

fn call(call: &Value, statement: &mut Statement) {
    let parts = call["funcname"].as_array().into_iter().flatten();
    let parts: Vec<_> = parts.filter_map(|part| part["node"]["String"]["sval"].as_str()).collect();
    let Some(function) = ObjectName::from_parts(&parts) else { return };
    if function.schema.as_deref() == Some(SCHEMA) {
        let arguments = call["args"].as_array().into_iter().flatten().map(Argument::from_node);
        statement
            .calls
            .push(Call { verb: function.name.clone(), arguments: Some(arguments.collect()) });
    }
    statement.functions.push(function);
}

fn relation(range: &Value) -> Option<ObjectName> {
    Some(ObjectName::new(range["schemaname"].as_str()?, range["relname"].as_str()?))
}
