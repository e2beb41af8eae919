//! Numbers and sizes for people.

use maud::{Markup, html};

/// A number with its digits in groups: `1,204`.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    if number < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 row`, `1,204 rows`.
pub(crate) fn count(number: i64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// How many there are of something that we hold in memory.
pub(crate) fn length(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A size, with the exact one at hand.
pub(crate) fn size(bytes: i64) -> Markup {
    html! { span title={ (grouped(bytes)) " bytes" } { (short_size(bytes)) } }
}

/// A size in the largest unit that it reaches, with one decimal below ten.
fn short_size(bytes: i64) -> String {
    let mut unit = "bytes";
    let mut tenths = bytes.saturating_mul(10);
    for larger in ["kB", "MB", "GB", "TB"] {
        if tenths < 10 * 1024 {
            break;
        }
        tenths /= 1024;
        unit = larger;
    }
    if unit == "bytes" || tenths >= 100 {
        format!("{} {unit}", grouped(tenths / 10))
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::{count, grouped, short_size};

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "−1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(count(1204, "row"), "1,204 rows");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1,023 bytes"),
            (1024, "1.0 kB"),
            (49_152, "48 kB"),
            (1_625_292, "1.5 MB"),
            (i64::MAX, "838,860 TB"),
        ] {
            assert_eq!(short_size(bytes), text);
        }
    }
}
