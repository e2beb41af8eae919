//! A transaction: its headline, and everything about it.

use pgtrack_tracker::{Effect, Reverts, Transaction};

use unicode_width::UnicodeWidthStr as _;

use crate::session::Session;
use crate::terminal::{Paint, Tone, cut, escaped};

/// What it did: `UPDATE demo.products 4 rows, DELETE demo.users 1 row`.
pub(crate) fn effects_text(effects: &[Effect]) -> String {
    let text = |effect: &Effect| {
        let unit = if effect.rows == 1 { "row" } else { "rows" };
        format!("{} {} {} {unit}", effect.operation, escaped(&effect.table), effect.rows)
    };
    effects.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// A text with its lines put together.
pub(crate) fn joined(text: &str) -> String {
    escaped(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The transaction on one line, of so many columns if they are counted.
pub(crate) fn one_line(
    transaction: &Transaction,
    session: &Session,
    paint: Paint,
    columns: Option<usize>,
) -> String {
    let (xid, time) = (transaction.xid.to_string(), session.time(transaction.at));
    let what = format!("{}  {}", escaped(&transaction.who), effects_text(&transaction.effects));
    let why = transaction.message.as_ref().or(transaction.query.as_ref());
    let why = why.map(|text| joined(text)).unwrap_or_default();
    let left = columns.map(|columns| columns.saturating_sub(xid.width() + time.width() + 4));
    let what = cut(&what, left);
    let left = left.map(|left| left.saturating_sub(what.width() + 2));
    let why = cut(&why, left);
    let line = format!(
        "{}  {}  {what}  {}",
        paint.text(Tone::Subject, &xid),
        paint.text(Tone::Faint, &time),
        paint.text(Tone::Faint, &why),
    );
    line.trim_end().to_owned()
}

/// All about the transaction, on several lines.
pub(crate) fn block(transaction: &Transaction, session: &Session, paint: Paint) -> Vec<String> {
    let mut lines = vec![paint.text(Tone::Subject, &format!("transaction {}", transaction.xid))];
    let mut who = vec![escaped(&transaction.who)];
    if transaction.who != transaction.user_name {
        who.push(format!("user {}", escaped(&transaction.user_name)));
    }
    let from = [&transaction.application, &transaction.client_addr].into_iter().flatten();
    who.extend(from.map(|from| escaped(from)));
    if transaction.through_proxy {
        who.push("through the proxy".to_owned());
    }
    lines.push(format!("Who:   {}", who.join(", ")));
    lines.push(format!("When:  {}", session.time(transaction.at)));
    lines.push(format!("What:  {}", effects_text(&transaction.effects)));
    match &transaction.reverts {
        Some(Reverts::Transaction(xid)) => lines.push(format!("Undoes transaction {xid}")),
        Some(Reverts::ChangeOf(xid)) => {
            lines.push(format!("Undoes a change of transaction {xid}"));
        }
        Some(Reverts::Other(words)) => lines.push(format!("Undoes {}", escaped(words))),
        None => {}
    }
    for text in [&transaction.message, &transaction.query].into_iter().flatten() {
        lines.push(String::new());
        lines.extend(text.trim().lines().map(|line| format!("    {}", escaped(line))));
    }
    lines
}
