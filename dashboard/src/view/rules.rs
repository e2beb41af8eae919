//! The rules about columns of a connection.

use axum::response::Html;
use maud::{Markup, html};

use super::form::refusal;
use super::layout::{Page, Section, page as frame};
use super::number::{count, grouped, length};
use crate::rules::{Purpose, Rule};
use crate::visit::Visit;

/// What the page shows.
pub(crate) struct RulesPage<'a> {
    pub(crate) rules: &'a [Rule],
    /// Rules for ignored columns that were typed and not saved.
    pub(crate) typed: Option<&'a str>,
    /// What they would do, or why they are none.
    pub(crate) effect: Option<Result<Effect, String>>,
    /// The tables with a hidden key.
    pub(crate) keys: &'a [String],
}

/// What rules leave out.
pub(crate) struct Effect {
    pub(crate) looked_at: usize,
    pub(crate) left_out: usize,
}

pub(crate) fn page(visit: &Visit, rules: &RulesPage<'_>) -> Html<String> {
    let body = html! {
        header.head {
            h1 { "Column rules" }
            p.note { "They are about what pages show. What is recorded, and what an undo does, stays the same." }
        }
        @if visit.here.ends_with("saved=yes") { div.notice.good role="status" { p { "Saved." } } }
        (ignored(visit, rules))
        (hidden(visit, rules))
        (how_to_write())
    };
    let above = [("Health", visit.links().health())];
    frame(visit, &Page { title: "Column rules", section: Section::Other, above: &above, body })
}

fn lines(rules: &RulesPage<'_>, purpose: Purpose) -> String {
    let meant = rules.rules.iter().filter(|rule| rule.purpose == purpose);
    meant.map(|rule| rule.pattern.as_str()).collect::<Vec<_>>().join("\n")
}

fn ignored(visit: &Visit, rules: &RulesPage<'_>) -> Markup {
    let saved = lines(rules, Purpose::Ignore);
    html! {
        section.card.form-card aria-labelledby="ignored-heading" {
            h2 #ignored-heading { "Ignored columns" }
            p { "Lists, the live feed and exports leave out updates in which nothing else differs, and say how many. Differences show these columns folded." }
            @match &rules.effect {
                Some(Err(why)) => (refusal(&format!("This cannot be used: {why}."))),
                Some(Ok(effect)) => (preview(effect)),
                None => {}
            }
            form method="post" action=(visit.links().rules()) {
                div.field {
                    label for="ignored" { "Columns, one rule on each line" }
                    textarea #ignored name="ignored" rows="5" spellcheck="false" placeholder="*.updated_at" { (rules.typed.unwrap_or(&saved)) }
                }
                div.actions {
                    button.primary { "Save ignored columns" }
                    button.quiet formmethod="get" { "Show what would be left out" }
                }
            }
            p.note {
                "Only the changes of a page are looked at, 200 at a time. Updates of more than 20 rows, of rows without a key or with another key since, "
                "and of tables whose columns have changed since are always shown; far back, so are those of rows with more than 500 versions."
            }
        }
    }
}

fn preview(effect: &Effect) -> Markup {
    html! {
        div.notice role="status" {
            p {
                strong { "Of the latest " (count(length(effect.looked_at), "change")) ", " (grouped(length(effect.left_out))) " would be left out." }
                " Nothing has been saved yet."
            }
        }
    }
}

fn hidden(visit: &Visit, rules: &RulesPage<'_>) -> Markup {
    html! {
        section.card.form-card aria-labelledby="hidden-heading" {
            h2 #hidden-heading { "Hidden values" }
            p { "They are shown as “(hidden)”. That they changed, when and by whom is shown. The texts of statements may hold any value, so whoever does not see some values does not see those texts, nor the database's own words about an error." }
            form method="post" action={ (visit.links().rules()) "/hidden" } {
                div.field {
                    label for="from_viewers" { "Hidden from viewers, one rule on each line" }
                    textarea #from_viewers name="from_viewers" rows="4" spellcheck="false" placeholder="shop.users.email" { (lines(rules, Purpose::HideFromViewers)) }
                }
                div.field {
                    label for="from_operators" { "Hidden from viewers and operators" }
                    textarea #from_operators name="from_operators" rows="4" spellcheck="false" { (lines(rules, Purpose::HideFromOperators)) }
                }
                div.actions { button.primary { "Save hidden values" } }
            }
            @if !rules.keys.is_empty() {
                p.note { "The key is hidden of: " (rules.keys.join(", ")) ". Rows of these tables have no page for those people, and cannot be put back one by one by them." }
            }
        }
    }
}

fn how_to_write() -> Markup {
    html! {
        section.card.form-card aria-labelledby="writing" {
            h2 #writing { "How rules are written" }
            dl.keys {
                @for (rule, meaning) in [
                    ("updated_at", "the column in every table"),
                    ("users.email", "the column of tables of this name, in every schema"),
                    ("shop.users.email", "one column"),
                    ("*_cached_counter", "* stands for any text, in every part"),
                    ("\"Users\".\"E.mail\"", "names in quotes are meant as they are; others in any case"),
                ] {
                    div { dt { code { (rule) } } dd { (meaning) } }
                }
            }
            p.note { "Rules go by name. After a column or table was renamed they have to be changed." }
        }
    }
}
