//! The icons, as inline SVG. They are decoration: text always stands beside them.

use maud::{Markup, PreEscaped};

/// The mark of the product: a line of versions and the way back.
pub(crate) fn brand() -> Markup {
    PreEscaped(
        r#"<svg class="icon" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false"><circle cx="6" cy="18" r="2.5" fill="currentColor"/><circle cx="6" cy="6" r="2.5" fill="currentColor"/><circle cx="18" cy="12" r="2.5" fill="currentColor"/><path d="M6 8.5v7M8.2 7.2 15.6 11M15.6 13 8.2 16.8" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/></svg>"#
            .to_owned(),
    )
}

/// A triangle that points down: this opens.
pub(crate) fn chevron() -> Markup {
    PreEscaped(
        r#"<svg class="icon" viewBox="0 0 16 16" width="12" height="12" aria-hidden="true" focusable="false"><path d="m4 6 4 4 4-4" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>"#
            .to_owned(),
    )
}
