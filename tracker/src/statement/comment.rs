//! What applications say about themselves in comments: `/*application='shop',user='ann'*/`.
//!
//! The form is that of sqlcommenter: <https://google.github.io/sqlcommenter/spec/>.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use pg_query::protobuf::Token;

/// The key-value pairs of the last comment that has any; sorted by key, as the specification asks.
///
/// A claim of the application, to be kept beside trusted facts and never instead of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// Reads the comments of a text that is bounded already.
    ///
    /// The scanner reads literals as with `standard_conforming_strings` on; for a text where that matters
    /// there are no tags.
    pub(super) fn of(text: &str, standard_conforming_strings: bool) -> Self {
        let is_ambiguous = !standard_conforming_strings && text.contains('\\');
        if is_ambiguous || !text.contains("='") || !text.contains("*/") {
            return Self::default();
        }
        let tokens = pg_query::scan_tokens(text).unwrap_or_default();
        let comments = tokens.iter().rev().filter(|token| token.token == Token::CComment as i32);
        let mut found = comments.filter_map(|token| {
            text.get(usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?)
        });
        found.find_map(Self::from_comment).unwrap_or_default()
    }

    /// Reads the comment that ends a text of any size.
    pub(super) fn at_end_of(text: &str) -> Self {
        let text = text.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace());
        let start = text.strip_suffix("*/").and_then(|comment| comment.rfind("/*"));
        start.and_then(|start| Self::from_comment(text.get(start..)?)).unwrap_or_default()
    }

    fn from_comment(comment: &str) -> Option<Self> {
        let mut rest = comment.strip_prefix("/*")?.strip_suffix("*/")?;
        let mut tags = Vec::new();
        while let Some((key, quoted)) = rest.split_once("='") {
            let end = closing_quote(quoted)?;
            let key = key.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
            // Keys have no spaces: `/* see x, a='b' */` is prose before a pair.
            let key = key.rsplit(|c: char| c == ',' || c.is_ascii_whitespace()).next()?;
            if !key.is_empty() {
                tags.push((decoded(key), decoded(&quoted.get(..end)?.replace("\\'", "'"))));
            }
            rest = quoted.get(end + 1..)?;
        }
        tags.sort();
        tags.dedup_by(|later, earlier| later.0 == earlier.0);
        (!tags.is_empty()).then_some(Self(tags))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whom the application acts for, if it says so.
    pub fn actor(&self) -> Option<&str> {
        self.get("actor").or_else(|| self.get("user"))
    }

    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(super) fn weight_bytes(&self) -> usize {
        self.0
            .iter()
            .map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len())
            .sum()
    }
}

/// Where a value ends: at a quote that no backslash escapes.
fn closing_quote(value: &str) -> Option<usize> {
    let mut is_escaped = false;
    value.bytes().position(|byte| {
        let closes = byte == b'\'' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    })
}

/// Undoes URL encoding; what is no UTF-8 then stays encoded.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Cow::into_owned)
}
