//! Which changes a digest tells of.

use jiff::Timestamp;
use pgtrack_tracker::activity::Filter;

use crate::clock::Clock;
use crate::search::Search;
use crate::words::Why;

/// What the tracker is asked for, or what in the search makes no sense in a digest.
pub(crate) fn filter(search: &Search) -> Result<Filter, Why> {
    let asks_for = |names: &[&str]| names.iter().any(|name| search.value(name).is_some());
    if asks_for(&["since", "until"]) {
        Err(Why::DigestTimes)
    } else if asks_for(&["xid"]) {
        Err(Why::DigestTransaction)
    } else if asks_for(&["q", "key", "value"]) {
        Err(Why::DigestValues)
    } else {
        search.filter(&Clock::utc(Timestamp::UNIX_EPOCH))
    }
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
    use crate::words::plain;

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
            let error = plain(filter(&read(text).unwrap()).unwrap_err());
            assert!(error.contains(word), "{text}: {error}");
        }
        let good = read("?table=a.b&op=delete&who=ada&app=x&column=c&reverts=on").unwrap();
        assert!(filter(&good).is_ok());
    }
}
