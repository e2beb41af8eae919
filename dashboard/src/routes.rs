//! The whole URL table, and what surrounds it.
//!
//! GET never changes anything; POST answers 303, or a page that says why not.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};
use tower_http::compression::CompressionLayer;

use crate::auth::Role;
use crate::middleware::{
    catch_panic, deadline, describe, headers, render_problems, require, require_browser_headers,
    require_known_host, require_text, same_origin,
};
use crate::pages::{
    account, activity, as_of, assets, audit, change, connections, deleted, digests, export, health,
    home, install, job, live, login, logout, not_found, overview, plan, revert, row, rules,
    settings, setup, storage, table, tables, theme, transaction, users, views,
};
use crate::state::AppState;

/// The longest form, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Who may reach a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without signing in.
    Anybody,
    /// People with this role or a higher one.
    Role(Role),
}

type Handlers = MethodRouter<Arc<AppState>>;

#[rustfmt::skip]
fn table() -> Vec<(&'static str, Access, Handlers)> {
    let anybody = Access::Anybody;
    let viewer = Access::Role(Role::Viewer);
    let operator = Access::Role(Role::Operator);
    let admin = Access::Role(Role::Admin);
    vec![
        ("/healthz",                                       anybody,  page(get(health::alive))),
        ("/readyz",                                        anybody,  page(get(health::ready))),
        ("/assets/{file}",                                 anybody,  page(get(assets::get))),
        ("/setup",                                         anybody,  page(get(setup::get).post(setup::post))),
        ("/login",                                         anybody,  page(get(login::get).post(login::post))),
        ("/settings/theme",                                anybody,  page(post(theme::post))),
        ("/logout",                                        viewer,   page(post(logout::post))),
        ("/",                                              viewer,   page(get(home::get))),
        ("/account",                                       viewer,   page(get(account::get).post(account::post))),
        ("/account/sign-out-everywhere",                   viewer,   page(post(account::sign_out_everywhere))),
        ("/settings",                                      viewer,   page(get(settings::get).post(settings::post))),
        ("/users",                                         admin,    page(get(users::get).post(users::post))),
        ("/users/{id}",                                    admin,    page(post(users::change))),
        ("/users/{id}/connections",                        admin,    page(post(users::grant))),
        ("/users/{id}/remove",                             admin,    page(post(users::remove))),
        ("/connections",                                   viewer,   page(get(connections::get))),
        ("/connections/new",                               admin,    page(get(connections::new).post(connections::add))),
        ("/connections/{slug}",                            admin,    page(get(connections::edit).post(connections::change))),
        ("/connections/{slug}/remove",                     admin,    page(post(connections::remove))),
        ("/connections/{slug}/unlock",                     viewer,   page(get(connections::locked).post(connections::unlock))),
        ("/audit",                                         admin,    page(get(audit::get))),
        ("/audit.jsonl",                                   admin,    page(get(audit::jsonl))),
        ("/c/{connection}",                                viewer,   page(get(overview::get))),
        ("/c/{connection}/install",                        admin,    page(get(install::get).post(install::post))),
        ("/c/{connection}/changes",                        viewer,   page(get(activity::get))),
        ("/c/{connection}/changes.csv",                    operator, page(get(export::csv))),
        ("/c/{connection}/changes.jsonl",                  operator, page(get(export::jsonl))),
        ("/c/{connection}/changes/{id}",                   viewer,   page(get(change::get))),
        ("/c/{connection}/views",                          viewer,   page(post(views::save))),
        ("/c/{connection}/views/remove",                   viewer,   page(post(views::remove))),
        ("/c/{connection}/changes/live",                   viewer,   get(live::get)),
        ("/c/{connection}/tx/{xid}",                       viewer,   page(get(transaction::get))),
        ("/c/{connection}/tables",                         viewer,   page(get(tables::get))),
        ("/c/{connection}/tables/{table}",                 viewer,   page(get(table::get))),
        ("/c/{connection}/tables/{table}/deleted",         viewer,   page(get(deleted::get))),
        ("/c/{connection}/tables/{table}/as-of",           viewer,   page(get(as_of::get))),
        ("/c/{connection}/tables/{table}/rows/{key}",      viewer,   page(get(row::get))),
        ("/c/{connection}/storage",                        viewer,   page(get(storage::get))),
        ("/c/{connection}/storage/purge",                  admin,    page(post(storage::post))),
        ("/c/{connection}/health",                         viewer,   page(get(health::get))),
        ("/c/{connection}/health/track",                   admin,    page(post(health::track))),
        ("/c/{connection}/rules",                          admin,    page(get(rules::get).post(rules::ignore))),
        ("/c/{connection}/rules/hidden",                   admin,    page(post(rules::hide))),
        ("/c/{connection}/digests",                        admin,    page(get(digests::get))),
        ("/c/{connection}/digests/new",                    admin,    page(get(digests::new).post(digests::add))),
        ("/c/{connection}/digests/{id}",                   admin,    page(get(digests::edit).post(digests::change))),
        ("/c/{connection}/digests/{id}/test",              admin,    page(post(digests::test))),
        ("/c/{connection}/digests/{id}/pause",             admin,    page(post(digests::pause))),
        ("/c/{connection}/digests/{id}/remove",            admin,    page(post(digests::remove))),
        ("/c/{connection}/revert/plan",                    viewer,   page(get(plan::get))),
        ("/c/{connection}/revert/plan/progress",           viewer,   page(get(plan::progress))),
        ("/c/{connection}/revert/plan/cancel",             viewer,   page(post(plan::cancel))),
        ("/c/{connection}/revert",                         operator, page(post(revert::post))),
        ("/c/{connection}/revert/jobs/{id}",               operator, page(get(job::get))),
        ("/c/{connection}/revert/jobs/{id}/progress",      operator, page(get(job::progress))),
        ("/c/{connection}/revert/jobs/{id}/stop",          operator, page(post(job::stop))),
    ]
}

/// Everything but a stream has to be ready in time.
fn page(handlers: Handlers) -> Handlers {
    handlers.layer(from_fn(deadline))
}

/// The patterns of all routes and who may reach them, for tests that must not forget one.
pub fn routes() -> Vec<(&'static str, Access)> {
    table().into_iter().map(|(pattern, access, _)| (pattern, access)).collect()
}

/// The web application.
pub fn app(state: Arc<AppState>) -> Router {
    let mut router = Router::new();
    for (pattern, access, handlers) in table() {
        let handlers = match access {
            Access::Anybody => handlers,
            Access::Role(role) => {
                handlers.layer(from_fn_with_state((state.clone(), role), require))
            }
        };
        router = router.route(pattern, handlers);
    }
    router
        .fallback(not_found::url)
        .method_not_allowed_fallback(not_found::method)
        // The last is the outermost.
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(state.clone(), require_browser_headers))
        .layer(same_origin())
        .layer(from_fn(require_text))
        .layer(from_fn_with_state(state.clone(), require_known_host))
        .layer(from_fn(catch_panic))
        .layer(from_fn(render_problems))
        .layer(from_fn_with_state(state.clone(), describe))
        // Not of live feeds, whose events must not wait for more.
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(state.clone(), headers))
        .with_state(state)
}
