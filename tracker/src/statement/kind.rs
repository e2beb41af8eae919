//! What a statement is, read from the top of its parse tree.

use pg_query::NodeEnum;
use pg_query::protobuf::{DiscardMode, ExplainStmt, TransactionStmt, VariableSetStmt};
use pg_query::protobuf::{TransactionStmtKind, VariableSetKind};

use super::definition::{self, Definition};
use super::{Literal, Statement, Write, tree};
use crate::Operation;

/// What a statement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `SELECT`, `VALUES`, `TABLE`; also with data-changing queries in its `WITH`.
    Select,
    /// `INSERT`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `MERGE`.
    Merge,
    /// `COPY`.
    Copy(CopyDirection),
    /// `TRUNCATE`.
    Truncate,
    /// Creates, changes or drops objects, or rights on them.
    Definition(Definition),
    /// Begins, ends or divides a transaction.
    Transaction(Transaction),
    /// `SET`.
    Set {
        /// The setting.
        name: String,
        /// Its new value, elements of a list joined with `, `; `None` for the default.
        value: Option<String>,
        /// For how long.
        scope: Scope,
    },
    /// `RESET`; `None` for all settings.
    Reset(Option<String>),
    /// `PREPARE`.
    Prepare {
        /// The prepared statement's name.
        name: String,
        /// What it will do.
        body: Box<Statement>,
    },
    /// `EXECUTE` of the prepared statement of this name.
    Execute(String),
    /// `DEALLOCATE`; `None` for all prepared statements.
    Deallocate(Option<String>),
    /// `EXPLAIN`.
    Explain {
        /// Whether it runs what it explains (`ANALYZE`).
        executes: bool,
        /// What it explains.
        body: Box<Statement>,
    },
    /// `DECLARE` of a cursor.
    Declare {
        /// The cursor's name.
        name: String,
        /// Its query.
        body: Box<Statement>,
    },
    /// `CALL` of a procedure.
    Call,
    /// `DO`; what the block does is not known.
    Do,
    /// `DISCARD ALL`, which also forgets prepared statements and settings.
    DiscardAll,
    /// Anything else; its tag says what.
    Other,
}

/// Where `COPY` copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyDirection {
    /// Into a table.
    From,
    /// Out of a table or a query.
    To,
}

/// A step of transaction control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transaction {
    /// `BEGIN` or `START TRANSACTION`.
    Begin,
    /// `COMMIT` or `END`.
    Commit,
    /// `ROLLBACK` or `ABORT`.
    Rollback,
    /// `SAVEPOINT`.
    Savepoint(String),
    /// `RELEASE SAVEPOINT`.
    Release(String),
    /// `ROLLBACK TO SAVEPOINT`.
    RollbackTo(String),
    /// `PREPARE TRANSACTION`.
    Prepare(String),
    /// `COMMIT PREPARED`.
    CommitPrepared(String),
    /// `ROLLBACK PREPARED`.
    RollbackPrepared(String),
}

/// For how long a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Until the transaction ends (`SET LOCAL`).
    Transaction,
    /// Until the session ends.
    Session,
}

/// Describes a statement.
pub(super) fn statement(node: &NodeEnum) -> Statement {
    let (kind, tag) = classify(node);
    let mut statement = Statement::new(kind, tag);
    if let Kind::Set { name, value: Some(value), .. } = &statement.kind {
        let [name, value] = [name, value].map(|text| Literal::Text(text.clone()));
        statement.sets_path = tree::is_path(Some(&name), Some(&value));
    }
    match node {
        NodeEnum::SelectStmt(_)
        | NodeEnum::InsertStmt(_)
        | NodeEnum::UpdateStmt(_)
        | NodeEnum::DeleteStmt(_)
        | NodeEnum::MergeStmt(_)
        | NodeEnum::CallStmt(_)
        | NodeEnum::ExecuteStmt(_) => tree::collect(node, &mut statement),
        NodeEnum::CreateTableAsStmt(create) => tree::collect(&create.query, &mut statement),
        NodeEnum::CopyStmt(copy) => {
            tree::collect(&(&copy.query, &copy.where_clause), &mut statement);
            let table = copy.relation.as_ref().map(definition::relation);
            match table {
                Some(table) if copy.is_from => statement.writes.push(Write {
                    table,
                    operation: Operation::Insert,
                    is_unfiltered: false,
                }),
                table => statement.reads.extend(table),
            }
        }
        NodeEnum::TruncateStmt(truncate) => {
            let tables = truncate.relations.iter().filter_map(definition::relation_in);
            statement.writes.extend(tables.map(|table| Write {
                table,
                operation: Operation::Truncate,
                is_unfiltered: false,
            }));
        }
        _ => {}
    }
    statement
}

