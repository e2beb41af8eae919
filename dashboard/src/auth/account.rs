//! Accounts, and what each role may do.

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
    pub(crate) const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

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

/// What a person may do in one connection, if that is not their role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    /// They do not see it.
    None,
    Role(Role),
}

impl Grant {
    pub(crate) const ALL: [Self; 4] =
        [Self::None, Self::Role(Role::Viewer), Self::Role(Role::Operator), Self::Role(Role::Admin)];

    /// The word that is stored and sent.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Role(role) => role.word(),
        }
    }

    /// Reads a stored word; one that we do not know grants nothing.
    pub(crate) fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|grant| grant.word() == word).unwrap_or(Self::None)
    }

    pub(crate) fn role(self) -> Option<Role> {
        match self {
            Self::None => None,
            Self::Role(role) => Some(role),
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
    /// The password is one that everybody tries first.
    #[error(
        "this password is too easy to guess; a few words that do not belong together are better"
    )]
    PasswordCommon,
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

#[cfg(test)]
mod tests {
    use super::{AccountError, Role, check_name};

    #[test]
    fn names_are_trimmed_and_checked() {
        assert_eq!(check_name("  alice "), Ok("alice"));
        assert_eq!(check_name("Ålice 🦀"), Ok("Ålice 🦀"));
        for bad in ["", "   ", "a\nb", "a\u{0}b", &"x".repeat(65)] {
            assert_eq!(check_name(bad), Err(AccountError::Name), "{bad:?}");
        }
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
