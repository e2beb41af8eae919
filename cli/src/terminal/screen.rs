//! Where results go: standard output, or a pager in front of it.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, stdout};
use std::process::{Child, ChildStdin};

use serde_json::Value;

use super::{Grid, OutputOptions, Paint, pager, width};
use crate::error::Error;

/// Takes results, line by line.
#[derive(Debug)]
pub(crate) struct Screen {
    sink: Sink,
    /// The colours.
    pub(crate) paint: Paint,
    /// Whether JSON is wanted.
    pub(crate) is_json: bool,
    /// How many columns a line has; `None` where that does not matter.
    pub(crate) columns: Option<usize>,
}

#[derive(Debug)]
enum Sink {
    Output(BufWriter<Stdout>),
    Pager { process: Child, input: BufWriter<ChildStdin> },
}

impl Screen {
    /// For what may be long.
    pub(crate) fn paged(options: &OutputOptions) -> Self {
        let is_paged = !options.no_pager && !options.json && stdout().is_terminal();
        let pager = is_paged.then(pager::start).transpose().ok().flatten().flatten();
        Self { sink: Sink::with(pager), ..Self::plain(options) }
    }

    /// For what is short, or followed by a question.
    pub(crate) fn plain(options: &OutputOptions) -> Self {
        Self {
            sink: Sink::with(None),
            paint: options.paint(),
            is_json: options.json,
            columns: width::columns(),
        }
    }

    /// For files.
    pub(crate) fn raw() -> Self {
        Self { sink: Sink::with(None), paint: Paint::new(false), is_json: false, columns: None }
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<(), Error> {
        self.sink.writer(|writer| writeln!(writer, "{text}"))
    }

    pub(crate) fn lines(&mut self, lines: &[String]) -> Result<(), Error> {
        lines.iter().try_for_each(|line| self.line(line))
    }

    pub(crate) fn grid(&mut self, grid: &Grid) -> Result<(), Error> {
        self.lines(&grid.render(self.paint))
    }

    pub(crate) fn json(&mut self, value: &Value) -> Result<(), Error> {
        self.line(&value.to_string())
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sink.writer(|writer| writer.write_all(bytes))
    }

    /// Makes what was written visible.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.sink.writer(|writer| writer.flush())
    }

    /// Waits until the person has seen it.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        if let Sink::Pager { mut process, input } = self.sink {
            drop(input);
            process.wait().map_err(Error::Output)?;
        }
        Ok(())
    }
}

impl Sink {
    fn with(pager: Option<Child>) -> Self {
        if let Some(mut process) = pager
            && let Some(input) = process.stdin.take()
        {
            return Self::Pager { process, input: BufWriter::new(input) };
        }
        Self::Output(BufWriter::new(stdout()))
    }

    fn writer(
        &mut self,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let result = match self {
            Self::Output(output) => write(output),
            Self::Pager { input, .. } => write(input),
        };
        result.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Error::Closed,
            _ => Error::Output(error),
        })
    }
}
