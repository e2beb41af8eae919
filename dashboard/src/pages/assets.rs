//! `/assets/{file}`.

use axum::http::header;
use axum::response::IntoResponse;

use crate::app_error::AppError;
use crate::assets;
use crate::extract::Path;
use crate::words::problem::Text;

/// The name changes with the content, so a browser never has to ask again.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

pub(crate) async fn get(Path(name): Path<String>) -> Result<impl IntoResponse, AppError> {
    let asset = assets::find(&name).ok_or_else(|| AppError::NotFound(Text::NoFile))?;
    let headers = [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, FOR_EVER)];
    Ok((headers, asset.bytes))
}
