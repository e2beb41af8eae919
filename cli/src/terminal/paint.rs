//! Colours, by what they mean.

use anstyle::{AnsiColor, Style};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// What a line is about, such as a transaction's number.
    Subject,
    /// A headline.
    Strong,
    /// Less important than the rest.
    Faint,
    Added,
    Removed,
    Changed,
    Warning,
}

/// Colours texts, or leaves them as they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    is_on: bool,
}

impl Paint {
    pub(crate) fn new(is_on: bool) -> Self {
        Self { is_on }
    }

    pub(crate) fn text(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Subject => AnsiColor::Yellow.on_default(),
            Tone::Strong => Style::new().bold(),
            Tone::Faint => Style::new().dimmed(),
            Tone::Added => AnsiColor::Green.on_default(),
            Tone::Removed => AnsiColor::Red.on_default(),
            Tone::Changed => AnsiColor::Cyan.on_default(),
            Tone::Warning => AnsiColor::Red.on_default().bold(),
        };
        if self.is_on { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
