//! What a session asked, and what came of it: every statement paired with the server's answer.
//!
//! Sans-io: copies of the bytes of both directions go in, with the time that the caller gives; one [`Executed`] for
//! each statement comes out. Nothing is guessed: what the server answers, in its order, decides what was executed.
//! Memory is bounded by [`Limits`], whatever a client sends.
//! Not here: what a statement means; that is the tracker's analysis.

mod answer;
mod bound;
mod capture;
mod definition;
mod executed;
mod first_look;
mod judgement;
mod observation;
mod pairing;
mod portal;
mod prepared;
mod records;
mod request;
mod skipping;
mod words;

pub(crate) use bound::{Bound, Shown};
pub use executed::{Executed, Outcome, Source, StatementText};
pub(crate) use first_look::{FirstLook, mentions_path};
pub use judgement::{Acts, CalledFunction, Danger, Judgement, NotAnalysed, RecordedCall};
pub(crate) use judgement::{Reading, cut};
pub(crate) use observation::Held;
pub use observation::{Limits, Observation, SessionSettings};
pub(crate) use request::Errand;
