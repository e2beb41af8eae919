//! Looks at one text, within bounds.
//!
//! The parser's tree is expensive, its summary is not. Most texts are understood from the summary (`summary`);
//! the rest are parsed in full (`kind`, `tree`).
//! The bounds come from measurements with hostile input: the lexer takes time quadratic in the depth of comments,
//! and a tree takes about a kilobyte of memory for each byte of text.

use memchr::memmem;
use pg_query::ParserOptions;

use super::{Analysis, Opaque, Statement, Tags, Text, kind, summary};

/// Longer texts are not parsed.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Texts with more occurrences of `/*` are not parsed.
pub const MAX_COMMENT_OPENINGS: usize = 16;

/// How much of the end of a long text is searched for a comment.
const TAIL_BYTES: usize = 8 * 1024;

/// Says what a text does.
///
/// Needs at most a few milliseconds for ordinary texts and a fraction of a second for the worst that pass the bounds.
/// Call it on a thread with at least 1 MiB of stack, and not on one that relays: better, use an
/// [`Analyzer`](super::Analyzer).
pub fn analyze(text: &Text) -> Analysis {
    if text.bytes.len() > MAX_TEXT_BYTES {
        return Analysis::opaque(Opaque::TooLarge, tags_at_end(&text.bytes));
    }
    if text.bytes.contains(&0) {
        return Analysis::opaque(Opaque::Nul, Tags::default());
    }
    let Some(sql) = text.decoded() else {
        return Analysis::opaque(Opaque::Encoding, Tags::default());
    };
    if memmem::find_iter(sql.as_bytes(), "/*").count() > MAX_COMMENT_OPENINGS {
        return Analysis::opaque(Opaque::TooManyComments, tags_at_end(sql.as_bytes()));
    }
    let tags = Tags::of(&sql, text.standard_conforming_strings);
    let options = if text.standard_conforming_strings {
        ParserOptions::DEFAULT
    } else {
        ParserOptions::DISABLE_STANDARD_CONFORMING_STRINGS
    };
    match statements(&sql, options) {
        Ok(statements) => Analysis { statements, opaque: None, tags },
        Err(why) => Analysis::opaque(why, tags),
    }
}

fn statements(sql: &str, options: ParserOptions) -> Result<Vec<Statement>, Opaque> {
    if let Some(statement) = summary::statement(sql, options)? {
        return Ok(vec![statement]);
    }
    match parsed(sql, options) {
        Err(Unparsed::TooDeep) => in_parts(sql, options),
        Err(Unparsed::Because(why)) => Err(why),
        Ok(statements) => Ok(statements),
    }
}

/// Why there is no tree.
enum Unparsed {
    /// The tree cannot be handed over, but a summary can.
    TooDeep,
    Because(Opaque),
}

/// Looks at the tree of a text.
fn parsed(sql: &str, options: ParserOptions) -> Result<Vec<Statement>, Unparsed> {
    let result = match pg_query::parse(sql, options) {
        Ok(result) => result,
        Err(pg_query::Error::Decode(_)) => return Err(Unparsed::TooDeep),
        Err(pg_query::Error::Parse(message)) if message.contains("too deep") => {
            return Err(Unparsed::TooDeep);
        }
        Err(error) => return Err(Unparsed::Because(refused(error))),
    };
    let nodes = result.protobuf.stmts.iter().filter_map(|raw| raw.stmt.as_ref()?.node.as_ref());
    Ok(nodes.map(kind::statement).collect())
}

/// Looks at each statement of a text on its own, so that one that nests too deeply does not hide the others.
fn in_parts(sql: &str, options: ParserOptions) -> Result<Vec<Statement>, Opaque> {
    let mut statements = Vec::new();
    for part in pg_query::split_with_parser(sql).map_err(refused)? {
        match parsed(part, options) {
            Ok(found) => statements.extend(found),
            Err(Unparsed::TooDeep) => statements.push(summary::outline(part, options)?),
            Err(Unparsed::Because(why)) => return Err(why),
        }
    }
    Ok(statements)
}

pub(super) fn refused(error: pg_query::Error) -> Opaque {
    match error {
        pg_query::Error::Parse(message) | pg_query::Error::Split(message) => {
            Opaque::Syntax(message)
        }
        _ => Opaque::Failed,
    }
}

fn tags_at_end(bytes: &[u8]) -> Tags {
    let tail = bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
    let comment =
        memmem::rfind(tail, b"/*").and_then(|start| str::from_utf8(tail.get(start..)?).ok());
    comment.map(Tags::at_end_of).unwrap_or_default()
}
