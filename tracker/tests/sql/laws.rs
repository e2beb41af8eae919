//! Laws that hold for all histories, tried on random ones.
//!
//! A failure prints the seed and the smallest history found that breaks the law;
//! `PGTRACK_TEST_SEED=<seed>` repeats it, `PGTRACK_TEST_CASES=<n>` tries more.

mod batches;
mod concurrent;
mod delta;
mod names;
mod points;
mod random;
mod rows;
mod spellings;
mod trial;
mod turns;
mod twin;
mod twin_schema;
mod twin_shapes;
mod twin_statements;
mod types;
mod undo;
mod world;
