//! Talking to a person at a terminal, or to a program behind a pipe.

mod confirm;
mod escape;
mod grid;
mod options;
mod pager;
mod paint;
mod progress;
mod screen;
mod width;

pub(crate) use confirm::{GRANT, SHOW_OR_GRANT, confirm, require_person};
pub(crate) use escape::escaped;
pub(crate) use grid::{Cell, Grid};
pub(crate) use options::OutputOptions;
pub(crate) use paint::{Paint, Tone};
pub(crate) use progress::while_waiting;
pub(crate) use screen::Screen;
pub(crate) use width::cut;
