//! What a parse tree reads, writes and calls, however deeply nested.
//!
//! The tree is walked in its generic form, so no place where an expression may stand can be forgotten.

use std::borrow::Cow;

use pg_query::protobuf::{CmdType, OnConflictAction};
use serde_json::Value;

use super::{Argument, Call, Keyword, Literal, ObjectName, Statement, Write};
use crate::Operation;
use crate::calls::is_audited;

/// The schema whose calls are looked at in detail.
pub(super) const SCHEMA: &str = "pgtrack";

/// The setting that says in which schemas names without one are looked for.
const SEARCH_PATH: &str = "search_path";

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
    // The fields of a node come in the order of their names.
    statement.calls.sort_by_key(|call| call.place);
    statement.possible_calls.sort_by_key(|call| call.place);
}

/// Whether a function, by its name alone, is looked at closely where it is called.
pub(super) fn is_of_interest(schema: &str, name: &str) -> bool {
    schema == SCHEMA
        || schema.is_empty() && is_audited(name).is_some()
        || is_set_config(schema, name)
}

fn is_set_config(schema: &str, name: &str) -> bool {
    matches!(schema, "" | "pg_catalog") && name == "set_config"
}

/// Whether a setting of this name and value has `pgtrack` on the `search_path`. What is not said may be that.
pub(super) fn is_path(name: Option<&Literal>, value: Option<&Literal>) -> bool {
    let is_name = match name {
        Some(Literal::Text(name)) => name.eq_ignore_ascii_case(SEARCH_PATH),
        _ => true,
    };
    is_name
        && match value {
            Some(Literal::Text(path)) => Keyword::new(SCHEMA).is_in(path.as_bytes()),
            Some(Literal::Null) => false,
            _ => true,
        }
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
    let schema = function.schema.as_deref().unwrap_or_default();
    if is_of_interest(schema, &function.name) {
        let arguments = call["args"].as_array().into_iter().flatten().map(Argument::from_node);
        let call = Call {
            verb: function.name.clone(),
            arguments: Some(arguments.collect()),
            place: call["location"].as_u64().and_then(|at| at.try_into().ok()).unwrap_or(0),
        };
        if is_set_config(schema, &function.name) {
            statement.sets_path |=
                is_path(call.argument("setting_name", 0), call.argument("new_value", 1));
        } else if schema == SCHEMA {
            statement.calls.push(call);
        } else {
            statement.possible_calls.push(call);
        }
    }
    statement.functions.push(function);
}

fn relation(range: &Value) -> Option<ObjectName> {
    Some(ObjectName::new(range["schemaname"].as_str()?, range["relname"].as_str()?))
}
