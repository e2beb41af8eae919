//! The text of a statement: its first line, and the rest on demand.

use maud::{Markup, html};

use super::value::beginning;
use crate::visit::Visit;
use crate::words::rows::Text;

/// How much of a statement fits on a line of the feed.
const LINE: usize = 140;

/// A statement in one line that opens to its whole text.
pub(crate) fn line(visit: &Visit, query: &str) -> Markup {
    let words = beginning(query, 4 * LINE).split_whitespace().collect::<Vec<_>>().join(" ");
    let line = beginning(&words, LINE);
    html! {
        @if line == query.trim() {
            code.query { (line) }
        } @else {
            details.query {
                summary data-more=(visit.say(Text::ShowAll)) data-less=(visit.say(Text::ShowLess)) { code { (line) @if line.len() < words.len() { "…" } } }
                pre { code { (query) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::visit::Visit;

    fn line(query: &str) -> maud::Markup {
        super::line(&Visit::example(), query)
    }

    #[test]
    fn a_short_statement_is_shown_whole() {
        let html = line("SELECT 1 < 2").into_string();
        assert_eq!(html, r#"<code class="query">SELECT 1 &lt; 2</code>"#);
        assert_eq!(line(" SELECT 1 < 2\n").into_string(), html);
    }

    #[test]
    fn a_long_or_broken_one_opens() {
        let html = line("UPDATE t\n   SET a = 1").into_string();
        assert!(html.contains("><code>UPDATE t SET a = 1</code></summary>"), "{html}");
        assert!(html.contains("<pre><code>UPDATE t\n   SET a = 1</code></pre>"), "{html}");
        assert!(line(&"x ".repeat(500)).into_string().contains("…</code></summary>"));
    }
}