fn classify(node: &NodeEnum) -> (Kind, &'static str) {
    match node {
        NodeEnum::SelectStmt(select) => match &select.into_clause {
            Some(into) => {
                let table = into.rel.as_ref().map(definition::relation);
                (Kind::Definition(Definition::of_tables(table)), "SELECT INTO")
            }
            None => (Kind::Select, "SELECT"),
        },
        NodeEnum::InsertStmt(_) => (Kind::Insert, "INSERT"),
        NodeEnum::UpdateStmt(_) => (Kind::Update, "UPDATE"),
        NodeEnum::DeleteStmt(_) => (Kind::Delete, "DELETE"),
        NodeEnum::MergeStmt(_) => (Kind::Merge, "MERGE"),
        NodeEnum::CopyStmt(copy) => {
            let direction = if copy.is_from { CopyDirection::From } else { CopyDirection::To };
            (Kind::Copy(direction), "COPY")
        }
        NodeEnum::TruncateStmt(_) => (Kind::Truncate, "TRUNCATE TABLE"),
        NodeEnum::TransactionStmt(control) => transaction(control),
        NodeEnum::VariableSetStmt(set) => setting(set),
        NodeEnum::PrepareStmt(prepare) => (
            Kind::Prepare { name: prepare.name.clone(), body: body(prepare.query.as_deref()) },
            "PREPARE",
        ),
        NodeEnum::ExecuteStmt(execute) => (Kind::Execute(execute.name.clone()), "EXECUTE"),
        NodeEnum::DeallocateStmt(deallocate) if deallocate.isall => {
            (Kind::Deallocate(None), "DEALLOCATE ALL")
        }
        NodeEnum::DeallocateStmt(deallocate) => {
            (Kind::Deallocate(Some(deallocate.name.clone())), "DEALLOCATE")
        }
        NodeEnum::ExplainStmt(explain) => (
            Kind::Explain { executes: executes(explain), body: body(explain.query.as_deref()) },
            "EXPLAIN",
        ),
        NodeEnum::DeclareCursorStmt(declare) => {
            let name = declare.portalname.clone();
            (Kind::Declare { name, body: body(declare.query.as_deref()) }, "DECLARE CURSOR")
        }
        NodeEnum::CallStmt(_) => (Kind::Call, "CALL"),
        NodeEnum::DoStmt(_) => (Kind::Do, "DO"),
        NodeEnum::DiscardStmt(discard) => match discard.target() {
            DiscardMode::DiscardPlans => (Kind::Other, "DISCARD PLANS"),
            DiscardMode::DiscardSequences => (Kind::Other, "DISCARD SEQUENCES"),
            DiscardMode::DiscardTemp => (Kind::Other, "DISCARD TEMP"),
            DiscardMode::DiscardAll | DiscardMode::Undefined => (Kind::DiscardAll, "DISCARD ALL"),
        },
        other => match definition::of(other) {
            Some((definition, tag)) => (Kind::Definition(definition), tag),
            None => (Kind::Other, other_tag(other)),
        },
    }
}

fn body(query: Option<&pg_query::Node>) -> Box<Statement> {
    let node = query.and_then(|query| query.node.as_ref());
    Box::new(node.map_or_else(|| Statement::new(Kind::Other, ""), statement))
}

fn executes(explain: &ExplainStmt) -> bool {
    let mut executes = false;
    for option in &explain.options {
        if let Some(NodeEnum::DefElem(option)) = &option.node
            && option.defname == "analyze"
        {
            // The last one counts; without a value it is true (`defGetBoolean`).
            let value = option.arg.as_ref().and_then(|value| value.node.as_ref());
            executes = match value {
                Some(NodeEnum::String(word)) => {
                    !["false", "off"].iter().any(|no| word.sval.eq_ignore_ascii_case(no))
                }
                Some(NodeEnum::Integer(number)) => number.ival != 0,
                Some(NodeEnum::Boolean(value)) => value.boolval,
                _ => true,
            };
        }
    }
    executes
}

