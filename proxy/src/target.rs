//! Which servers the sessions of a database may go to, and in which order they are tried.

use std::fmt;
use std::str::FromStr;

use crate::Upstream;
use crate::roles::Role;

/// The servers behind a database: one, or a primary with its standbys. The names are those of libpq
/// (manual, "Connection Parameters").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Tried in this order.
    pub servers: Vec<Upstream>,
    /// What a server must be (`target_session_attrs`).
    pub session_attrs: SessionAttrs,
    /// Whether the order is drawn by lot for each session (`load_balance_hosts=random`).
    pub balances_load: bool,
}

/// What a server must be for a session to go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionAttrs {
    /// Anything.
    #[default]
    Any,
    /// It accepts writes by default.
    ReadWrite,
    /// It refuses writes by default.
    ReadOnly,
    /// It is not in recovery.
    Primary,
    /// It is in recovery.
    Standby,
    /// A standby if there is one, else anything.
    PreferStandby,
}

impl Target {
    /// The servers to try, best first, given what is known of each. One whose role is unknown, because it could not
    /// be asked, is not tried unless anything will do.
    pub(crate) fn candidates(&self, role_of: impl Fn(&Upstream) -> Option<Role>) -> Vec<Upstream> {
        let mut servers = self.servers.clone();
        if self.balances_load {
            servers.sort_by_cached_key(|_| getrandom::u32().unwrap_or_default());
        }
        let is = |server: &Upstream, wanted: fn(Role) -> bool| role_of(server).is_some_and(wanted);
        match self.session_attrs {
            SessionAttrs::Any => {}
            SessionAttrs::ReadWrite => servers.retain(|each| is(each, |role| !role.is_read_only)),
            SessionAttrs::ReadOnly => servers.retain(|each| is(each, |role| role.is_read_only)),
            SessionAttrs::Primary => servers.retain(|each| is(each, |role| !role.is_standby)),
            SessionAttrs::Standby => servers.retain(|each| is(each, |role| role.is_standby)),
            SessionAttrs::PreferStandby => {
                servers.retain(|each| is(each, |_| true));
                servers.sort_by_key(|each| !is(each, |role| role.is_standby));
            }
        }
        servers
    }

    /// Whether the roles of the servers matter.
    pub(crate) fn needs_roles(&self) -> bool {
        self.session_attrs != SessionAttrs::Any
    }
}

impl From<Upstream> for Target {
    fn from(server: Upstream) -> Self {
        Self { servers: vec![server], session_attrs: SessionAttrs::default(), balances_load: false }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, server) in self.servers.iter().enumerate() {
            write!(f, "{}{server}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The values of `target_session_attrs`.
const NAMES: [(SessionAttrs, &str); 6] = [
    (SessionAttrs::Any, "any"),
    (SessionAttrs::ReadWrite, "read-write"),
    (SessionAttrs::ReadOnly, "read-only"),
    (SessionAttrs::Primary, "primary"),
    (SessionAttrs::Standby, "standby"),
    (SessionAttrs::PreferStandby, "prefer-standby"),
];

impl FromStr for SessionAttrs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(attrs, _)| *attrs).ok_or_else(|| {
            let names = NAMES.map(|(_, name)| name).join(", ");
            format!("target_session_attrs is none of {names}: `{text}`")
        })
    }
}

impl fmt::Display for SessionAttrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(attrs, _)| attrs == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::{NAMES, SessionAttrs, Target};
    use crate::Upstream;
    use crate::roles::Role;

    fn server(host: &str) -> Upstream {
        Upstream { host: host.into(), port: 5432 }
    }

    /// What the name of a server says.
    fn role_of(server: &Upstream) -> Option<Role> {
        match server.host.as_str() {
            "primary" => Some(Role { is_standby: false, is_read_only: false }),
            "read-only-primary" => Some(Role { is_standby: false, is_read_only: true }),
            "standby" => Some(Role { is_standby: true, is_read_only: true }),
            _ => None,
        }
    }

    #[test]
    fn candidates_have_the_wanted_role_in_the_given_order() {
        let all = ["unknown", "read-only-primary", "primary", "standby"];
        for (session_attrs, expected) in [
            (SessionAttrs::Any, all.as_slice()),
            (SessionAttrs::ReadWrite, &["primary"]),
            (SessionAttrs::ReadOnly, &["read-only-primary", "standby"]),
            (SessionAttrs::Primary, &["read-only-primary", "primary"]),
            (SessionAttrs::Standby, &["standby"]),
            (SessionAttrs::PreferStandby, &["standby", "read-only-primary", "primary"]),
        ] {
            let target =
                Target { servers: all.map(server).into(), session_attrs, balances_load: false };
            let candidates = target.candidates(role_of);
            let hosts: Vec<&str> = candidates.iter().map(|each| each.host.as_str()).collect();
            assert_eq!(hosts, expected, "{session_attrs}");
        }
    }

    #[test]
    fn load_is_balanced_by_lot() {
        let servers = vec![server("a"), server("b")];
        let session_attrs = SessionAttrs::Any;
        let target = Target { servers, session_attrs, balances_load: true };
        let firsts =
            std::iter::repeat_with(|| target.candidates(role_of).swap_remove(0)).take(1000);
        let of_a = firsts.filter(|first| first.host == "a").count();
        assert!((300..700).contains(&of_a), "{of_a} of 1000");
    }

    #[test]
    fn names_are_those_of_libpq() {
        for (attrs, name) in NAMES {
            assert_eq!(name.parse(), Ok(attrs));
            assert_eq!(attrs.to_string(), name);
        }
        assert!("master".parse::<SessionAttrs>().unwrap_err().contains("prefer-standby"));
    }
}
