//! The activity: every recorded change, filtered, charted, live.

mod facets;
mod filters;

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::activity::{Rest, Statement};
use pgtrack_tracker::feed::Cursor;
use pgtrack_tracker::revert::Cause;
use pgtrack_tracker::{TrackedTable, Transaction};

use super::layout::{Page, Section, page as frame};
use super::{chart, feed, ignored, live, statement};
use crate::revert::Subject;
use crate::search::{Grouping, Search, Span};
use crate::store::views::SavedView;
use crate::tally::Tallied;
use crate::visit::Visit;
use crate::words::activity::Text;
use crate::words::{Marked, Shared, Why};

pub(crate) use filters::chip_label;

/// What the page shows.
pub(crate) struct Activity<'a> {
    pub(crate) search: &'a Search,
    pub(crate) tables: &'a [TrackedTable],
    pub(crate) saved: &'a [SavedView],
    /// Why nothing was looked for.
    pub(crate) refusal: Option<Why>,
    pub(crate) entries: Entries,
    pub(crate) rest: Rest,
    /// How many were left out by the rules of the connection.
    pub(crate) ignored: usize,
    /// Where the list ends and the live feed begins; none where nothing new can come.
    pub(crate) cursor: Option<Cursor>,
    pub(crate) chart: Option<(Span, Tallied)>,
}

/// The list.
pub(crate) enum Entries {
    Changes(Vec<Statement>),
    Transactions(Vec<Transaction>),
}

impl Entries {
    fn is_empty(&self) -> bool {
        match self {
            Self::Changes(list) => list.is_empty(),
            Self::Transactions(list) => list.is_empty(),
        }
    }
}

pub(crate) fn page(visit: &Visit, activity: &Activity<'_>) -> Html<String> {
    let search = activity.search;
    let body = html! {
        header.head {
            div.title {
                h1 { (visit.say(Shared::Activity)) }
                (filters::actions(visit, search))
                @if let (true, Some(cause)) = (visit.may_revert(), cause(visit, activity)) {
                    div.actions { a.button data-undo href=(visit.links().plan(&Subject::cause(cause))) { (visit.say(Text::UndoAll)) } }
                }
            }
        }
        (filters::form(visit, activity))
        @if let Some((span, tallied)) = &activity.chart {
            (chart::section(visit, search, *span, tallied, activity.tables.iter().map(|table| table.since).min()))
            (facets::section(visit, search, tallied))
        }
        section aria-labelledby="list-heading" {
            div.toolbar {
                h2 #list-heading { @if search.before.is_some() { (visit.say(Text::EarlierChanges)) } @else { (visit.say(Shared::LatestChanges)) } }
                (grouping(visit, search))
                @if activity.cursor.is_some() { (live::controls(visit)) }
                @if search.before.is_some() {
                    a.button.quiet href=(visit.links().changes(&search.newest())) { (visit.say(Text::NewestChanges)) }
                }
            }
            @if activity.cursor.is_some() { (live::banner(visit)) }
            (ignored::notice(visit, activity.search, activity.ignored))
            @if activity.refusal.is_none() && activity.entries.is_empty() && activity.ignored == 0 { (nothing(visit, activity)) }
            (list(visit, activity))
            (pager(visit, activity))
        }
    };
    frame(
        visit,
        &Page { title: &visit.say(Shared::Activity), section: Section::Activity, above: &[], body },
    )
}

/// What the filter names, if it names nothing but who or what did it and when: that can be undone as a whole.
fn cause(visit: &Visit, activity: &Activity<'_>) -> Option<Cause> {
    let search = activity.search;
    let others = search.chips().any(|chip| !matches!(chip.name, "who" | "app" | "since" | "until"));
    if others || activity.entries.is_empty() {
        return None;
    }
    let filter = search.filter(&visit.clock).ok()?;
    let who = filter.who.as_deref();
    // The person that an application named, or the one who logged in.
    let is_actor = match &activity.entries {
        Entries::Changes(list) => {
            list.iter().any(|one| who == Some(&*one.who) && one.who != one.user_name)
        }
        Entries::Transactions(list) => {
            list.iter().any(|one| who == Some(&*one.who) && one.who != one.user_name)
        }
    };
    let (actor, user) = if is_actor { (filter.who, None) } else { (None, filter.who) };
    let cause = Cause {
        actor,
        user,
        application: filter.application,
        from: filter.since,
        to: filter.until,
    };
    (cause.actor.is_some() || cause.user.is_some() || cause.application.is_some()).then_some(cause)
}

