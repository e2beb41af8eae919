//! Rows before and after, column by column: only what differs, the rest on demand.

mod inside;

use std::borrow::Cow;

use maud::{Markup, html};
use pgtrack_tracker::Column as TableColumn;
use serde_json::Value;

use super::number::length;
use super::value::{is_number, value};
use crate::comparison::{Column, Image, compare};
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::rows::Text;

/// The heads of the two columns of values.
#[derive(Debug, Clone)]
pub(crate) struct Heads {
    pub(crate) before: Cow<'static, str>,
    pub(crate) after: Cow<'static, str>,
}

impl Heads {
    /// Of a recorded change.
    pub(crate) fn recorded(visit: &Visit) -> Self {
        Self { before: visit.say(Text::Before), after: visit.say(Text::After) }
    }

    /// Of a plan.
    pub(crate) fn planned(visit: &Visit) -> Self {
        Self { before: visit.say(Text::Now), after: visit.say(Text::AfterThis) }
    }

    /// Of the past.
    pub(crate) fn past(visit: &Visit) -> Self {
        Self { before: visit.say(Text::Then), after: visit.say(Text::Now) }
    }
}

/// One row that changed or would change.
pub(crate) struct Row<'a> {
    /// What the row is and what is done to it; none where the page has said so.
    pub(crate) head: Option<Markup>,
    /// Where columns that the rules ignore are folded: the table.
    pub(crate) table: Option<&'a str>,
    pub(crate) before: Option<&'a Image>,
    pub(crate) after: Option<&'a Image>,
}

/// A table of rows of one tracked table, whose columns come in `order`. Before and after stand side by side, or one
/// below the other, as the person prefers.
pub(crate) fn table(
    visit: &Visit,
    caption: &str,
    heads: &Heads,
    rows: &[Row<'_>],
    order: &[TableColumn],
) -> Markup {
    html! {
        table.diff.inline[visit.preferences.is_inline] {
            caption.hidden { (caption) }
            thead {
                tr {
                    th scope="col" { (visit.say(Shared::Column)) }
                    th scope="col" { (heads.before) }
                    th scope="col" { (heads.after) }
                }
            }
            @for row in rows { (body(visit, row, heads, order)) }
        }
    }
}

fn body(visit: &Visit, row: &Row<'_>, heads: &Heads, order: &[TableColumn]) -> Markup {
    let comparison = compare(row.before, row.after, order);
    let is_both = row.before.is_some() && row.after.is_some();
    let is_ignored = |column: &Column<'_>| {
        is_both && row.table.is_some_and(|table| visit.rules.ignores_in(table, column.name))
    };
    let (ignored, shown): (Vec<_>, Vec<_>) =
        comparison.changed.iter().partition(|one| is_ignored(one));
    html! {
        tbody {
            @if let Some(head) = &row.head { tr.row-head { th colspan="3" scope="rowgroup" { (head) } } }
            @for column in shown { (changed(visit, column, heads, order)) }
            @if !ignored.is_empty() { (folded(visit, &ignored, heads, order)) }
            @if !comparison.unchanged.is_empty() { (unchanged(visit, &comparison.unchanged, order)) }
        }
    }
}

