//! Who may do what: accounts and roles, passwords, sessions, the first account, and limits on guessing.

mod account;
mod cookie;
mod limit;
mod login;
mod password;
mod password_rules;
mod session;
mod setup;

pub use account::{AccountError, Role};

pub(crate) use account::{Account, Grant, check_name};
pub(crate) use cookie::{cookie, set_cookie};
pub(crate) use limit::Limiter;
pub(crate) use login::{Attempt, log_in, sign_in};
pub(crate) use password::Passwords;
pub(crate) use password_rules::check_password;
pub(crate) use session::{SessionCookie, SessionId};
pub(crate) use setup::SetupToken;
