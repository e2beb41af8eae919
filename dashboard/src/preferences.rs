//! How a person wants to see things; kept in cookies of their browser.

use axum::http::HeaderMap;
use jiff::tz::TimeZone;

use crate::auth::cookie;
use crate::words::{Dates, Language, Numbers, Words};

/// The cookies, one for each preference.
pub(crate) const THEME: &str = "pgtrack-theme";
pub(crate) const LANGUAGE: &str = "pgtrack-language";
pub(crate) const NUMBERS: &str = "pgtrack-numbers";
pub(crate) const DATES: &str = "pgtrack-dates";
pub(crate) const ZONE: &str = "pgtrack-zone";
pub(crate) const DENSITY: &str = "pgtrack-density";
pub(crate) const DIFF: &str = "pgtrack-diff";
pub(crate) const SHORTCUTS: &str = "pgtrack-shortcuts";

/// The colours a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system has it.
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The word in the cookie, the form and the page.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.word() == word)
    }
}

/// What a person has chosen.
#[derive(Debug, Clone)]
pub(crate) struct Preferences {
    pub(crate) theme: Theme,
    pub(crate) words: Words,
    pub(crate) zone: TimeZone,
    /// Less space between things.
    pub(crate) is_compact: bool,
    /// Rows before and after one below the other instead of side by side.
    pub(crate) is_inline: bool,
    /// Single keys do things.
    pub(crate) has_shortcuts: bool,
}

impl Preferences {
    /// What the cookies say; what is missing or unknown is as it is for everybody.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        Self {
            theme: cookie(headers, THEME).and_then(Theme::from_word).unwrap_or(Theme::Auto),
            words: Words {
                language: cookie(headers, LANGUAGE)
                    .and_then(Language::from_tag)
                    .unwrap_or_default(),
                numbers: cookie(headers, NUMBERS).and_then(Numbers::from_word).unwrap_or_default(),
                dates: cookie(headers, DATES).and_then(Dates::from_word).unwrap_or_default(),
            },
            zone: cookie(headers, ZONE).and_then(zone).unwrap_or(TimeZone::UTC),
            is_compact: cookie(headers, DENSITY) == Some("compact"),
            is_inline: cookie(headers, DIFF) == Some("inline"),
            has_shortcuts: cookie(headers, SHORTCUTS) != Some("off"),
        }
    }

    /// The zone's name.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// A zone of the tz database, such as `Europe/Berlin`.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Preferences, Theme};
    use crate::words::{Dates, Numbers, Words};

    fn read(cookies: &'static str) -> Preferences {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
        Preferences::read(&headers)
    }

    #[test]
    fn preferences_come_from_cookies() {
        let chosen = read(
            "pgtrack-theme=dark; pgtrack-zone=Asia/Tokyo; pgtrack-density=compact; pgtrack-shortcuts=off; pgtrack-numbers=point; pgtrack-dates=day-first",
        );
        assert_eq!(chosen.theme, Theme::Dark);
        assert_eq!(chosen.zone_name(), "Asia/Tokyo");
        assert!(chosen.is_compact && !chosen.is_inline && !chosen.has_shortcuts);
        assert_eq!((chosen.words.numbers, chosen.words.dates), (Numbers::Point, Dates::DayFirst));
    }

    #[test]
    fn nonsense_is_ignored() {
        let usual = read(
            "pgtrack-theme=pink; pgtrack-zone=Mars/Phobos; pgtrack-density=x; pgtrack-numbers=y; pgtrack-language=xx",
        );
        assert_eq!(usual.theme, Theme::Auto);
        assert_eq!(usual.zone_name(), "UTC");
        assert!(!usual.is_compact && usual.has_shortcuts);
        assert_eq!(usual.words, Words::default());
    }
}
