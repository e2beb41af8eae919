//! The frame of every page, the live feed, times, errors and settings.

use std::borrow::Cow;

use crate::preferences::Theme;
use crate::words::Dates;
use crate::words::frame::Text;
use crate::words::{Shared, Words};

pub(in crate::words) fn say(text: &Text<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // view/layout.rs
        Text::SkipToContent => "Skip to content",
        Text::Main => "Main",
        Text::ChooseDatabase => "The database that is shown; choose another",
        Text::NoConnection => "no connection",
        Text::SignOut => "Sign out",
        Text::Theme => "Theme",
        Text::Breadcrumb => "Breadcrumb",
        Text::ThemeName(Theme::Auto) => "Auto",
        Text::ThemeName(Theme::Light) => "Light",
        Text::ThemeName(Theme::Dark) => "Dark",
        Text::YourRole(role) => {
            return format!("Role: {}", words.say(Shared::RoleOf(*role))).into();
        }
        // view/live.rs
        Text::Pause => "Pause",
        Text::Refresh => "Refresh",
        Text::ShowNewChanges => "Show new changes",
        Text::NewerChanges => "Newer changes: reload",
        Text::Live => "Live",
        Text::Paused => "Paused",
        Text::Resume => "Resume",
        Text::Interrupted => "Live updates are interrupted, trying again",
        Text::ManyNewer => "There are many newer changes",
        // view/time.rs
        Text::JustNow => "just now",
        // What the script puts on buttons.
        Text::Copy => "Copy",
        Text::Copied => "Copied",
        Text::UseZone => "Use this browser's zone, #",
        // view/problem.rs
        Text::OnCommandLine => "On the command line it takes as long as it takes:",
        Text::ToThePlan => "Look at the plan again",
        Text::GoToStart => "Go to the start page",
        Text::Error(status) => return format!("Error {status}").into(),
        // view/settings.rs
        Text::KeptInBrowser => "They are kept in this browser.",
        Text::Language => "Language",
        Text::TimeZone => "Time zone",
        Text::AboutZones => {
            "Times are shown in this zone; the zone always stands beside them, UTC is shown on pointing at them."
        }
        Text::Numbers => "Numbers",
        Text::Dates => "Dates",
        Text::Density => "Density",
        Text::Comfortable => "comfortable",
        Text::Compact => "compact",
        Text::BeforeAndAfter => "Before and after",
        Text::SideBySide => "side by side",
        Text::OneBelowTheOther => "one below the other",
        Text::Shortcuts => "Keyboard shortcuts",
        Text::On => "on",
        Text::Off => "off",
        Text::SaveSettings => "Save settings",
        Text::ThemeChoice(Theme::Auto) => "auto",
        Text::ThemeChoice(Theme::Light) => "light",
        Text::ThemeChoice(Theme::Dark) => "dark",
        Text::DateOrder(Dates::Iso) => "year first",
        Text::DateOrder(Dates::DayFirst) => "day first",
        Text::DateOrder(Dates::MonthFirst) => "month first",
        Text::DateChoice(dates, example) => {
            return format!("{example}, {}", say(&Text::DateOrder(*dates), words)).into();
        }
        Text::SearchKey => "search the activity",
        Text::NextKeys => "next and previous entry",
        Text::EnterKey => "Enter",
        Text::EnterKeyDoes => "open the entry",
        Text::UndoKey => "undo what the page shows, after a preview",
        Text::UnfoldKey => "show or hide what is folded",
        Text::PauseKey => "pause the live list",
        Text::PageKeys => "g then o, a, t, s, h",
        Text::PageKeysDo => "go to the overview, the activity, the tables, the storage, the health",
        Text::FreezeKeys => "t then a",
        Text::FreezeKeysDo => "freeze the time of the filter",
        Text::HelpKey => "show this list",
    })
}
