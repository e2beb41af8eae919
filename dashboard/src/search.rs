//! What a person looks for, as the query string names it: the filter, how it is shown, and where the page begins.

mod time;

use axum::extract::Query;
use axum::http::Uri;
use pgtrack_tracker::activity::{Filter, RowFilter};
use pgtrack_tracker::{Operation, RowKey};

use crate::clock::Clock;
use crate::links::encode;
use crate::table_name;
use crate::words::Why;

pub(crate) use time::Span;

/// How the changes are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Grouping {
    /// One entry for each statement and table.
    #[default]
    Changes,
    /// One entry for each transaction.
    Transactions,
}

/// The query string, read. What a person typed is kept as it is, also where it makes no sense.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) grouping: Grouping,
    /// Whether changes of ignored columns alone are shown, too.
    pub(crate) shows_ignored: bool,
    /// The parameters of the filter, in the order of [`NAMES`].
    parameters: Vec<(&'static str, String)>,
    /// The statement below which the page begins.
    pub(crate) before: Option<i64>,
}

/// The parameters of the filter.
const NAMES: [&str; 12] = [
    "table", "op", "who", "app", "since", "until", "q", "xid", "key", "column", "value", "reverts",
];
/// In the query string: shows what is left out otherwise.
pub(crate) const SHOW: &str = "show";
/// Of these there can be several.
const MANY: [&str; 2] = ["table", "op"];

/// An active part of the filter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chip<'a> {
    /// The parameter.
    pub(crate) name: &'static str,
    pub(crate) value: &'a str,
    /// The same search without it.
    pub(crate) without: Search,
}

impl Search {
    /// Reads the pairs of a query string. Empty fields of a form say nothing.
    pub(crate) fn read(pairs: &[(String, String)]) -> Self {
        let mut search = Self::default();
        for name in NAMES {
            // A moment that was typed comes before the list of usual times.
            let typed = pairs.iter().filter(|pair| name == "since" && pair.0 == "from");
            let mut values = typed
                .chain(pairs.iter().filter(|pair| pair.0 == name))
                .map(|pair| pair.1.trim())
                .filter(|value| !value.is_empty())
                .peekable();
            if MANY.contains(&name) {
                for value in values {
                    let parameter = (name, value.to_owned());
                    if !search.parameters.contains(&parameter) {
                        search.parameters.push(parameter);
                    }
                }
            } else if let Some(value) = values.next() {
                search.parameters.push((name, value.to_owned()));
            }
        }
        let last = |name: &str| pairs.iter().rev().find(|pair| pair.0 == name);
        if last("view").is_some_and(|pair| pair.1 == "transactions") {
            search.grouping = Grouping::Transactions;
        }
        search.shows_ignored = last("ignored").is_some_and(|pair| pair.1 == SHOW);
        search.before = last("before").and_then(|pair| pair.1.parse().ok());
        search
    }

    /// Reads a query string with its `?`; `None` if it is none.
    pub(crate) fn parse(query: &str) -> Option<Self> {
        let uri: Uri = format!("/{query}").parse().ok()?;
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
        Some(Self::read(&pairs))
    }

    /// A search with one parameter.
    pub(crate) fn with(name: &'static str, value: &str) -> Self {
        Self { parameters: vec![(name, value.to_owned())], ..Self::default() }
    }

    /// This search with another parameter; one that there can be only one of is replaced.
    pub(crate) fn and(&self, name: &'static str, value: &str) -> Self {
        let mut pairs: Vec<(String, String)> = self
            .parameters
            .iter()
            .filter(|one| MANY.contains(&name) || one.0 != name)
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        pairs.push((name.to_owned(), value.to_owned()));
        Self { grouping: self.grouping, shows_ignored: self.shows_ignored, ..Self::read(&pairs) }
    }

    /// This search with only this value of a parameter.
    pub(crate) fn only(&self, name: &'static str, value: &str) -> Self {
        let mut search = self.newest();
        search.parameters.retain(|one| one.0 != name);
        search.and(name, value)
    }

