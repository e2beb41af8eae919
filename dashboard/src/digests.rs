//! Digests: what was changed in a while, told elsewhere.
//!
//! An admin says where a digest is sent ([`Target`]), how ([`Format`]), when ([`Schedule`]) and of which changes. When it
//! is due, the courier sums up what was committed since the last one ([`content`]), keeps that in the dashboard's tables,
//! delivers it ([`Sender`]), and only then goes on from there: what was not delivered is delivered again, with the same
//! id, and nothing is left out or told in two digests. A digest holds no values of rows and no texts of statements.

mod content;
mod courier;
mod filter;
mod message;
mod schedule;
mod secret;
mod send;
mod target;

pub(crate) use courier::{run, test};
pub(crate) use filter::{filter, read as read_filter};
pub(crate) use message::Format;
pub(crate) use schedule::{Interval, Schedule};
pub(crate) use secret::{Secret, seal_again};
pub(crate) use send::{Failure, Sender};
pub(crate) use target::Target;
