//! `/settings`: how a person wants to see things, kept in cookies of their browser.

use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse, Redirect};
use serde::Deserialize;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::set_cookie;
use crate::extract::Form;
use crate::preferences::{
    DATES, DENSITY, DIFF, LANGUAGE, NUMBERS, SHORTCUTS, THEME, Theme, ZONE, zone,
};
use crate::view::settings::page;
use crate::visit::Visit;
use crate::words::problem::Text;
use crate::words::{Dates, Language, Numbers};

const ONE_YEAR: u32 = 365 * 24 * 60 * 60;

#[derive(Deserialize)]
pub(crate) struct Choices {
    /// Not in the form where there is only one.
    language: Option<String>,
    theme: String,
    zone: String,
    numbers: Option<String>,
    dates: Option<String>,
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
    let unknown = || AppError::BadRequest(Text::NoSuchChoice);
    let language = chosen(choices.language.as_deref(), Language::from_tag)?;
    let theme = Theme::from_word(&choices.theme).ok_or(AppError::BadRequest(Text::NoTheme))?;
    let zone = zone(choices.zone.trim()).ok_or(AppError::BadRequest(Text::NoZone))?;
    // The name as the database of zones has it: plain characters, whatever was typed.
    let zone = zone.iana_name().unwrap_or("UTC").to_owned();
    let numbers = chosen(choices.numbers.as_deref(), Numbers::from_word)?;
    let dates = chosen(choices.dates.as_deref(), Dates::from_word)?;
    let one_of = |value: &str, words: [&'static str; 2]| {
        words.into_iter().find(|word| *word == value).ok_or_else(unknown)
    };
    let density = one_of(&choices.density, ["comfortable", "compact"])?;
    let diff = one_of(&choices.diff, ["split", "inline"])?;
    let shortcuts = one_of(&choices.shortcuts, ["on", "off"])?;
    let all = [
        (LANGUAGE, language.tag()),
        (THEME, theme.word()),
        (ZONE, &*zone),
        (NUMBERS, numbers.word()),
        (DATES, dates.word()),
        (DENSITY, density),
        (DIFF, diff),
        (SHORTCUTS, shortcuts),
    ];
    let cookies = all.map(|(name, value)| {
        (header::SET_COOKIE, set_cookie(name, value, Some(ONE_YEAR), state.https))
    });
    Ok((AppendHeaders(cookies), Redirect::to("/settings?saved=yes")))
}

/// What was chosen; as it is for everybody where nothing was said.
fn chosen<T: Default>(word: Option<&str>, read: fn(&str) -> Option<T>) -> Result<T, AppError> {
    word.map_or(Some(T::default()), read).ok_or(AppError::BadRequest(Text::NoSuchChoice))
}
