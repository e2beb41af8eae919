//! What a person says when they confirm a plan.

use pgtrack_tracker::revert::{Manner, OnConflict};

/// The fields of the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Confirmation {
    /// Stands for the plan that was shown.
    pub(crate) token: String,
    /// Stands for this form: however often it is sent, it is applied once.
    pub(crate) submission: String,
    /// What to do with rows that changed since; only asked where there are any.
    pub(crate) on_conflict: Option<Choice>,
    /// What the plan that was shown does with them; `None` where that had not been chosen yet.
    pub(crate) planned: Option<Choice>,
    /// The columns to set back; `None` is all of them.
    pub(crate) columns: Option<Vec<String>>,
    /// In batches, each of which stays done if a later one fails.
    pub(crate) in_batches: bool,
    /// Only to look at the plan again, with these columns.
    pub(crate) is_look: bool,
    /// The connection's name, typed where a mistake would be dear.
    pub(crate) label: String,
    /// Why.
    pub(crate) reason: String,
}

impl Confirmation {
    /// Of the boxes for columns, the form names all of them and sends those that are ticked.
    pub(crate) const OFFERED: &str = "offered";
    pub(crate) const COLUMN: &str = "column";
    /// The name of the box that accepts batches.
    pub(crate) const BATCHES: &str = "batches";
    /// The name of the button that only looks.
    pub(crate) const LOOK: &str = "look";
    /// The name of the field for what was planned.
    pub(crate) const PLANNED: &str = "planned";

    /// Reads the fields of the form; `None` if it is not one of ours.
    pub(crate) fn read(pairs: &[(String, String)]) -> Option<Self> {
        let all = |name: &str| -> Vec<String> {
            pairs.iter().filter(|pair| pair.0 == name).map(|pair| pair.1.clone()).collect()
        };
        let one = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.clone());
        let choice = |word: Option<String>| match word {
            Some(word) => Choice::from_word(&word).map(Some),
            None => Some(None),
        };
        let (offered, columns) = (all(Self::OFFERED), all(Self::COLUMN));
        let is_whole = offered.iter().all(|name| columns.contains(name));
        Some(Self {
            token: one("token")?,
            submission: one("submission")?,
            on_conflict: choice(one("on_conflict"))?,
            planned: choice(one(Self::PLANNED))?,
            columns: (!is_whole).then_some(columns),
            in_batches: one(Self::BATCHES).is_some(),
            is_look: one(Self::LOOK).is_some(),
            label: one("label").unwrap_or_default(),
            reason: one("reason").unwrap_or_default(),
        })
    }

    /// How the tracker is to do it.
    pub(crate) fn manner(&self) -> Manner<'_> {
        Manner {
            on_conflict: self.on_conflict.map_or(OnConflict::Error, Choice::on_conflict),
            columns: self.columns.as_deref(),
        }
    }

    /// What the plan that was shown does with rows that changed since.
    pub(crate) fn planned(&self) -> OnConflict {
        self.planned.map_or(OnConflict::Error, Choice::on_conflict)
    }

    /// Whether the person has yet to see what they have chosen: by the difference a row becomes what it has never been.
    pub(crate) fn is_unseen(&self) -> bool {
        self.on_conflict == Some(Choice::Delta) && self.planned != Some(Choice::Delta)
    }
}

/// What to do with rows that somebody changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Skip,
    Merge,
    Delta,
    Overwrite,
}

impl Choice {
    fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Skip, Self::Merge, Self::Delta, Self::Overwrite];
        all.into_iter().find(|one| one.word() == word)
    }

    pub(crate) fn on_conflict(self) -> OnConflict {
        match self {
            Self::Skip => OnConflict::Skip,
            Self::Merge => OnConflict::Merge,
            Self::Delta => OnConflict::Delta,
            Self::Overwrite => OnConflict::Force,
        }
    }

    /// The word in the form.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Merge => "merge",
            Self::Delta => "delta",
            Self::Overwrite => "overwrite",
        }
    }
}

/// A single row is put back without ceremony; of more, people will want to know why.
pub(crate) fn needs_reason(rows: i64) -> bool {
    rows > 1
}

#[cfg(test)]
mod tests {
    use super::{Choice, Confirmation};

    fn read(fields: &[(&str, &str)]) -> Option<Confirmation> {
        let fixed = [("token", "t"), ("submission", "s")];
        let pairs = fixed.iter().chain(fields);
        let pairs: Vec<_> = pairs.map(|pair| (pair.0.to_owned(), pair.1.to_owned())).collect();
        Confirmation::read(&pairs)
    }

    #[test]
    fn columns_are_chosen_where_some_are_not_ticked() {
        let columns = |fields: &[(&str, &str)]| read(fields).unwrap().columns;
        assert_eq!(columns(&[]), None);
        let offered = [("offered", "a"), ("offered", "b")];
        let with = |ticked: &[(&'static str, &'static str)]| [&offered[..], ticked].concat();
        assert_eq!(columns(&with(&[("column", "b"), ("column", "a")])), None);
        assert_eq!(columns(&with(&[("column", "b")])), Some(vec!["b".to_owned()]));
        assert_eq!(columns(&with(&[])), Some(vec![]), "none is not all");
    }

    #[test]
    fn what_is_done_by_the_difference_is_seen_first() {
        let is_unseen = |fields: &[(&str, &str)]| read(fields).unwrap().is_unseen();
        assert!(is_unseen(&[("on_conflict", "delta")]));
        assert!(is_unseen(&[("on_conflict", "delta"), ("planned", "merge")]));
        assert!(!is_unseen(&[("on_conflict", "delta"), ("planned", "delta")]));
        assert!(!is_unseen(&[("on_conflict", "merge")]));
    }

    #[test]
    fn what_is_no_form_of_ours_is_none() {
        assert_eq!(read(&[("on_conflict", "merge")]).unwrap().on_conflict, Some(Choice::Merge));
        assert!(read(&[("on_conflict", "explode")]).is_none());
        assert!(read(&[("planned", "explode")]).is_none());
        assert!(Confirmation::read(&[("token".to_owned(), "t".to_owned())]).is_none());
    }
}
