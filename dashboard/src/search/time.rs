//! Times in a search: a moment, or how long ago; and the span that a chart covers.

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;

/// The moment that `1h`, `30m`, `7d` ago was, or that a timestamp names.
pub(super) fn read(text: &str, clock: &Clock) -> Option<Timestamp> {
    ago(text).and_then(|ago| clock.now.checked_sub(ago).ok()).or_else(|| clock.read(text))
}

fn ago(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = number.parse().ok()?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some(SignedDuration::from_secs(i64::from(number) * seconds))
}

/// An interval of time in equal parts, which begin at round times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) width: SignedDuration,
}

/// The widths of parts, in seconds.
const WIDTHS: [i64; 10] = [60, 300, 900, 1800, 3600, 10_800, 21_600, 86_400, 604_800, 2_592_000];
/// No more parts than this.
const MOST_PARTS: i64 = 60;

impl Span {
    /// What covers this time; without a beginning, the last 24 hours before the end.
    pub(crate) fn around(
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let to = until.map_or(now, |until| until.min(now)).as_second();
        let from = since.map_or(to - 86_400, Timestamp::as_second).min(to - 60);
        let width = WIDTHS
            .into_iter()
            .find(|width| (to - from) / width < MOST_PARTS)
            .unwrap_or((to - from) / MOST_PARTS);
        let from = from.div_euclid(width) * width;
        let to = (to.div_euclid(width) + 1) * width;
        let at = |second| Timestamp::from_second(second).unwrap_or(now);
        Self { from: at(from), to: at(to), width: SignedDuration::from_secs(width) }
    }

    /// The beginnings of the parts.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let (from, to, width) = (self.from.as_second(), self.to.as_second(), self.width.as_secs());
        (0..)
            .map(move |index| from + index * width)
            .take_while(move |second| *second < to)
            .filter_map(|second| Timestamp::from_second(second).ok())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Span, read};
    use crate::clock::Clock;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_moments_or_ago() {
        let clock = Clock::utc(at("2026-11-23T12:00:00Z"));
        for (text, moment) in [
            ("30m", "2026-11-23T11:30:00Z"),
            ("1h", "2026-11-23T11:00:00Z"),
            ("7d", "2026-11-16T12:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
        ] {
            assert_eq!(read(text, &clock), Some(at(moment)), "{text}");
        }
        for text in ["", "h", "1y", "-1h", "é", "99999999999h"] {
            assert_eq!(read(text, &clock), None, "{text}");
        }
    }

    #[test]
    fn a_span_has_round_parts_and_not_too_many() {
        let now = at("2026-11-23T12:34:56Z");
        let day = Span::around(None, None, now);
        assert_eq!((day.from, day.to), (at("2026-11-22T12:30:00Z"), at("2026-11-23T13:00:00Z")));
        assert_eq!(day.width.as_secs(), 1800);
        let hour = Span::around(Some(at("2026-11-23T11:34:00Z")), None, now);
        assert_eq!(hour.width.as_secs(), 300);
        assert_eq!(hour.parts().count(), 13);
        let years = Span::around(Some(at("2000-01-01T00:00:00Z")), None, now);
        assert!(years.parts().count() <= 62, "{}", years.parts().count());
        let backwards = Span::around(Some(now), Some(at("2026-11-20T00:00:00Z")), now);
        assert!(backwards.from < backwards.to);
    }
}
