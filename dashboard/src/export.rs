//! Changes as CSV (RFC 4180) or as one JSON object on each line.

use serde::Serialize;

/// The kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    JsonLines,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl; charset=utf-8",
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}

/// One change. The fields are the columns of the file.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) change: i64,
    pub(crate) at: String,
    pub(crate) transaction: i64,
    pub(crate) table: &'a str,
    pub(crate) operation: &'static str,
    pub(crate) rows: i64,
    pub(crate) who: &'a str,
    pub(crate) user: &'a str,
    pub(crate) application: Option<&'a str>,
    pub(crate) client: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) reverts: Option<String>,
    pub(crate) statement: Option<&'a str>,
}

const HEAD: &str = "change,at,transaction,table,operation,rows,who,user,application,client,reason,reverts,statement\r\n";

/// Some lines of the file; of CSV with the head first if asked. `is_raw` leaves texts as they are.
pub(crate) fn write(format: Format, lines: &[Line<'_>], is_raw: bool, with_head: bool) -> String {
    let mut text = String::new();
    match format {
        Format::Csv => {
            if with_head {
                text.push_str(HEAD);
            }
            for line in lines {
                let cells = [
                    line.change.to_string(),
                    line.at.clone(),
                    line.transaction.to_string(),
                    cell(Some(line.table), is_raw),
                    line.operation.to_owned(),
                    line.rows.to_string(),
                    cell(Some(line.who), is_raw),
                    cell(Some(line.user), is_raw),
                    cell(line.application, is_raw),
                    cell(line.client, is_raw),
                    cell(line.reason, is_raw),
                    cell(line.reverts.as_deref(), is_raw),
                    cell(line.statement, is_raw),
                ];
                text.push_str(&cells.join(","));
                text.push_str("\r\n");
            }
        }
        Format::JsonLines => {
            for line in lines {
                // Texts and numbers can always be written.
                text.push_str(&serde_json::to_string(line).unwrap_or_default());
                text.push('\n');
            }
        }
    }
    text
}

/// Says at the end of the file that it is not complete.
pub(crate) fn notice(format: Format, most: usize) -> String {
    let what = format!(
        "Only the latest {most} changes are in this file. Filter by time to get earlier ones."
    );
    match format {
        Format::Csv => format!("{}\r\n", cell(Some(&what), true)),
        Format::JsonLines => format!("{}\n", serde_json::json!({ "notice": what })),
    }
}

/// A text. Spreadsheets take what begins with one of these characters for a formula; a quote before it prevents that.
fn cell(text: Option<&str>, is_raw: bool) -> String {
    let Some(text) = text else { return String::new() };
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if is_formula && !is_raw { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, HEAD, Line, cell, write};

    fn line(statement: &str) -> Line<'_> {
        Line {
            change: 7,
            at: "2026-11-23T00:00:00Z".to_owned(),
            transaction: 740,
            table: "public.users",
            operation: "UPDATE",
            rows: 2,
            who: "=cmd|' /C calc'!A0",
            user: "app",
            application: None,
            client: Some("::1"),
            reason: None,
            reverts: Some("transaction 7".to_owned()),
            statement: Some(statement),
        }
    }

    #[test]
    fn csv_is_quoted_and_holds_no_formulas() {
        let csv = write(Format::Csv, &[line("UPDATE \"a\",\n b")], false, true);
        assert_eq!(
            csv,
            format!(
                "{HEAD}7,2026-11-23T00:00:00Z,740,public.users,UPDATE,2,'=cmd|' /C calc'!A0,app,,::1,,transaction 7,\
                 \"UPDATE \"\"a\"\",\n b\"\r\n"
            )
        );
        for formula in ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx"] {
            assert!(
                cell(Some(formula), false).trim_start_matches('"').starts_with('\''),
                "{formula:?}"
            );
            assert!(!cell(Some(formula), true).trim_start_matches('"').starts_with('\''));
        }
    }

    #[test]
    fn json_lines_have_one_object_each() {
        let text = write(Format::JsonLines, &[line("a\nb"), line("c")], false, true);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["statement"], "a\nb");
        assert_eq!(lines[0]["application"], serde_json::Value::Null);
        assert_eq!(lines[1]["rows"], 2);
    }
}
