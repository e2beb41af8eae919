//! `POST /settings/theme`: remembers the colours in a cookie.

use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse, Redirect};
use serde::Deserialize;

use super::State;
use crate::app_error::AppError;
use crate::auth::set_cookie;
use crate::extract::Form;
use crate::links::local_or_home;
use crate::preferences::{THEME, Theme};
use crate::words::problem::Text;

const ONE_YEAR: u32 = 365 * 24 * 60 * 60;

#[derive(Deserialize)]
pub(crate) struct Choice {
    theme: String,
    /// The page to come back to.
    next: String,
}

pub(crate) async fn post(
    state: State,
    Form(choice): Form<Choice>,
) -> Result<impl IntoResponse, AppError> {
    let theme = Theme::from_word(&choice.theme).ok_or(AppError::BadRequest(Text::NoTheme))?;
    let cookie = set_cookie(THEME, theme.word(), Some(ONE_YEAR), state.https);
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(local_or_home(&choice.next))))
}
