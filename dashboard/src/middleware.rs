//! What surrounds every handler, outermost first. `routes` puts it together.

mod access;
mod characters;
mod csrf;
mod deadline;
mod headers;
mod host;
mod panics;
mod problems;
mod request;

pub(crate) use access::{find_session, require};
pub(crate) use characters::{is_text, require_text};
pub(crate) use csrf::{require_browser_headers, same_origin};
pub(crate) use deadline::deadline;
pub(crate) use headers::headers;
pub(crate) use host::{HostNames, require_known_host};
pub(crate) use panics::catch_panic;
pub(crate) use problems::render_problems;
pub(crate) use request::describe;
