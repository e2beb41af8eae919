//! `pgtrack diff`: the rows of a table, or of all tracked tables, that differ between two points.

use clap::Args;
use pgtrack_tracker::past::{self, Difference};
use pgtrack_tracker::{Effect, TableName, tracked_tables};
use serde_json::json;

use crate::error::Error;
use crate::present::{change_lines, headline, stat_lines};
use crate::session::{Common, Session};
use crate::terminal::{Screen, Tone};

/// `pgtrack diff TABLE FROM [TO]`, `pgtrack diff FROM`, or `pgtrack diff --schema SCHEMA FROM [TO]`.
#[derive(Debug, Args)]
#[command(override_usage = "pgtrack diff [OPTIONS] <TABLE> <FROM> [TO]\n       \
                            pgtrack diff [OPTIONS] <FROM>\n       \
                            pgtrack diff [OPTIONS] --schema <SCHEMA> <FROM> [TO]")]
pub(crate) struct Options {
    /// The table, named as in a query, unless all are meant; then a point: a tag, a timestamp, or xid:N; then a later one, or
    /// now.
    #[arg(value_name = "TABLE FROM TO", required = true, num_args = 1..=3)]
    what: Vec<String>,
    /// All tracked tables of this schema.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Only how many rows of which table came, changed and went.
    #[arg(long)]
    stat: bool,
    /// No more than so many rows of each table.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..))]
    max: i64,
    /// End with code 5 if rows differ.
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    common: Common,
}

/// What is compared.
struct Comparison {
    /// The tables, with the names that they are shown by.
    tables: Vec<(TableName, String)>,
    from: String,
    to: String,
    /// Whether the tables were not named: what is not known of one does not stand against the others.
    is_broad: bool,
}

impl Comparison {
    async fn of(options: &Options, session: &Session) -> Result<Self, Error> {
        let now = || "now".to_owned();
        let (table, from, to) = match (options.what.as_slice(), &options.schema) {
            ([from], _) => (None, from.clone(), now()),
            ([from, to], Some(_)) => (None, from.clone(), to.clone()),
            ([table, from], None) => (Some(table), from.clone(), now()),
            ([table, from, to], None) => (Some(table), from.clone(), to.clone()),
            _ => {
                return Err(Error::Usage {
                    message: "it is not clear what to compare".to_owned(),
                    hint: "pgtrack diff TABLE FROM [TO], pgtrack diff FROM, or pgtrack diff --schema SCHEMA FROM [TO]",
                });
            }
        };
        if let Some(table) = table {
            let tables = vec![(session.table(table).await?, table.clone())];
            return Ok(Self { tables, from, to, is_broad: false });
        }
        let schema = options.schema.as_ref();
        let is_meant = |name: &TableName| schema.is_none_or(|schema| *schema == name.schema);
        let tables = tracked_tables(&session.client).await?.into_iter();
        let tables = tables.filter(|table| !table.key_columns.is_empty() && is_meant(&table.name));
        let tables: Vec<_> = tables.map(|table| (table.name, table.display_name)).collect();
        if let (Some(schema), true) = (schema, tables.is_empty()) {
            let what = format!("no table of schema {schema} that has a key is tracked");
            return Err(Error::Nothing { what });
        }
        Ok(Self { tables, from, to, is_broad: true })
    }
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let comparison = Comparison::of(&options, &session).await?;
    let mut screen = Screen::paged(&options.common.output);
    let mut found = Found::default();
    for (table, shown_as) in &comparison.tables {
        let compared = if options.stat {
            count(table, shown_as, &comparison, &session, &mut found).await
        } else {
            compare(table, shown_as, &comparison, &options, &session, &mut screen, &mut found).await
        };
        match compared {
            Err(Error::Tracker(error)) if comparison.is_broad && is_unknown(&error) => {
                if !screen.is_json {
                    let note = format!("{shown_as}: what it was then is not recorded");
                    screen.line(&screen.paint.text(Tone::Faint, &note))?;
                    found.is_begun = true;
                }
            }
            result => result?,
        }
    }
    if options.stat {
        show_counts(&found.counts, &mut screen)?;
    }
    screen.finish()?;
    if options.exit_code && found.rows > 0 {
        let count = if found.has_more { "more than " } else { "" };
        return Err(Error::Found { what: format!("{count}{} rows differ", found.rows) });
    }
    Ok(())
}

/// What differs.
#[derive(Default)]
struct Found {
    rows: usize,
    /// Whether there are more than were looked at.
    has_more: bool,
    counts: Vec<Effect>,
    /// Whether something was written.
    is_begun: bool,
}

/// Whether the history does not reach back to the point.
fn is_unknown(error: &pgtrack_tracker::Error) -> bool {
    error.sqlstate().is_some_and(|state| state.code() == "TK002")
}

async fn count(
    table: &TableName,
    shown_as: &str,
    comparison: &Comparison,
    session: &Session,
    found: &mut Found,
) -> Result<(), Error> {
    let Comparison { from, to, .. } = comparison;
    for (operation, rows) in past::diff_counts(&session.client, table, from, to).await? {
        found.rows += usize::try_from(rows).unwrap_or(usize::MAX);
        found.counts.push(Effect { table: shown_as.to_owned(), operation, rows });
    }
    Ok(())
}

fn show_counts(counts: &[Effect], screen: &mut Screen) -> Result<(), Error> {
    if !screen.is_json {
        return screen.lines(&stat_lines(counts, screen.paint));
    }
    for Effect { table, operation, rows } in counts {
        screen.json(&json!({ "table": table, "op": operation.word(), "rows": rows }))?;
    }
    Ok(())
}

async fn compare(
    table: &TableName,
    shown_as: &str,
    comparison: &Comparison,
    options: &Options,
    session: &Session,
    screen: &mut Screen,
    found: &mut Found,
) -> Result<(), Error> {
    let Comparison { from, to, .. } = comparison;
    let max = options.max;
    let mut rows = past::diff(&session.client, table, from, to, max.saturating_add(1)).await?;
    let wanted = usize::try_from(max).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    found.rows += rows.len();
    found.has_more |= has_more;
    for Difference { key, operation, before, after } in &rows {
        if screen.is_json {
            screen.json(&json!({
                "table": shown_as, "row_pk": key.to_json(), "op": operation.word(),
                "before": before, "after": after,
            }))?;
            continue;
        }
        if found.is_begun {
            screen.line("")?;
        }
        found.is_begun = true;
        screen.line(&headline(*operation, shown_as, Some(key), screen.paint))?;
        screen.lines(&change_lines(before.as_ref(), after.as_ref(), screen.paint))?;
    }
    if has_more && !screen.is_json {
        screen.line("")?;
        let of = if comparison.is_broad { format!(" of {shown_as}") } else { String::new() };
        let note = format!("more than {max} rows{of} differ; --max shows more");
        screen.line(&screen.paint.text(Tone::Faint, &note))?;
    }
    Ok(())
}