/// Changed columns that nobody wants to hear of.
fn folded(visit: &Visit, columns: &[&Column<'_>], heads: &Heads, order: &[TableColumn]) -> Markup {
    html! {
        tr.unchanged {
            td colspan="3" {
                details {
                    summary { (visit.say(Text::ShowIgnored(length(columns.len())))) }
                    dl.image {
                        @for column in columns {
                            div {
                                dt title=[type_name(column.name, order)] { (column.name) }
                                dd { span.hidden { (heads.before) " " } (value(visit, column.before)) " → " span.hidden { (heads.after) " " } (value(visit, column.after)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn changed(visit: &Visit, column: &Column<'_>, heads: &Heads, order: &[TableColumn]) -> Markup {
    let type_name = type_name(column.name, order);
    let parts = match (column.before, column.after) {
        (Some(before), Some(after)) => {
            inside::parts(visit, before, after, type_name.unwrap_or_default())
        }
        _ => None,
    };
    let (old, new) =
        parts.unwrap_or_else(|| (value(visit, column.before), value(visit, column.after)));
    html! {
        tr {
            th scope="row" title=[type_name] { (column.name) }
            (cell(column.before, &old, &heads.before, "old", "−"))
            (cell(column.after, &new, &heads.after, "new", "+"))
        }
    }
}

/// A value; what is not there has neither sign nor colour.
fn cell(content: Option<&Value>, shown: &Markup, head: &str, class: &str, sign: &str) -> Markup {
    let class = if content.is_some() { class } else { "none" };
    html! {
        td.(class).number[is_number(content)] data-head=(head) {
            @if content.is_some() { span.sign aria-hidden="true" { (sign) } " " }
            (shown)
        }
    }
}

fn unchanged(visit: &Visit, columns: &[(&str, &Value)], order: &[TableColumn]) -> Markup {
    html! {
        tr.unchanged {
            td colspan="3" {
                details {
                    summary { (visit.say(Text::ShowUnchanged(length(columns.len())))) }
                    (image(visit, columns.iter().copied(), order))
                }
            }
        }
    }
}

/// The columns and values of one row image.
pub(crate) fn image<'a>(
    visit: &Visit,
    columns: impl Iterator<Item = (&'a str, &'a Value)>,
    order: &[TableColumn],
) -> Markup {
    html! {
        dl.image {
            @for (name, content) in columns {
                div { dt title=[type_name(name, order)] { (name) } dd { (value(visit, Some(content))) } }
            }
        }
    }
}

/// The type of a column that the table still has.
pub(crate) fn type_name<'a>(name: &str, order: &'a [TableColumn]) -> Option<&'a str> {
    order.iter().find(|column| column.name == name).map(|column| &*column.type_name)
}

#[cfg(test)]
mod tests {
    use pgtrack_tracker::Column;
    use scraper::{Html, Selector};
    use serde_json::{Value, json};

    use super::{Heads, Row, table};
    use crate::comparison::Image;
    use crate::visit::Visit;

    fn image(value: Value) -> Image {
        serde_json::from_value(value).unwrap()
    }

    fn texts(html: &str, selector: &str) -> Vec<String> {
        let fragment = Html::parse_fragment(html);
        let selector = Selector::parse(selector).unwrap();
        fragment.select(&selector).map(|element| element.text().collect()).collect()
    }

    fn render(before: Option<Value>, after: Option<Value>) -> String {
        let (before, after) = (before.map(image), after.map(image));
        let row = Row { head: None, table: None, before: before.as_ref(), after: after.as_ref() };
        let column =
            Column { name: "name".to_owned(), type_name: "text".to_owned(), can_be_set: true };
        let order = [column];
        let visit = Visit::example();
        table(&visit, "rows", &Heads::recorded(&visit), &[row], &order).into_string()
    }

    #[test]
    fn an_update_shows_what_differs_with_signs() {
        let html =
            render(Some(json!({"id": 1, "name": "a<b"})), Some(json!({"id": 1, "name": null})));
        assert_eq!(texts(&html, "tbody tr > th"), ["name"]);
        assert_eq!(texts(&html, "th[title=text]"), ["name"]);
        assert_eq!(texts(&html, "td.old"), ["− a<b"]);
        assert_eq!(texts(&html, "td.new"), ["+ NULL"]);
        assert_eq!(texts(&html, "summary"), ["Show 1 unchanged column"]);
        assert!(!html.contains("a<b"), "{html}");
    }

    #[test]
    fn an_insert_has_no_row_before() {
        let html = render(None, Some(json!({"id": 1})));
        assert_eq!(texts(&html, "td.none"), ["·no row"]);
        assert_eq!(texts(&html, "td.new.number"), ["+ 1"]);
    }
}
