//! The tables `[audit]`, `[[guard]]` and `[[policy]]`: what is watched in the sessions of the proxy.

use std::path::PathBuf;
use std::sync::Arc;

use pgtrack_proxy::{Guard, PolicyRule, Rail, Watch};
use pgtrack_tracker::calls::{AuditLog, Connecting, Spool};
use serde::Deserialize;

use crate::error::Error;
use crate::follower::Follower;
use crate::upstreams::Upstreams;

/// The record of calls of pg_track's functions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Audit {
    /// Without it, no session is watched: there are no guard rails, either.
    pub(crate) enabled: bool,
    /// Where records go that the database cannot take.
    pub(crate) spool: Option<PathBuf>,
    pub(crate) spool_max_kib: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self { enabled: true, spool: None, spool_max_kib: 16 * 1024 }
    }
}

impl Audit {
    /// Begins to watch, if that is wanted.
    pub(crate) fn start(
        &self,
        upstreams: &Upstreams,
        follower: Follower,
    ) -> Result<Option<Arc<Watch>>, Error> {
        if !self.enabled {
            return Ok(None);
        }
        let spool = self.spool.as_ref().map(|path| Spool::open(path, self.spool_max_kib * 1024));
        let upstreams = upstreams.clone();
        let connect = move |name: String| -> Connecting {
            let settings = upstreams.settings(&name);
            Box::pin(async move { Ok(pgtrack_connect::connect(&settings).await?) })
        };
        let log = AuditLog::start(connect, spool.transpose()?)?;
        let watch = Watch::start(log).map_err(Error::Runtime)?;
        let watch = watch.telling_of_definitions(move |database| follower.look_at(database));
        Ok(Some(Arc::new(watch)))
    }
}

/// What some sessions may not do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GuardRail {
    databases: Vec<String>,
    roles: Vec<String>,
    applications: Vec<String>,
    /// UPDATE and DELETE without WHERE.
    unfiltered: Option<Response>,
    truncate: Option<Response>,
    drop_table: Option<Response>,
    drop_column: Option<Response>,
    max_rows: Option<u64>,
    unanalysed: Option<Unanalysed>,
}

/// What to do about what cannot be analysed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unanalysed {
    #[default]
    Allow,
    Deny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Response {
    Allow,
    Warn,
    Tag,
    Deny,
}

/// Who may call which functions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    verbs: Vec<String>,
    roles: Vec<String>,
    #[serde(default)]
    unanalysed: Unanalysed,
}

/// All rules, for the proxy.
pub(crate) fn guard(rails: &[GuardRail], policy: &[Policy]) -> Guard {
    Guard {
        rails: rails.iter().map(GuardRail::for_proxy).collect(),
        policy: policy
            .iter()
            .map(|rule| PolicyRule {
                verbs: rule.verbs.clone(),
                roles: rule.roles.clone(),
                unanalysed: rule.unanalysed.for_proxy(),
            })
            .collect(),
    }
}

impl GuardRail {
    fn for_proxy(&self) -> Rail {
        let response = |response: Option<Response>| response.map(Response::for_proxy);
        Rail {
            databases: self.databases.clone(),
            roles: self.roles.clone(),
            applications: self.applications.clone(),
            unfiltered: response(self.unfiltered),
            truncate: response(self.truncate),
            drop_table: response(self.drop_table),
            drop_column: response(self.drop_column),
            max_rows: self.max_rows,
            unanalysed: self.unanalysed.map(Unanalysed::for_proxy),
        }
    }
}

impl Unanalysed {
    fn for_proxy(self) -> pgtrack_proxy::Unanalysed {
        match self {
            Self::Allow => pgtrack_proxy::Unanalysed::Allow,
            Self::Deny => pgtrack_proxy::Unanalysed::Deny,
        }
    }
}

impl Response {
    fn for_proxy(self) -> pgtrack_proxy::Response {
        match self {
            Self::Allow => pgtrack_proxy::Response::Allow,
            Self::Warn => pgtrack_proxy::Response::Warn,
            Self::Tag => pgtrack_proxy::Response::Tag,
            Self::Deny => pgtrack_proxy::Response::Deny,
        }
    }
}
