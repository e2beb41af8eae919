//! Whatever things are called and whatever types they have, every verb works, and no code of the tables' owner runs as
//! anybody but that owner.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::trial::try_law;
use crate::support::{Session, on_outer_versions};

/// Parts of names: what ends literals, patterns and identifiers somewhere, and the words that our own SQL uses.
const PARTS: [&str; 30] = [
    "a",
    "\"",
    "'",
    "\\",
    "$",
    "$$",
    "$record$",
    "$1",
    "%",
    "%s",
    "%1$I",
    "%%",
    ";--",
    " ",
    "\n",
    "é",
    "🐘",
    "\u{202e}x",
    "E'",
    "/*",
    "*/",
    "pgtrack_row",
    "pgtrack_statement_id",
    "handle",
    "key",
    "k",
    "t",
    "h",
    "c",
    "SELECT",
];

/// Types that the owner of a table has made, and some that everybody has; each with two literals.
const TYPES: [(&str, &str, &str); 14] = [
    ("int", "1", "2"),
    ("text", "'x'", "'$record$'"),
    ("json", "'{\"a\": \"\\u0000\"}'", "'1e999999'"),
    ("timestamptz", "'2026-01-02 03:04:05+00'", "'infinity'"),
    ("@.e", "'a'", "'b%s $record$'"),
    ("@.e[]", "'{a}'", "'{a,NULL}'"),
    ("@.c", "'(1,x,a)'", "'(,\"y,z\",)'"),
    ("@.c[]", "ARRAY['(1,x,a)']::@.c[]", "'{}'"),
    ("@.r", "'[1,2)'", "'empty'"),
    ("@.d", "'good'", "'better'"),
    ("@.d[]", "'{good}'", "'{}'"),
    ("@.de", "'a'", "NULL"),
    ("numeric", "1.0", "'NaN'"),
    ("bytea", "'\\x00ff'", "''"),
];

/// A table: its name, and the name and type of each column. The first is the key.
#[derive(Debug, Clone)]
struct Table {
    name: String,
    columns: Vec<(String, usize)>,
}

fn name() -> impl Strategy<Value = String> {
    vec(prop::sample::select(PARTS.to_vec()), 1..5).prop_map(|parts| {
        let mut name = String::new();
        for part in parts {
            if name.len() + part.len() <= 63 {
                name += part;
            }
        }
        name
    })
}

