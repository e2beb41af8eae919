//! `/c/{connection}/changes.csv` and `.jsonl`: what a search finds, as a file that is sent while it is read.

use std::collections::VecDeque;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use pgtrack_tracker::Reverts;
use pgtrack_tracker::activity::{Filter, Rest, Statement};

use super::State;
use super::activity::Pairs;
use crate::app_error::AppError;
use crate::connections::Shown;
use crate::export::{Format, Line, notice, write};
use crate::extract::Query;
use crate::reading::Reader;
use crate::search::Search;
use crate::store::audit::{self, Action, Entry};
use crate::visit::{SignedIn, Visit};
use crate::words::problem::Text;

/// How many changes are read at once.
const CHUNK: usize = 1000;
/// No more than this is sent; the file says so.
const MOST: usize = 100_000;

pub(crate) async fn csv(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    query: Pairs,
) -> Result<Response, AppError> {
    export(state, shown, visit, person, query, Format::Csv).await
}

pub(crate) async fn jsonl(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    query: Pairs,
) -> Result<Response, AppError> {
    export(state, shown, visit, person, query, Format::JsonLines).await
}

async fn export(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Query(pairs): Pairs,
    format: Format,
) -> Result<Response, AppError> {
    let search = Search::read(&pairs).newest();
    let filter = search
        .filter(&visit.clock)
        .map_err(|why| AppError::BadRequest(Text::CannotBeLookedFor(why)))?;
    // A database that is down, or a filter that names nothing, is reported before the file begins.
    Reader::open(&shown, &visit).await?.statements(&filter, None, 1, true).await?;
    let subject = search.query();
    let entry = Entry {
        subject: Some(&subject),
        connection: Some(&shown.info.slug),
        ..Entry::new(Action::Exported, &person.account.name, &visit.client_addr)
    };
    audit::add(&*state.database.write().await?, entry).await?;

    let is_raw = pairs.iter().any(|pair| pair.0 == "raw");
    let name = file_name(&shown.info.slug, &visit, format);
    let progress = Progress {
        shown,
        visit,
        filter,
        shows_ignored: search.shows_ignored,
        format,
        is_raw,
        before: None,
        sent: 0,
        ready: VecDeque::from([Bytes::from(write(format, &[], is_raw, true))]),
        is_over: false,
    };
    let body = Body::from_stream(stream::try_unfold(progress, Progress::next));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
        .map_err(|error| AppError::Internal(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, body).into_response())
}

/// The connection and the time, in characters that any file system takes.
fn file_name(slug: &str, visit: &Visit, format: Format) -> String {
    let slug: String =
        slug.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
    let at = visit.clock.now.strftime("%Y%m%dT%H%M%SZ");
    format!("pgtrack-{slug}-{at}.{}", format.extension())
}

/// How far an export has come.
struct Progress {
    shown: Shown,
    visit: Visit,
    filter: Filter,
    shows_ignored: bool,
    format: Format,
    is_raw: bool,
    before: Option<i64>,
    sent: usize,
    ready: VecDeque<Bytes>,
    is_over: bool,
}

impl Progress {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, std::io::Error> {
        if self.ready.is_empty() && !self.is_over {
            self.read().await.map_err(|error| {
                let cause = error.problem().cause;
                tracing::warn!(cause, "an export broke off");
                std::io::Error::other("the export broke off")
            })?;
        }
        Ok(self.ready.pop_front().map(|chunk| (chunk, self)))
    }

    async fn read(&mut self) -> Result<(), AppError> {
        // The session is given back before the lines are sent: whoever reads slowly holds none.
        let reader = Reader::open(&self.shown, &self.visit).await?;
        let page = reader.statements(&self.filter, self.before, CHUNK, self.shows_ignored).await?;
        drop(reader);
        self.sent += page.items.len();
        let lines: Vec<Line<'_>> = page.items.iter().map(line).collect();
        self.ready.push_back(write(self.format, &lines, self.is_raw, false).into());
        self.before = match page.rest {
            Rest::None => None,
            Rest::Older(statement) | Rest::Unknown(statement) => Some(statement),
        };
        self.is_over = self.before.is_none();
        if !self.is_over && self.sent >= MOST {
            self.is_over = true;
            self.ready.push_back(notice(self.format, MOST).into());
        }
        Ok(())
    }
}

fn line(one: &Statement) -> Line<'_> {
    let reverts = one.reverts.as_ref().map(|reverts| match reverts {
        Reverts::Transaction(xid) | Reverts::ChangeOf(xid) => format!("transaction {xid}"),
        Reverts::Other(what) => what.clone(),
    });
    Line {
        change: one.id,
        at: one.at.to_string(),
        transaction: one.xid,
        table: &one.table,
        operation: one.operation.word(),
        rows: one.rows,
        who: &one.who,
        user: &one.user_name,
        application: one.application.as_deref(),
        client: one.client_addr.as_deref(),
        reason: one.message.as_deref(),
        reverts,
        statement: one.query.as_deref(),
    }
}