fn transaction(control: &TransactionStmt) -> (Kind, &'static str) {
    use TransactionStmtKind as K;
    let savepoint = || control.savepoint_name.clone();
    let gid = || control.gid.clone();
    let (step, tag) = match control.kind() {
        K::TransStmtBegin => (Transaction::Begin, "BEGIN"),
        K::TransStmtStart => (Transaction::Begin, "START TRANSACTION"),
        K::TransStmtCommit => (Transaction::Commit, "COMMIT"),
        K::TransStmtRollback => (Transaction::Rollback, "ROLLBACK"),
        K::TransStmtSavepoint => (Transaction::Savepoint(savepoint()), "SAVEPOINT"),
        K::TransStmtRelease => (Transaction::Release(savepoint()), "RELEASE"),
        K::TransStmtRollbackTo => (Transaction::RollbackTo(savepoint()), "ROLLBACK"),
        K::TransStmtPrepare => (Transaction::Prepare(gid()), "PREPARE TRANSACTION"),
        K::TransStmtCommitPrepared => (Transaction::CommitPrepared(gid()), "COMMIT PREPARED"),
        K::TransStmtRollbackPrepared => (Transaction::RollbackPrepared(gid()), "ROLLBACK PREPARED"),
        K::Undefined => return (Kind::Other, ""),
    };
    (Kind::Transaction(step), tag)
}

fn setting(set: &VariableSetStmt) -> (Kind, &'static str) {
    let scope = if set.is_local { Scope::Transaction } else { Scope::Session };
    let name = set.name.clone();
    match set.kind() {
        VariableSetKind::VarResetAll => (Kind::Reset(None), "RESET"),
        VariableSetKind::VarReset => (Kind::Reset(Some(name)), "RESET"),
        VariableSetKind::VarSetDefault => (Kind::Set { name, value: None, scope }, "SET"),
        _ => {
            let values: Vec<_> = set.args.iter().filter_map(constant).collect();
            (Kind::Set { name, value: Some(values.join(", ")), scope }, "SET")
        }
    }
}

/// A value of a setting, as the server would store it.
fn constant(node: &pg_query::Node) -> Option<String> {
    use pg_query::protobuf::a_const::Val;
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => Some(match constant.val.as_ref()? {
            Val::Sval(text) => text.sval.clone(),
            Val::Ival(number) => number.ival.to_string(),
            Val::Fval(number) => number.fval.clone(),
            Val::Boolval(value) => value.boolval.to_string(),
            Val::Bsval(bits) => bits.bsval.clone(),
        }),
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_ref()?),
        NodeEnum::DefElem(option) => {
            let value = option.arg.as_ref().and_then(|value| constant(value));
            Some(value.map_or_else(
                || option.defname.clone(),
                |value| format!("{} {value}", option.defname),
            ))
        }
        _ => None,
    }
}

fn other_tag(node: &NodeEnum) -> &'static str {
    match node {
        NodeEnum::VariableShowStmt(_) => "SHOW",
        NodeEnum::FetchStmt(fetch) if fetch.ismove => "MOVE",
        NodeEnum::FetchStmt(_) => "FETCH",
        NodeEnum::ClosePortalStmt(close) if close.portalname.is_empty() => "CLOSE CURSOR ALL",
        NodeEnum::ClosePortalStmt(_) => "CLOSE CURSOR",
        NodeEnum::ListenStmt(_) => "LISTEN",
        NodeEnum::NotifyStmt(_) => "NOTIFY",
        NodeEnum::UnlistenStmt(_) => "UNLISTEN",
        NodeEnum::LockStmt(_) => "LOCK TABLE",
        NodeEnum::VacuumStmt(vacuum) if vacuum.is_vacuumcmd => "VACUUM",
        NodeEnum::VacuumStmt(_) => "ANALYZE",
        NodeEnum::ClusterStmt(_) => "CLUSTER",
        NodeEnum::ReindexStmt(_) => "REINDEX",
        NodeEnum::CheckPointStmt(_) => "CHECKPOINT",
        NodeEnum::LoadStmt(_) => "LOAD",
        NodeEnum::ConstraintsSetStmt(_) => "SET CONSTRAINTS",
        NodeEnum::AlterSystemStmt(_) => "ALTER SYSTEM",
        _ => "",
    }
}

/// The outline of a statement of a type that a summary names.
pub(super) fn outline(statement_type: &str) -> (Kind, &'static str) {
    match statement_type {
        "SelectStmt" => (Kind::Select, "SELECT"),
        "InsertStmt" => (Kind::Insert, "INSERT"),
        "UpdateStmt" => (Kind::Update, "UPDATE"),
        "DeleteStmt" => (Kind::Delete, "DELETE"),
        "MergeStmt" => (Kind::Merge, "MERGE"),
        _ => (Kind::Other, ""),
    }
}
