//! Texts with a number that the script counts on: it gets them in every form that the language has, and so do we.

use super::Words;

/// One of them; `#` stands for the number in its forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    SecondsAgo,
    MinutesAgo,
    HoursAgo,
    DaysAgo,
    NewChanges,
    ShowNewChanges,
}

impl Counted {
    /// The text for this number.
    pub(crate) fn of(self, number: i64, words: Words) -> String {
        let forms = words.say(self);
        let category = words.category(number);
        let form = forms.iter().find(|form| form.0 == category).or(forms.last());
        form.map_or("", |form| form.1).replace('#', &words.number(number))
    }

    /// All its forms for an attribute that the script reads: `one=# day|other=# days`. The categories are those of
    /// CLDR, which the browser knows for every language.
    pub(crate) fn forms(self, words: Words) -> String {
        let forms = words.say(self).iter().map(|(category, text)| format!("{category}={text}"));
        forms.collect::<Vec<_>>().join("|")
    }
}
