//! How a person wants to see things.

use axum::response::Html;
use maud::{Markup, html};

use super::layout::{Page, Section, page as frame};
use crate::preferences::Theme;
use crate::visit::Visit;

/// Zones that are offered; any other can be typed.
const ZONES: [&str; 14] = [
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
];

const SHORTCUTS: [(&str, &str); 8] = [
    ("/", "search the activity"),
    ("j, k", "next and previous entry"),
    ("Enter", "open the entry"),
    ("u", "undo what the page shows, after a preview"),
    ("e", "show or hide what is folded"),
    ("p", "pause the live list"),
    ("g then o, a, t", "go to the overview, the activity, the tables"),
    ("?", "show this list"),
];

pub(crate) fn page(visit: &Visit) -> Html<String> {
    let chosen = &visit.preferences;
    let body = html! {
        header.head { h1 { "Settings" } p.note { "They are kept in this browser." } }
        @if visit.here.ends_with("saved=yes") { div.notice.good role="status" { p { "Saved." } } }
        section.card.form-card {
            form method="post" action="/settings" {
                (choices("Theme", "theme", chosen.theme.word(), &Theme::ALL.map(|theme| (theme.word(), theme.word()))))
                div.field {
                    label for="zone" { "Time zone" }
                    input #zone name="zone" type="text" list="zones" required value=(chosen.zone_name()) autocomplete="off" data-zone;
                    datalist #zones { @for zone in ZONES { option value=(zone) {} } }
                    p.note { "Times are shown in this zone; the zone always stands beside them, UTC is shown on pointing at them." }
                }
                (choices("Density", "density", if chosen.is_compact { "compact" } else { "comfortable" }, &[("comfortable", "comfortable"), ("compact", "compact")]))
                (choices("Before and after", "diff", if chosen.is_inline { "inline" } else { "split" }, &[("split", "side by side"), ("inline", "one below the other")]))
                (choices("Keyboard shortcuts", "shortcuts", if chosen.has_shortcuts { "on" } else { "off" }, &[("on", "on"), ("off", "off")]))
                div.actions { button.primary { "Save settings" } }
            }
        }
        section.card.form-card #shortcuts {
            h2 { "Keyboard shortcuts" }
            dl.keys { @for (key, what) in SHORTCUTS { div { dt { kbd { (key) } } dd { (what) } } } }
        }
    };
    frame(visit, &Page { title: "Settings", section: Section::Other, above: &[], body })
}

fn choices(label: &str, name: &str, chosen: &str, all: &[(&str, &str)]) -> Markup {
    html! {
        fieldset.choices {
            legend { (label) }
            @for (value, text) in all {
                label.choice { input type="radio" name=(name) value=(value) checked[*value == chosen]; span { (text) } }
            }
        }
    }
}