    /// The query string that reads as this search, with its `?`; empty if there is nothing to say.
    pub(crate) fn query(&self) -> String {
        let grouping =
            (self.grouping == Grouping::Transactions).then(|| ("view", "transactions".to_owned()));
        let ignored = self.shows_ignored.then(|| ("ignored", SHOW.to_owned()));
        let before = self.before.map(|before| ("before", before.to_string()));
        let all = grouping
            .into_iter()
            .chain(self.parameters.iter().cloned())
            .chain(ignored)
            .chain(before);
        all.fold(String::new(), |query, (name, value)| {
            let separator = if query.is_empty() { '?' } else { '&' };
            format!("{query}{separator}{name}={}", encode(&value))
        })
    }

    /// The first value of a parameter.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// All values of a parameter.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(move |one| one.0 == name).map(|one| &*one.1)
    }

    /// Whether nothing is asked for in particular.
    pub(crate) fn is_open(&self) -> bool {
        self.parameters.is_empty()
    }

    /// The active parts of the filter.
    pub(crate) fn chips(&self) -> impl Iterator<Item = Chip<'_>> {
        self.parameters.iter().enumerate().map(|(index, (name, value))| {
            let mut without = Self { before: None, ..self.clone() };
            without.parameters.remove(index);
            Chip { name, value: if *name == "reverts" { "" } else { value }, without }
        })
    }

    /// The same search from the newest change on.
    pub(crate) fn newest(&self) -> Self {
        Self { before: None, ..self.clone() }
    }

    /// What is asked for, without how it is shown and where the page begins.
    pub(crate) fn plain(&self) -> Self {
        Self { parameters: self.parameters.clone(), ..Self::default() }
    }

    /// The same at whatever time.
    pub(crate) fn timeless(&self) -> Self {
        let mut search = self.plain();
        search.parameters.retain(|(name, _)| !matches!(*name, "since" | "until"));
        search
    }

    /// The same search from below a statement on.
    pub(crate) fn older_than(&self, statement: i64) -> Self {
        Self { before: Some(statement), ..self.clone() }
    }

    /// The same search with or without changes of ignored columns alone.
    pub(crate) fn showing_ignored(&self, shows_ignored: bool) -> Self {
        Self { shows_ignored, ..self.clone() }
    }

    /// The same search shown in another way.
    pub(crate) fn grouped(&self, grouping: Grouping) -> Self {
        Self { grouping, before: None, ..self.clone() }
    }

    /// The same search with moments in place of "an hour ago", for a link that goes on to show the same.
    pub(crate) fn frozen(&self, clock: &Clock) -> Self {
        let mut search = self.clone();
        for (name, value) in &mut search.parameters {
            if matches!(*name, "since" | "until")
                && let Some(at) = time::read(value, clock)
            {
                *value = at.to_string();
            }
        }
        search
    }

    /// What the tracker is asked for, or which field makes no sense.
    pub(crate) fn filter(&self, clock: &Clock) -> Result<Filter, Why> {
        let mut filter = Filter {
            who: self.value("who").map(str::to_owned),
            application: self.value("app").map(str::to_owned),
            text: self.value("q").map(str::to_owned),
            is_revert: self.value("reverts").is_some(),
            row: RowFilter {
                column: self.value("column").map(str::to_owned),
                value: self.value("value").map(str::to_owned),
                key: None,
            },
            ..Filter::default()
        };
        for text in self.values("table") {
            let table = table_name::parse(text).ok_or_else(|| Why::NoTable(text.to_owned()))?;
            filter.tables.push(table);
        }
        for text in self.values("op") {
            let operation = Operation::from_word(&text.to_uppercase())
                .ok_or_else(|| Why::NoOperation(text.to_owned()))?;
            filter.operations.push(operation);
        }
        for (name, moment) in [("since", &mut filter.since), ("until", &mut filter.until)] {
            if let Some(text) = self.value(name) {
                *moment =
                    Some(time::read(text, clock).ok_or_else(|| Why::NoTime(text.to_owned()))?);
            }
        }
        if let Some(text) = self.value("xid") {
            let xid = text.parse::<i64>().ok().filter(|xid| *xid > 0);
            filter.xid = Some(xid.ok_or_else(|| Why::NoTransaction(text.to_owned()))?);
        }
        if let Some(text) = self.value("key") {
            let key = RowKey::from_json(text);
            filter.row.key = Some(key.ok_or_else(|| Why::NoKey(text.to_owned()))?);
        }
        if !filter.row.is_open() && filter.tables.len() != 1 {
            return Err(Why::OneTable);
        }
        if filter.row.value.is_some() && filter.row.column.is_none() {
            return Err(Why::SayColumn);
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Grouping, Search};
    use crate::clock::Clock;
    use crate::words::plain;

    fn read(pairs: &[(&str, &str)]) -> Search {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Search::read(&pairs)
    }

    fn clock() -> Clock {
        Clock::utc("2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap())
    }

    #[test]
    fn a_search_is_written_as_it_is_read() {
        let search = read(&[
            ("view", "transactions"),
            ("op", "delete"),
            ("table", "public.users"),
            ("table", ""),
            ("table", "public.orders"),
            ("table", "public.users"),
            ("q", " a&b=c "),
            ("nonsense", "x"),
            ("before", "77"),
        ]);
        assert_eq!(
            search.query(),
            "?view=transactions&table=public.users&table=public.orders&op=delete&q=a%26b%3Dc&before=77"
        );
        assert_eq!(search.values("table").collect::<Vec<_>>(), ["public.users", "public.orders"]);
        assert_eq!(Search::default().query(), "");
        assert!(read(&[("who", "  "), ("before", "x")]).is_open());
    }

    #[test]
    fn a_chip_takes_its_part_away() {
        let search =
            read(&[("table", "a.b"), ("table", "a.c"), ("reverts", "on"), ("before", "7")]);
        let without: Vec<_> = search.chips().map(|chip| chip.without.query()).collect();
        assert_eq!(
            without,
            ["?table=a.c&reverts=on", "?table=a.b&reverts=on", "?table=a.b&table=a.c"]
        );
        assert_eq!(search.chips().last().unwrap().value, "");
    }

    #[test]
    fn parameters_are_added_or_replaced() {
        let search = read(&[("table", "a.b"), ("who", "ada"), ("before", "7")]);
        assert_eq!(search.and("table", "a.c").query(), "?table=a.b&table=a.c&who=ada");
        assert_eq!(search.and("who", "bob").query(), "?table=a.b&who=bob");
        assert_eq!(
            search.grouped(Grouping::Transactions).query(),
            "?view=transactions&table=a.b&who=ada"
        );
    }

    #[test]
    fn a_frozen_link_names_moments() {
        let search = read(&[("since", "1h"), ("until", "2026-11-23 11:30")]);
        assert_eq!(
            search.frozen(&clock()).query(),
            "?since=2026-11-23T11:00:00Z&until=2026-11-23T11:30:00Z"
        );
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (pairs, word) in [
            (&[("table", "users")] as &[_], "“users” is no table"),
            (&[("op", "merge")], "“merge” is no operation"),
            (&[("since", "soon")], "“soon” is no time"),
            (&[("xid", "-4")], "“-4” is no number"),
            (&[("key", "7"), ("table", "a.b")], "“7” is no key"),
            (&[("column", "x")], "in one table"),
            (&[("value", "x"), ("table", "a.b")], "say in which"),
        ] {
            let error = plain(read(pairs).filter(&clock()).unwrap_err());
            assert!(error.contains(word), "{error}");
        }
        let filter =
            read(&[("table", "a.b"), ("op", "DELETE"), ("key", "{\"id\":1}"), ("xid", "9")]);
        let filter = filter.filter(&clock()).unwrap();
        assert!(filter.xid == Some(9) && filter.row.key.is_some() && filter.operations.len() == 1);
    }
}
