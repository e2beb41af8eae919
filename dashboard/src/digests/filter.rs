//! Which changes a digest tells of.

use jiff::Timestamp;
use pgtrack_tracker::activity::Filter;

use crate::clock::Clock;
use crate::search::Search;

/// Parts of a search that a digest cannot have, and why.
const NOT_HERE: [(&[&str], &str); 3] = [
    (&["since", "until"], "a digest has times of its own; take the time out of the filter"),
    (&["xid"], "a digest tells of transactions to come; take the transaction out of the filter"),
    (
        &["q", "key", "value"],
        "a digest is read outside of the dashboard and holds no values, so it cannot look for a text, a row or a value",
    ),
];

/// What the tracker is asked for, or what in the search makes no sense in a digest.
pub(crate) fn filter(search: &Search) -> Result<Filter, String> {
    for (names, reason) in NOT_HERE {
        if names.iter().any(|name| search.value(name).is_some()) {
            return Err(reason.to_owned());
        }
    }
    search.filter(&Clock::utc(Timestamp::UNIX_EPOCH))
}

/// Reads a filter as people have it: the query string of the activity, or all of its address. How it is shown and where
/// a page begins say nothing here.
pub(crate) fn read(text: &str) -> Option<Search> {
    let text = text.trim();
    let query = match text.split_once('?') {
        Some((_, query)) => query,
        None if text.contains('=') => text,
        None if text.is_empty() => "",
        None => return None,
    };
    let query = query.split('#').next().unwrap_or_default();
    let search = Search::parse(&format!("?{query}"))?;
    Some(search.plain())
}

#[cfg(test)]
mod tests {
    use super::{filter, read};

    #[test]
    fn a_filter_is_an_address_or_its_query() {
        for text in [
            "https://x/c/shop/changes?view=transactions&table=shop.users&op=delete&before=7&ignored=show#top",
            "/c/shop/changes?table=shop.users&op=delete",
            "?table=shop.users&op=delete",
            " table=shop.users&op=delete ",
        ] {
            assert_eq!(read(text).unwrap().query(), "?table=shop.users&op=delete", "{text}");
        }
        assert_eq!(read("").unwrap().query(), "");
        assert_eq!(read("shop.users"), None);
    }

    #[test]
    fn what_would_tell_values_or_times_is_refused() {
        for (text, word) in [
            ("?q=secret", "no values"),
            ("?table=a.b&column=c&value=x", "no values"),
            ("?table=a.b&key=%7B%22id%22:1%7D", "no values"),
            ("?since=1h", "times of its own"),
            ("?xid=7", "to come"),
            ("?table=users", "is no table"),
            ("?column=x", "in one table"),
        ] {
            let error = filter(&read(text).unwrap()).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
        let good = read("?table=a.b&op=delete&who=ada&app=x&column=c&reverts=on").unwrap();
        assert!(filter(&good).is_ok());
    }
}
