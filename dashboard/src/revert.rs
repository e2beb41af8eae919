//! Reverts as the browser asks for them: which one ([`Subject`]), how it is confirmed ([`Confirmation`]), and
//! applying it once ([`apply_once`]).
//! How a revert works is decided in SQL; `pgtrack_tracker::revert` plans and applies it.

mod apply;
mod batches;
mod columns;
mod confirmation;
mod planning;
mod subject;
mod token;

pub(crate) use apply::{Application, Outcome, apply_once};
pub(crate) use batches::{BATCH_ROWS, Begun, begin_once};
pub(crate) use columns::{Offered, narrowed, offered};
pub(crate) use confirmation::{Choice, Confirmation, needs_reason};
pub(crate) use planning::{
    Draft, Key, PAGE, Phase, Planning, Plannings, Ready, let_go_when_nobody_listens,
};
pub(crate) use subject::Subject;
pub(crate) use token::PlanKey;
