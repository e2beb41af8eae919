//! How many rows of which table came, changed and went.

use std::collections::BTreeMap;

use pgtrack_tracker::{Effect, Operation};

use crate::terminal::{Paint, Tone, escaped};

/// A line for each table: ` public.users | +1 ~2 -3`.
pub(crate) fn stat_lines(effects: &[Effect], paint: Paint) -> Vec<String> {
    let mut tables: BTreeMap<String, [i64; 3]> = BTreeMap::new();
    for effect in effects {
        let counts = tables.entry(escaped(&effect.table)).or_default();
        let position = match effect.operation {
            Operation::Insert => 0,
            Operation::Update => 1,
            Operation::Delete | Operation::Truncate => 2,
        };
        counts[position] += effect.rows;
    }
    let width = tables.keys().map(|table| table.chars().count()).max().unwrap_or_default();
    let signs = [('+', Tone::Added), ('~', Tone::Changed), ('-', Tone::Removed)];
    let line = |(table, counts): (&String, &[i64; 3])| {
        let parts = signs.iter().zip(counts).filter(|(_, count)| **count > 0);
        let parts = parts.map(|((sign, tone), count)| paint.text(*tone, &format!("{sign}{count}")));
        format!(" {table:width$} | {}", parts.collect::<Vec<_>>().join(" "))
    };
    tables.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use pgtrack_tracker::{Effect, Operation};

    use super::{Paint, stat_lines};

    #[test]
    fn tables_are_counted() {
        let effect = |table: &str, operation, rows| Effect { table: table.into(), operation, rows };
        let effects = [
            effect("b.long", Operation::Delete, 3),
            effect("a.t", Operation::Insert, 1),
            effect("b.long", Operation::Truncate, 2),
            effect("b.long", Operation::Update, 7),
        ];
        assert_eq!(stat_lines(&effects, Paint::new(false)), [" a.t    | +1", " b.long | ~7 -5"]);
    }
}
