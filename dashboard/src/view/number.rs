//! Numbers and sizes for people.

use maud::{Markup, html};

use crate::visit::Visit;
use crate::words::{Shared, Words};

/// A number with its digits in groups.
pub(crate) fn grouped(visit: &Visit, number: i64) -> String {
    visit.preferences.words.number(number)
}

/// How many there are of something that we hold in memory.
pub(crate) fn length(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A size, with the exact one at hand.
pub(crate) fn size(visit: &Visit, bytes: i64) -> Markup {
    html! {
        span title=(visit.say(Shared::Bytes(bytes))) { (short_size(visit.preferences.words, bytes)) }
    }
}

/// A size in the largest unit that it reaches, with one decimal below ten.
fn short_size(words: Words, bytes: i64) -> String {
    let mut power = 0;
    let mut tenths = bytes.saturating_mul(10);
    while power < 4 && tenths >= 10 * 1024 {
        tenths /= 1024;
        power += 1;
    }
    let number = if tenths < 100 { words.tenths(tenths) } else { words.number(tenths / 10) };
    let size = match power {
        0 => Shared::Bytes(bytes),
        1 => Shared::Kilobytes(&number),
        2 => Shared::Megabytes(&number),
        3 => Shared::Gigabytes(&number),
        _ => Shared::Terabytes(&number),
    };
    words.say(size).into_owned()
}

#[cfg(test)]
mod tests {
    use super::short_size;
    use crate::words::Words;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1,023 bytes"),
            (1024, "1.0 kB"),
            (49_152, "48 kB"),
            (1_625_292, "1.5 MB"),
            (i64::MAX, "838,860 TB"),
        ] {
            assert_eq!(short_size(Words::default(), bytes), text);
        }
    }
}
