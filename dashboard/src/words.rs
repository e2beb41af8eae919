//! All that the dashboard says to people, in one table: what there is to say, and how each language says it.
//!
//! Every room has an enum of what is said in it, with what a sentence is about as fields; [`Marked`] has the sentences
//! with links or emphasis inside. A language is a module with one function for each room, which matches all of them:
//! the compiler names what is missing. Numbers and dates are written as a person has chosen, whatever the language.
//!
//! To add a language, copy `english.rs` and the files beside it, translate them, and name the language in
//! [`Language`] and in `rooms!`. Not in here, as nobody translates it: what PostgreSQL says, names, SQL, and what is
//! written to files, logs, chats and the audit log.

pub(crate) mod activity;
pub(crate) mod care;
pub(crate) mod connections;
pub(crate) mod digests;
pub(crate) mod frame;
pub(crate) mod people;
pub(crate) mod plan;
pub(crate) mod problem;
pub(crate) mod rows;

mod counted;
#[expect(clippy::match_same_arms, reason = "two texts may be the same in one language")]
mod english;
mod marked;
mod shared;
mod style;
#[cfg(test)]
mod tests;
mod why;

use std::borrow::Cow;

use maud::Markup;

pub(crate) use counted::Counted;
pub(crate) use marked::Marked;
pub(crate) use shared::Shared;
pub(crate) use style::{Dates, Numbers};
pub(crate) use why::Why;

/// The languages of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Language {
    #[default]
    English,
    /// English between marks, which shows what does not come from the table.
    #[cfg(test)]
    Marks,
}

impl Language {
    pub(crate) const ALL: &[Self] = &[
        Self::English,
        #[cfg(test)]
        Self::Marks,
    ];

    /// The language's tag, for HTML and for the cookie.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            #[cfg(test)]
            Self::Marks => "en-XA",
        }
    }

    /// What the language calls itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            #[cfg(test)]
            Self::Marks => "⟦English⟧",
        }
    }

    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|language| language.tag() == tag)
    }
}

/// How a person is spoken to: the language, and how numbers and dates are written in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Words {
    pub(crate) language: Language,
    pub(crate) numbers: Numbers,
    pub(crate) dates: Dates,
}

impl Words {
    /// Says it: a text, or markup where there is some in the sentence.
    pub(crate) fn say<T: Say>(self, what: T) -> T::Said {
        what.said(self)
    }

    /// The plural category of a number in this language.
    fn category(self, number: i64) -> &'static str {
        match self.language {
            Language::English => english::category(number),
            #[cfg(test)]
            Language::Marks => english::category(number),
        }
    }
}

/// For logs, and for whoever runs the program: in English.
pub(crate) fn plain(what: impl Say<Said = Cow<'static, str>>) -> String {
    Words::default().say(what).into_owned()
}

/// Something that can be said.
pub(crate) trait Say {
    type Said;

    fn said(&self, words: Words) -> Self::Said;
}

impl<T: Say> Say for &T {
    type Said = T::Said;

    fn said(&self, words: Words) -> T::Said {
        (*self).said(words)
    }
}

/// Where each language has the texts of each room.
macro_rules! rooms {
    ($($room:ident: $what:ty => $said:ty;)*) => {
        $(impl Say for $what {
            type Said = $said;

            fn said(&self, words: Words) -> $said {
                match words.language {
                    Language::English => english::$room::say(self, words),
                    #[cfg(test)]
                    Language::Marks => tests::between_marks(english::$room::say(self, words)),
                }
            }
        })*
    };
}

rooms! {
    activity: activity::Text<'_> => Cow<'static, str>;
    care: care::Text<'_> => Cow<'static, str>;
    connections: connections::Text<'_> => Cow<'static, str>;
    digests: digests::Text<'_> => Cow<'static, str>;
    counted: Counted => &'static [(&'static str, &'static str)];
    frame: frame::Text<'_> => Cow<'static, str>;
    marked: Marked<'_> => Markup;
    people: people::Text<'_> => Cow<'static, str>;
    plan: plan::Text<'_> => Cow<'static, str>;
    problem: problem::Text => Cow<'static, str>;
    rows: rows::Text<'_> => Cow<'static, str>;
    shared: Shared<'_> => Cow<'static, str>;
    why: Why => Cow<'static, str>;
}
