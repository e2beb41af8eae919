//! Calls without a schema, and what makes them calls of ours.

use pgtrack_tracker::statement::{Statement, Text, analyze};

fn statement(sql: &str) -> Statement {
    let mut analysis = analyze(&Text::utf8(sql));
    assert_eq!(analysis.opaque, None, "{sql}");
    analysis.statements.pop().unwrap()
}

#[test]
fn a_call_without_a_schema_may_be_one_of_ours() {
    for (sql, verbs) in [
        ("SELECT tag('x')", vec!["tag"]),
        ("SELECT 1 FROM TRACK('t')", vec!["track"]),
        ("INSERT INTO t VALUES (undo_pk('t', '1'))", vec!["undo_pk"]),
        ("SELECT U&\"t\\0061g\"('x')", vec!["tag"]),
        ("SELECT other.tag('x'), tags(), tag FROM tag", vec![]),
        ("SELECT pgtrack.tag('x')", vec![]),
    ] {
        let found = statement(sql);
        let found: Vec<_> = found.possible_calls.iter().map(|call| call.verb.as_str()).collect();
        assert_eq!(found, verbs, "{sql}");
    }
    let call = statement("SELECT tag($1, message => 'y')").possible_calls.remove(0);
    assert_eq!(call.arguments.unwrap().len(), 2);
}

#[test]
fn a_text_may_put_our_schema_on_the_search_path() {
    for sql in [
        "SET search_path = pgtrack",
        "SET LOCAL Search_Path TO \"$user\", public, 'PgTrack'",
        "SET SCHEMA 'pgtrack'",
        "SELECT set_config('search_path', 'a,pgtrack', false)",
        "SELECT pg_catalog.set_config('SEARCH_PATH', $1, false)",
        "SELECT set_config($1, $2, true)",
        "SELECT set_config('search_path', 'pgt' || 'rack', false)",
        "SELECT set_config(new_value => $1, setting_name => 'search_path', is_local => true)",
    ] {
        assert!(statement(sql).sets_path, "{sql}");
    }
    for sql in [
        "SET search_path = public",
        "SET work_mem = '5MB'",
        "RESET search_path",
        "SELECT set_config('search_path', '', false)",
        "SELECT set_config('app.user', $1, true)",
        "SELECT set_config('search_path', NULL, true)",
        "SELECT other.set_config('search_path', 'pgtrack', true)",
    ] {
        assert!(!statement(sql).sets_path, "{sql}");
    }
}

#[test]
fn calls_come_in_the_order_of_the_text() {
    let sql = "SELECT pgtrack.tag('a') FROM pgtrack.tag('b') WHERE pgtrack.tag('c') = (SELECT pgtrack.tag('d')) ORDER BY pgtrack.tag('e')";
    let calls = statement(sql).calls;
    let names: Vec<_> =
        calls.iter().map(|call| format!("{:?}", call.argument("name", 0))).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!((names.len(), &names), (5, &sorted));
}
