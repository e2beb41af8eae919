//! The controls of a list that is live. The script brings them to life; without it there is a link to load again.

use maud::{Markup, html};

use crate::visit::Visit;
use crate::words::Counted;
use crate::words::frame::Text;

/// Whether it is live, and the button that pauses it.
pub(crate) fn controls(visit: &Visit) -> Markup {
    let words = visit.preferences.words;
    html! {
        div.live #live data-live-word=(visit.say(Text::Live)) data-paused=(visit.say(Text::Paused)) data-pause=(visit.say(Text::Pause))
            data-resume=(visit.say(Text::Resume)) data-interrupted=(visit.say(Text::Interrupted)) data-many=(visit.say(Text::ManyNewer))
            data-new=(Counted::NewChanges.forms(words)) data-show-new=(Counted::ShowNewChanges.forms(words)) {
            span.state #live-state role="status" {}
            span.hidden #live-news role="status" {}
            button.quiet #live-pause type="button" hidden { (visit.say(Text::Pause)) }
            a.button.quiet #live-refresh href=(visit.here) { (visit.say(Text::Refresh)) }
        }
    }
}

/// Tells of changes that wait to be shown.
pub(crate) fn banner(visit: &Visit) -> Markup {
    html! {
        div.banner #live-banner hidden {
            button.primary #live-show type="button" { (visit.say(Text::ShowNewChanges)) }
            a.button.primary #live-reload href="" hidden { (visit.say(Text::NewerChanges)) }
        }
    }
}
