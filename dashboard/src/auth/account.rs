//! Accounts, and what each role may do.

/// The shortest password that is accepted, in characters.
const MIN_PASSWORD: usize = 12;
/// The longest, in bytes: long enough for any sentence, short enough to hash.
const MAX_PASSWORD: usize = 1024;
/// The longest name, in characters.
pub(super) const MAX_NAME: usize = 64;

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// What a person may do. Each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads the history.
    Viewer,
    /// Also undoes, reverts and restores.
    Operator,
    /// Also manages the dashboard.
    Admin,
}

impl Role {
    /// The word that is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads a stored word; whoever has a role that we do not know may only read.
    pub(crate) fn from_word(word: &str) -> Self {
        match word {
            "admin" => Self::Admin,
            "operator" => Self::Operator,
            _ => Self::Viewer,
        }
    }
}

/// Why an account cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The name is empty, too long, or has characters that cannot be seen.
    #[error("a name has 1 to 64 characters and no line breaks")]
    Name,
    /// Somebody has the name.
    #[error("this name is taken")]
    NameTaken,
    /// The password is too easy to guess.
    #[error("a password has at least 12 characters")]
    PasswordTooShort,
    /// The password is longer than any sentence.
    #[error("a password has at most 1024 bytes")]
    PasswordTooLong,
}

/// The name without surrounding blanks, if it can be one.
pub(crate) fn check_name(name: &str) -> Result<&str, AccountError> {
    let name = name.trim();
    let fits = (1..=MAX_NAME).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) { Ok(name) } else { Err(AccountError::Name) }
}

/// Whether a password may be used. Length is all that is asked for: rules about characters make passwords worse.
pub(crate) fn check_password(password: &str) -> Result<(), AccountError> {
    if password.chars().count() < MIN_PASSWORD {
        Err(AccountError::PasswordTooShort)
    } else if password.len() > MAX_PASSWORD {
        Err(AccountError::PasswordTooLong)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountError, Role, check_name, check_password};

    #[test]
    fn names_are_trimmed_and_checked() {
        assert_eq!(check_name("  alice "), Ok("alice"));
        assert_eq!(check_name("Ålice 🦀"), Ok("Ålice 🦀"));
        for bad in ["", "   ", "a\nb", "a\u{0}b", &"x".repeat(65)] {
            assert_eq!(check_name(bad), Err(AccountError::Name), "{bad:?}");
        }
    }

    #[test]
    fn passwords_need_length_and_nothing_else() {
        assert_eq!(check_password("aaaaaaaaaaaa"), Ok(()));
        assert_eq!(check_password("ååååååååååå"), Err(AccountError::PasswordTooShort));
        assert_eq!(check_password(&"x".repeat(1025)), Err(AccountError::PasswordTooLong));
    }

    #[test]
    fn an_unknown_role_may_only_read() {
        assert_eq!(Role::from_word("owner"), Role::Viewer);
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            assert_eq!(Role::from_word(role.word()), role);
        }
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    }
}
