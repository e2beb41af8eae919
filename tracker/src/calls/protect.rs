//! What is done before something is destroyed: a tag, and copies of tables. Only for those who may destroy it.

use tokio_postgres::Client;

use super::DatabaseError;
use crate::Error;
use crate::statement::ObjectName;

/// Something is going to be done to this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What.
    pub deed: Deed,
    /// The table, or the schema.
    pub name: ObjectName,
}

/// What is going to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Every row is changed.
    Update,
    /// Every row is deleted.
    Delete,
    /// The table is emptied.
    Truncate,
    /// The table is dropped.
    DropTable,
    /// Columns of the table are dropped.
    DropColumn,
    /// The schema is dropped, with its tables.
    DropSchema,
}

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
            Self::DropTable => "DROP TABLE",
            Self::DropColumn => "DROP COLUMN",
            Self::DropSchema => "DROP SCHEMA",
        }
    }

    /// Whether the table is copied first.
    fn is_kept(self) -> bool {
        matches!(self, Self::DropTable | Self::DropColumn)
    }
}

/// Whether a role may do that, or may become one that may. A name without a schema means any table of that name: the
/// session has a `search_path` that is not known here.
const MAY: &str = "
    SELECT coalesce(bool_or(CASE $2::text
        WHEN 'DROP TABLE' THEN pg_has_role(u.oid, t.owner, 'MEMBER') OR pg_has_role(u.oid, t.schema_owner, 'MEMBER')
        WHEN 'DROP COLUMN' THEN pg_has_role(u.oid, t.owner, 'MEMBER')
        WHEN 'DROP SCHEMA' THEN pg_has_role(u.oid, t.owner, 'MEMBER')
        ELSE EXISTS (SELECT FROM pg_roles r
                     WHERE pg_has_role(u.oid, r.oid, 'MEMBER')
                       AND CASE $2 WHEN 'UPDATE' THEN has_any_column_privilege(r.oid, t.oid, 'UPDATE')
                                   ELSE has_table_privilege(r.oid, t.oid, $2) END) END), false)
    FROM pg_roles u,
         (SELECT c.oid, c.relowner AS owner, n.nspowner AS schema_owner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE $2 <> 'DROP SCHEMA' AND c.relname = $4::text AND n.nspname = coalesce($3::text, n.nspname) AND c.relkind IN ('r', 'p', 'f', 'v')
          UNION ALL
          SELECT n.oid, n.nspowner, NULL FROM pg_namespace n WHERE $2 = 'DROP SCHEMA' AND n.nspname = $4) t
    WHERE u.rolname = $1::text";

/// Tags a database's present state, and copies tables that are going to be dropped, wholly or in part. What `user` may not
/// do is left out: the server will refuse that. Returns whether anything is left.
pub(super) async fn protect(
    client: &Client,
    user: &str,
    tag: &str,
    targets: &[Target],
) -> Result<bool, DatabaseError> {
    let action = "tag first";
    // The session that waits for this may hold a lock on the table.
    let limits = "SET statement_timeout = '60s'; SET lock_timeout = '2s'";
    client.batch_execute(limits).await.map_err(Error::query(action))?;
    let mut endangered = Vec::new();
    for target in targets {
        if may(client, user, target).await? {
            endangered.push(target);
        }
    }
    if endangered.is_empty() {
        return Ok(false);
    }
    let message = "taken by a guard rail of the proxy";
    let sql = "SELECT pgtrack.tag($1, $2)";
    client.execute(sql, &[&tag, &message]).await.map_err(Error::query(action))?;
    for target in endangered.iter().filter(|target| target.deed.is_kept()) {
        let table = target.name.to_string();
        let action = format!("keep {table}");
        let sql = "SELECT pgtrack.keep($1)";
        client.execute(sql, &[&table]).await.map_err(Error::query(action))?;
    }
    Ok(true)
}

async fn may(client: &Client, user: &str, target: &Target) -> Result<bool, Error> {
    let (deed, ObjectName { schema, name }) = (target.deed.name(), &target.name);
    let row = client
        .query_one(MAY, &[&user, &deed, &schema, &name])
        .await
        .map_err(Error::query("ask for the rights of the session's role"))?;
    Ok(row.get(0))
}
