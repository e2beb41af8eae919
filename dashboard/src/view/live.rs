//! The controls of a list that is live. The script brings them to life; without it there is a link to load again.

use maud::{Markup, html};

use crate::visit::Visit;

/// Whether it is live, and the button that pauses it.
pub(crate) fn controls(visit: &Visit) -> Markup {
    html! {
        div.live #live {
            span.state #live-state role="status" {}
            span.hidden #live-news role="status" {}
            button.quiet #live-pause type="button" hidden { "Pause" }
            a.button.quiet #live-refresh href=(visit.here) { "Refresh" }
        }
    }
}

/// Tells of changes that wait to be shown.
pub(crate) fn banner() -> Markup {
    html! {
        div.banner #live-banner hidden {
            button.primary #live-show type="button" { "Show new changes" }
            a.button.primary #live-reload href="" hidden { "Newer changes: reload" }
        }
    }
}
