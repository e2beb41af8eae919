//! Every URL that the pages link to, built in one place; `routes` holds the patterns they match.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pgtrack_tracker::RowKey;

use crate::revert::Subject;
use crate::search::Search;

/// What may stand unencoded in a path segment and in a query value.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b',');

/// Encodes one path segment or one query value.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The sign-in page, which leads back to `next`.
pub(crate) fn login(next: &str) -> String {
    if next == "/" { "/login".to_owned() } else { format!("/login?next={}", encode(next)) }
}

/// Where the password of a connection is asked for.
pub(crate) fn unlock(slug: &str) -> String {
    format!("/connections/{}/unlock", encode(slug))
}

/// Where pg_track is installed in a database.
pub(crate) fn install(slug: &str) -> String {
    format!("/c/{}/install", encode(slug))
}

/// `path` if it leads to a page of ours, else the start page: nobody is sent elsewhere by a crafted link.
pub(crate) fn local_or_home(path: &str) -> &str {
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && path.chars().all(|character| character != '\\' && !character.is_control());
    if is_local { path } else { "/" }
}

/// The pages of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links<'a> {
    slug: &'a str,
}

impl<'a> Links<'a> {
    pub(crate) fn new(slug: &'a str) -> Self {
        Self { slug }
    }

    pub(crate) fn overview(self) -> String {
        format!("/c/{}", encode(self.slug))
    }

    /// The changes that a search finds.
    pub(crate) fn changes(self, search: &Search) -> String {
        format!("{}/changes{}", self.overview(), search.query())
    }

    pub(crate) fn change(self, statement: i64) -> String {
        format!("{}/changes/{statement}", self.overview())
    }

    /// The stream of new changes that pass a search, each with a box to select it if asked.
    pub(crate) fn live(self, search: &Search, may_select: bool) -> String {
        let query = search.newest().query();
        let separator = if query.is_empty() { '?' } else { '&' };
        let select = if may_select { format!("{separator}select=on") } else { String::new() };
        format!("{}/changes/live{query}{select}", self.overview())
    }

    /// A search as a file.
    pub(crate) fn export(self, search: &Search, format: &str) -> String {
        format!("{}/changes.{format}{}", self.overview(), search.newest().query())
    }

    pub(crate) fn views(self) -> String {
        format!("{}/views", self.overview())
    }

    pub(crate) fn remove_view(self) -> String {
        format!("{}/views/remove", self.overview())
    }

    pub(crate) fn transaction(self, xid: i64) -> String {
        format!("{}/tx/{xid}", self.overview())
    }

    pub(crate) fn tables(self) -> String {
        format!("{}/tables", self.overview())
    }

    /// `table` is the name as the tracker writes it: with its schema, quoted where necessary.
    pub(crate) fn table(self, table: &str) -> String {
        format!("{}/{}", self.tables(), encode(table))
    }

    pub(crate) fn deleted(self, table: &str) -> String {
        format!("{}/deleted", self.table(table))
    }

    /// The table as it was at a point.
    pub(crate) fn as_of(self, table: &str) -> String {
        format!("{}/as-of", self.table(table))
    }

    pub(crate) fn row(self, table: &str, key: &RowKey) -> String {
        format!("{}/rows/{}", self.table(table), encode(&key.to_json().to_string()))
    }

    /// Two versions of a row beside each other; the names are versions, or `current`.
    pub(crate) fn compare(self, table: &str, key: &RowKey, from: &str, to: &str) -> String {
        format!("{}?from={}&to={}", self.row(table, key), encode(from), encode(to))
    }

    /// The history of one column of a row.
    pub(crate) fn cell(self, table: &str, key: &RowKey, column: &str) -> String {
        format!("{}?column={}", self.row(table, key), encode(column))
    }

    pub(crate) fn health(self) -> String {
        format!("{}/health", self.overview())
    }

    pub(crate) fn rules(self) -> String {
        format!("{}/rules", self.overview())
    }

    pub(crate) fn digests(self) -> String {
        format!("{}/digests", self.overview())
    }

    pub(crate) fn digest(self, id: &str) -> String {
        format!("{}/{}", self.digests(), encode(id))
    }

    /// The form for a digest of what a search finds, at whatever time.
    pub(crate) fn new_digest(self, search: &Search) -> String {
        format!("{}/new?changes={}", self.digests(), encode(&search.timeless().query()))
    }

    pub(crate) fn storage(self) -> String {
        format!("{}/storage", self.overview())
    }

    /// Where a form that selects what to revert leads.
    pub(crate) fn plan_selected(self) -> String {
        format!("{}/revert/plan", self.overview())
    }

    pub(crate) fn plan(self, subject: &Subject) -> String {
        format!("{}/revert/plan?{}", self.overview(), subject.query())
    }

    /// How far a plan is, for the page that shows it.
    pub(crate) fn plan_progress(self, subject: &Subject) -> String {
        format!("{}/revert/plan/progress?{}", self.overview(), subject.query())
    }

    pub(crate) fn cancel_plan(self, subject: &Subject) -> String {
        format!("{}/revert/plan/cancel?{}", self.overview(), subject.query())
    }

    pub(crate) fn revert(self, subject: &Subject) -> String {
        format!("{}/revert?{}", self.overview(), subject.query())
    }

    /// An undo in batches.
    pub(crate) fn job(self, id: i64) -> String {
        format!("{}/revert/jobs/{id}", self.overview())
    }

    /// Its progress alone, for the page that shows it.
    pub(crate) fn job_progress(self, id: i64) -> String {
        format!("{}/progress", self.job(id))
    }

    pub(crate) fn stop_job(self, id: i64) -> String {
        format!("{}/stop", self.job(id))
    }
}

#[cfg(test)]
mod tests {
    use super::{Links, encode, local_or_home};
    use pgtrack_tracker::RowKey;

    #[test]
    fn every_reserved_character_is_encoded() {
        assert_eq!(encode("a/b?c#d&e=f%20\"é"), "a%2Fb%3Fc%23d%26e%3Df%2520%22%C3%A9");
        let key = RowKey::from_json(r#"{"id":"a/b"}"#).unwrap();
        assert_eq!(
            Links::new("shop").row("public.users", &key),
            "/c/shop/tables/public.users/rows/%7B%22id%22:%22a%2Fb%22%7D"
        );
    }

    #[test]
    fn only_pages_of_ours_are_returned_to() {
        for good in ["/", "/c/shop?before=7", "/c/shop/tables/a.b"] {
            assert_eq!(local_or_home(good), good);
        }
        for bad in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/\n/x", "c"] {
            assert_eq!(local_or_home(bad), "/", "{bad:?}");
        }
    }
}
