//! `/settings`: how a person wants to see things, kept in cookies of their browser.

use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse, Redirect};
use serde::Deserialize;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::set_cookie;
use crate::extract::Form;
use crate::preferences::{DENSITY, DIFF, SHORTCUTS, THEME, Theme, ZONE, zone};
use crate::view::settings::page;
use crate::visit::Visit;

const ONE_YEAR: u32 = 365 * 24 * 60 * 60;

#[derive(Deserialize)]
pub(crate) struct Choices {
    theme: String,
    zone: String,
    density: String,
    diff: String,
    shortcuts: String,
}

pub(crate) async fn get(visit: Visit) -> Page {
    Ok(page(&visit))
}

pub(crate) async fn post(
    state: State,
    Form(choices): Form<Choices>,
) -> Result<impl IntoResponse, AppError> {
    let unknown = |what: &str| AppError::BadRequest(format!("There is no such {what}."));
    let theme = Theme::from_word(&choices.theme).ok_or_else(|| unknown("theme"))?;
    let zone = zone(choices.zone.trim()).ok_or_else(|| unknown("time zone"))?;
    // The name as the database of zones has it: plain characters, whatever was typed.
    let zone = zone.iana_name().unwrap_or("UTC").to_owned();
    let one_of = |value: &str, words: [&'static str; 2], what: &str| {
        words.into_iter().find(|word| *word == value).ok_or_else(|| unknown(what))
    };
    let density = one_of(&choices.density, ["comfortable", "compact"], "density")?;
    let diff = one_of(&choices.diff, ["split", "inline"], "layout")?;
    let shortcuts = one_of(&choices.shortcuts, ["on", "off"], "choice of shortcuts")?;
    let all = [
        (THEME, theme.word()),
        (ZONE, &*zone),
        (DENSITY, density),
        (DIFF, diff),
        (SHORTCUTS, shortcuts),
    ];
    let cookies = all.map(|(name, value)| {
        (header::SET_COOKIE, set_cookie(name, value, Some(ONE_YEAR), state.https))
    });
    Ok((AppendHeaders(cookies), Redirect::to("/settings?saved=yes")))
}
