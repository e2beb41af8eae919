//! The box that selects an entry of a list.

use maud::{Markup, html};

/// A checkbox named `name`; `label` says what it selects.
pub(crate) fn tick(name: &str, value: i64, label: &str) -> Markup {
    html! { input.tick type="checkbox" name=(name) value=(value) aria-label=(label); }
}
