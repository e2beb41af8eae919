//! The first words of a text: enough to see that it prepares, executes or forgets a statement by SQL.

use super::request::Name;

/// What a text does with prepared statements.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Prepare(Name),
    Execute(Name),
    Deallocate(Name),
}

/// Reads the beginning of a text.
pub(super) fn verb(text: &[u8]) -> Option<Verb> {
    let (keyword, rest) = bare_word(skip(text))?;
    let is = |verb: &[u8]| keyword.eq_ignore_ascii_case(verb);
    let (is_prepare, is_deallocate) = (is(b"prepare"), is(b"deallocate"));
    if !is_prepare && !is_deallocate && !is(b"execute") {
        return None;
    }
    let (mut name, rest) = word(rest)?;
    // `PREPARE TRANSACTION 'x'` prepares no statement; a statement may have that name, though.
    if is_prepare && name == b"transaction" && skip(rest).starts_with(b"'") {
        return None;
    }
    if is_deallocate && name == b"prepare" {
        name = word(rest).map_or(name, |(name, _)| name);
    }
    let name = name.into();
    Some(match (is_prepare, is_deallocate) {
        (true, _) => Verb::Prepare(name),
        (_, true) => Verb::Deallocate(name),
        _ => Verb::Execute(name),
    })
}

/// Whether a text is of interest when it is completed: it does something with prepared statements, or creates something.
pub(super) fn is_followed(text: &[u8]) -> bool {
    begins_with(text, &[b"prepare", b"execute", b"deallocate", b"create"])
}

/// Whether a text begins with `CREATE`.
pub(super) fn creates(text: &[u8]) -> bool {
    begins_with(text, &[b"create"])
}

fn begins_with(text: &[u8], keywords: &[&[u8]]) -> bool {
    let text = skip(text);
    keywords.iter().any(|keyword| {
        text.split_at_checked(keyword.len()).is_some_and(|(first, rest)| {
            first.eq_ignore_ascii_case(keyword) && !rest.first().copied().is_some_and(is_part)
        })
    })
}

/// Reads an identifier: folded to lower case as the server does it, or quoted.
fn word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let text = skip(text);
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let mut name = Vec::new();
        let mut rest = quoted;
        loop {
            let end = memchr::memchr(b'"', rest)?;
            name.extend_from_slice(rest.get(..end)?);
            rest = rest.get(end.saturating_add(1)..)?;
            match rest.strip_prefix(b"\"") {
                Some(more) => {
                    name.push(b'"');
                    rest = more;
                }
                None => return Some((name, rest)),
            }
        }
    }
    bare_word(text).map(|(name, rest)| (name.to_ascii_lowercase(), rest))
}

/// Splits an identifier without quotes from what follows it.
fn bare_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !is_part(*byte)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(name, _)| !name.is_empty())
}

/// Whether an identifier without quotes goes on with this.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_$".contains(&byte) || !byte.is_ascii()
}

/// Skips white space, comments, and empty statements.
fn skip(mut text: &[u8]) -> &[u8] {
    loop {
        let trimmed = text.trim_ascii_start();
        text = if let Some(comment) = trimmed.strip_prefix(b"--") {
            memchr::memchr(b'\n', comment).and_then(|end| comment.get(end..)).unwrap_or_default()
        } else if let Some(comment) = trimmed.strip_prefix(b"/*") {
            behind_comment(comment)
        } else if let Some(rest) = trimmed.strip_prefix(b";") {
            rest
        } else {
            return trimmed;
        };
    }
}

/// Comments nest.
fn behind_comment(mut text: &[u8]) -> &[u8] {
    let mut depth = 1_u32;
    while let Some(at) = memchr::memchr2(b'*', b'/', text) {
        match text.get(at..at.saturating_add(2)) {
            Some(b"*/") => depth = depth.saturating_sub(1),
            Some(b"/*") => depth = depth.saturating_add(1),
            _ => {
                text = text.get(at.saturating_add(1)..).unwrap_or_default();
                continue;
            }
        }
        text = text.get(at.saturating_add(2)..).unwrap_or_default();
        if depth == 0 {
            return text;
        }
    }
    &[]
}
