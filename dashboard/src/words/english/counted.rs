//! Texts with a number that the script counts on.

use crate::words::{Counted, Words};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as in every room")]
pub(in crate::words) fn say(text: &Counted, _: Words) -> &'static [(&'static str, &'static str)] {
    match text {
        Counted::SecondsAgo => &[("one", "# s ago"), ("other", "# s ago")],
        Counted::MinutesAgo => &[("one", "# min ago"), ("other", "# min ago")],
        Counted::HoursAgo => &[("one", "# h ago"), ("other", "# h ago")],
        Counted::DaysAgo => &[("one", "# day ago"), ("other", "# days ago")],
        Counted::NewChanges => &[("one", "# new change"), ("other", "# new changes")],
        Counted::ShowNewChanges => &[("one", "Show # new change"), ("other", "Show # new changes")],
    }
}
