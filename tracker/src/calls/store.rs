//! Writes records into a database. Each can be written any number of times and is there once.

use jiff::Timestamp;
use tokio_postgres::Client;

use super::{Call, CallId, CallOutcome};
use crate::Error;

/// Records a call: now, by the server's clock, unless the record is late.
pub(super) async fn begin(
    client: &Client,
    call: &Call,
    made_at: Option<Timestamp>,
) -> Result<(), Error> {
    let sql = "INSERT INTO pgtrack.audit_entry
                 (source, at, verb, arguments, statement, user_name, role_name, application, client_addr, client_port,
                  tls_identity, session, call_number, backend_pid, actor, outcome, sqlstate, finished_at, xid)
               VALUES ('proxy', coalesce($1::text::timestamptz, clock_timestamp()), $2, $3::text::jsonb, $4, $5, NULL, $6,
                       $7::text::inet, $8, $9, $10, $11, $12, $13, $14, $15, CASE WHEN $14 = 'denied' THEN clock_timestamp() END, NULL)
               ON CONFLICT (session, call_number) DO NOTHING";
    let arguments = call.arguments.as_ref().map(ToString::to_string);
    let (outcome, sqlstate) =
        if call.is_denied { ("denied", Some("42501")) } else { ("started", None) };
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 15] = [
        &made_at.map(|at| at.to_string()),
        &call.verb,
        &arguments,
        &call.statement,
        &call.user,
        &call.application,
        &call.client_addr.map(|address| address.to_string()),
        &call.client_port.map(i32::from),
        &call.tls_identity,
        &call.id.session,
        &call.id.number,
        &call.backend_pid,
        &call.actor,
        &outcome,
        &sqlstate,
    ];
    client.execute(sql, &parameters).await.map_err(Error::query("record a call")).map(|_| ())
}

/// Completes the record of a call.
pub(super) async fn finish(
    client: &Client,
    id: &CallId,
    outcome: &CallOutcome,
) -> Result<(), Error> {
    let (name, sqlstate, row_count) = match outcome {
        CallOutcome::Done { row_count } => ("done", None, *row_count),
        CallOutcome::Failed { sqlstate } => ("failed", Some(sqlstate), None),
        CallOutcome::Skipped => ("skipped", None, None),
    };
    let sql = "UPDATE pgtrack.audit_entry
               SET finished_at = clock_timestamp(), outcome = $3, sqlstate = $4, row_count = $5
               WHERE session = $1 AND call_number = $2 AND outcome = 'started'";
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&id.session, &id.number, &name, &sqlstate, &row_count];
    client
        .execute(sql, &parameters)
        .await
        .map_err(Error::query("complete the record of a call"))?;
    Ok(())
}