fn grouping(visit: &Visit, search: &Search) -> Markup {
    let links = visit.links();
    let entry = |label, grouping| {
        let is_current = (search.grouping == grouping).then_some("true");
        html! { a href=(links.changes(&search.grouped(grouping))) aria-current=[is_current] { (visit.say(label)) } }
    };
    html! {
        nav.switch aria-label=(visit.say(Shared::Show)) {
            (entry(Text::ByChange, Grouping::Changes))
            (entry(Text::ByTransaction, Grouping::Transactions))
        }
    }
}

/// The entries, in a form that undoes those that are chosen.
fn list(visit: &Visit, activity: &Activity<'_>) -> Markup {
    let links = visit.links();
    let live = activity.cursor.as_ref().map(|_| links.live(activity.search, visit.may_revert()));
    let cursor = activity.cursor.as_ref().map(Cursor::as_str);
    let act = match activity.search.grouping {
        Grouping::Changes => Subject::UNDO_STATEMENTS,
        Grouping::Transactions => Subject::UNDO_TRANSACTIONS,
    };
    let may_select = visit.may_revert();
    let items = html! {
        ol.feed #feed data-live=[live] data-cursor=[cursor] {
            @match &activity.entries {
                Entries::Changes(list) => {
                    @for one in list { (statement::item(visit, one, may_select)) }
                }
                Entries::Transactions(list) => {
                    @for one in list { (feed::item(visit, one, may_select)) }
                }
            }
        }
    };
    html! {
        @if may_select {
            form.select method="get" action=(links.plan_selected()) {
                input type="hidden" name="act" value=(act);
                (items)
                div.actions.selected {
                    button { (visit.say(Text::UndoSelected)) }
                    span.note { (visit.say(Text::TickTogether)) }
                }
            }
        } @else {
            (items)
        }
    }
}

fn pager(visit: &Visit, activity: &Activity<'_>) -> Markup {
    let links = visit.links();
    html! {
        @match activity.rest {
            Rest::None => {}
            Rest::Older(statement) => {
                nav.pager aria-label=(visit.say(Shared::Pages)) {
                    a.button rel="next" href=(links.changes(&activity.search.older_than(statement))) { (visit.say(Text::OlderChanges)) }
                }
            }
            Rest::Unknown(statement) => {
                div.notice role="status" {
                    p { (visit.say(Text::SearchStopped)) }
                    p { a.button rel="next" href=(links.changes(&activity.search.older_than(statement))) { (visit.say(Text::SearchFurther)) } }
                }
            }
        }
    }
}

fn nothing(visit: &Visit, activity: &Activity<'_>) -> Markup {
    html! {
        div.card.blank #nothing-yet {
            @if activity.search.before.is_some() {
                p { (visit.say(Text::NoEarlier)) }
            } @else if !activity.search.is_open() {
                p { strong { (visit.say(Text::NonePasses)) } }
                @if matches!(activity.rest, Rest::Unknown(_)) { p { (visit.say(Text::NotAmongLatest)) } }
                p { (visit.say(Text::TakePartAway)) }
                ul.chips { @for chip in activity.search.chips() { (filters::chip(visit, &chip)) } }
            } @else if let Some(table) = activity.tables.first() {
                p { strong { (visit.say(Text::NothingRecordedYet)) } }
                p { (visit.say(Marked::ChangeARow(&table.display_name))) }
            } @else {
                (super::tables::nothing_tracked(visit))
            }
        }
    }
}
