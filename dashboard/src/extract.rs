//! Axum's extractors, with refusals that become pages of ours.

use axum::body::{Body, Bytes};
use axum::extract::rejection::{FormRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::app_error::AppError;
use crate::middleware::is_text;
use crate::words::problem::Text;

/// Parameters of the route. What cannot be read as one names nothing.
pub(crate) struct Path<T>(pub(crate) T);

/// Parameters of the query string.
pub(crate) struct Query<T>(pub(crate) T);

/// The fields of a form.
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AppError> {
        let result = axum::extract::Path::from_request_parts(parts, state).await;
        result.map(|path| Self(path.0)).map_err(|_: PathRejection| AppError::NotFound(Text::NoPage))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AppError> {
        let result = axum::extract::Query::from_request_parts(parts, state).await;
        result.map(|query| Self(query.0)).map_err(|rejection: QueryRejection| {
            AppError::BadRequest(Text::Quoted(format!("{}.", rejection.body_text())))
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &S) -> Result<Self, AppError> {
        let refuse = |text: String| AppError::BadRequest(Text::Quoted(format!("{text}.")));
        let (parts, body) = request.into_parts();
        let encoded = Bytes::from_request(Request::from_parts(parts.clone(), body), state)
            .await
            .map_err(|rejection| refuse(rejection.body_text()))?;
        if !is_text(&encoded) {
            return Err(AppError::BadRequest(Text::Unreadable));
        }
        let request = Request::from_parts(parts, Body::from(encoded));
        let result = axum::extract::Form::from_request(request, state).await;
        result
            .map(|form| Self(form.0))
            .map_err(|rejection: FormRejection| refuse(rejection.body_text()))
    }
}
