//! Who signs in, and what they did.

use std::borrow::Cow;

use super::count;
use crate::store::audit::Action;
use crate::words::Words;
use crate::words::people::Text;

pub(in crate::words) fn say(text: &Text<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // view/login.rs
        Text::SignIn => "Sign in",
        Text::NoAccountYet => {
            "There is no account yet. Open the setup link that was printed when the dashboard started."
        }
        // view/setup.rs
        Text::CreateFirst => "Create the first account",
        Text::FirstAccount => "First account",
        Text::AdminOfThis => "It is an admin of this dashboard.",
        Text::RecordedWithYours => "It is recorded with everything you undo.",
        Text::PasswordHelp => {
            "At least 12 characters. A sentence is easy to remember and hard to guess."
        }
        Text::PasswordAgain => "Password again",
        Text::CreateAccount => "Create account",
        // view/account.rs
        Text::ChangeYourPassword => "Change your password",
        Text::CurrentPassword => "Current password",
        Text::NewPassword => "New password",
        Text::NewPasswordAgain => "New password again",
        Text::ChangePassword => "Change password",
        Text::SignedIn => "Signed in",
        Text::SignOutEverywhere => "Sign out everywhere",
        Text::SignedInBrowsers(number) => {
            return format!(
                "You are signed in in {}.",
                count(words, *number, "browser", "browsers")
            )
            .into();
        }
        // view/users.rs
        Text::WhoMayWhat => {
            "Viewers read. Operators also undo, revert, restore and export. Admins also manage users, connections, tracking and storage. In single connections somebody may have another role, or none."
        }
        Text::Created => "Created",
        Text::RoleAndPassword => "Role and password",
        Text::You => "you",
        Text::NotNow => "not now",
        Text::NewPasswordOrNot => "new password, or as it is",
        Text::AsEverywhere => "as everywhere",
        Text::NoConnection => "none",
        Text::AddAUser => "Add a user",
        Text::AddUser => "Add user",
        Text::RecordedWithTheirs => "It is recorded with everything they undo.",
        Text::TheirPasswordHelp => "At least 12 characters. They can change it themselves.",
        Text::RoleOfUser(name) => return format!("Role of {name}").into(),
        Text::NewPasswordOf(name) => return format!("New password of {name}").into(),
        // view/audit.rs
        Text::JsonLines => "JSON Lines",
        Text::NeverRemoved => {
            "Nothing is ever removed from it. What reverts did is in the history itself."
        }
        Text::What => "What",
        Text::Anything => "anything",
        Text::NothingOfTheKind => "There is nothing of the kind in the log.",
        Text::About => "About",
        Text::From => "From",
        Text::OlderEntries => "Older entries",
        Text::Did(Action::AccountCreated) => "account created",
        Text::Did(Action::AccountChanged) => "account changed",
        Text::Did(Action::AccountRemoved) => "account removed",
        Text::Did(Action::LoginOk) => "login ok",
        Text::Did(Action::LoginFailed) => "login failed",
        Text::Did(Action::Logout) => "logout",
        Text::Did(Action::AccessRefused) => "access refused",
        Text::Did(Action::RevertApplied) => "revert applied",
        Text::Did(Action::RevertRefused) => "revert refused",
        Text::Did(Action::Exported) => "exported",
        Text::Did(Action::ConnectionAdded) => "connection added",
        Text::Did(Action::ConnectionChanged) => "connection changed",
        Text::Did(Action::ConnectionRemoved) => "connection removed",
        Text::Did(Action::ConnectionTested) => "connection tested",
        Text::Did(Action::Installed) => "pg_track installed",
        Text::Did(Action::Tracked) => "tracking changed",
        Text::Did(Action::Purged) => "history purged",
        Text::Did(Action::RulesChanged) => "column rules changed",
        Text::Did(Action::BatchesStarted) => "batches started",
        Text::Did(Action::BatchesFinished) => "batches finished",
        Text::Did(Action::BatchesStopped) => "batches stopped",
        Text::Did(Action::BatchesFailed) => "batches failed",
        Text::Did(Action::BatchesInterrupted) => "batches interrupted",
        Text::Did(Action::DigestAdded) => "digest added",
        Text::Did(Action::DigestChanged) => "digest changed",
        Text::Did(Action::DigestRemoved) => "digest removed",
        Text::Did(Action::DigestTested) => "digest tested",
        Text::Did(Action::DigestPaused) => "digest paused",
        Text::Did(Action::DigestResumed) => "digest resumed",
    })
}
