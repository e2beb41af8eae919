//! How often a digest is sent.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::preferences;

/// The moments at which a digest is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Schedule {
    Every(Interval),
    /// Once a day at this hour.
    Daily {
        hour: i8,
        /// A zone of the tz database: people mean the hour on their clock, in summer, too.
        zone: String,
    },
}

/// A part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    FiveMinutes,
    QuarterHour,
    Hour,
}

impl Interval {
    pub(crate) const ALL: [Self; 3] = [Self::FiveMinutes, Self::QuarterHour, Self::Hour];

    fn seconds(self) -> i64 {
        match self {
            Self::FiveMinutes => 300,
            Self::QuarterHour => 900,
            Self::Hour => 3600,
        }
    }
}

impl Schedule {
    /// The word of a daily one.
    pub(crate) const DAILY: &str = "day";

    /// The word that is stored and sent; the hour comes beside it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Every(Interval::FiveMinutes) => "5 minutes",
            Self::Every(Interval::QuarterHour) => "15 minutes",
            Self::Every(Interval::Hour) => "hour",
            Self::Daily { .. } => Self::DAILY,
        }
    }

    /// Reads it; `None` if it is none.
    pub(crate) fn read(word: &str, hour: i8, zone: &str) -> Option<Self> {
        if word == Self::DAILY {
            let is_known = (0..24).contains(&hour) && preferences::zone(zone).is_some();
            return is_known.then(|| Self::Daily { hour, zone: zone.to_owned() });
        }
        Interval::ALL.into_iter().map(Self::Every).find(|one| one.word() == word)
    }

    /// When it is due next: at the full hour, or at whatever divides it.
    pub(crate) fn next(&self, after: Timestamp) -> Timestamp {
        let found = match self {
            Self::Every(interval) => {
                let seconds = interval.seconds();
                Timestamp::from_second((after.as_second().div_euclid(seconds) + 1) * seconds).ok()
            }
            Self::Daily { hour, zone } => {
                let zone = preferences::zone(zone).unwrap_or(TimeZone::UTC);
                let today = after.to_zoned(zone.clone()).date();
                (0..=2).find_map(|days| {
                    let day = today.checked_add(days.days()).ok()?;
                    let at = day.at(*hour, 0, 0, 0).to_zoned(zone.clone()).ok()?.timestamp();
                    (at > after).then_some(at)
                })
            }
        };
        // Only the end of time has nothing after it.
        found.unwrap_or(after.saturating_add(SignedDuration::from_hours(24)).unwrap_or(after))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Interval, Schedule};

    fn next(schedule: &Schedule, after: &str) -> String {
        schedule.next(after.parse::<Timestamp>().unwrap()).to_string()
    }

    #[test]
    fn intervals_end_at_round_times() {
        let every = |interval| Schedule::Every(interval);
        for (interval, after, expected) in [
            (Interval::FiveMinutes, "2026-11-26T10:03:59Z", "2026-11-26T10:05:00Z"),
            (Interval::FiveMinutes, "2026-11-26T10:05:00Z", "2026-11-26T10:10:00Z"),
            (Interval::QuarterHour, "2026-11-26T10:46:00Z", "2026-11-26T11:00:00Z"),
            (Interval::Hour, "2026-11-26T23:59:59.9Z", "2026-11-27T00:00:00Z"),
        ] {
            assert_eq!(next(&every(interval), after), expected);
        }
    }

    #[test]
    fn a_day_begins_on_the_clock_of_its_zone() {
        let daily = |hour, zone| Schedule::read("day", hour, zone).unwrap();
        assert_eq!(next(&daily(8, "UTC"), "2026-11-26T07:59:00Z"), "2026-11-26T08:00:00Z");
        assert_eq!(next(&daily(8, "UTC"), "2026-11-26T08:00:00Z"), "2026-11-27T08:00:00Z");
        let berlin = daily(8, "Europe/Berlin");
        // The clocks go forward in the night to the 28th.
        assert_eq!(next(&berlin, "2027-03-26T12:00:00Z"), "2027-03-27T07:00:00Z");
        assert_eq!(next(&berlin, "2027-03-27T12:00:00Z"), "2027-03-28T06:00:00Z");
        // An hour that is left out comes when the clock has it again.
        assert_eq!(
            next(&daily(2, "Europe/Berlin"), "2027-03-27T12:00:00Z"),
            "2027-03-28T01:00:00Z"
        );
    }

    #[test]
    fn what_is_stored_reads_back() {
        for interval in Interval::ALL {
            let schedule = Schedule::Every(interval);
            assert_eq!(Schedule::read(schedule.word(), 0, ""), Some(schedule));
        }
        for (word, hour, zone) in [("week", 0, ""), ("day", 24, "UTC"), ("day", 1, "Mars/Phobos")] {
            assert_eq!(Schedule::read(word, hour, zone), None, "{word} {hour} {zone}");
        }
    }
}
