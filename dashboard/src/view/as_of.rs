//! A table at a point in time: what it held, what differs from now, and the way back.

use axum::response::Html;
use jiff::Timestamp;
use maud::{Markup, html};
use pgtrack_tracker::past::{Difference, Tag};
use pgtrack_tracker::{Column, RowKey, TrackedTable};

use super::layout::{Page, Section, page as frame};
use super::number::length;
use super::table::{Tab, head};
use super::value::{is_number, value};
use super::{diff, effect, key, time};
use crate::comparison::Image;
use crate::links::encode;
use crate::revert::Subject;
use crate::visit::Visit;
use crate::words::rows::Text;
use crate::words::{Marked, Shared};

/// What the page shows.
pub(crate) struct AsOf<'a> {
    pub(crate) table: &'a TrackedTable,
    /// The table's columns in their order.
    pub(crate) order: &'a [Column],
    pub(crate) tags: &'a [Tag],
    /// What was typed.
    pub(crate) typed: &'a str,
    /// The point as pg_track takes it.
    pub(crate) point: &'a str,
    /// The point, if it is a moment.
    pub(crate) at: Option<Timestamp>,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// No point has been chosen.
    Nothing,
    Differences {
        list: Vec<Difference>,
        is_cut: bool,
    },
    Rows {
        rows: Vec<Image>,
        next: Option<i64>,
    },
}

impl AsOf<'_> {
    /// This page at this point.
    fn link(&self, visit: &Visit, show: &str) -> String {
        let page = visit.links().as_of(&self.table.display_name);
        format!("{page}?point={}&show={show}", encode(self.point))
    }

    fn point_in_words(&self, visit: &Visit) -> String {
        self.at.map_or_else(|| self.typed.to_owned(), |at| time::text(visit, at))
    }
}

pub(crate) fn page(visit: &Visit, as_of: &AsOf<'_>) -> Html<String> {
    let links = visit.links();
    let name = &as_of.table.display_name;
    let body = html! {
        (head(visit, as_of.table, Tab::AsOf))
        @if !as_of.table.key_columns.is_empty() { (form(visit, as_of)) }
        @if !matches!(as_of.content, Content::Nothing) { (chosen(visit, as_of)) }
        @match &as_of.content {
            Content::Nothing => p.note { (visit.say(Text::ChooseMoment)) },
            Content::Differences { list, is_cut } => (differences(visit, as_of, list, *is_cut)),
            Content::Rows { rows, next } => (rows_then(visit, as_of, rows, *next)),
        }
    };
    let above = [(visit.say(Shared::Tables), links.tables()), (name.into(), links.table(name))];
    frame(
        visit,
        &Page { title: &visit.say(Text::AsOf), section: Section::Tables, above: &above, body },
    )
}

fn form(visit: &Visit, as_of: &AsOf<'_>) -> Markup {
    html! {
        form.row-form method="get" action=(visit.links().as_of(&as_of.table.display_name)) {
            label {
                span { (visit.say(Text::MomentOrTag(visit.preferences.zone_name()))) }
                input type="text" name="point" required list="tags" value=[(!as_of.typed.is_empty()).then_some(as_of.typed)]
                    placeholder="2026-11-23 14:00";
                datalist #tags { @for tag in as_of.tags { option value=(tag.name) { (time::text(visit, tag.at)) } } }
            }
            button.primary { (visit.say(Shared::ShowIt)) }
        }
    }
}

fn chosen(visit: &Visit, as_of: &AsOf<'_>) -> Markup {
    let revert = visit.links().plan(&Subject::table(&as_of.table.name, as_of.point));
    let is_rows = matches!(as_of.content, Content::Rows { .. });
    html! {
        div.notice role="status" {
            p { (visit.say(Marked::AsOf(&as_of.point_in_words(visit)))) }
        }
        div.toolbar {
            nav.switch aria-label=(visit.say(Shared::Show)) {
                a href=(as_of.link(visit, "differences")) aria-current=[(!is_rows).then_some("true")] { (visit.say(Text::ComparedWithNow)) }
                a href=(as_of.link(visit, "rows")) aria-current=[is_rows.then_some("true")] { (visit.say(Text::RowsThen)) }
            }
            @if visit.may_revert() { a.button data-undo href=(revert) { (visit.say(Text::RevertTable)) } }
        }
    }
}

fn differences(visit: &Visit, as_of: &AsOf<'_>, list: &[Difference], is_cut: bool) -> Markup {
    let rows: Vec<_> = list
        .iter()
        .map(|one| diff::Row {
            head: Some(html! {
                (effect::mark(&effect::done(visit, one.operation))) " "
                (key::link(visit, &as_of.table.display_name, &one.key))
            }),
            table: Some(&as_of.table.display_name),
            before: one.before.as_ref(),
            after: one.after.as_ref(),
        })
        .collect();
    html! {
        section {
            h2 { (visit.say(Text::ChangedSince { rows: length(list.len()), is_cut })) }
            @if list.is_empty() {
                div.card.blank { p { strong { (visit.say(Text::NothingChangedSince)) } } }
            } @else {
                (diff::table(visit, &visit.say(Text::WhatDiffers), &diff::Heads::past(visit), &rows, as_of.order))
            }
        }
    }
}

fn rows_then(visit: &Visit, as_of: &AsOf<'_>, rows: &[Image], next: Option<i64>) -> Markup {
    html! {
        section {
            h2 { (visit.say(Text::RowsThen)) }
            @if rows.is_empty() {
                div.card.blank { p { strong { (visit.say(Text::NoMoreRows)) } } }
            } @else {
                div.wide {
                    table.list.data {
                        caption.hidden { (visit.say(Text::RowsOfAsOf { table: &as_of.table.display_name, point: as_of.point })) }
                        thead { tr { @for column in as_of.order { th scope="col" title=(column.type_name) { (column.name) } } } }
                        tbody { @for row in rows { (row_then(visit, as_of, row)) } }
                    }
                }
            }
            @if let Some(next) = next {
                nav.pager aria-label=(visit.say(Shared::Pages)) { a.button rel="next" href={ (as_of.link(visit, "rows")) "&skip=" (next) } { (visit.say(Text::MoreRows)) } }
            }
        }
    }
}

fn row_then(visit: &Visit, as_of: &AsOf<'_>, row: &Image) -> Markup {
    let key = as_of.table.key_columns.iter();
    let row_key =
        RowKey(key.filter_map(|name| Some((name.clone(), row.get(name)?.clone()))).collect());
    let is_key = |name: &String| as_of.table.key_columns.contains(name);
    html! {
        tr {
            @for column in as_of.order {
                @let content = row.get(&column.name);
                @if is_key(&column.name) {
                    th scope="row" data-head=(column.name) {
                        @if key::is_hidden(&row_key) { (value(visit, content)) }
                        @else { a href=(visit.links().row(&as_of.table.display_name, &row_key)) { (value(visit, content)) } }
                    }
                } @else {
                    td.number[is_number(content)] data-head=(column.name) { (value(visit, content)) }
                }
            }
        }
    }
}
