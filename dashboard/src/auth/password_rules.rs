//! Which passwords are accepted. Length is what counts; rules about characters make passwords worse. What everybody
//! tries first is refused, however it is decorated.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::AccountError;

/// The shortest password that is accepted, in characters.
const MIN_LENGTH: usize = 12;
/// The longest, in bytes: long enough for any sentence, short enough to hash.
const MAX_LENGTH: usize = 1024;
/// Fewer different characters than this are a pattern.
const MIN_DIFFERENT: usize = 5;

static COMMON: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| include_str!("common.txt").split_whitespace().collect());

/// Whether somebody of this name may use a password.
pub(crate) fn check_password(password: &str, name: &str) -> Result<(), AccountError> {
    if password.chars().count() < MIN_LENGTH {
        Err(AccountError::PasswordTooShort)
    } else if password.len() > MAX_LENGTH {
        Err(AccountError::PasswordTooLong)
    } else if is_common(password, name) {
        Err(AccountError::PasswordCommon)
    } else {
        Ok(())
    }
}

fn is_common(password: &str, name: &str) -> bool {
    let plain = plain(password);
    let different: BTreeSet<char> = plain.chars().collect();
    if different.len() < MIN_DIFFERENT || is_sequence(&plain) {
        return true;
    }
    // A well-known word with digits and signs around it, or some of them one after the other.
    let letters: Vec<&str> =
        plain.split(|one: char| !one.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let own = self::plain(name);
    let is_known = |word: &str| COMMON.contains(word) || word == own || is_repeated(word);
    letters.iter().all(|word| is_known(word)) || COMMON.contains(&*letters.concat())
}

/// In lower case, with letters for the signs that stand for them.
fn plain(text: &str) -> String {
    let letter = |one: char| match one {
        '@' => 'a',
        '$' => 's',
        other => other,
    };
    text.to_lowercase().chars().map(letter).collect()
}

/// `abcdef…`, `987654…`, from key to key of the alphabet or the digits.
fn is_sequence(text: &str) -> bool {
    let steps: BTreeSet<i64> = text
        .chars()
        .zip(text.chars().skip(1))
        .map(|(a, b)| i64::from(u32::from(b)) - i64::from(u32::from(a)))
        .collect();
    // 1234567890 goes on with 1 or 0.
    steps.iter().filter(|step| ![-9, 9].contains(*step)).count() <= 1
}

/// `abcabcabc`: a word that is its beginning over and over.
fn is_repeated(word: &str) -> bool {
    let half = word.len() / 2;
    (1..=half).any(|length| {
        word.get(..length)
            .is_some_and(|part| COMMON.contains(part) && word.replace(part, "").is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::{AccountError, check_password};

    #[test]
    fn passwords_need_length() {
        assert_eq!(check_password("ååååååååååå", "ada"), Err(AccountError::PasswordTooShort));
        assert_eq!(check_password(&"xyz12".repeat(210), "ada"), Err(AccountError::PasswordTooLong));
        for good in
            ["correct horse battery", "korrekt-hest-42", "0f3a9bc2d1e84", "ein Satz mit Wörtern"]
        {
            assert_eq!(check_password(good, "ada"), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_everybody_tries_is_refused() {
        for bad in [
            "aaaaaaaaaaaa",
            "123456789012",
            "abcdefghijklm",
            "210987654321",
            "Password1234",
            "P@$$word!2026",
            "passwordpassword",
            "letmein-letmein",
            "qwertyuiop123",
            "adalovelace99",
            "2026-2026-2026",
            "welcome admin 1!",
        ] {
            let result = check_password(bad, "AdaLovelace");
            assert_eq!(result, Err(AccountError::PasswordCommon), "{bad}");
        }
    }
}
