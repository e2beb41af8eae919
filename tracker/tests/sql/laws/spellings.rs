//! A row is one row however its key is written: points, undos and histories do not depend on spellings.

use proptest::collection::vec;
use proptest::prelude::*;

use super::trial::try_law;
use super::world::compare;
use crate::support::{Session, on_outer_versions};

const SCHEMA: &str = "
    CREATE TABLE login (k citext PRIMARY KEY, v int);
    CREATE TABLE mail (k text COLLATE public.ci, n numeric, v int, PRIMARY KEY (n, k) DEFERRABLE);
    INSERT INTO login VALUES ('a', 1), ('B', 2); INSERT INTO mail VALUES ('A', 1.0, 1), ('b', 1.00, 2);
    SELECT pgtrack.track('spelled')";

/// `{k}` and `{j}` are keys, `{n}` and `{m}` numbers in a key.
const STATEMENTS: &[&str] = &[
    "INSERT INTO login VALUES ('{k}', {v}) ON CONFLICT DO NOTHING",
    "INSERT INTO login VALUES ('{k}', {v}) ON CONFLICT (k) DO UPDATE SET k = excluded.k, v = excluded.v",
    "UPDATE login SET k = '{j}' WHERE k = '{k}'",
    "UPDATE login SET k = '{j}', v = {v} WHERE k = '{k}'",
    "UPDATE login SET k = upper(k::text)",
    "UPDATE login SET k = lower(k::text), v = v + 1 WHERE k >= '{k}'",
    "UPDATE login SET v = {v} WHERE k = '{k}'",
    "DELETE FROM login WHERE k = '{k}'",
    "TRUNCATE login",
    "MERGE INTO login l USING (VALUES ('{k}'::citext), ('{j}')) AS s (k) ON l.k = s.k \
     WHEN MATCHED THEN UPDATE SET k = s.k, v = {v} WHEN NOT MATCHED THEN INSERT VALUES (s.k, {v})",
    "INSERT INTO mail VALUES ('{k}', {n}, {v})",
    "UPDATE mail SET k = '{j}', n = {m} WHERE k = '{k}'",
    "UPDATE mail SET n = n * 1.0, k = upper(k)",
    "UPDATE mail SET k = CASE k WHEN '{k}' THEN '{j}' ELSE '{k}' END, v = v + 1 WHERE k IN ('{k}', '{j}')",
    "UPDATE mail SET v = {v} WHERE k = '{k}' AND n = {n}",
    "DELETE FROM mail WHERE k = '{k}'",
];

fn statement() -> impl Strategy<Value = String> {
    let key = || prop::sample::select(vec!["a", "A", "b", "B", "c", "C"]);
    let number = || prop::sample::select(vec!["1", "1.0", "1.00", "2"]);
    (prop::sample::select(STATEMENTS), key(), key(), number(), number(), 0..100_i32).prop_map(
        |(template, k, j, n, m, v)| {
            [("{k}", k), ("{j}", j), ("{n}", n), ("{m}", m), ("{v}", &v.to_string())]
                .into_iter()
                .fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
        },
    )
}

/// What is in both tables, or was.
async fn state(session: &Session, point: Option<&str>) -> String {
    let source = |table: &str| {
        point.map_or_else(
            || table.to_owned(),
            |at| format!("pgtrack.as_of(NULL::spelled.{table}, '{at}')"),
        )
    };
    session
        .rows(&format!(
            "SELECT 'login' AS name, t::text COLLATE \"C\" AS row FROM {} t UNION ALL SELECT 'mail', t::text COLLATE \"C\" FROM {} t ORDER BY 1, 2",
            source("login"),
            source("mail")
        ))
        .await
}

/// Whether every spelling of a key leads to the same history, with dense versions.
async fn check_histories(session: &Session) -> Result<(), String> {
    for (table, keys) in [
        ("login", [r#"{"k": "%"}"#, r#"{"k": "%"}"#]),
        ("mail", [r#"{"k": "%", "n": 1}"#, r#"{"k": "%", "n": 1.00}"#]),
    ] {
        for key in ["a", "b", "c"] {
            let of = async |at: usize, key: &str| {
                let key = keys[at].replace('%', key);
                session
                    .rows(&format!(
                        "SELECT ver, op, before, after FROM pgtrack.history_pk('{table}', '{key}')"
                    ))
                    .await
            };
            let (lower, upper) = (of(0, key).await, of(1, &key.to_uppercase()).await);
            compare(&format!("history of {table} {key} in another spelling"), &upper, &lower)?;
            let numbers: Vec<_> = lower
                .lines()
                .filter_map(|line| line.split('|').next()?.parse::<usize>().ok())
                .collect();
            if numbers != (1..=numbers.len()).collect::<Vec<_>>() {
                return Err(format!("{table} {key}: versions {numbers:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn the_spelling_of_a_key_changes_nothing_about_points_undos_and_histories() {
    on_outer_versions(async |session| {
        session
            .run("CREATE EXTENSION citext; CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
            .await;
        try_law(6, vec(statement(), 1..9), async |statements| {
            session
                .run(&format!(
                    "ROLLBACK; SET client_min_messages = error; DROP SCHEMA IF EXISTS spelled CASCADE; SELECT pgtrack.untag(name) FROM pgtrack.tags();
                     CREATE SCHEMA spelled; SET search_path = spelled, public; {SCHEMA}"
                ))
                .await;
            let mut points = Vec::new();
            let mut done = Vec::new();
            for (number, statement) in statements.iter().enumerate() {
                session.run(&format!("SELECT pgtrack.tag('before {number}')")).await;
                let before = state(&session, None).await;
                points.push((format!("before {number}"), before.clone()));
                let known = session.rows("SELECT max(statement_id) FROM pgtrack.statement").await;
                if let Err(error) = session.attempt(statement).await {
                    assert!(["21", "23", "27"].contains(&&error[..2]), "{statement}: {error}");
                }
                let xid = session
                    .rows(&format!("SELECT DISTINCT xid FROM pgtrack.statement WHERE statement_id > {}", if known == "~" { "0" } else { &known }))
                    .await;
                if !xid.is_empty() {
                    done.push((xid, before));
                }
            }
            for (point, then) in &points {
                compare(&format!("as of {point}"), &state(&session, Some(point)).await, then)?;
            }
            check_histories(&session).await?;
            let present = state(&session, None).await;
            for (point, then) in &points {
                session.run("BEGIN").await;
                session
                    .attempt(&format!("SELECT pgtrack.revert_schema('spelled', '{point}')"))
                    .await
                    .map_err(|error| format!("reverted to {point}: {error}"))?;
                compare(&format!("reverted to {point}"), &state(&session, None).await, then)?;
                session.run("ROLLBACK").await;
            }
            compare("after the rollbacks", &state(&session, None).await, &present)?;
            for (xid, before) in done.iter().rev() {
                session
                    .attempt(&format!("SELECT pgtrack.undo_transaction({xid})"))
                    .await
                    .map_err(|error| format!("undo of {xid}: {error}"))?;
                compare(&format!("after undo of {xid}"), &state(&session, None).await, before)?;
            }
            check_histories(&session).await?;
            let problems = session.rows("SELECT problem FROM pgtrack.verify()").await;
            compare("verify", &problems, "")
        })
        .await;
    });
}
