//! How a person wants to see things.

use std::borrow::Cow;

use axum::response::Html;
use maud::{Markup, html};

use super::layout::{Page, Section, page as frame};
use crate::preferences::Theme;
use crate::visit::Visit;
use crate::words::frame::Text;
use crate::words::{Dates, Language, Numbers, Shared, Words};

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

/// A number that shows how numbers are written: 12345.6.
const EXAMPLE_TENTHS: i64 = 123_456;

pub(crate) fn page(visit: &Visit) -> Html<String> {
    let chosen = &visit.preferences;
    let body = html! {
        header.head { h1 { (visit.say(Shared::Settings)) } p.note { (visit.say(Text::KeptInBrowser)) } }
        @if visit.here.ends_with("saved=yes") { div.notice.good role="status" { p { (visit.say(Shared::Saved)) } } }
        section.card.form-card {
            form method="post" action="/settings" {
                @if Language::ALL.len() > 1 { (language(visit)) }
                (choices(visit, Text::Theme, "theme", chosen.theme.word(), &Theme::ALL.map(|theme| (theme.word(), Text::ThemeChoice(theme)))))
                div.field {
                    label for="zone" { (visit.say(Text::TimeZone)) }
                    input #zone name="zone" type="text" list="zones" required value=(chosen.zone_name()) autocomplete="off" data-zone=(visit.say(Text::UseZone));
                    datalist #zones { @for zone in ZONES { option value=(zone) {} } }
                    p.note { (visit.say(Text::AboutZones)) }
                }
                (numbers(visit))
                (dates(visit))
                (choices(visit, Text::Density, "density", if chosen.is_compact { "compact" } else { "comfortable" }, &[("comfortable", Text::Comfortable), ("compact", Text::Compact)]))
                (choices(visit, Text::BeforeAndAfter, "diff", if chosen.is_inline { "inline" } else { "split" }, &[("split", Text::SideBySide), ("inline", Text::OneBelowTheOther)]))
                (choices(visit, Text::Shortcuts, "shortcuts", if chosen.has_shortcuts { "on" } else { "off" }, &[("on", Text::On), ("off", Text::Off)]))
                div.actions { button.primary { (visit.say(Text::SaveSettings)) } }
            }
        }
        (shortcuts(visit))
    };
    let title = &visit.say(Shared::Settings);
    frame(visit, &Page { title, section: Section::Other, above: &[], body })
}

fn choices(
    visit: &Visit,
    label: Text<'_>,
    name: &str,
    chosen: &str,
    all: &[(&str, Text<'_>)],
) -> Markup {
    let all = all.iter().map(|(value, text)| (*value, visit.say(text)));
    fieldset(&visit.say(label), name, chosen, all)
}

fn fieldset<'a>(
    label: &str,
    name: &str,
    chosen: &str,
    all: impl Iterator<Item = (&'a str, Cow<'a, str>)>,
) -> Markup {
    html! {
        fieldset.choices {
            legend { (label) }
            @for (value, text) in all {
                label.choice { input type="radio" name=(name) value=(value) checked[value == chosen]; span { (text) } }
            }
        }
    }
}

/// Each language by the name that it has in itself.
fn language(visit: &Visit) -> Markup {
    let chosen = visit.preferences.words.language.tag();
    let all = Language::ALL.iter().map(|one| (one.tag(), Cow::Borrowed(one.name())));
    fieldset(&visit.say(Text::Language), "language", chosen, all)
}

/// Each way to write numbers by an example.
fn numbers(visit: &Visit) -> Markup {
    let words = visit.preferences.words;
    let all = Numbers::ALL.map(|numbers| {
        (numbers.word(), Cow::Owned(Words { numbers, ..words }.tenths(EXAMPLE_TENTHS)))
    });
    fieldset(&visit.say(Text::Numbers), "numbers", words.numbers.word(), all.into_iter())
}

/// Each way to write dates, with today's.
fn dates(visit: &Visit) -> Markup {
    let words = visit.preferences.words;
    let today = visit.clock.now.to_zoned(visit.clock.zone.clone()).date();
    let all = Dates::ALL.map(|dates| {
        let example = Words { dates, ..words }.date(today);
        (dates.word(), visit.say(Text::DateChoice(dates, &example)))
    });
    fieldset(&visit.say(Text::Dates), "dates", words.dates.word(), all.into_iter())
}

fn shortcuts(visit: &Visit) -> Markup {
    let keys = [
        ("/".into(), Text::SearchKey),
        ("j, k".into(), Text::NextKeys),
        (visit.say(Text::EnterKey), Text::EnterKeyDoes),
        ("u".into(), Text::UndoKey),
        ("e".into(), Text::UnfoldKey),
        ("p".into(), Text::PauseKey),
        (visit.say(Text::PageKeys), Text::PageKeysDo),
        (visit.say(Text::FreezeKeys), Text::FreezeKeysDo),
        ("?".into(), Text::HelpKey),
    ];
    html! {
        section.card.form-card #shortcuts {
            h2 { (visit.say(Text::Shortcuts)) }
            dl.keys { @for (key, what) in keys { div { dt { kbd { (key) } } dd { (visit.say(what)) } } } }
        }
    }
}
