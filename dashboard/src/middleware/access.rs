//! Who may reach a route: finds the session, and compares its role with what the route's entry asks for.

use std::sync::Arc;

use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::app_error::{AppError, NotInstalled};
use crate::auth::{Account, Role};
use crate::connections::{Connection, Found};
use crate::links;
use crate::rules::{Rule, Rules};
use crate::state::AppState;
use crate::store::audit::{self, Action, Entry};
use crate::store::{grants, rules, sessions};
use crate::visit::{SignedIn, Visit};
use crate::words::problem::Text;

/// Lets only people with the role in; leads others to the sign-in page.
pub(crate) async fn require(
    State((state, role)): State<(Arc<AppState>, Role)>,
    visit: Visit,
    parameters: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let mut signed_in = match find_session(&state, request.headers()).await {
        Ok(Some(signed_in)) => signed_in,
        Ok(None) => return sign_in_first(&visit, &request),
        Err(error) => return error.into_response(),
    };
    let slug = parameters.iter().find(|(name, _)| *name == "connection").map(|(_, slug)| slug);
    let (usual, role_here, rules) = match look_up(&state, &signed_in.account, slug).await {
        Ok(found) => found,
        Err(error) => return error.into_response(),
    };
    signed_in.role = role_here.unwrap_or(signed_in.role);
    let rules = Arc::new(Rules::new(&rules, signed_in.role));
    let mut visit = Visit {
        signed_in: Some(signed_in.clone()),
        connection: usual.clone(),
        rules: rules.clone(),
        ..visit
    };
    let mut response = if signed_in.role < role {
        refuse(&state, &visit, &signed_in, request.uri(), role).await
    } else if role_here.is_none() {
        // As if there were none.
        AppError::no_connection().into_response()
    } else {
        let found = match slug {
            Some(slug) => state.connections.find(slug, &signed_in.session).await.map(Some),
            None => Ok(None),
        };
        match found {
            Err(error) => error.into_response(),
            Ok(Some(Found::Nothing)) => AppError::no_connection().into_response(),
            Ok(Some(Found::Locked(saved))) => {
                Redirect::to(&links::unlock(&saved.details.slug)).into_response()
            }
            Ok(Some(Found::Opened(opened))) => {
                visit.connection = opened.info.clone();
                let is_install = request.uri().path().ends_with("/install");
                let may_install = visit.is(Role::Admin) && request.method() == Method::GET;
                request.extensions_mut().insert(visit);
                request.extensions_mut().insert(opened.clone());
                let response = next.run(request).await;
                let is_missing = response.extensions().get::<NotInstalled>().is_some();
                if is_missing && may_install && !is_install {
                    Redirect::to(&links::install(&opened.info.slug)).into_response()
                } else {
                    response
                }
            }
            Ok(None) => {
                request.extensions_mut().insert(visit);
                next.run(request).await
            }
        }
    };
    response.extensions_mut().insert(signed_in);
    response.extensions_mut().insert(usual);
    response.extensions_mut().insert(rules);
    response
}

/// The connection that a person sees where none is named, and of the one that a URL names their role, if they see it,
/// and the rules.
async fn look_up(
    state: &AppState,
    account: &Account,
    slug: Option<&str>,
) -> Result<(Arc<Connection>, Option<Role>, Vec<Rule>), AppError> {
    let (role, rules) = match slug {
        Some(slug) => {
            let client = state.database.read().await?;
            tokio::try_join!(grants::role_in(&client, account, slug), rules::list(&client, slug))?
        }
        None => (Some(account.role), Vec::new()),
    };
    Ok((state.connections.usual(account).await?, role, rules))
}

/// The session that a request belongs to; notes that it is in use.
pub(crate) async fn find_session(
    state: &AppState,
    headers: &HeaderMap,
) -> Result<Option<SignedIn>, AppError> {
    let Some(session) = state.cookie.read(headers) else { return Ok(None) };
    let Some(found) = sessions::find(&*state.database.read().await?, &session).await? else {
        return Ok(None);
    };
    if found.is_due {
        sessions::touch(&*state.database.write().await?, &session).await?;
    }
    let role = found.account.role;
    Ok(Some(SignedIn { account: found.account, session, role }))
}

fn sign_in_first(visit: &Visit, request: &Request) -> Response {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/event-stream")) {
        // An EventSource would follow a redirect and retry for ever.
        return AppError::SignInNeeded.into_response();
    }
    let next = if request.method() == Method::GET { &visit.here } else { "/" };
    Redirect::to(&links::login(next)).into_response()
}

async fn refuse(
    state: &AppState,
    visit: &Visit,
    signed_in: &SignedIn,
    uri: &Uri,
    role: Role,
) -> Response {
    let entry = Entry {
        subject: Some(uri.query().unwrap_or(uri.path())),
        outcome: Some("the role does not allow it"),
        ..Entry::new(Action::AccessRefused, &signed_in.account.name, &visit.client_addr)
    };
    let noted = async {
        let client = state.database.write().await?;
        Ok::<_, AppError>(audit::add(&client, entry).await?)
    };
    match noted.await {
        Ok(()) => AppError::Forbidden(Text::NotYours(role)).into_response(),
        Err(error) => error.into_response(),
    }
}
