//! What error pages and refused forms say.

use std::borrow::Cow;

use super::count;
use crate::auth::Role;
use crate::words::problem::Text;
use crate::words::{Why, Words};

pub(in crate::words) fn say(text: &Text, words: Words) -> Cow<'static, str> {
    let why = |why: &Why| super::why::say(why, words);
    let seconds =
        |number: u64| count(words, i64::try_from(number).unwrap_or(i64::MAX), "second", "seconds");
    Cow::Borrowed(match text {
        Text::Quoted(text) => return text.clone().into(),
        // With a reason.
        Text::CannotBeLookedFor(reason) => {
            return format!("This cannot be looked for: {}.", why(reason)).into();
        }
        Text::CannotBeSaved(reason) => {
            return format!("This cannot be saved: {}.", why(reason)).into();
        }
        Text::CannotBeUsed(reason) => {
            return format!("This cannot be used: {}.", why(reason)).into();
        }
        Text::DatabaseUnusable(reason) => {
            return format!("The dashboard cannot use its database: {}.", why(reason)).into();
        }
        Text::DidNotWork(reason) => return format!("This did not work: {}.", why(reason)).into(),
        Text::TestNotDelivered { name, why: reason } => {
            return format!("The test of {name} was not delivered: {}.", why(reason)).into();
        }
        Text::Only(reason) => return format!("{}.", why(reason)).into(),
        // Titles.
        Text::DataDoesNotAllow => "The data does not allow this",
        Text::DatabaseDoesNotAllow => "The database does not allow this",
        Text::DatabaseUnavailable => "The database is not available",
        Text::HistoryGone => "The history needed is gone",
        Text::MakesNoSense => "This request makes no sense",
        Text::NotAllowed => "Not allowed",
        Text::NotDoneHere => "This cannot be done here",
        Text::NotDoneNow => "This cannot be done",
        Text::NotDoneYet => "Not done yet",
        Text::NotFound => "Not found",
        Text::NotInstalled => "pg_track is not installed here",
        Text::NotInstallable => "pg_track could not be installed",
        Text::NotThisWay => "Not this way",
        Text::PlanOutOfDate => "The plan is out of date",
        Text::RowsChanged => "Somebody else changed these rows",
        Text::RowsLocked => "Somebody else is changing these rows",
        Text::SignedOut => "Signed out",
        Text::SomethingWrong => "Something went wrong",
        Text::ThereIsOne => "There is one already",
        Text::TookTooLong => "This took too long",
        Text::TooManyAtOnce => "Too many at once",
        // What happened.
        Text::AnswersNotThis => "This address does not answer this kind of request.",
        Text::DefectOfOurs => "The dashboard failed at something that should have worked.",
        Text::HiddenFromRole => {
            "What the database says about it is hidden from your role, as it may hold hidden values."
        }
        Text::LacksPgTrack => "This database does not have pg_track, or an older version of it.",
        Text::NotReadyInTime => "The page was not ready after 30 seconds and was given up.",
        Text::RevertGoesOn => {
            "This takes longer than the page may take, so it goes on in the background."
        }
        Text::NothingChosen => {
            "Somebody changed rows since, and nothing was chosen to do about them. Nothing was changed."
        }
        Text::RowsChangedSincePlan => {
            "The rows have changed since the plan was made. Nothing was changed."
        }
        Text::SessionEnded => "Your session has ended.",
        // What to do.
        Text::ActivityShows => {
            "When it is done, the activity shows it. If it cannot be done, nothing is changed; the plan shows what is left."
        }
        Text::AskAdmin => "Ask an admin, who sees it.",
        Text::AdminCanInstall => {
            "An admin can install it: they are led there when they open this page."
        }
        Text::CheckAddress => "Check the address, or start from the overview.",
        Text::CloseTabs => "Close other tabs, or wait a moment.",
        Text::GoBack => "Go back and try again from the page you came from.",
        Text::LookAgain => "Go back and look at the plan again.",
        Text::NothingChangedReload => {
            "Nothing was changed. Reload this page; it works again as soon as the database does."
        }
        Text::SignInAgain => "Sign in again.",
        Text::StartFromOverview => "Start from the overview.",
        Text::TryAgainBusy => "Try again; if it happens again, the database may be busy.",
        Text::TryAgainLog => {
            "Try again. If it happens again, look up the request id in the dashboard's log."
        }
        // There is no such thing.
        Text::NoChange(id) => return format!("No change {id} is recorded.").into(),
        Text::NoChangeOfRow { table, key } => {
            return format!("No change of {table} ({key}) is recorded.").into();
        }
        Text::NoConnection => "There is no connection of this name.",
        Text::NoDigest => "There is no such digest.",
        Text::NoFile => "There is no such file.",
        Text::NoJob => "There is no such undo in batches.",
        Text::NotByThisName => "Not by this name",
        Text::KnowsOtherNames => "The dashboard is not reached by the name that you used.",
        Text::ListName => {
            "Use the address in public_url, or list the name in host_names of the configuration."
        }
        Text::Unreadable => "This holds characters that no text has.",
        Text::NoPage => "There is no page at this address.",
        Text::NoRole => "There is no such role.",
        Text::NoTableTracked(table) => return format!("No table {table} is tracked.").into(),
        Text::NoTransaction(xid) => {
            return format!(
                "No change of transaction {xid} is recorded: it changed no tracked table, or was rolled back."
            )
            .into();
        }
        Text::NoUser => "There is no such user.",
        Text::NoVersion(name) => return format!("The row has no version {name}.").into(),
        Text::FirstAccountThere => "The first account has been created already. Sign in instead.",
        // It is not what was expected.
        Text::NoDays(text) => return format!("“{text}” is no number of days.").into(),
        Text::NoFilter => "There is no filter to save.",
        Text::NoFormOfPlan => "This is not the form of a plan.",
        Text::NoKey(text) => {
            return format!("{text} is no key; a key looks like {{\"id\": 1}}.").into();
        }
        Text::NoPlace => "It does not say where to go on.",
        Text::NoSubject => "It does not say fully what to revert.",
        Text::NoSuchChoice => "There is no such choice.",
        Text::NoTable(text) => return format!("“{text}” is no table.").into(),
        Text::NoTheme => "There is no such theme.",
        Text::NoZone => "There is no such time zone.",
        // It is not allowed, or too much.
        Text::FeedOpenOften => "You have the live feed open three times already.",
        Text::DigestElsewhere => {
            "The digest has not been at this database yet; it begins when it is due."
        }
        Text::DigestTests => "You have sent ten tests within a minute.",
        Text::PasswordNotKept => {
            "The password of this connection is not kept, so it cannot be read in the background."
        }
        Text::PlansRunning => "Five plans are being worked out in this connection already.",
        Text::FeedsOpen => "The live feed is open 200 times already.",
        Text::IncompleteLink => {
            "The setup link is not complete. Copy all of it from where the dashboard printed it."
        }
        Text::KeyHidden => {
            "The key of this table is hidden from your role, so its rows cannot be named."
        }
        Text::NotFromHere => "This was not sent by a page of this dashboard, so it was not done.",
        Text::NotOwnAccount => "You cannot remove yourself. Ask another admin.",
        Text::NotOwnRole => "You cannot take your own role away. Ask another admin.",
        Text::NotAnyMore => "The account may not revert here any more.",
        Text::NotYours(Role::Viewer) => "Your account may not see this.",
        Text::NotYours(Role::Operator) => {
            "Your role may read, but not revert or export. Ask an operator or an admin."
        }
        Text::NotYours(Role::Admin) => "This is for admins only.",
        Text::ViewingOnly => "This connection is for viewing only; nothing is changed through it.",
        Text::Skipped { table, status } => return format!("{table}: {status}.").into(),
        // Of forms.
        Text::AttemptsWait(wait) => {
            return format!("Too many attempts. Try again in {}.", seconds(*wait)).into();
        }
        Text::NewPasswordsDiffer => "The two new passwords differ.",
        Text::OtherPassword => "The current password is another one.",
        Text::TestsWait(wait) => {
            return format!("Too many tests. Try again in {}.", seconds(*wait)).into();
        }
        Text::TryInAMinute => "Too many attempts. Try again in a minute.",
        Text::WrongNameOrPassword => "Wrong user name or password.",
    })
}
