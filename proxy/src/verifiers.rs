//! Where SCRAM verifiers come from: a file, or a query to the upstream.

mod query;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

use tracing::warn;

use self::query::Connections;
use crate::protocol::scram::Verifier;
use crate::proxy::Shared;
use crate::{Error, Upstream};

/// Where the proxy finds the SCRAM verifiers of roles, for sessions that are encrypted with different certificates on
/// either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifierSource {
    /// A file with a line for each role: its name and its `rolpassword`, each in double quotes, as in a user list of
    /// `PgBouncer`.
    File(PathBuf),
    /// A query to the upstream.
    Query(VerifierQuery),
}

/// How verifiers are asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierQuery {
    /// The role that asks; it must be allowed to read `pg_authid`, or to call a function that does.
    pub user: String,
    /// Its password, if it needs one.
    pub password: Option<String>,
    /// The database to ask in.
    pub database: String,
    /// A query with the role's name as `$1` and one text column, run with the `search_path` of `pg_catalog` alone.
    pub sql: String,
}

impl VerifierQuery {
    /// Asks for roles whose password is valid. Whether they may log in is for the server to say.
    pub const DEFAULT_SQL: &str = "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1 \
        AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now())";
}

/// Without the password.
impl fmt::Debug for VerifierQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierQuery")
            .field("user", &self.user)
            .field("database", &self.database)
            .field("sql", &self.sql)
            .finish_non_exhaustive()
    }
}

/// Verifiers, ready to be looked up.
pub(crate) enum Verifiers {
    File(HashMap<String, Verifier>),
    Query(Box<Connections>),
}

impl Verifiers {
    pub(crate) fn load(source: &VerifierSource) -> Result<Self, Error> {
        match source {
            VerifierSource::File(path) => {
                let failed = |source| Error::Verifiers { path: path.clone(), source };
                let text = std::fs::read_to_string(path).map_err(failed)?;
                Ok(Self::File(parse(&text).map_err(failed)?))
            }
            VerifierSource::Query(query) => {
                Ok(Self::Query(Box::new(Connections::new(query.clone()))))
            }
        }
    }

    /// The verifier of a role. A failure is the same as no verifier: the client must not learn of it.
    pub(crate) async fn find(
        &self,
        role: &str,
        server: &Upstream,
        shared: &Shared,
    ) -> Option<Verifier> {
        match self {
            Self::File(verifiers) => verifiers.get(role).cloned(),
            Self::Query(connections) => {
                let found = connections.ask(role, server, shared).await;
                let text = found
                    .inspect_err(|error| {
                        let error = error.as_ref() as &dyn std::error::Error;
                        warn!(error, "could not ask the upstream for a SCRAM verifier");
                    })
                    .ok()??;
                Verifier::parse(&text)
            }
        }
    }
}

/// Reads `"role" "SCRAM-SHA-256$…"` lines. A quote within a name is doubled; lines that begin with `;` or `#` are
/// comments.
fn parse(text: &str) -> io::Result<HashMap<String, Verifier>> {
    let mut verifiers = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        let entry = quoted(line).and_then(|(role, rest)| {
            let (verifier, _) = quoted(rest.trim_start())?;
            Some((role, Verifier::parse(&verifier)?))
        });
        let Some((role, verifier)) = entry else {
            let problem =
                format!("line {} is not of the form \"role\" \"SCRAM-SHA-256$…\"", index + 1);
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        };
        verifiers.insert(role, verifier);
    }
    Ok(verifiers)
}

/// Takes a quoted string off the front.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let (part, behind) = rest.split_once('"')?;
        value.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None => return Some((value, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    const VERIFIER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn a_file_has_a_role_and_its_verifier_in_each_line() {
        let text =
            format!("; roles\n\n\"ada\" \"{VERIFIER}\"\n  \"o \"\"x\" \"{VERIFIER}\" \"\"\n");
        let mut roles: Vec<_> = parse(&text).unwrap().into_keys().collect();
        roles.sort_unstable();
        assert_eq!(roles, ["ada", "o \"x"]);
    }

    #[test]
    fn a_line_without_a_verifier_is_refused_by_its_number() {
        for line in ["\"ada\" \"secret\"", "ada SCRAM", "\"ada\"", "\"ada"] {
            let error = parse(&format!("# roles\n{line}")).unwrap_err().to_string();
            assert!(error.starts_with("line 2 "), "{error}");
        }
    }
}
