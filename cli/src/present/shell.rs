//! What the database advises, in the language of the shell.

use std::fmt::Write as _;

/// A hint of the database's, with calls of functions as commands where there is one for them.
pub(crate) fn in_shell(hint: &str) -> String {
    let hint = hint.replace(", or pass the schema as the argument \"schema\"", "");
    let mut text = String::new();
    let mut rest = hint.as_str();
    while let Some(position) = rest.find("pgtrack.") {
        let (before, call) = (&rest[..position], &rest[position..]);
        let Some((name, arguments, after)) = parse(call) else {
            text.push_str(&rest[..position + "pgtrack.".len()]);
            rest = &rest[position + "pgtrack.".len()..];
            continue;
        };
        if let Some(command) = command(name, &arguments) {
            let before = ["SELECT * FROM ", "SELECT "]
                .iter()
                .find_map(|words| before.strip_suffix(words))
                .unwrap_or(before);
            text.push_str(before);
            // Writing to a String cannot fail.
            let _ = write!(text, "`{command}`");
        } else {
            text.push_str(before);
            text.push_str(&call[..call.len() - after.len()]);
        }
        rest = after;
    }
    text.push_str(rest);
    for way in ["error", "force", "skip", "merge", "delta"] {
        text = text.replace(&format!("on_conflict => '{way}'"), &format!("--on-conflict {way}"));
    }
    text
}

/// The name and the arguments of a call that begins here, and what follows it.
fn parse(call: &str) -> Option<(&str, Vec<String>, &str)> {
    let (name, _) = call.strip_prefix("pgtrack.")?.split_once('(')?;
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return None;
    }
    let list = &call["pgtrack.".len() + name.len() + 1..];
    let (mut arguments, mut argument, mut is_quoted) = (Vec::new(), String::new(), false);
    for (position, character) in list.char_indices() {
        match character {
            // A quote in a text stands twice, which opens it again at once.
            '\'' => {
                if !is_quoted && list[..position].ends_with('\'') {
                    argument.push('\'');
                }
                is_quoted = !is_quoted;
            }
            ')' if !is_quoted => {
                arguments.push(argument.trim().to_owned());
                arguments.retain(|argument| !argument.is_empty());
                return Some((name, arguments, &list[position + 1..]));
            }
            ',' if !is_quoted => arguments.push(std::mem::take(&mut argument).trim().to_owned()),
            other => argument.push(other),
        }
    }
    None
}

fn command(name: &str, arguments: &[String]) -> Option<String> {
    let words = match (name, arguments.len()) {
        ("log", 0) => "log",
        ("log" | "changes", 1) => "log @",
        ("deleted", 1) => "deleted @",
        ("tags", 0) => "tag",
        ("untag", 1) => "tag @ --delete",
        ("track", 1) => "track @",
        ("untrack", 1) => "untrack @",
        ("history", 0) => "history",
        ("revert", 0) => "revert",
        ("diff", 0) => "diff",
        ("diff", 2) => "diff @ @",
        ("undo_transaction", 1) => "undo @",
        ("keep", 1) => "keep @",
        ("recover", 2) => "recover @ --column @",
        ("audit", 0) => "audit",
        _ => return None,
    };
    let mut given = arguments.iter();
    let words = words.split(' ').map(|word| match word {
        "@" => given.next().map_or_else(String::new, |argument| quoted(argument)),
        word => word.to_owned(),
    });
    Some(format!("pgtrack {}", words.collect::<Vec<_>>().join(" ")))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-:/".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::in_shell;

    #[test]
    fn calls_become_commands() {
        for (hint, expected) in [
            (
                "SELECT * FROM pgtrack.log() shows the latest transactions.",
                "`pgtrack log` shows the latest transactions.",
            ),
            (
                "SELECT * FROM pgtrack.tags() shows the tags, pgtrack.log() the transactions.",
                "`pgtrack tag` shows the tags, `pgtrack log` the transactions.",
            ),
            ("SELECT pgtrack.untag('a b') removes it.", "`pgtrack tag 'a b' --delete` removes it."),
            (
                "Start with SELECT * FROM pgtrack.track('shop.\"it''s\"'). Only then.",
                r#"Start with `pgtrack track 'shop."it'\''s"'`. Only then."#,
            ),
            (
                "Write it as 'schema.table', or pass the schema as the argument \"schema\".",
                "Write it as 'schema.table'.",
            ),
            (
                "on_conflict => 'force' does it all the same",
                "--on-conflict force does it all the same",
            ),
            // What has no command stays.
            (
                "SELECT * FROM pgtrack.track('t', '{\"query\": false}') repairs it.",
                "SELECT * FROM pgtrack.track('t', '{\"query\": false}') repairs it.",
            ),
            ("as pgtrack.follow_ddl( would", "as pgtrack.follow_ddl( would"),
        ] {
            assert_eq!(in_shell(hint), expected);
        }
    }
}
