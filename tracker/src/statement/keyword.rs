//! Looks for a word in a text, in capitals or not.

use memchr::memchr2_iter;

/// Letters from the most to the least frequent one in SQL.
const BY_FREQUENCY: &[u8] = b"etasroindlcumpfhgbwyvxkqjz";

/// Some ASCII to look for.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    text: &'static [u8],
    /// The place of its rarest byte. That is what is searched, as each place where it is costs a comparison.
    rarest: usize,
}

impl Keyword {
    /// Looks for this.
    pub const fn new(text: &'static str) -> Self {
        let text = text.as_bytes();
        let (mut rarest, mut place) = (0, 1);
        while place < text.len() {
            if rarity(text[place]) > rarity(text[rarest]) {
                rarest = place;
            }
            place += 1;
        }
        Self { text, rarest }
    }

    /// Whether the text contains it.
    pub fn is_in(self, text: &[u8]) -> bool {
        let Some(byte) = self.text.get(self.rarest) else { return true };
        memchr2_iter(byte.to_ascii_lowercase(), byte.to_ascii_uppercase(), text).any(|place| {
            let found = place
                .checked_sub(self.rarest)
                .and_then(|start| text.get(start..start + self.text.len()));
            found.is_some_and(|found| found.eq_ignore_ascii_case(self.text))
        })
    }
}

/// The place in [`BY_FREQUENCY`]; behind all letters for what is none.
const fn rarity(byte: u8) -> usize {
    let mut place = 0;
    while place < BY_FREQUENCY.len() && BY_FREQUENCY[place] != byte.to_ascii_lowercase() {
        place += 1;
    }
    place
}

#[cfg(test)]
mod tests {
    use super::Keyword;

    #[test]
    fn a_word_is_found_wherever_it_is() {
        for (word, rarest) in [("pgtrack", b'k'), ("u&\"", b'&')] {
            let keyword = Keyword::new(word);
            assert_eq!(keyword.text[keyword.rarest], rarest);
            for text in [word.to_owned(), format!("kk&{word}"), format!("{word}KK&")] {
                assert!(keyword.is_in(text.as_bytes()), "{text}");
                assert!(keyword.is_in(text.to_uppercase().as_bytes()), "{text}");
            }
            let (head, tail) = word.split_at(1);
            for text in ["", head, tail, &format!("{head} {tail}"), &format!("{tail}{head}")] {
                assert!(!keyword.is_in(text.as_bytes()), "{text}");
            }
        }
    }
}
