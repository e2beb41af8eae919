//! What a list leaves out by the rules of its connection, and the way to see it.

use maud::{Markup, html};

use super::number::length;
use crate::search::{SHOW, Search};
use crate::visit::Visit;
use crate::words::activity::Text;
use crate::words::{Marked, Shared};

/// Of a search.
pub(crate) fn notice(visit: &Visit, search: &Search, ignored: usize) -> Markup {
    let link = |shows| visit.links().changes(&search.showing_ignored(shows));
    chip(visit, ignored, search.shows_ignored, &link(true), &link(false))
}

/// Of a table's own page.
pub(crate) fn notice_of_table(visit: &Visit, table: &str, ignored: usize, shows: bool) -> Markup {
    let page = visit.links().table(table);
    chip(visit, ignored, shows, &format!("{page}?ignored={SHOW}"), &page)
}

fn chip(visit: &Visit, ignored: usize, shows: bool, show: &str, hide: &str) -> Markup {
    html! {
        @if shows && visit.rules.ignores_any() {
            p.ignored.note { (visit.say(Text::AllShown)) " " a href=(hide) { (visit.say(Text::HideIgnored)) } }
        } @else if ignored > 0 {
            p.ignored.note { (visit.say(Marked::HiddenByRules(length(ignored)))) " " a href=(show) { (visit.say(Shared::ShowIt)) } }
        }
    }
}
