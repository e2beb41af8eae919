//! What sessions may not do, or not without a warning or a tag: guard rails, and who may call which verbs.
//!
//! They keep people from mistakes. What a role may do is the database's own decision: its grants are the boundary.

use crate::observe::{Acts, Danger};

/// All rules. By default there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    /// The first that is for a session and says something about a danger decides.
    pub rails: Vec<Rail>,
    /// Who may call what.
    pub policy: Vec<PolicyRule>,
}

/// How some sessions are guarded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rail {
    /// Sessions in these databases; all if empty.
    pub databases: Vec<String>,
    /// Sessions of these roles; all if empty.
    pub roles: Vec<String>,
    /// Sessions with these values of `application_name`; all if empty.
    pub applications: Vec<String>,
    /// An UPDATE or DELETE without WHERE.
    pub unfiltered: Option<Response>,
    /// A TRUNCATE.
    pub truncate: Option<Response>,
    /// A DROP TABLE.
    pub drop_table: Option<Response>,
    /// A DROP COLUMN.
    pub drop_column: Option<Response>,
    /// An UPDATE or DELETE that has changed more rows is warned of.
    pub max_rows: Option<u64>,
    /// What cannot be analysed.
    pub unanalysed: Option<Unanalysed>,
}

/// What to do about what cannot be analysed: in time, for its length, or because it is not understood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unanalysed {
    /// Pass it on.
    #[default]
    Allow,
    /// Refuse it.
    Deny,
}

/// What to do about a danger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Response {
    /// Nothing.
    Allow,
    /// Send a NOTICE.
    Warn,
    /// Take a tag first, and keep what a drop would take along.
    Tag,
    /// Refuse.
    Deny,
}

/// Some verbs of `pgtrack` are for some roles only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyRule {
    /// The functions, without `_pk`; `*` for all that no rule names.
    pub verbs: Vec<String>,
    /// Who may call them.
    pub roles: Vec<String>,
    /// What cannot be analysed of all others.
    pub unanalysed: Unanalysed,
}

/// Whose session it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) database: &'a str,
    pub(crate) role: &'a str,
    pub(crate) application: &'a str,
}

impl Guard {
    /// Whether a text may matter to it.
    pub(crate) fn has_rails(&self) -> bool {
        !self.rails.is_empty()
    }

    /// Whether somebody may not call everything.
    pub(crate) fn has_policy(&self) -> bool {
        !self.policy.is_empty()
    }

    /// Whether there are sessions in which what cannot be analysed is refused.
    pub(crate) fn is_strict(&self) -> bool {
        self.rails.iter().any(|rail| rail.unanalysed == Some(Unanalysed::Deny))
            || self.policy.iter().any(|rule| rule.unanalysed == Unanalysed::Deny)
    }

    /// Whether what cannot be analysed is refused in this session.
    pub(crate) fn refuses_unanalysed(&self, subject: Subject<'_>) -> bool {
        let said = self.rails_for(subject).find_map(|rail| rail.unanalysed);
        said == Some(Unanalysed::Deny) || self.refuses_unknown_calls(subject.role)
    }

    /// Whether what may be a call that this role may not make is refused.
    pub(crate) fn refuses_unknown_calls(&self, role: &str) -> bool {
        let strict = self.policy.iter().filter(|rule| rule.unanalysed == Unanalysed::Deny);
        strict.flat_map(|rule| &rule.verbs).any(|verb| self.allows(role, verb) == Some(false))
    }

    /// The strongest response to what a text does, and what it is for.
    pub(crate) fn response(&self, subject: Subject<'_>, acts: &Acts) -> Option<(Response, Danger)> {
        let responses = acts.dangers.iter().filter_map(|danger| {
            let mut said = self.rails_for(subject).filter_map(|rail| rail.response(*danger));
            Some((said.next()?, *danger))
        });
        responses.max().filter(|(response, _)| *response != Response::Allow)
    }

    /// How many rows a statement may change without a warning.
    pub(crate) fn max_rows(&self, subject: Subject<'_>) -> Option<u64> {
        self.rails_for(subject).find_map(|rail| rail.max_rows)
    }

