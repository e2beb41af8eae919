//! Rules about columns, for each connection: whose changes alone are not worth showing, and whose values some roles
//! do not see. They change what pages show, never what is recorded or reverted.

mod hiding;
mod pattern;

use pgtrack_tracker::TableName;

use crate::auth::Role;
use crate::table_name;

pub(crate) use hiding::is_hidden;
pub(crate) use pattern::{Pattern, parse_list};

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A change of nothing else is not shown in lists.
    Ignore,
    /// Viewers do not see the values.
    HideFromViewers,
    /// Viewers and operators do not see the values.
    HideFromOperators,
}

impl Purpose {
    pub(crate) const ALL: [Self; 3] =
        [Self::Ignore, Self::HideFromViewers, Self::HideFromOperators];

    /// The word that is stored.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::HideFromViewers => "hide from viewers",
            Self::HideFromOperators => "hide from operators",
        }
    }

    /// What we do not know is kept from most.
    pub(crate) fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|one| one.word() == word).unwrap_or(Self::HideFromOperators)
    }

    fn hides_from(self, role: Role) -> bool {
        match self {
            Self::Ignore => false,
            Self::HideFromViewers => role <= Role::Viewer,
            Self::HideFromOperators => role <= Role::Operator,
        }
    }
}

/// A rule of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) purpose: Purpose,
    pub(crate) pattern: Pattern,
}

/// The rules as they are for one person in one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    ignored: Vec<Pattern>,
    hidden: Vec<Pattern>,
}

impl Rules {
    pub(crate) fn new(rules: &[Rule], role: Role) -> Self {
        let patterns = |is_meant: &dyn Fn(Purpose) -> bool| {
            let meant = rules.iter().filter(|rule| is_meant(rule.purpose));
            meant.map(|rule| rule.pattern.clone()).collect()
        };
        Self {
            ignored: patterns(&|purpose| purpose == Purpose::Ignore),
            hidden: patterns(&|purpose| purpose.hides_from(role)),
        }
    }

    /// Rules that only ignore columns.
    pub(crate) fn ignoring(patterns: Vec<Pattern>) -> Self {
        Self { ignored: patterns, hidden: Vec::new() }
    }

    /// Whether changes of some columns are not shown.
    pub(crate) fn ignores_any(&self) -> bool {
        !self.ignored.is_empty()
    }

    /// Whether some values are not shown.
    pub(crate) fn hides_any(&self) -> bool {
        !self.hidden.is_empty()
    }

    pub(crate) fn ignores(&self, table: &TableName, column: &str) -> bool {
        self.ignored.iter().any(|pattern| pattern.matches(table, column))
    }

    pub(crate) fn hides(&self, table: &TableName, column: &str) -> bool {
        self.hidden.iter().any(|pattern| pattern.matches(table, column))
    }

    /// The same of a table as the tracker names it. Of one that cannot be told every column is meant.
    pub(crate) fn hides_in(&self, table: &str, column: &str) -> bool {
        self.hides_any() && table_name::parse(table).is_none_or(|table| self.hides(&table, column))
    }

    /// The same of a table as the tracker names it.
    pub(crate) fn ignores_in(&self, table: &str, column: &str) -> bool {
        self.ignores_any()
            && table_name::parse(table).is_some_and(|table| self.ignores(&table, column))
    }
}

#[cfg(test)]
mod tests {
    use pgtrack_tracker::TableName;

    use super::{Purpose, Rule, Rules, parse_list};
    use crate::auth::Role;

    fn rules(purpose: Purpose, text: &str, role: Role) -> Rules {
        let patterns = parse_list(text).unwrap();
        let rules: Vec<_> = patterns.into_iter().map(|pattern| Rule { purpose, pattern }).collect();
        Rules::new(&rules, role)
    }

    #[test]
    fn a_rule_is_for_its_role_and_those_below() {
        let users = TableName { schema: "shop".to_owned(), name: "users".to_owned() };
        for (purpose, hidden_from) in [
            (Purpose::Ignore, &[] as &[Role]),
            (Purpose::HideFromViewers, &[Role::Viewer]),
            (Purpose::HideFromOperators, &[Role::Viewer, Role::Operator]),
        ] {
            for role in Role::ALL {
                let rules = rules(purpose, "users.email", role);
                assert_eq!(rules.hides(&users, "email"), hidden_from.contains(&role), "{role:?}");
                assert_eq!(rules.ignores(&users, "email"), purpose == Purpose::Ignore);
                assert!(!rules.hides(&users, "name") && !rules.ignores(&users, "name"));
            }
        }
        assert_eq!(Purpose::from_word("something newer"), Purpose::HideFromOperators);
    }

    #[test]
    fn a_table_that_cannot_be_told_is_hidden_whole() {
        let rules = rules(Purpose::HideFromViewers, "users.email", Role::Viewer);
        assert!(rules.hides_in("nonsense", "name"));
        assert!(!rules.hides_in("shop.users", "name"));
        assert!(!Rules::default().hides_in("nonsense", "name"));
    }
}
