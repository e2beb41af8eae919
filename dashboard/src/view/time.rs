//! Points in time: exact and with their zone first, relative as a help.

use std::borrow::Cow;

use jiff::Timestamp;
use maud::{Markup, html};

use crate::visit::Visit;
use crate::words::frame::Text;
use crate::words::{Counted, Words};

/// A moment in full, and how long ago it was.
pub(crate) fn moment(visit: &Visit, at: Timestamp) -> Markup {
    let ago = ago(visit.preferences.words, at, visit.clock.now);
    html! { (exact(visit, at)) " " span.ago data-at=(at.as_millisecond()) { (ago) } }
}

/// A moment in full, in the person's zone; UTC and the microseconds are at hand.
pub(crate) fn exact(visit: &Visit, at: Timestamp) -> Markup {
    let words = visit.preferences.words;
    let local = at.to_zoned(visit.clock.zone.clone());
    let utc = at.to_zoned(jiff::tz::TimeZone::UTC);
    let (time, zone) = (local.strftime("%H:%M:%S"), local.strftime("%Z"));
    let microseconds = utc.strftime("%H:%M:%S%.6f %Z");
    html! {
        time.moment datetime=(at) title={ (words.date(utc.date())) " " (microseconds) } {
            span.date { (words.date(local.date())) } " "
            span.clock { (time) } " "
            span.zone { (zone) }
        }
    }
}

/// The same as plain text.
pub(crate) fn text(visit: &Visit, at: Timestamp) -> String {
    let local = at.to_zoned(visit.clock.zone.clone());
    let date = visit.preferences.words.date(local.date());
    format!("{date} {}", local.strftime("%H:%M:%S %Z"))
}

/// How long ago, in the largest unit. The script keeps this up to date with the same words.
fn ago(words: Words, at: Timestamp, now: Timestamp) -> Cow<'static, str> {
    let seconds = now.duration_since(at).as_secs();
    let (unit, number) = match seconds {
        ..5 => return words.say(Text::JustNow),
        5..60 => (Counted::SecondsAgo, seconds),
        60..3600 => (Counted::MinutesAgo, seconds / 60),
        3600..86_400 => (Counted::HoursAgo, seconds / 3600),
        _ => (Counted::DaysAgo, seconds / 86_400),
    };
    unit.of(number, words).into()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{ago, moment};
    use crate::clock::Clock;
    use crate::visit::Visit;
    use crate::words::{Dates, Words};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn relative_times_have_one_unit() {
        for (seconds, text) in [
            (-3, "just now"),
            (4, "just now"),
            (59, "59 s ago"),
            (119, "1 min ago"),
            (7200, "2 h ago"),
            (90_000, "1 day ago"),
            (864_000, "10 days ago"),
        ] {
            assert_eq!(ago(Words::default(), at(0), at(seconds)), text);
        }
    }

    #[test]
    fn the_zone_is_always_there() {
        let mut visit = Visit { clock: Clock::utc(at(60)), ..Visit::example() };
        let html = moment(&visit, at(0)).into_string();
        assert!(html.contains(r#"datetime="2023-11-14T22:13:20Z""#), "{html}");
        assert!(html.contains("22:13:20.000000 UTC"), "{html}");
        assert!(html.contains(">UTC<"), "{html}");
        visit.clock.zone = jiff::tz::TimeZone::get("Asia/Tokyo").unwrap();
        let html = moment(&visit, at(0)).into_string();
        assert!(html.contains(">07:13:20<") && html.contains(">JST<"), "{html}");
        assert!(html.contains("22:13:20.000000 UTC"), "{html}");
        visit.preferences.words.dates = Dates::DayFirst;
        let html = moment(&visit, at(0)).into_string();
        assert!(html.contains(">15.11.2023<") && html.contains("datetime=\"2023-11-14T"), "{html}");
    }
}
