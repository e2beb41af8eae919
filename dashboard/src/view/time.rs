//! Points in time: exact and with their zone first, relative as a help.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::clock::Clock;

/// A moment in full, and how long ago it was.
pub(crate) fn moment(at: Timestamp, clock: &Clock) -> Markup {
    html! { (exact(at, clock)) " " span.ago data-at=(at.as_millisecond()) { (ago(at, clock.now)) } }
}

/// A moment in full, in the person's zone; UTC and the microseconds are at hand.
pub(crate) fn exact(at: Timestamp, clock: &Clock) -> Markup {
    let local = at.to_zoned(clock.zone.clone());
    html! {
        time.moment datetime=(at) title=(at.strftime("%Y-%m-%d %H:%M:%S%.6f UTC")) {
            span.date { (local.strftime("%Y-%m-%d")) } " "
            span.clock { (local.strftime("%H:%M:%S")) } " "
            span.zone { (local.strftime("%Z")) }
        }
    }
}

/// The same as plain text.
pub(crate) fn text(at: Timestamp, clock: &Clock) -> String {
    at.to_zoned(clock.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// How long ago, in the largest unit. The script keeps this up to date with the same words.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    match seconds {
        ..5 => "just now".to_owned(),
        5..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..172_800 => "1 day ago".to_owned(),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{ago, moment};
    use crate::clock::Clock;

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
            assert_eq!(ago(at(0), at(seconds)), text);
        }
    }

    #[test]
    fn the_zone_is_always_there() {
        let html = moment(at(0), &Clock::utc(at(60))).into_string();
        assert!(html.contains(r#"datetime="2023-11-14T22:13:20Z""#), "{html}");
        assert!(html.contains("22:13:20.000000 UTC"), "{html}");
        assert!(html.contains(">UTC<"), "{html}");
        let tokyo = Clock { now: at(60), zone: jiff::tz::TimeZone::get("Asia/Tokyo").unwrap() };
        let html = moment(at(0), &tokyo).into_string();
        assert!(html.contains(">07:13:20<") && html.contains(">JST<"), "{html}");
        assert!(html.contains("22:13:20.000000 UTC"), "{html}");
    }
}
