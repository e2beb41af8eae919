//! `docs/sql.md` says what the comments in the database say. `make docs` writes it.

use std::fmt::Write as _;
use std::path::Path;

use crate::support::{Session, on_each_version};

/// The chapters, with the functions of each; every public function is in one.
const CHAPTERS: [(&str, &str); 7] = [
    ("Tracking", "track untrack follow_ddl"),
    ("Reading", "log show show_statement changes history history_pk blame blame_pk deleted"),
    ("Points in time", "tag untag tags as_of diff"),
    (
        "Undoing changes of one row",
        "undo undo_pk revert revert_pk rollback_to rollback_to_pk restore restore_pk plan_undo plan_undo_pk plan_revert plan_revert_pk \
         plan_rollback_to plan_rollback_to_pk plan_restore plan_restore_pk",
    ),
    (
        "Undoing more",
        "undo_last plan_undo_last undo_transaction plan_undo_transaction undo_transactions plan_undo_transactions undo_statements plan_undo_statements undo_where plan_undo_where revert_table plan_revert_table revert_schema plan_revert_schema plan_outline plan_batches undo_batch undo_as_myself",
    ),
    (
        "Keeping, forgetting, checking",
        "keep recover release_type purge plan_purge purge_audit erase erase_pk verify",
    ),
    ("Who and why; about pg_track", "set_actor set_message grant_service info version help"),
];

async fn rendered(session: &Session) -> String {
    let mut text = String::from(
        "# SQL reference\n\nEverything is in the schema `pgtrack`. A table is named as in a query, through `search_path` if without a schema; the \
         argument `schema` overrides. A key is a value of any type for a key of one column, or JSON: `'{\"order_id\": 1, \"product_id\": 100}'`. \
         A point is a tag's name, a timestamp, `xid:N` (as transaction N saw and left it), or `now`.\nThis file is made from the comments in the \
         database by `make docs`.\n",
    );
    for (chapter, names) in CHAPTERS {
        let _ = write!(text, "\n## {chapter}\n");
        for name in names.split_whitespace() {
            let functions = session
                .rows(&format!(
                    "SELECT format(E'\\n### %s\\n\\n```sql\\npgtrack.%1$s(%s)\\n  → %s\\n```\\n\\n%s', proname, arguments, result, comment)
                     FROM (SELECT DISTINCT ON (arguments) p.proname, p.oid,
                                  regexp_replace(regexp_replace(pg_get_function_arguments(p.oid), '\\mkey (anyelement|text)', 'key'), '::[a-z ]+(\\[\\])?', '', 'g') AS arguments,
                                  replace(replace(pg_get_function_result(p.oid), 'TABLE(', 'rows ('), 'SETOF anyelement', 'rows of the table') AS result,
                                  obj_description(p.oid, 'pg_proc') AS comment
                           FROM pg_proc p WHERE p.pronamespace = 'pgtrack'::regnamespace AND p.proname = '{name}' ORDER BY arguments, p.oid) f ORDER BY oid"
                ))
                .await;
            assert!(!functions.is_empty(), "there is no function {name}");
            let _ = writeln!(text, "{functions}");
        }
    }
    text.push_str("\n## Views\n\nReadable by everybody, for the tables that they may read.\n");
    for view in ["activity", "tracked_table", "audit"] {
        let description =
            session.rows(&format!("SELECT obj_description('pgtrack.{view}'::regclass)")).await;
        let columns = session
            .rows(&format!(
                "SELECT format('| `%s` | %s | %s |', attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum))
                 FROM pg_attribute WHERE attrelid = 'pgtrack.{view}'::regclass AND attnum > 0 ORDER BY attnum"
            ))
            .await;
        let _ = write!(
            text,
            "\n### {view}\n\n{description}\n\n| column | type | is |\n|---|---|---|\n{columns}\n"
        );
    }
    text
}

#[test]
fn the_reference_is_complete_and_up_to_date() {
    on_each_version(async |session| {
        let public = session
            .rows("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pgtrack'::regnamespace AND proname NOT LIKE '\\_%' ORDER BY 1")
            .await;
        for name in public.lines() {
            let is_listed = CHAPTERS
                .iter()
                .any(|(_, names)| names.split_whitespace().any(|other| other == name));
            assert!(is_listed, "{name} is in no chapter");
            let helped = session
                .rows(&format!("SELECT count(*) FROM pgtrack.help('{name}') WHERE call LIKE 'pgtrack.{name}(%' AND description <> ''"))
                .await;
            assert_ne!(helped, "0", "help() does not tell of {name}");
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sql.md");
        let text = rendered(&session).await;
        if std::env::var_os("PGTRACK_WRITE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == text, "docs/sql.md is not up to date: run make docs");
    });
}

#[test]
fn every_object_has_a_comment() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT; SELECT pgtrack.track('public')").await;
        session
            .check(
                "SELECT 'function ' || p.oid::regprocedure FROM pg_proc p
                 WHERE p.pronamespace::regnamespace::text IN ('pgtrack', 'pgtrack_history') AND obj_description(p.oid, 'pg_proc') IS NULL
                 UNION ALL SELECT 'relation ' || c.oid::regclass FROM pg_class c
                 WHERE c.relnamespace = 'pgtrack'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL
                 UNION ALL SELECT 'column ' || a.attrelid::regclass || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 WHERE c.relnamespace = 'pgtrack'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND col_description(c.oid, a.attnum) IS NULL",
                "",
            )
            .await;
    });
}
