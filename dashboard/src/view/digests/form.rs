//! The form of a digest.

use axum::response::Html;
use maud::{Markup, html};

use super::health;
use crate::digests::{Format, Interval, Schedule};
use crate::pages::digests::Fields;
use crate::store::digests::{Details, Saved};
use crate::view::form::{held, refusal};
use crate::view::layout::{Page, Section, page as frame};
use crate::visit::Visit;
use crate::words::digests::Text;
use crate::words::{Shared, Why, problem};

/// Examples.
const ADDRESS: &str = "https://hooks.slack.com/services/…";
const CHANGES: &str = "?table=public.users&op=delete";

/// The form.
pub(crate) struct Editor<'a> {
    /// The digest that is changed; none if one is added.
    pub(crate) saved: Option<&'a Saved>,
    /// What was typed before.
    pub(crate) fields: Option<&'a Fields>,
    /// A filter to begin with.
    pub(crate) changes: &'a str,
    pub(crate) refusal: Option<problem::Text>,
    /// Why none can be added.
    pub(crate) why_not: Option<Why>,
    /// Whether digests hold links.
    pub(crate) has_links: bool,
}

impl Editor<'_> {
    fn value(
        &self,
        typed: fn(&Fields) -> &str,
        saved: fn(&Details) -> String,
        usual: &str,
    ) -> String {
        held(self.fields.map(typed), self.saved.map(|one| saved(&one.details)), usual)
    }
}

pub(crate) fn form_page(visit: &Visit, editor: &Editor<'_>) -> Html<String> {
    let title = visit.say(if editor.saved.is_some() { Text::EditTitle } else { Text::AddTitle });
    let list = visit.links().digests();
    let action = match editor.saved {
        Some(one) => visit.links().digest(&one.id),
        None => format!("{list}/new"),
    };
    let body = html! {
        header.head { h1 { (title) } }
        @if let Some(text) = &editor.refusal { (refusal(visit, text)) }
        @if let Some(why) = &editor.why_not {
            div.notice { p { (visit.say(problem::Text::Only(why.clone()))) } }
        } @else {
            section.card.form-card {
                form method="post" action=(action) autocomplete="off" {
                    div.field {
                        label for="name" { (visit.say(Shared::Name)) }
                        input #name name="name" type="text" required maxlength="64" value=(editor.value(|f| &f.name, |d| d.name.clone(), ""));
                    }
                    (target(visit, editor))
                    (formats(visit, editor))
                    (schedule(visit, editor))
                    (changes(visit, editor))
                    div.actions { button.primary { (visit.say(Shared::Save)) } a.button.quiet href=(list) { (visit.say(Shared::Cancel)) } }
                }
            }
            @if !editor.has_links {
                p.note { (visit.say(Text::NeedsPublicUrl)) }
            }
        }
    };
    let above = [health(visit), (visit.say(Shared::Digests), list)];
    frame(visit, &Page { title: &title, section: Section::Other, above: &above, body })
}

/// Never filled in: whoever has the address can write there.
fn target(visit: &Visit, editor: &Editor<'_>) -> Markup {
    let kept = editor.saved.map(|one| visit.say(Text::AddressAsItIs(&one.sealed.shown_url)));
    html! {
        div.field {
            label for="url" { (visit.say(Text::Address)) }
            input #url name="url" type="text" inputmode="url" spellcheck="false" autocomplete="off" required[kept.is_none()]
                placeholder=(kept.as_deref().unwrap_or(ADDRESS)) aria-describedby="url-help";
            p.note #url-help { (visit.say(Text::AddressHelp)) }
        }
    }
}

fn formats(visit: &Visit, editor: &Editor<'_>) -> Markup {
    let chosen = editor.value(|f| &f.format, |d| d.format.word().to_owned(), Format::Slack.word());
    let has_secret = editor.saved.is_some_and(|one| one.sealed.secret.is_some());
    html! {
        fieldset.choices {
            legend { (visit.say(Text::FormatField)) }
            @for one in Format::ALL {
                label.choice {
                    input type="radio" name="format" value=(one.word()) checked[one.word() == chosen];
                    span {
                        strong { (visit.say(Text::FormatName(one))) }
                        span.note { (visit.say(Text::FormatHelp(one))) }
                    }
                }
            }
        }
        div.field {
            label for="secret" { (visit.say(Text::Secret)) }
            input #secret name="secret" type="password" autocomplete="new-password" minlength="16" placeholder=[has_secret.then(|| visit.say(Text::AsKept))] aria-describedby="secret-help";
            p.note #secret-help { (visit.say(Text::SecretHelp)) }
        }
    }
}

fn schedule(visit: &Visit, editor: &Editor<'_>) -> Markup {
    let chosen = editor.value(|f| &f.every, |d| d.schedule.word().to_owned(), "hour");
    let (usual_hour, usual_zone) = ("8", visit.preferences.zone_name());
    let hour = editor.value(|f| &f.hour, |d| daily(d).0, usual_hour);
    let zone = editor.value(|f| &f.zone, |d| daily(d).1, usual_zone);
    let zone = if zone.is_empty() { usual_zone } else { &zone };
    html! {
        div.field {
            label for="every" { (visit.say(Text::HowOften)) }
            select #every name="every" {
                @for interval in Interval::ALL {
                    @let word = Schedule::Every(interval).word();
                    option value=(word) selected[word == chosen] { (visit.say(Text::Every(interval))) }
                }
                option value=(Schedule::DAILY) selected[chosen == Schedule::DAILY] { (visit.say(Text::EveryDay)) }
            }
        }
        div.row-form {
            label { span { (visit.say(Text::DailyAt)) } select name="hour" { @for one in 0..24 { option value=(one) selected[one.to_string() == hour] { (format!("{one:02}:00")) } } } }
            label { span { (visit.say(Text::TimeZone)) } input type="text" name="zone" value=(zone) spellcheck="false"; }
        }
        @let sends_empty = editor.fields.map_or_else(|| editor.saved.is_some_and(|one| one.details.sends_empty), |f| !f.empty.is_empty());
        label.choice { input type="checkbox" name="empty" value="on" checked[sends_empty]; span { strong { (visit.say(Text::EmptyField)) } span.note { (visit.say(Text::EmptyHelp)) } } }
    }
}

/// The hour and the zone of a daily one.
fn daily(details: &Details) -> (String, String) {
    match &details.schedule {
        Schedule::Daily { hour, zone } => (hour.to_string(), zone.clone()),
        Schedule::Every(_) => ("8".to_owned(), String::new()),
    }
}

fn changes(visit: &Visit, editor: &Editor<'_>) -> Markup {
    let value = editor.value(|f| &f.changes, |d| d.query.clone(), editor.changes);
    html! {
        div.field {
            label for="changes" { (visit.say(Text::WhichChanges)) }
            input #changes name="changes" type="text" spellcheck="false" autocomplete="off" value=(value) placeholder=(CHANGES) aria-describedby="changes-help";
            p.note #changes-help { (visit.say(Text::ChangesHelp)) }
        }
    }
}
