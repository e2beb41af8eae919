//! What the analysis makes of texts: `texts.txt` is its specification.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod analyzer;
mod bounds;
mod encodings;
mod paths;
mod peer;
mod render;
mod specification;
