//! Rules about columns, for each connection.

use pgtrack_tracker::Error;
use tokio_postgres::Client;

use super::failed;
use crate::rules::{Pattern, Purpose, Rule};

/// Those of a connection, in the order in which they are read by people.
pub(crate) async fn list(client: &Client, connection: &str) -> Result<Vec<Rule>, Error> {
    let query = "SELECT purpose, pattern FROM pgtrack_dashboard.column_rule WHERE connection = $1 ORDER BY pattern, purpose";
    let rows = client
        .query(query, &[&connection])
        .await
        .map_err(failed("read the rules about columns"))?;
    let rule = |purpose, pattern: &str| {
        // A rule of a newer version that we cannot read hides more, not less.
        let pattern = Pattern::parse(pattern).unwrap_or_else(Pattern::everything);
        Rule { purpose: Purpose::from_word(purpose), pattern }
    };
    Ok(rows.iter().map(|row| rule(row.get(0), row.get(1))).collect())
}

/// Replaces those for some purposes.
pub(crate) async fn replace(
    client: &Client,
    connection: &str,
    purposes: &[Purpose],
    rules: &[Rule],
) -> Result<(), Error> {
    let query = "WITH wanted AS (SELECT * FROM unnest($3::text[], $4::text[]) AS w (purpose, pattern)), gone AS (
                   DELETE FROM pgtrack_dashboard.column_rule r
                   WHERE r.connection = $1 AND r.purpose = ANY ($2)
                     AND (r.purpose, r.pattern) NOT IN (SELECT w.purpose, w.pattern FROM wanted w))
                 INSERT INTO pgtrack_dashboard.column_rule (connection, purpose, pattern)
                 SELECT $1, w.purpose, w.pattern FROM wanted w ON CONFLICT DO NOTHING";
    let meant: Vec<_> = purposes.iter().map(|one| one.word()).collect();
    let words: Vec<_> = rules.iter().map(|rule| rule.purpose.word()).collect();
    let patterns: Vec<_> = rules.iter().map(|rule| rule.pattern.as_str()).collect();
    client
        .execute(query, &[&connection, &meant, &words, &patterns])
        .await
        .map_err(failed("save the rules about columns"))?;
    Ok(())
}
