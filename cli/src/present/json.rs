//! The same things as JSON. Names are those of the SQL interface.

use jiff::Timestamp;
use pgtrack_tracker::revert::Step;
use pgtrack_tracker::{Reverts, Transaction, Version};
use serde_json::{Value, json};

/// A time, in UTC.
pub(crate) fn time(time: Timestamp) -> Value {
    Value::String(time.to_string())
}

pub(crate) fn transaction(transaction: &Transaction) -> Value {
    let effects = transaction.effects.iter();
    json!({
        "xid": transaction.xid,
        "at": time(transaction.at),
        "who": transaction.who,
        "user_name": transaction.user_name,
        "application": transaction.application,
        "client_addr": transaction.client_addr,
        "through_proxy": transaction.through_proxy,
        "message": transaction.message,
        "reverts": transaction.reverts.as_ref().map(reverts),
        "query": transaction.query,
        "effects": effects.map(|effect| json!({
            "table": effect.table, "operation": effect.operation.word(), "rows": effect.rows,
        })).collect::<Vec<_>>(),
    })
}

fn reverts(reverts: &Reverts) -> String {
    match reverts {
        Reverts::Transaction(xid) => format!("xid:{xid}"),
        Reverts::ChangeOf(xid) => format!("change of xid:{xid}"),
        Reverts::Other(words) => words.clone(),
    }
}

pub(crate) fn version(version: &Version) -> Value {
    json!({
        "table": version.table,
        "row_pk": version.key.as_ref().map(pgtrack_tracker::RowKey::to_json),
        "ver": version.number,
        "op": version.operation.word(),
        "changed_at": time(version.at),
        "who": version.who,
        "xid": version.xid,
        "application": version.application,
        "client_addr": version.client_addr,
        "message": version.message,
        "query": version.query,
        "what": version.changed_columns,
        "before": version.before,
        "after": version.after,
    })
}

pub(crate) fn step(step: &Step) -> Value {
    json!({
        "table": step.table,
        "row_pk": step.key.to_json(),
        "action": step.action.word(),
        "before": step.before,
        "after": step.after,
        "conflict": step.conflict,
    })
}
