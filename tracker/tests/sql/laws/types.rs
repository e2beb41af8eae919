//! Values of every type come back bit for bit.

use crate::support::{Session, on_outer_versions};

/// Types with literals of which each must come back as it is. Those of contrib need Debian's packages.
const VALUES: &[(&str, &[&str])] = &[
    ("int8", &["9007199254740993", "'-9223372036854775808'"]),
    (
        "numeric",
        &[
            "1.0",
            "1.00",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "'1e-100'",
            "12345678901234567890.123456789",
        ],
    ),
    ("numeric(10,3)", &["1.5"]),
    ("float8", &["'NaN'", "'Infinity'", "'-0'", "0.1::float8 + 0.2", "5e-324"]),
    ("float4", &["'-0'", "'NaN'", "0.1::float4 + 0.2::float4"]),
    ("money", &["12.34", "'-0.01'"]),
    ("text", &["''", "'NULL'", "E'a\\nb\\t\"\\\\'''", "repeat('x', 100000)", "'\u{1F418}'"]),
    ("char(5)", &["'a'"]),
    ("\"char\"", &["'x'", "''"]),
    ("name", &["'A b'"]),
    ("bytea", &["'\\x00ff5c'", "''"]),
    ("bool", &["true", "false"]),
    ("bit(3)", &["B'010'"]),
    ("varbit", &["B''", "B'0101'"]),
    ("date", &["'0044-03-15 BC'", "'infinity'"]),
    ("timestamptz", &["'2026-02-01 00:00:00.123456+05:45'", "'-infinity'"]),
    ("time", &["'24:00'"]),
    ("timetz", &["'12:00+05:30'"]),
    ("interval", &["'1 mon -1 day 25:00:00.000001'"]),
    ("uuid", &["'c0ffee00-0000-4000-8000-000000000000'"]),
    ("inet", &["'10.0.0.1/8'", "'::1'"]),
    ("macaddr8", &["'08:00:2b:01:02:03:04:05'"]),
    ("json", &["'{\"a\":1,   \"a\":2}'", "'null'", "' [1 , 2]'"]),
    ("jsonb", &["'null'", "'{\"a\": 1.00}'", "'\"\"'"]),
    ("xml", &["'<a b=\"c\"/>'"]),
    ("tsvector", &["'a:1A b:2'"]),
    ("tsquery", &["'a & !b:*'"]),
    ("point", &["'(1,2)'", "'(-0,NaN)'"]),
    ("polygon", &["'((0,0),(1,1),(1,0))'"]),
    ("path", &["'[(0,0),(1,1)]'"]),
    ("int[]", &["'[2:3]={7,8}'", "'{}'", "'{NULL,1}'", "'{{1,2},{3,4}}'"]),
    ("text[]", &["'{\"\",NULL,\"NULL\",\"a,b\"}'"]),
    ("daterange", &["'[2026-01-02,2026-03-04)'", "'empty'"]),
    ("numrange", &["'(1.0,)'"]),
    ("int4multirange", &["'{[1,3),[5,7)}'", "'{}'"]),
    ("oid", &["4294967295"]),
    ("regclass", &["'pg_class'"]),
    ("regtype", &["'int4'"]),
    ("pg_lsn", &["'16/B374D848'"]),
    ("xid8", &["'9007199254740993'"]),
    ("mood", &["'ok'"]),
    ("pair", &["'(1,\"x y\")'", "'(,)'", "'(,\"\")'"]),
    ("pair[]", &["ARRAY['(1,\"a,b\")', NULL]::pair[]"]),
    ("positive_pair", &["'(1,z)'"]),
    ("code", &["'c'"]),
    ("code[]", &["'{c,d}'"]),
];

/// As [`VALUES`], for servers with the contrib extensions.
const CONTRIB: &[(&str, &str, &[&str])] = &[
    ("citext", "citext", &["'Abc'", "'aBC'"]),
    ("hstore", "hstore", &["'a=>1, b=>NULL, \"c d\"=>\"\"'"]),
    ("ltree", "ltree", &["'Top.Science'"]),
    ("cube", "cube", &["'(1,2),(3,4)'"]),
];

#[test]
fn case_29_every_type_comes_back_bit_for_bit() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text);
                 CREATE DOMAIN positive_pair AS pair CHECK ((value).a > 0); CREATE DOMAIN code AS text CHECK (value <> '')",
            )
            .await;
        let mut values: Vec<_> = VALUES.to_vec();
        for (extension, name, literals) in CONTRIB {
            let found =
                format!("SELECT count(*) FROM pg_available_extensions WHERE name = '{extension}'");
            if session.rows(&found).await == "1" {
                session.run(&format!("CREATE EXTENSION {extension}")).await;
                values.push((*name, *literals));
            }
        }
        // One column for each value, and one row; the other row has nothing.
        let mut columns = Vec::new();
        let mut literals = Vec::new();
        for (name, of_type) in &values {
            for literal in *of_type {
                columns.push(format!("c{} {name}", columns.len()));
                literals.push(format!("{literal}::{name}"));
            }
        }
        session
            .run(&format!(
                "CREATE TABLE t (id int PRIMARY KEY, {}); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, {}); INSERT INTO t VALUES (2); CREATE TABLE copy AS TABLE t",
                columns.join(", "),
                literals.join(", ")
            ))
            .await;
        session.run("SELECT pgtrack.tag('whole')").await;
        let blank: Vec<_> = (0..columns.len()).map(|number| format!("c{number} = NULL")).collect();
        let blank = format!("UPDATE t SET {}", blank.join(", "));
        let last = "SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))";
        for (damage, repairs) in [
            (
                blank.as_str(),
                ["SELECT pgtrack.undo('t', id) FROM copy WHERE id = 1", last].as_slice(),
            ),
            ("DELETE FROM t", &["SELECT pgtrack.restore('t', id) FROM copy", last]),
            ("TRUNCATE t", &["SELECT pgtrack.restore('t', id) FROM copy", last]),
        ] {
            for repair in repairs.iter().chain(&["SELECT pgtrack.revert_table('t', 'whole')"]) {
                session.run(damage).await;
                assert_ne!(differences(&session, "t", columns.len()).await, "", "{damage}");
                let then = "pgtrack.as_of(NULL::t, 'whole')";
                assert_eq!(
                    differences(&session, then, columns.len()).await,
                    "",
                    "as of, after {damage}"
                );
                session.run(repair).await;
                assert_eq!(
                    differences(&session, "t", columns.len()).await,
                    "",
                    "{damage}; {repair}"
                );
            }
        }
    });
}

/// The columns whose bytes differ from those of the copy.
async fn differences(session: &Session, source: &str, columns: usize) -> String {
    let compared: Vec<_> = (0..columns)
        .map(|number| {
            format!("SELECT 'c{number}' FROM copy c LEFT JOIN t USING (id) WHERE record_image_ne(ROW(t.c{number}), ROW(c.c{number}))")
        })
        .collect();
    session
        .rows(&format!(
            "WITH t AS MATERIALIZED (SELECT * FROM {source} t) {}",
            compared.join(" UNION ALL ")
        ))
        .await
}
