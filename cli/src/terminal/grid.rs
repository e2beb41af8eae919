//! Columns that are as wide as what is in them.

use unicode_width::UnicodeWidthStr as _;

use super::{Paint, Tone, escaped};

/// A text in a column.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
    is_number: bool,
}

impl Cell {
    pub(crate) fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { text: escaped(text.as_ref()), tone, is_number: false }
    }

    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// A number, which stands on the right of its column.
    pub(crate) fn number(number: i64) -> Self {
        Self { text: number.to_string(), tone: Tone::Plain, is_number: true }
    }
}

/// Lines of cells below their headlines.
#[derive(Debug)]
pub(crate) struct Grid {
    lines: Vec<Vec<Cell>>,
}

impl Grid {
    pub(crate) fn new(headlines: &[&str]) -> Self {
        Self { lines: vec![headlines.iter().map(|one| Cell::new(Tone::Strong, one)).collect()] }
    }

    pub(crate) fn add(&mut self, line: Vec<Cell>) {
        self.lines.push(line);
    }

    /// Whether there is nothing but headlines.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.len() == 1
    }

    /// The lines as they are written.
    pub(crate) fn render(&self, paint: Paint) -> Vec<String> {
        let count = self.lines.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.text.width()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..count).map(width).collect();
        self.lines.iter().map(|line| render_line(line, &widths, paint)).collect()
    }
}

fn render_line(line: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut text = String::new();
    for (index, (cell, width)) in line.iter().zip(widths).enumerate() {
        let gap = " ".repeat(width - cell.text.width());
        let shown = paint.text(cell.tone, &cell.text);
        if index > 0 {
            text.push_str("  ");
        }
        match (cell.is_number, index + 1 == line.len()) {
            (true, _) => text.extend([gap, shown]),
            (false, true) => text.push_str(&shown),
            (false, false) => text.extend([shown, gap]),
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Cell, Grid, Paint, Tone};

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let mut grid = Grid::new(&["name", "rows", "note"]);
        assert!(grid.is_empty());
        grid.add(vec![Cell::plain("表"), Cell::number(7), Cell::plain("")]);
        grid.add(vec![Cell::plain("users"), Cell::number(1234), Cell::plain("a\nb")]);
        let lines = grid.render(Paint::new(false));
        assert_eq!(lines, ["name   rows  note", "表        7", r"users  1234  a\nb"]);
        let mut colourful = Grid::new(&[]);
        colourful.add(vec![Cell::new(Tone::Added, "x")]);
        assert_eq!(colourful.render(Paint::new(true))[1], "\x1b[32mx\x1b[0m");
    }
}
