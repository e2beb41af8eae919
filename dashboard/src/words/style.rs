//! How numbers and dates are written. What machines read (files, addresses, attributes) is written the same for all.

use jiff::civil::Date;

use super::Words;

/// How the digits of a number are grouped, and what stands before its decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Numbers {
    /// `1,234.5`
    #[default]
    Comma,
    /// `1.234,5`
    Point,
    /// `1 234,5`
    Space,
}

impl Numbers {
    pub(crate) const ALL: [Self; 3] = [Self::Comma, Self::Point, Self::Space];

    /// The word in the cookie and the form.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Comma => "comma",
            Self::Point => "point",
            Self::Space => "space",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    fn between_groups(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Point => '.',
            // Narrow, and no place to break a line.
            Self::Space => '\u{202f}',
        }
    }

    fn before_decimals(self) -> char {
        match self {
            Self::Comma => '.',
            Self::Point | Self::Space => ',',
        }
    }
}

/// The order of a date's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Dates {
    /// `2026-11-23`
    #[default]
    Iso,
    /// `23.11.2026`
    DayFirst,
    /// `11/23/2026`
    MonthFirst,
}

impl Dates {
    pub(crate) const ALL: [Self; 3] = [Self::Iso, Self::DayFirst, Self::MonthFirst];

    /// The word in the cookie and the form.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Iso => "iso",
            Self::DayFirst => "day-first",
            Self::MonthFirst => "month-first",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

impl Words {
    /// A number with its digits in groups: `1,204`.
    pub(crate) fn number(self, number: i64) -> String {
        let digits = number.unsigned_abs().to_string();
        let mut text = String::new();
        if number < 0 {
            text.push('−');
        }
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(self.numbers.between_groups());
            }
            text.push(digit);
        }
        text
    }

    /// A number of tenths with one decimal: `1.5`.
    pub(crate) fn tenths(self, tenths: i64) -> String {
        format!("{}{}{}", self.number(tenths / 10), self.numbers.before_decimals(), tenths % 10)
    }

    pub(crate) fn date(self, date: Date) -> String {
        let format = match self.dates {
            Dates::Iso => "%Y-%m-%d",
            Dates::DayFirst => "%d.%m.%Y",
            Dates::MonthFirst => "%m/%d/%Y",
        };
        date.strftime(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{Dates, Numbers};
    use crate::words::Words;

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "−1,234,567")]
        {
            assert_eq!(Words::default().number(number), text);
        }
    }

    #[test]
    fn numbers_and_dates_are_as_chosen() {
        for (numbers, number, tenths) in [
            (Numbers::Comma, "12,345", "1.5"),
            (Numbers::Point, "12.345", "1,5"),
            (Numbers::Space, "12\u{202f}345", "1,5"),
        ] {
            let words = Words { numbers, ..Words::default() };
            assert_eq!((&*words.number(12_345), &*words.tenths(15)), (number, tenths));
            assert_eq!(Numbers::from_word(numbers.word()), Some(numbers));
        }
        for (dates, text) in [
            (Dates::Iso, "2026-11-03"),
            (Dates::DayFirst, "03.11.2026"),
            (Dates::MonthFirst, "11/03/2026"),
        ] {
            assert_eq!(Words { dates, ..Words::default() }.date(date(2026, 11, 3)), text);
            assert_eq!(Dates::from_word(dates.word()), Some(dates));
        }
    }
}
