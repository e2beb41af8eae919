//! Values of every type are read back by `DuckDB` as PostgreSQL writes them.

use jiff::SignedDuration;

use crate::support::on_each_world;

/// A type, its values, its type in `DuckDB`, and how `DuckDB` writes them.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("bool", "BOOLEAN", &[("true", "true"), ("false", "false")]),
    ("int2", "SMALLINT", &[("-32768", "-32768")]),
    ("int4", "INTEGER", &[("2147483647", "2147483647")]),
    (
        "int8",
        "BIGINT",
        &[
            ("9007199254740993", "9007199254740993"),
            ("'-9223372036854775808'", "-9223372036854775808"),
        ],
    ),
    ("float4", "FLOAT", &[("'-0'", "-0.0"), ("'NaN'", "nan"), ("1.5", "1.5")]),
    (
        "float8",
        "DOUBLE",
        &[
            ("'-Infinity'", "-inf"),
            ("0.1::float8 + 0.2", "0.30000000000000004"),
            ("5e-324", "5e-324"),
        ],
    ),
    ("numeric(10,3)", "DECIMAL(10,3)", &[("1.5", "1.500"), ("-0.001", "-0.001")]),
    (
        "numeric(38,0)",
        "DECIMAL(38,0)",
        &[("'99999999999999999999999999999999999999'", "99999999999999999999999999999999999999")],
    ),
    ("numeric(5,2)", "VARCHAR", &[("'NaN'", "NaN"), ("1", "1.00")]),
    ("numeric(2,-3)", "VARCHAR", &[("12345", "12000")]),
    (
        "numeric",
        "VARCHAR",
        &[("'1e-10'", "0.0000000001"), ("'Infinity'", "Infinity"), ("1.00", "1.00")],
    ),
    (
        "text",
        "VARCHAR",
        &[
            ("''", ""),
            ("'NULL'", "NULL"),
            ("E'a\\nb\\t\"\\\\'''", "a\nb\t\"\\'"),
            ("'\u{1F418}'", "\u{1F418}"),
        ],
    ),
    ("varchar(9)", "VARCHAR", &[("'a '", "a ")]),
    ("char(5)", "VARCHAR", &[("'a'", "a    ")]),
    ("name", "VARCHAR", &[("'A b'", "A b")]),
    ("bytea", "BLOB", &[("'\\x00ff5c'", r"\x00\xFF\x5C"), ("''", "")]),
    (
        "uuid",
        "UUID",
        &[("'c0ffee00-0000-4000-8000-000000000000'", "c0ffee00-0000-4000-8000-000000000000")],
    ),
    ("date", "DATE", &[("'2026-02-01'", "2026-02-01"), ("'1899-12-31'", "1899-12-31")]),
    ("time", "TIME", &[("'23:59:59.999999'", "23:59:59.999999")]),
    ("timestamp", "TIMESTAMP", &[("'1999-12-31 23:59:59.999999'", "1999-12-31 23:59:59.999999")]),
    (
        "timestamptz",
        "TIMESTAMP WITH TIME ZONE",
        &[("'2026-02-01 00:00:00.123456+05:45'", "2026-01-31 18:15:00.123456+00")],
    ),
    ("timetz", "VARCHAR", &[("'12:00+05:30'", "12:00:00+05:30")]),
    (
        "interval",
        "VARCHAR",
        &[("'1 mon -1 day 25:00:00.000001'", "1 mon -1 days +25:00:00.000001")],
    ),
    ("inet", "VARCHAR", &[("'10.0.0.1/8'", "10.0.0.1/8")]),
    ("json", "JSON", &[("'{\"a\":1,   \"a\":2}'", "{\"a\":1,   \"a\":2}"), ("'null'", "null")]),
    ("jsonb", "JSON", &[("'{\"a\": 1.00}'", "{\"a\": 1.00}")]),
    ("tsvector", "VARCHAR", &[("'a:1A b:2'", "'a':1A 'b':2")]),
    ("point", "VARCHAR", &[("'(1,2)'", "(1,2)")]),
    ("int[]", "VARCHAR", &[("'[2:3]={7,8}'", "[2:3]={7,8}"), ("'{NULL,1}'", "{NULL,1}")]),
    ("daterange", "VARCHAR", &[("'[2026-01-02,2026-03-04)'", "[2026-01-02,2026-03-04)")]),
    ("bit(3)", "VARCHAR", &[("B'010'", "010")]),
    ("\"char\"", "VARCHAR", &[("'x'", "x")]),
    ("oid", "VARCHAR", &[("4294967295", "4294967295")]),
    ("money", "VARCHAR", &[("12.34", "$12.34")]),
    ("mood", "VARCHAR", &[("'ok'", "ok")]),
    ("pair", "VARCHAR", &[("'(1,\"x y\")'", "(1,\"x y\")")]),
    ("code", "VARCHAR", &[("'c'", "c")]),
];

#[test]
fn every_type_comes_back() {
    on_each_world(async |world| {
        world
            .run(
                "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text);
                 CREATE DOMAIN code AS text CHECK (value <> '')",
            )
            .await;
        // One column for each type; one row for each of its values, and one that has nothing.
        let columns: Vec<_> =
            CASES.iter().enumerate().map(|(index, case)| format!("c{index} {}", case.0)).collect();
        world
            .run(&format!(
                "CREATE TABLE t (id int PRIMARY KEY, {}); SELECT pgtrack.track('t')",
                columns.join(", ")
            ))
            .await;
        for row in 0..5 {
            let values: Vec<_> = CASES
                .iter()
                .map(|(name, _, values)| {
                    values
                        .get(row)
                        .map_or("NULL".to_owned(), |(literal, _)| format!("({literal})::{name}"))
                })
                .collect();
            world.run(&format!("INSERT INTO t VALUES ({row}, {})", values.join(", "))).await;
        }
        world.run("DELETE FROM t").await;
        world.export().await;
        let columns: Vec<_> =
            (0..CASES.len()).map(|index| format!("c{index}::VARCHAR, typeof(c{index})")).collect();
        let rows = world.duckdb(&format!(
            "SELECT {} FROM CHANGES WHERE pgtrack_operation = 'DELETE' ORDER BY id",
            columns.join(", ")
        ));
        assert_eq!(rows.len(), 5);
        for (index, (name, found_type, values)) in CASES.iter().enumerate() {
            for (row, found) in rows.iter().enumerate() {
                let expected = values.get(row).map(|(_, written)| (*written).to_owned());
                assert_eq!(
                    found[2 * index..][..2],
                    [expected, Some((*found_type).to_owned())],
                    "{name}"
                );
            }
        }
        let archive = world.archive();
        let age = SignedDuration::ZERO;
        let purged = pgtrack_archive::purge(&mut world.client, &archive, age, "x").await.unwrap();
        assert_eq!(purged[0].changes, 10);
    });
}

#[test]
fn infinite_times_are_infinite_for_duckdb() {
    on_each_world(async |world| {
        world
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, a date, b timestamp, c timestamptz); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'infinity', 'infinity', 'infinity'), (2, '-infinity', '-infinity', '-infinity');
                 DELETE FROM t",
            )
            .await;
        world.export().await;
        let rows = world.duckdb(
            "SELECT a::text, b::text, c::text FROM CHANGES WHERE pgtrack_operation = 'DELETE' ORDER BY id",
        );
        let all = |text: &str| vec![Some(text.to_owned()); 3];
        assert_eq!(rows, [all("infinity"), all("-infinity")]);
    });
}
