//! The rules about columns of a connection.

use axum::response::Html;
use maud::{Markup, html};

use super::form::refusal;
use super::layout::{Page, Section, page as frame};
use super::number::length;
use crate::rules::{Purpose, Rule};
use crate::visit::Visit;
use crate::words::care::Text;
use crate::words::{Shared, Why, problem};

/// What the page shows.
pub(crate) struct RulesPage<'a> {
    pub(crate) rules: &'a [Rule],
    /// Rules for ignored columns that were typed and not saved.
    pub(crate) typed: Option<&'a str>,
    /// What they would do, or why they are none.
    pub(crate) effect: Option<Result<Effect, Why>>,
    /// The tables with a hidden key.
    pub(crate) keys: &'a [String],
}

/// What rules leave out.
pub(crate) struct Effect {
    pub(crate) looked_at: usize,
    pub(crate) left_out: usize,
}

/// How rules are written.
const EXAMPLES: [&str; 5] =
    ["updated_at", "users.email", "shop.users.email", "*_cached_counter", "\"Users\".\"E.mail\""];
/// What is often ignored.
const ANYWHERE: &str = "*.updated_at";

pub(crate) fn page(visit: &Visit, rules: &RulesPage<'_>) -> Html<String> {
    let body = html! {
        header.head {
            h1 { (visit.say(Text::ColumnRules)) }
            p.note { (visit.say(Text::AboutRules)) }
        }
        @if visit.here.ends_with("saved=yes") { div.notice.good role="status" { p { (visit.say(Shared::Saved)) } } }
        (ignored(visit, rules))
        (hidden(visit, rules))
        (how_to_write(visit))
    };
    let above = [(visit.say(Shared::Health), visit.links().health())];
    frame(
        visit,
        &Page {
            title: &visit.say(Text::ColumnRules),
            section: Section::Other,
            above: &above,
            body,
        },
    )
}

fn lines(rules: &RulesPage<'_>, purpose: Purpose) -> String {
    let meant = rules.rules.iter().filter(|rule| rule.purpose == purpose);
    meant.map(|rule| rule.pattern.as_str()).collect::<Vec<_>>().join("\n")
}

fn ignored(visit: &Visit, rules: &RulesPage<'_>) -> Markup {
    let saved = lines(rules, Purpose::Ignore);
    html! {
        section.card.form-card aria-labelledby="ignored-heading" {
            h2 #ignored-heading { (visit.say(Text::IgnoredColumns)) }
            p { (visit.say(Text::AboutIgnored)) }
            @match &rules.effect {
                Some(Err(why)) => (refusal(visit, &problem::Text::CannotBeUsed(why.clone()))),
                Some(Ok(effect)) => (preview(visit, effect)),
                None => {}
            }
            form method="post" action=(visit.links().rules()) {
                div.field {
                    label for="ignored" { (visit.say(Text::IgnoredField)) }
                    textarea #ignored name="ignored" rows="5" spellcheck="false" placeholder=(ANYWHERE) { (rules.typed.unwrap_or(&saved)) }
                }
                div.actions {
                    button.primary { (visit.say(Text::SaveIgnored)) }
                    button.quiet formmethod="get" { (visit.say(Text::ShowLeftOut)) }
                }
            }
            p.note { (visit.say(Text::HowFar)) }
        }
    }
}

fn preview(visit: &Visit, effect: &Effect) -> Markup {
    html! {
        div.notice role="status" {
            p {
                strong { (visit.say(Text::WouldBeLeftOut { looked_at: length(effect.looked_at), left_out: length(effect.left_out) })) } " "
                (visit.say(Text::NothingSavedYet))
            }
        }
    }
}

fn hidden(visit: &Visit, rules: &RulesPage<'_>) -> Markup {
    html! {
        section.card.form-card aria-labelledby="hidden-heading" {
            h2 #hidden-heading { (visit.say(Text::HiddenValues)) }
            p { (visit.say(Text::AboutHidden)) }
            form method="post" action={ (visit.links().rules()) "/hidden" } {
                div.field {
                    label for="from_viewers" { (visit.say(Text::HiddenFromViewers)) }
                    textarea #from_viewers name="from_viewers" rows="4" spellcheck="false" placeholder=(EXAMPLES[2]) { (lines(rules, Purpose::HideFromViewers)) }
                }
                div.field {
                    label for="from_operators" { (visit.say(Text::HiddenFromOperators)) }
                    textarea #from_operators name="from_operators" rows="4" spellcheck="false" { (lines(rules, Purpose::HideFromOperators)) }
                }
                div.actions { button.primary { (visit.say(Text::SaveHidden)) } }
            }
            @if !rules.keys.is_empty() {
                p.note { (visit.say(Text::HiddenKeys(rules.keys))) }
            }
        }
    }
}

fn how_to_write(visit: &Visit) -> Markup {
    html! {
        section.card.form-card aria-labelledby="writing" {
            h2 #writing { (visit.say(Text::HowToWrite)) }
            dl.keys {
                @for (rule, meaning) in EXAMPLES.into_iter().zip([
                    Text::ColumnAnywhere,
                    Text::ColumnOfTables,
                    Text::OneColumn,
                    Text::Star,
                    Text::InQuotes,
                ]) {
                    div { dt { code { (rule) } } dd { (visit.say(meaning)) } }
                }
            }
            p.note { (visit.say(Text::RulesGoByName)) }
        }
    }
}
