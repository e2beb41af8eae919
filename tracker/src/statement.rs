//! What an SQL text does, as far as its text says: what it reads, writes, defines and calls.
//!
//! [`analyze()`] looks at one text; an [`Analyzer`] does so on threads of its own and remembers the results.
//! No I/O and no panic: a text that is not understood is an [`Analysis`] that says why ([`Opaque`]).
//! An analysis is a description, not a proof: what functions, triggers and `DO` blocks do is not in the text,
//! and names resolve in the server.

mod analysis;
mod analyze;
mod analyzer;
mod cache;
mod call;
mod comment;
mod definition;
mod encoding;
mod keyword;
mod kind;
mod metrics;
mod object;
mod summary;
mod text;
mod tree;

pub use analysis::{Analysis, Opaque, Statement, Write};
pub use analyze::{MAX_COMMENT_OPENINGS, MAX_TEXT_BYTES, analyze};
pub use analyzer::{Analyzer, AnalyzerSettings};
pub use call::{Argument, Call, Literal};
pub use comment::Tags;
pub use definition::Definition;
pub use encoding::ClientEncoding;
pub use keyword::Keyword;
pub use kind::{CopyDirection, Kind, Scope, Transaction};
pub use metrics::Metrics;
pub use object::{Object, ObjectName};
pub use summary::mentions_pgtrack;
pub use text::Text;
