//! Storage, health, rules about columns, and installing.

use std::borrow::Cow;

use super::count;
use crate::words::Words;
use crate::words::care::Text;

pub(in crate::words) fn say(text: &Text<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // view/storage.rs
        Text::AllOfTheHistory => "All of the history",
        Text::OfThatStatements => "Of that statements",
        Text::HistoryByTable => "History by table",
        Text::Images => "Images",
        Text::Indexes => "Indexes",
        Text::Growth => "Growth",
        Text::NotTrackedAnyMore => "not tracked any more",
        Text::NotKnownYet => "not known yet",
        Text::Nothing => "none",
        Text::PurgeOld => "Purge old history",
        Text::KeepDays => "Keep the last … days",
        Text::ShowWhatGoes => "Show what would be removed…",
        Text::NothingThatOld => "There is nothing that old. Nothing would be removed.",
        Text::PurgedUntil(moment) => return format!("purged until {moment}").into(),
        Text::PurgeOlder(days) => {
            return format!(
                "Purge what is older than {}",
                count(words, i64::from(*days), "day", "days")
            )
            .into();
        }
        Text::ChangesByStatements { changes, statements } => {
            return format!(
                "{} by {}",
                count(words, *changes, "change", "changes"),
                count(words, *statements, "statement", "statements")
            )
            .into();
        }
        Text::RemoveChanges(changes) => {
            return format!("Remove {}", count(words, *changes, "change", "changes")).into();
        }
        // view/health.rs
        Text::ColumnRules => "Column rules",
        Text::Tracked => "Tracked",
        Text::Findings => "Findings",
        Text::WithoutKey => "Without a primary key",
        Text::EverythingRecorded => "Every change of the tracked tables is recorded.",
        Text::TrackAgain => "Track again",
        Text::TrackedWithoutKey => "Tracked without a primary key",
        Text::KeylessHelp => {
            "Their changes are recorded, but single rows cannot be followed or put back."
        }
        Text::NotTracked => "Not tracked",
        Text::EverythingTracked => "Every table is tracked.",
        Text::TablesNotTracked => "Tables that are not tracked",
        Text::Rows => "Rows",
        Text::Tracking => "Tracking",
        Text::HasKey => "yes",
        Text::Track => "Track",
        Text::TrackingOff => "off",
        Text::TrackedOf { tracked, of } => {
            return format!(
                "{} of {}",
                words.number(*tracked),
                count(words, *of, "table", "tables")
            )
            .into();
        }
        Text::Rights => "Rights",
        Text::IsSuperuser(role) => {
            return format!(
                "The dashboard works as the role {role}, which is a superuser: whatever goes wrong in \
                 it goes wrong with every right."
            )
            .into();
        }
        Text::MakeServiceRole => {
            "Run pgtrack install --service-role NAME, which makes a role with exactly what is \
             needed, and connect as that one."
        }
        Text::OtherOwner(owner) => {
            return format!(
                "pg_track belongs to the role {owner}, not to pgtrack_owner: its functions run with \
                 the rights of {owner}."
            )
            .into();
        }
        Text::InstallAgain => {
            "Run pgtrack install as a superuser, or as a role that may create roles: it makes \
             pgtrack_owner, which can nothing else, and hands pg_track over to it."
        }
        // view/rules.rs
        Text::AboutRules => {
            "They are about what pages show. What is recorded, and what an undo does, stays the \
             same."
        }
        Text::IgnoredColumns => "Ignored columns",
        Text::AboutIgnored => {
            "Lists, the live feed and exports leave out updates in which nothing else differs, \
             and say how many. Differences show these columns folded."
        }
        Text::IgnoredField => "Columns, one rule on each line",
        Text::SaveIgnored => "Save ignored columns",
        Text::ShowLeftOut => "Show what would be left out",
        Text::HowFar => {
            "Only the changes of a page are looked at, 200 at a time. Updates of more than 20 \
             rows, of rows without a key or with another key since, and of tables whose columns \
             have changed since are always shown; far back, so are those of rows with more than \
             500 versions."
        }
        Text::NothingSavedYet => "Nothing has been saved yet.",
        Text::HiddenValues => "Hidden values",
        Text::AboutHidden => {
            "They are shown as “(hidden)”. That they changed, when and by whom is shown. The \
             texts of statements may hold any value, so whoever does not see some values does \
             not see those texts, nor the database's own words about an error."
        }
        Text::HiddenFromViewers => "Hidden from viewers, one rule on each line",
        Text::HiddenFromOperators => "Hidden from viewers and operators",
        Text::SaveHidden => "Save hidden values",
        Text::HowToWrite => "How rules are written",
        Text::ColumnAnywhere => "the column in every table",
        Text::ColumnOfTables => "the column of tables of this name, in every schema",
        Text::OneColumn => "one column",
        Text::Star => "* stands for any text, in every part",
        Text::InQuotes => "names in quotes are meant as they are; others in any case",
        Text::RulesGoByName => {
            "Rules go by name. After a column or table was renamed they have to be changed."
        }
        Text::WouldBeLeftOut { looked_at, left_out } => {
            return format!(
                "Of the latest {}, {} would be left out.",
                count(words, *looked_at, "change", "changes"),
                words.number(*left_out)
            )
            .into();
        }
        Text::HiddenKeys(tables) => {
            return format!(
                "The key is hidden of: {}. Rows of these tables have no page for those people, \
                 and cannot be put back one by one by them.",
                tables.join(", ")
            )
            .into();
        }
        // view/install.rs
        Text::Install => "Install pg_track",
        Text::Upgrade => "Upgrade pg_track",
        Text::IsInstalled => "pg_track is installed",
        Text::IsNewer => "pg_track is newer here",
        Text::AboutMissing => {
            "This database does not have pg_track yet. It adds the schemas pgtrack and \
             pgtrack_history and changes nothing else; tables are tracked when you say so."
        }
        Text::NeedsRight => {
            "The role needs the right to create schemas; as a superuser's, it can also follow \
             ALTER TABLE at once."
        }
        Text::AdminCan => {
            "An admin can do this here, on a connection that is not for viewing only."
        }
        Text::SqlThatIsRun => "The SQL that is run",
        Text::HasVersion(version) => return format!("This database has version {version}.").into(),
        Text::NothingToDo(version) => {
            return format!("This database has version {version}; nothing is to be done.").into();
        }
        Text::NotUnderstood(version) => {
            return format!(
                "This database has version {version}, which this dashboard does not understand. \
                 Use a newer one."
            )
            .into();
        }
    })
}
