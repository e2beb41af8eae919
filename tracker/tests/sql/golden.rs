//! What is generated for a table, as files to read: `sql/golden/`. `PGTRACK_WRITE_DOCS=1` writes them.

use std::path::Path;

use crate::support::on_each_version;

/// Files, each with the function that it shows.
const FILES: [(&str, &str); 4] = [
    ("record_update.sql", "record_update_1"),
    ("record_key.sql", "record_key_1"),
    ("record_truncate.sql", "record_truncate_1"),
    ("record_update_tree.sql", "record_update_2"),
];

#[test]
fn the_golden_files_are_the_reference_of_what_is_generated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/golden");
    let writes = std::env::var_os("PGTRACK_WRITE_DOCS").is_some();
    on_each_version(async |session| {
        session
            .run(
                "CREATE SCHEMA shop; CREATE TABLE shop.product (id integer PRIMARY KEY, name text NOT NULL, price numeric(10, 2));
                 CREATE TABLE shop.event (day date, id integer, what text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
                 CREATE TABLE shop.event_2026 PARTITION OF shop.event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
                 SELECT pgtrack.track('shop.product'); SELECT pgtrack.track('shop.event')",
            )
            .await;
        for (file, function) in FILES {
            // Numbers of objects, the cluster's name and the table's fingerprint are other ones everywhere.
            let text = session
                .rows(&format!(
                    "SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(pg_get_functiondef('pgtrack_history.{function}'::regproc),
                              '\\{{[0-9,]+\\}}', '{{OID}}', 'g'), '''[0-9]+''::pg_catalog.regclass', '''OID''::pg_catalog.regclass', 'g'),
                              '''[0-9]+/[0-9]+'', ''[^'']*''', '''CLUSTER/OID'', ''FINGERPRINT''', 'g'), '[ ]+$', '', 'gn')"
                ))
                .await;
            let text = format!("{}\n", text.trim_end());
            let path = folder.join(file);
            if writes {
                std::fs::write(&path, &text).expect("the file can be written");
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(golden == text, "{file} is old: run `make docs`\n{text}");
        }
    });
}
