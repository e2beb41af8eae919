//! The databases that are shown: the configured one, and those that admins have added.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio_util::sync::CancellationToken;

use crate::app_error::AppError;
use crate::database::Database;
use crate::live::Hub;

/// A database as the pages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    /// Its name in URLs.
    pub(crate) slug: String,
    /// Its name for people.
    pub(crate) label: String,
    /// Nothing is reverted there through the dashboard.
    pub(crate) is_read_only: bool,
}

/// A database that can be asked.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) info: Arc<Connection>,
    pub(crate) database: Arc<Database>,
    pub(crate) hub: Arc<Hub>,
}

impl Opened {
    /// Refuses what would change something in a database that is only shown.
    pub(crate) fn require_writable(&self) -> Result<(), AppError> {
        if self.info.is_read_only {
            return Err(AppError::Forbidden(
                "This connection is for viewing only; nothing is changed through it.",
            ));
        }
        Ok(())
    }

    pub(crate) fn new(
        info: Connection,
        database: Arc<Database>,
        shutdown: CancellationToken,
    ) -> Self {
        Self { info: Arc::new(info), hub: Arc::new(Hub::new(database.clone(), shutdown)), database }
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Connections {
    configured: Arc<Opened>,
}

impl Connections {
    pub(crate) fn new(configured: Opened) -> Self {
        Self { configured: Arc::new(configured) }
    }

    /// The one of the configuration, which also holds the dashboard's own tables.
    pub(crate) fn configured(&self) -> &Arc<Opened> {
        &self.configured
    }

    /// The one that a URL names.
    pub(crate) fn find(&self, slug: &str) -> Option<Arc<Opened>> {
        (slug == self.configured.info.slug).then(|| self.configured.clone())
    }
}

/// The database that the page of this URL shows; `middleware::access` has found it.
pub(crate) struct Shown(pub(crate) Arc<Opened>);

impl<S: Sync> FromRequestParts<S> for Shown {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AppError> {
        let opened = parts.extensions.get::<Arc<Opened>>().cloned();
        opened
            .map(Self)
            .ok_or_else(|| AppError::NotFound("There is no connection of this name.".to_owned()))
    }
}

impl std::ops::Deref for Shown {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.0
    }
}
