//! What a digest tells: sums and names, and nothing of any row or of the text of any statement.

use jiff::Timestamp;
use pgtrack_tracker::Operation;
use pgtrack_tracker::activity::{Ranking, Share, Summary};
use serde::{Deserialize, Serialize};

use crate::connections::Connection;
use crate::links::Links;
use crate::public_url::PublicUrl;
use crate::search::Search;

/// One digest. Its JSON is the body of a webhook, and documented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The same in every attempt to deliver it.
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// The digest's name.
    pub(crate) digest: String,
    pub(crate) connection: Source,
    pub(crate) period: Period,
    /// The filter, as a query string.
    pub(crate) filter: String,
    pub(crate) statements: i64,
    /// How many of them undid something.
    pub(crate) reverts: i64,
    pub(crate) rows: Rows,
    pub(crate) tables: Vec<Part>,
    /// How many there are altogether.
    pub(crate) table_count: i64,
    pub(crate) actors: Vec<Part>,
    pub(crate) actor_count: i64,
    /// The list of these changes in the dashboard.
    pub(crate) link: Option<String>,
}

/// Why it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// It is due.
    Digest,
    /// Somebody tries whether it arrives; it will be told again.
    Test,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Test => "test",
        }
    }
}

/// The database it tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) environment: String,
}

/// What was committed after the one and up to the other is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Period {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// How many rows were changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rows {
    pub(crate) insert: i64,
    pub(crate) update: i64,
    pub(crate) delete: i64,
    pub(crate) truncate: i64,
}

/// A table, or whoever made changes, and their part in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) statements: i64,
    pub(crate) rows: i64,
}

/// What a digest is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    pub(crate) connection: &'a Connection,
    pub(crate) search: &'a Search,
    pub(crate) from: Timestamp,
    pub(crate) public_url: Option<&'a PublicUrl>,
}

impl Content {
    pub(crate) fn new(about: About<'_>, summary: &Summary) -> Self {
        let About { connection, search, from, .. } = about;
        let period = Period { from, to: summary.at };
        Self {
            id: about.id.to_owned(),
            kind: about.kind,
            digest: about.name.to_owned(),
            connection: Source {
                name: connection.slug.clone(),
                label: connection.label.clone(),
                environment: connection.environment.word().to_owned(),
            },
            period,
            filter: search.query(),
            statements: summary.statements,
            reverts: summary.reverts,
            rows: rows(&summary.operations),
            tables: parts(&summary.tables),
            table_count: summary.tables.all,
            actors: parts(&summary.people),
            actor_count: summary.people.all,
            link: about.public_url.map(|url| {
                // What was running for long when it was committed had made its changes before the period.
                let first = summary.first_at.map_or(from, |first| first.min(from));
                let list = search
                    .and("since", &first.to_string())
                    .and("until", &summary.at.to_string())
                    .showing_ignored(true);
                format!("{url}{}", Links::new(&connection.slug).changes(&list))
            }),
        }
    }
}

fn rows(operations: &[(Operation, i64)]) -> Rows {
    let mut rows = Rows::default();
    for (operation, count) in operations {
        *match operation {
            Operation::Insert => &mut rows.insert,
            Operation::Update => &mut rows.update,
            Operation::Delete => &mut rows.delete,
            Operation::Truncate => &mut rows.truncate,
        } += count;
    }
    rows
}

fn parts(ranking: &Ranking) -> Vec<Part> {
    let part = |share: &Share| Part {
        name: share.name.clone(),
        statements: share.statements,
        rows: share.rows,
    };
    ranking.first.iter().map(part).collect()
}