fn table() -> impl Strategy<Value = Table> {
    // json has no equality, so it cannot be a key.
    let key_type =
        (0..TYPES.len()).prop_filter("a key needs an order", |index| TYPES[*index].0 != "json");
    (name(), name(), key_type, vec((name(), 0..TYPES.len()), 1..4)).prop_map(
        |(name, key, key_type, others)| {
            let mut columns = vec![(key, key_type)];
            columns.extend(others);
            let mut seen = BTreeSet::new();
            columns.retain(|(name, _)| seen.insert(name.clone()));
            Table { name, columns }
        },
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A schema of an owner who tries to run code as others: casts, operators, checks and difference functions that note who
/// they run as.
async fn hostile_schema(session: &Session, schema: &str) {
    session
        .run(&format!(
            "CREATE ROLE {schema}_owner LOGIN; CREATE ROLE {schema}_reader LOGIN; CREATE SCHEMA {schema} AUTHORIZATION {schema}_owner;
             GRANT USAGE ON SCHEMA {schema} TO {schema}_reader;
             CREATE TABLE {schema}_ran (who text); GRANT SELECT, INSERT ON {schema}_ran TO PUBLIC;
             CREATE SEQUENCE {schema}_ran_as_another; GRANT ALL ON SEQUENCE {schema}_ran_as_another TO PUBLIC;
             SET ROLE {schema}_owner;
             CREATE TYPE @.e AS ENUM ('a', 'b%s $record$');
             CREATE TYPE @.c AS (x int, y text, \"z$record$\" @.e);
             CREATE FUNCTION @.note() RETURNS void LANGUAGE plpgsql AS $f$BEGIN
               IF current_user <> '{schema}_owner' THEN PERFORM nextval('public.{schema}_ran_as_another'); END IF; END$f$;
             CREATE FUNCTION @.diff(float8, float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $f$BEGIN PERFORM @.note(); RETURN $1 - $2; END$f$;
             CREATE TYPE @.r AS RANGE (subtype = float8, subtype_diff = @.diff);
             CREATE FUNCTION @.good(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $f$BEGIN PERFORM @.note(); RETURN $1 <> ''; END$f$;
             CREATE DOMAIN @.d AS text CHECK (@.good(VALUE)); CREATE DOMAIN @.de AS @.e;
             CREATE FUNCTION @.j(@.e) RETURNS json LANGUAGE plpgsql AS $f$BEGIN PERFORM @.note(); RETURN '0'; END$f$;
             CREATE FUNCTION @.j(@.c) RETURNS json LANGUAGE plpgsql AS $f$BEGIN PERFORM @.note(); RETURN '0'; END$f$;
             CREATE FUNCTION @.j(@.r) RETURNS json LANGUAGE plpgsql AS $f$BEGIN PERFORM @.note(); RETURN '0'; END$f$;
             CREATE FUNCTION @.s(@.e) RETURNS text LANGUAGE plpgsql AS $f$BEGIN PERFORM @.note(); RETURN 'a'; END$f$;
             CREATE FUNCTION @.s(@.c) RETURNS text LANGUAGE plpgsql AS $f$BEGIN PERFORM @.note(); RETURN '(,,)'; END$f$;
             CREATE FUNCTION @.i(text) RETURNS @.e LANGUAGE plpgsql AS $f$BEGIN PERFORM @.note(); RETURN 'a'; END$f$;
             CREATE FUNCTION @.o(@.e, @.e) RETURNS boolean LANGUAGE plpgsql AS $f$BEGIN PERFORM @.note(); RETURN true; END$f$;
             CREATE FUNCTION @.o(@.d, @.d) RETURNS boolean LANGUAGE plpgsql AS $f$BEGIN PERFORM @.note(); RETURN true; END$f$;
             CREATE CAST (@.e AS json) WITH FUNCTION @.j(@.e); CREATE CAST (@.c AS json) WITH FUNCTION @.j(@.c); CREATE CAST (@.r AS json) WITH FUNCTION @.j(@.r);
             CREATE CAST (@.e AS text) WITH FUNCTION @.s(@.e); CREATE CAST (@.c AS text) WITH FUNCTION @.s(@.c); CREATE CAST (text AS @.e) WITH FUNCTION @.i(text);
             CREATE OPERATOR @.= (LEFTARG = @.e, RIGHTARG = @.e, FUNCTION = @.o); CREATE OPERATOR @.= (LEFTARG = @.d, RIGHTARG = @.d, FUNCTION = @.o);
             RESET ROLE; SELECT pgtrack.track('{schema}')",
        )
        .replace("@.", &format!("{schema}.")))
        .await;
}

#[test]
fn every_verb_works_with_any_name_and_type_and_runs_no_foreign_code() {
    on_outer_versions(async |session| {
        let schema = format!("hostile_{}", session.database.name());
        hostile_schema(&session, &schema).await;
        let owner = session.another_as(&format!("{schema}_owner")).await;
        let reader = session.another_as(&format!("{schema}_reader")).await;
        let number = std::cell::Cell::new(0);
        try_law(6, table(), async |table| {
            number.set(number.get() + 1);
            let result = one_table(&session, &owner, &reader, &schema, &table, number.get()).await;
            let ran = session
                .rows(&format!("SELECT is_called FROM public.{schema}_ran_as_another"))
                .await;
            if ran != "f" {
                session
                    .run(&format!("ALTER SEQUENCE public.{schema}_ran_as_another RESTART"))
                    .await;
                return Err("code of the owner ran as somebody else".to_owned());
            }
            result
        })
        .await;
        session
            .run(&format!(
                "DROP SCHEMA {schema} CASCADE; DROP TABLE {schema}_ran; DROP SEQUENCE {schema}_ran_as_another;
                 DROP OWNED BY {schema}_owner, {schema}_reader; DROP ROLE {schema}_owner, {schema}_reader"
            ))
            .await;
    });
}

async fn one_table(
    session: &Session,
    owner: &Session,
    reader: &Session,
    schema: &str,
    table: &Table,
    number: usize,
) -> Result<(), String> {
    let name = format!(
        "{schema}.{}",
        quoted(&format!("{}{number}", table.name.chars().take(12).collect::<String>()))
    );
    let literal = name.replace('\'', "''");
    let of = |index: usize| TYPES[index].0.replace('@', schema);
    let value = |index: usize, second: bool| {
        let (_, one, two) = TYPES[index];
        if second { two } else { one }.replace('@', schema)
    };
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|(column, index)| format!("{} {}", quoted(column), of(*index)))
        .collect();
    let (key, key_type) = &table.columns[0];
    let (other, other_type) = &table.columns[table.columns.len() - 1];
    let all = |second: bool| {
        table.columns.iter().map(|(_, index)| value(*index, second)).collect::<Vec<_>>().join(", ")
    };
    let assign = |column: &str, index: usize, second: bool| {
        format!("{} = {}", quoted(column), value(index, second))
    };

    owner
        .attempt(&format!(
            "CREATE TABLE {name} ({}, PRIMARY KEY ({}))",
            columns.join(", "),
            quoted(key)
        ))
        .await?;
    session.attempt(&format!("GRANT SELECT ON {name} TO {schema}_reader")).await?;
    let mut statements = vec![format!("INSERT INTO {name} VALUES ({})", all(false))];
    if table.columns.len() > 1 {
        statements.push(format!("UPDATE {name} SET {}", assign(other, *other_type, true)));
        statements.push(format!("UPDATE {name} SET {}", assign(other, *other_type, false)));
    }
    // A key of a nullable domain cannot become null.
    if value(*key_type, true) != "NULL" {
        statements.push(format!("UPDATE {name} SET {}", assign(key, *key_type, true)));
    }
    statements.push(format!("DELETE FROM {name}"));
    statements.push(format!("INSERT INTO {name} VALUES ({})", all(false)));
    statements.push(format!("TRUNCATE {name}"));
    let mut transactions = Vec::new();
    let mut states = Vec::new();
    let state = format!(
        "SELECT md5(coalesce(string_agg(format('%s', x), '|'), '')) FROM (SELECT {} FROM {name}) x",
        table
            .columns
            .iter()
            .map(|(column, _)| format!("format('%L', {}) AS {}", quoted(column), quoted(column)))
            .collect::<Vec<_>>()
            .join(", ")
    );
    for statement in &statements {
        states.push(owner.rows(&state).await);
        owner.attempt(statement).await.map_err(|error| format!("{statement}: {error}"))?;
        transactions.push(
            owner.rows(&format!("SELECT xid FROM pgtrack.log(1, on_table => '{literal}')")).await,
        );
    }
    let first = &transactions[0];
    for (who, as_who) in [(session, "superuser"), (owner, "owner"), (reader, "reader")] {
        let keys = who.rows(&format!("SELECT row_pk::text FROM pgtrack.changes('{literal}') WHERE row_pk IS NOT NULL LIMIT 1")).await.replace('\'', "''");
        for read in [
            format!("SELECT * FROM pgtrack.changes('{literal}')"),
            format!("SELECT * FROM pgtrack.deleted('{literal}')"),
            format!("SELECT * FROM pgtrack.history_pk('{literal}', '{keys}')"),
            format!("SELECT * FROM pgtrack.blame_pk('{literal}', '{keys}')"),
            format!("SELECT * FROM pgtrack.show({first})"),
            format!("SELECT * FROM pgtrack.diff('{literal}', 'xid:{first}')"),
            format!("SELECT * FROM pgtrack.plan_undo_pk('{literal}', '{keys}')"),
            format!("SELECT * FROM pgtrack.plan_undo_transaction({first})"),
            format!("SELECT * FROM pgtrack.plan_revert_table('{literal}', 'xid:{first}')"),
        ] {
            who.attempt(&read).await.map_err(|error| format!("as {as_who}: {read}: {error}"))?;
        }
        // Who does not own the table is refused where a domain's check would run with their rights.
        let as_of = format!("SELECT * FROM pgtrack.as_of(NULL::{name}, 'xid:{first}')");
        match who.attempt(&as_of).await {
            Err(error) if as_who != "owner" && error.starts_with("42501: rows of ") => {}
            outcome => outcome.map_err(|error| format!("as {as_who}: {as_of}: {error}"))?,
        }
    }
    for (xid, before) in transactions.iter().zip(&states).rev() {
        session
            .attempt(&format!("SELECT pgtrack.undo_transaction({xid})"))
            .await
            .map_err(|error| format!("undo of {xid}: {error}"))?;
        let now = owner.rows(&state).await;
        if now != *before {
            return Err(format!("after the undo of {xid} the table is not what it was before"));
        }
    }
    session
        .attempt(&format!("SELECT pgtrack.keep('{literal}')"))
        .await
        .map_err(|error| format!("keep: {error}"))?;
    let wrong = session.rows("SELECT \"table\", problem FROM pgtrack.verify()").await;
    if !wrong.is_empty() {
        return Err(wrong);
    }
    session.attempt(&format!("DROP TABLE {name}")).await
}
