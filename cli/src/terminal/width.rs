//! How much stands on a line.

use std::fs::File;
use std::io::{IsTerminal as _, stdout};
use std::process::{Command, Stdio};

use unicode_width::UnicodeWidthChar as _;

/// How many columns the terminal has that standard output is; `None` where it is none, or does not say.
pub(super) fn columns() -> Option<usize> {
    if !stdout().is_terminal() {
        return None;
    }
    let terminal = File::open("/dev/tty").ok()?;
    let said =
        Command::new("stty").arg("size").stdin(terminal).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    said.split_whitespace().nth(1)?.parse().ok().filter(|columns| *columns > 0)
}

/// The text, or as much of it as fits; `None` is as much as there is.
pub(crate) fn cut(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let mut width = 0;
    for (position, character) in text.char_indices() {
        width += character.width().unwrap_or_default();
        if width > columns {
            let mut kept = text[..position].to_owned();
            // The sign that something is missing takes the last column.
            let mut rest = width - character.width().unwrap_or_default();
            while rest >= columns.max(1) {
                match kept.pop() {
                    Some(last) => rest -= last.width().unwrap_or_default(),
                    None => break,
                }
            }
            return if columns == 0 { String::new() } else { kept + "…" };
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn what_does_not_fit_is_cut() {
        for (text, columns, expected) in [
            ("abc", None, "abc"),
            ("abc", Some(3), "abc"),
            ("abcd", Some(3), "ab…"),
            ("表表表", Some(5), "表表…"),
            ("表表表", Some(4), "表…"),
            ("abc", Some(1), "…"),
            ("abc", Some(0), ""),
        ] {
            assert_eq!(cut(text, columns), expected, "{text} {columns:?}");
        }
    }
}
