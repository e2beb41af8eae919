//! Environment variables that override the file: `PGTRACK_PROXY_MAX_SESSIONS` is the key `max_sessions` of the
//! table `[proxy]`.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// The tables whose keys can be overridden.
const TABLES: [&str; 6] = ["proxy", "client_tls", "upstream_tls", "scram", "dashboard", "monitor"];

/// Puts variables into the file's content. A value is TOML if it can be read as such, else text.
pub(super) fn apply(file: &mut Table, variables: &BTreeMap<String, String>) {
    for (name, text) in variables {
        let Some((table, key)) = name.strip_prefix("PGTRACK_").and_then(place) else { continue };
        let parsed = format!("value = {text}").parse::<Table>().ok();
        let value = parsed.and_then(|mut table| table.remove("value"));
        let table = file.entry(table).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(table) = table {
            table.insert(key, value.unwrap_or_else(|| Value::String(text.clone())));
        }
    }
}

fn place(name: &str) -> Option<(&'static str, String)> {
    let name = name.to_ascii_lowercase();
    TABLES.into_iter().find_map(|table| {
        let key = name.strip_prefix(table)?.strip_prefix('_')?;
        Some((table, key.to_owned()))
    })
}