    /// The first verb that this role may not call.
    pub(crate) fn forbidden<'a>(&self, role: &str, acts: &'a Acts) -> Option<&'a str> {
        let verbs = acts.calls.iter().map(|call| call.verb.as_str());
        verbs
            .into_iter()
            .find(|verb| self.allows(role, verb).or_else(|| self.allows(role, "*")) == Some(false))
    }

    /// Whether the rules that name a verb are for this role; `None` if there are none.
    fn allows(&self, role: &str, verb: &str) -> Option<bool> {
        let mut rules =
            self.policy.iter().filter(|rule| rule.verbs.iter().any(|name| name == verb));
        let first = rules.next()?;
        let mut rules = rules.chain([first]);
        Some(rules.any(|rule| rule.roles.iter().any(|allowed| allowed == role)))
    }

    fn rails_for<'a>(&'a self, subject: Subject<'a>) -> impl Iterator<Item = &'a Rail> {
        let includes = |names: &[String], name: &str| {
            names.is_empty() || names.iter().any(|included| included == name)
        };
        self.rails.iter().filter(move |rail| {
            includes(&rail.databases, subject.database)
                && includes(&rail.roles, subject.role)
                && includes(&rail.applications, subject.application)
        })
    }
}

impl Rail {
    fn response(&self, danger: Danger) -> Option<Response> {
        match danger {
            Danger::UpdateAll | Danger::DeleteAll => self.unfiltered,
            Danger::Truncate => self.truncate,
            Danger::DropTable => self.drop_table,
            Danger::DropColumn => self.drop_column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Guard, PolicyRule, Rail, Response, Subject, Unanalysed};
    use crate::observe::{Acts, CalledFunction, Danger};

    #[test]
    fn the_first_rail_that_says_something_decides() {
        let ada = Rail {
            roles: vec!["ada".into()],
            unfiltered: Some(Response::Allow),
            ..Rail::default()
        };
        let all = Rail {
            unfiltered: Some(Response::Deny),
            truncate: Some(Response::Warn),
            ..Rail::default()
        };
        let guard = Guard { rails: vec![ada, all], policy: Vec::new() };
        let acts = Acts { dangers: vec![Danger::Truncate, Danger::DeleteAll], ..Acts::default() };
        for (role, response) in [
            ("ada", (Response::Warn, Danger::Truncate)),
            ("bob", (Response::Deny, Danger::DeleteAll)),
        ] {
            let subject = Subject { database: "shop", role, application: "" };
            assert_eq!(guard.response(subject, &acts), Some(response));
        }
        let acts = Acts { dangers: vec![Danger::DropTable], ..Acts::default() };
        let subject = Subject { database: "shop", role: "bob", application: "" };
        assert_eq!(guard.response(subject, &acts), None);
    }

    #[test]
    fn a_verb_is_for_the_roles_of_the_rules_that_name_it() {
        let rule = |verbs: &[&str], roles: &[&str]| PolicyRule {
            verbs: verbs.iter().map(ToString::to_string).collect(),
            roles: roles.iter().map(ToString::to_string).collect(),
            unanalysed: Unanalysed::default(),
        };
        let policy = vec![
            rule(&["purge"], &["dba"]),
            rule(&["purge", "erase"], &["dpo"]),
            rule(&["*"], &["ada"]),
        ];
        let guard = Guard { rails: Vec::new(), policy };
        for (role, verb, is_allowed) in [
            ("dba", "purge", true),
            ("dpo", "purge", true),
            ("dba", "erase", false),
            ("ada", "purge", false),
            ("ada", "undo", true),
            ("dba", "undo", false),
        ] {
            let call = CalledFunction {
                index: 0,
                verb: verb.into(),
                arguments: None,
                parameters: Vec::new(),
            };
            let acts = Acts { calls: vec![call], ..Acts::default() };
            assert_eq!(guard.forbidden(role, &acts).is_none(), is_allowed, "{role} {verb}");
            assert!(Guard::default().forbidden(role, &acts).is_none());
        }
    }

    #[test]
    fn what_is_not_analysed_is_refused_where_somebody_may_not_do_everything() {
        let rule = |verbs: &[&str], roles: &[&str], unanalysed| PolicyRule {
            verbs: verbs.iter().map(ToString::to_string).collect(),
            roles: roles.iter().map(ToString::to_string).collect(),
            unanalysed,
        };
        let policy = vec![
            rule(&["purge"], &["dba"], Unanalysed::Deny),
            rule(&["purge"], &["dpo"], Unanalysed::Allow),
            rule(&["erase"], &["dpo"], Unanalysed::Allow),
        ];
        let rail = Rail {
            applications: vec!["psql".into()],
            unanalysed: Some(Unanalysed::Deny),
            ..Rail::default()
        };
        let guard = Guard { rails: vec![rail], policy };
        assert!(guard.is_strict() && !Guard::default().is_strict());
        for (role, application, is_refused) in
            [("dba", "", false), ("dpo", "", false), ("ada", "", true), ("dba", "psql", true)]
        {
            let subject = Subject { database: "shop", role, application };
            assert_eq!(guard.refuses_unanalysed(subject), is_refused, "{role} {application}");
        }
    }
}
