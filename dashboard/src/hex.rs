//! Bytes as hexadecimal digits: they need no escaping in cookies, URLs, headers and forms.

use std::fmt::Write as _;

/// The digits of these bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digits of `N` bytes from the operating system's source of randomness.
pub(crate) fn random<const N: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(encode(&bytes))
}

/// The bytes of these digits; `None` if they are none.
pub(crate) fn decode(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let is_lower = digits.iter().all(|one| matches!(one, b'0'..=b'9' | b'a'..=b'f'));
    if !is_lower || !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
