//! The form of a digest.

use axum::response::Html;
use maud::{Markup, html};

use super::{format_label, health, interval_label};
use crate::digests::{Format, Interval, Schedule};
use crate::pages::digests::Fields;
use crate::store::digests::{Details, Saved};
use crate::view::form::refusal;
use crate::view::layout::{Page, Section, page as frame};
use crate::visit::Visit;

/// The form.
pub(crate) struct Editor<'a> {
    /// The digest that is changed; none if one is added.
    pub(crate) saved: Option<&'a Saved>,
    /// What was typed before.
    pub(crate) fields: Option<&'a Fields>,
    /// A filter to begin with.
    pub(crate) changes: &'a str,
    pub(crate) refusal: Option<String>,
    /// Why none can be added.
    pub(crate) why_not: Option<&'static str>,
    /// Whether digests hold links.
    pub(crate) has_links: bool,
}

impl Editor<'_> {
    /// What a field holds: what was typed, else what is saved, else what is usual.
    fn value(
        &self,
        typed: fn(&Fields) -> &str,
        saved: fn(&Details) -> String,
        usual: &str,
    ) -> String {
        match (self.fields, self.saved) {
            (Some(fields), _) => typed(fields).to_owned(),
            (None, Some(one)) => saved(&one.details),
            (None, None) => usual.to_owned(),
        }
    }
}

pub(crate) fn form_page(visit: &Visit, editor: &Editor<'_>) -> Html<String> {
    let title = if editor.saved.is_some() { "Edit digest" } else { "Add digest" };
    let list = visit.links().digests();
    let action = match editor.saved {
        Some(one) => visit.links().digest(&one.id),
        None => format!("{list}/new"),
    };
    let body = html! {
        header.head { h1 { (title) } }
        @if let Some(text) = &editor.refusal { (refusal(text)) }
        @if let Some(why) = editor.why_not {
            div.notice { p { (why) "." } }
        } @else {
            section.card.form-card {
                form method="post" action=(action) autocomplete="off" {
                    div.field {
                        label for="name" { "Name" }
                        input #name name="name" type="text" required maxlength="64" value=(editor.value(|f| &f.name, |d| d.name.clone(), ""));
                    }
                    (target(editor))
                    (formats(editor))
                    (schedule(visit, editor))
                    (changes(editor))
                    div.actions { button.primary { "Save" } a.button.quiet href=(list) { "Cancel" } }
                }
            }
            @if !editor.has_links {
                p.note { "Digests link to the list of their changes once public_url is set in the configuration of the dashboard." }
            }
        }
    };
    let above = [health(visit), ("Digests", list)];
    frame(visit, &Page { title, section: Section::Other, above: &above, body })
}

/// Never filled in: whoever has the address can write there.
fn target(editor: &Editor<'_>) -> Markup {
    let kept = editor.saved.map(|one| format!("as it is: {}", one.sealed.shown_url));
    html! {
        div.field {
            label for="url" { "Address of the webhook" }
            input #url name="url" type="text" inputmode="url" spellcheck="false" autocomplete="off" required[kept.is_none()]
                placeholder=(kept.as_deref().unwrap_or("https://hooks.slack.com/services/…")) aria-describedby="url-help";
            p.note #url-help { "It is kept sealed and not shown again. Hosts in private networks, other ports and http have to be listed in webhook_hosts of the configuration." }
        }
    }
}

fn formats(editor: &Editor<'_>) -> Markup {
    let chosen = editor.value(|f| &f.format, |d| d.format.word().to_owned(), Format::Slack.word());
    let has_secret = editor.saved.is_some_and(|one| one.sealed.secret.is_some());
    html! {
        fieldset.choices {
            legend { "Format" }
            @for one in Format::ALL {
                label.choice {
                    input type="radio" name="format" value=(one.word()) checked[one.word() == chosen];
                    span {
                        strong { (format_label(one)) }
                        span.note { @match one {
                            Format::Slack => "For incoming webhooks of Slack, Mattermost and others: {\"text\": …}",
                            Format::Json => "For programs, signed with the secret below.",
                        } }
                    }
                }
            }
        }
        div.field {
            label for="secret" { "Secret for the signature of JSON" }
            input #secret name="secret" type="password" autocomplete="new-password" minlength="16" placeholder=[has_secret.then_some("as it is kept")] aria-describedby="secret-help";
            p.note #secret-help { "At least 16 characters; the program that receives the digest knows it, too." }
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
            label for="every" { "How often" }
            select #every name="every" {
                @for interval in Interval::ALL {
                    @let word = Schedule::Every(interval).word();
                    option value=(word) selected[word == chosen] { (interval_label(interval)) }
                }
                option value=(Schedule::DAILY) selected[chosen == Schedule::DAILY] { "every day" }
            }
        }
        div.row-form {
            label { span { "Daily ones at" } select name="hour" { @for one in 0..24 { option value=(one) selected[one.to_string() == hour] { (format!("{one:02}:00")) } } } }
            label { span { "Time zone" } input type="text" name="zone" value=(zone) spellcheck="false"; }
        }
        @let sends_empty = editor.fields.map_or_else(|| editor.saved.is_some_and(|one| one.details.sends_empty), |f| !f.empty.is_empty());
        label.choice { input type="checkbox" name="empty" value="on" checked[sends_empty]; span { strong { "Also when nothing was changed" } span.note { "Then its absence says that something is wrong." } } }
    }
}

/// The hour and the zone of a daily one.
fn daily(details: &Details) -> (String, String) {
    match &details.schedule {
        Schedule::Daily { hour, zone } => (hour.to_string(), zone.clone()),
        Schedule::Every(_) => ("8".to_owned(), String::new()),
    }
}

fn changes(editor: &Editor<'_>) -> Markup {
    let value = editor.value(|f| &f.changes, |d| d.query.clone(), editor.changes);
    html! {
        div.field {
            label for="changes" { "Which changes" }
            input #changes name="changes" type="text" spellcheck="false" autocomplete="off" value=(value) placeholder="?table=public.users&op=delete" aria-describedby="changes-help";
            p.note #changes-help { "A filter of the activity: filter there and choose “Digest…”, or paste the address here. Empty: all changes. Text, row and value cannot be looked for, as digests hold no values; column rules leave nothing out." }
        }
    }
}
