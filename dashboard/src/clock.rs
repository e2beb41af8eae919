//! The time of a request, as the person who asks reads it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// When a request came, and the zone in which to show times.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
}

impl Clock {
    /// UTC, for what is not shown to anybody in particular.
    pub(crate) fn utc(now: Timestamp) -> Self {
        Self { now, zone: TimeZone::UTC }
    }

    /// Reads a moment as people and browsers write it: `2026-11-23T07:00Z`, or without a zone in theirs.
    pub(crate) fn read(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(at);
        }
        let local: DateTime = text.parse().ok()?;
        local.to_zoned(self.zone.clone()).ok().map(|at| at.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::Clock;

    #[test]
    fn moments_without_a_zone_are_in_the_reader_s() {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let clock = Clock { now: Timestamp::UNIX_EPOCH, zone };
        let read = |text| clock.read(text).map(|at| at.to_string());
        assert_eq!(read("2026-11-23T09:00").as_deref(), Some("2026-11-23T00:00:00Z"));
        assert_eq!(read("2026-11-23 09:00:01").as_deref(), Some("2026-11-23T00:00:01Z"));
        assert_eq!(read("2026-11-23T09:00Z").as_deref(), Some("2026-11-23T09:00:00Z"));
        assert_eq!(read("2026-11-23").as_deref(), Some("2026-11-22T15:00:00Z"));
        assert_eq!(read("yesterday"), None);
    }
}
