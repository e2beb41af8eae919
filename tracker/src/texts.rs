//! The texts that clients set, as lists read them: what was recorded before there were bounds may be of any size, and
//! what is of no size that a page can show is cut in the database.

/// Who made an entry `a`, why and how.
pub(crate) const TEXTS: &str =
    "left(a.who, 256) AS who, left(a.message, 1000) AS message, left(a.query, 4000) AS query";

/// All that is read of a statement `a` of `pgtrack.activity`.
pub(crate) const STATEMENT: &str = "a.relation_id, a.statement_id, a.xid, a.at, a.table_name, a.operation, a.row_count,
    left(a.who, 256) AS who, a.user_name, a.application, a.client_addr, a.through_proxy, left(a.message, 1000) AS message,
    left(a.reverts, 256) AS reverts, a.reverts_xid, left(a.query, 4000) AS query";

/// All that is read of a row change `a` of `pgtrack.changes()` and the like.
pub(crate) const CHANGE: &str = "a.row_pk, a.ver, a.op, a.changed_at, left(a.who, 256) AS who, a.what, a.before, a.after, a.xid,
    a.application, a.client_addr, left(a.message, 1000) AS message, left(a.query, 4000) AS query";
