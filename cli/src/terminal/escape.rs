//! What comes from a database must not command the terminal.

/// The text on one line, with control characters written as escapes.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        // Besides control characters, those that turn the direction of writing.
        let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(escaped("Zoë 🐘"), "Zoë 🐘");
        assert_eq!(escaped("a\x1b[2J\r\nb\u{9b}\u{202e}"), r"a\u{1b}[2J\r\nb\u{9b}\u{202e}");
    }
}
