//! What the parser's summary tells: enough for most texts, at a fraction of the price of a tree.

use pg_query::ParserOptions;
use pg_query::protobuf::summary_result::Context;
use pg_query::protobuf::{SummaryResult, Token};

use super::analyze::refused;
use super::keyword::Keyword;
use super::{Call, ObjectName, Opaque, Statement, Write, kind, tree};
use crate::Operation;
use crate::calls::is_audited;

/// Statements that begin otherwise need their tree.
const QUERY_KEYWORDS: [&str; 7] =
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES", "TABLE"];

/// How our schema is written, when it is not in escapes.
const SCHEMA: Keyword = Keyword::new(tree::SCHEMA);
/// What an identifier in escapes begins with.
const ESCAPES: Keyword = Keyword::new("u&\"");
const CONFLICT: Keyword = Keyword::new("conflict");

/// Whether a text may call a function of ours by its schema, in any spelling.
///
/// A filter, not a decision: it also finds the word in literals and comments, and misses calls that the text does not
/// show (through `search_path`, or in functions and `DO` blocks).
pub fn mentions_pgtrack(text: &[u8]) -> bool {
    SCHEMA.is_in(text) || ESCAPES.is_in(text)
}

/// Describes a text that is one plain query; `None` if it takes a tree to do that in full.
pub(super) fn statement(sql: &str, options: ParserOptions) -> Result<Option<Statement>, Opaque> {
    if !is_candidate(sql, options) {
        return Ok(None);
    }
    let summary = pg_query::summary(sql, options, -1).map_err(refused)?.protobuf;
    let has_other_context = summary
        .tables
        .iter()
        .any(|table| !matches!(table.context(), Context::Select | Context::Dml));
    let types: Vec<_> = summary.statement_types.iter().map(String::as_str).collect();
    let changes = types.iter().filter(|name| **name != "SelectStmt");
    let mut changes = changes.copied();
    let (change, is_plain) = (changes.next(), changes.next().is_none() && !has_other_context);
    if !is_plain || types.is_empty() || summary.functions.iter().any(is_of_interest) {
        return Ok(None);
    }
    let operation = match change {
        None => return Ok(Some(described(&summary, "SelectStmt", None))),
        Some(_) if !summary.cte_names.is_empty() => return Ok(None),
        Some("InsertStmt") if !CONFLICT.is_in(sql.as_bytes()) => Operation::Insert,
        Some("UpdateStmt") if has_where(sql) => Operation::Update,
        Some("DeleteStmt") if has_where(sql) => Operation::Delete,
        Some(_) => return Ok(None),
    };
    Ok(Some(described(&summary, change.unwrap_or_default(), Some(operation))))
}

/// Describes a statement whose tree is too deep.
pub(super) fn outline(sql: &str, options: ParserOptions) -> Result<Statement, Opaque> {
    let summary = pg_query::summary(sql, options, -1).map_err(refused)?.protobuf;
    let types = &summary.statement_types;
    let operation = [
        ("InsertStmt", Operation::Insert),
        ("UpdateStmt", Operation::Update),
        ("DeleteStmt", Operation::Delete),
    ];
    let changes = types.iter().filter_map(|found| {
        operation.iter().find(|(name, _)| found == name).map(|(_, operation)| *operation)
    });
    let changes: Vec<_> = changes.collect();
    // The first type is the statement's own. Which of several operations is done to which table is not said.
    let own = types.first().map_or("", String::as_str);
    let operation = if let [only] = changes.as_slice() { Some(*only) } else { None };
    let mut statement = described(&summary, own, operation);
    statement.is_outline = true;
    let calls = summary.functions.iter().filter(|function| is_of_interest(function));
    for function in calls {
        let call = Call { verb: function.function_name.clone(), arguments: None, place: 0 };
        match (function.schema_name.as_str(), is_audited(&call.verb)) {
            (tree::SCHEMA, _) => statement.calls.push(call),
            ("", Some(_)) => statement.possible_calls.push(call),
            _ => statement.sets_path = true,
        }
    }
    Ok(statement)
}

/// Whether a summary may be enough: one statement, a query, none of our names.
fn is_candidate(sql: &str, options: ParserOptions) -> bool {
    let trimmed = sql.trim_matches(|c: char| c == ';' || c.is_ascii_whitespace());
    let keyword_end = trimmed.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
    let keyword = trimmed.get(..keyword_end).unwrap_or_default();
    // Behind a comment or a parenthesis, it may be anything.
    let may_be_query = keyword.is_empty()
        || QUERY_KEYWORDS.iter().any(|query| query.eq_ignore_ascii_case(keyword));
    // The scanner that looks for WHERE knows only standard-conforming literals.
    let is_ambiguous = options != ParserOptions::DEFAULT && trimmed.contains('\\');
    may_be_query && !is_ambiguous && !trimmed.contains(';') && !mentions_pgtrack(trimmed.as_bytes())
}

fn is_of_interest(function: &pg_query::protobuf::summary_result::Function) -> bool {
    tree::is_of_interest(&function.schema_name, &function.function_name)
}

fn described(summary: &SummaryResult, own_type: &str, operation: Option<Operation>) -> Statement {
    let (kind, tag) = kind::outline(own_type);
    let in_context = |context| {
        let tables = summary.tables.iter().filter(move |table| table.context() == context);
        tables.map(|table| ObjectName::new(&table.schema_name, &table.table_name))
    };
    let mut statement = Statement::new(kind, tag);
    statement.reads = in_context(Context::Select).collect();
    statement.reads.sort();
    statement.reads.dedup();
    let called = summary.functions.iter().filter(|function| function.context() == Context::Call);
    let names =
        called.map(|function| ObjectName::new(&function.schema_name, &function.function_name));
    statement.functions = names.collect();
    statement.functions.sort();
    statement.functions.dedup();
    if let Some(operation) = operation {
        let writes = in_context(Context::Dml);
        statement.writes =
            writes.map(|table| Write { table, operation, is_unfiltered: false }).collect();
        statement.writes.dedup();
    }
    statement
}

/// Whether an UPDATE or DELETE without `WITH` has a WHERE clause: every other one is in parentheses.
fn has_where(sql: &str) -> bool {
    let mut depth = 0_usize;
    let mut previous = 0;
    for token in pg_query::scan_tokens(sql).unwrap_or_default() {
        match token.token {
            found if found == Token::Ascii40 as i32 => depth += 1,
            found if found == Token::Ascii41 as i32 => depth = depth.saturating_sub(1),
            // `AS where` and `t.where` are names.
            found
                if found == Token::Where as i32
                    && depth == 0
                    && previous != Token::As as i32
                    && previous != Token::Ascii46 as i32 =>
            {
                return true;
            }
            _ => {}
        }
        if token.token != Token::CComment as i32 && token.token != Token::SqlComment as i32 {
            previous = token.token;
        }
    }
    false
}
