//! Who signs in, and what they did.

use crate::store::audit::Action;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    // view/login.rs
    SignIn,
    NoAccountYet,
    // view/setup.rs
    CreateFirst,
    FirstAccount,
    AdminOfThis,
    RecordedWithYours,
    PasswordHelp,
    PasswordAgain,
    CreateAccount,
    // view/account.rs
    ChangeYourPassword,
    CurrentPassword,
    NewPassword,
    NewPasswordAgain,
    ChangePassword,
    SignedIn,
    SignOutEverywhere,
    SignedInBrowsers(i64),
    // view/users.rs
    WhoMayWhat,
    Created,
    RoleAndPassword,
    You,
    NotNow,
    NewPasswordOrNot,
    AsEverywhere,
    NoConnection,
    AddAUser,
    AddUser,
    RecordedWithTheirs,
    TheirPasswordHelp,
    RoleOfUser(&'a str),
    NewPasswordOf(&'a str),
    // view/audit.rs
    JsonLines,
    NeverRemoved,
    What,
    Anything,
    NothingOfTheKind,
    About,
    From,
    OlderEntries,
    Did(Action),
}
