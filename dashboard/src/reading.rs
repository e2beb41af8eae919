//! The one way from the history to a page. What the rules hide from the person is gone from whatever comes out of
//! here, and what they ignore is left out of lists unless it is asked for.
//!
//! Nothing else in this crate reads rows or statements; `testkit/tests/house.rs` looks after that.

use std::ops::Deref;
use std::sync::Arc;

use deadpool_postgres::Object;
use pgtrack_tracker::activity::{
    self, Bookmark, Filter, Page, Rest, Statement, Summary, quiet_statements, quiet_transactions,
};
use pgtrack_tracker::feed::{self, Cursor};
use pgtrack_tracker::history::{self, DeletedRow};
use pgtrack_tracker::past::{self, Difference};
use pgtrack_tracker::revert::{self, OnConflict, Plan, Target};
use pgtrack_tracker::{Operation, RowKey, TableName, TrackedTable, Transaction, Version};
use tokio_postgres::Client;

use crate::app_error::AppError;
use crate::comparison::Image;
use crate::connections::Opened;
use crate::rules::Rules;
use crate::visit::Visit;

/// How many changes are read for one page where some are left out.
const READ: usize = 200;
/// A new transaction with as many statements is not looked into.
const MANY: usize = 20;

/// A session that reads for one person.
pub(crate) struct Reader {
    client: Object,
    rules: Arc<Rules>,
}

/// A page of a list.
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    pub(crate) rest: Rest,
    /// How many were left out because nothing changed in them that counts.
    pub(crate) ignored: usize,
}

impl Reader {
    /// A session for the person of this visit.
    pub(crate) async fn open(opened: &Opened, visit: &Visit) -> Result<Self, AppError> {
        Ok(Self { client: opened.database.read().await?, rules: visit.rules.clone() })
    }

    /// A session with other rules.
    pub(crate) async fn with(opened: &Opened, rules: Rules) -> Result<Self, AppError> {
        Ok(Self { client: opened.database.read().await?, rules: Arc::new(rules) })
    }

    /// The statements that pass a filter. With `shows_all`, none is left out.
    pub(crate) async fn statements(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: usize,
        shows_all: bool,
    ) -> Result<Listed<Statement>, AppError> {
        self.check(filter)?;
        let leaves_out = self.rules.ignores_any() && !shows_all;
        let read = if leaves_out { limit.max(READ) } else { limit };
        let Page { mut items, mut rest } =
            activity::statements(&self.client, filter, before, read).await?;
        let mut ignored = 0;
        if leaves_out {
            let quiet = quiet_statements(&self.client, &items, &self.is_ignored()).await?;
            let read = items.len();
            let mut shown = Vec::new();
            for (position, one) in items.into_iter().enumerate() {
                if !quiet.contains(&(one.table.clone(), one.id)) {
                    shown.push(one);
                }
                if shown.len() == limit && position + 1 < read {
                    // The next page goes on below the last one that is shown.
                    ignored = position + 1 - limit;
                    rest = shown.last().map_or(rest, |last| Rest::Older(last.id));
                    break;
                }
                ignored = position + 1 - shown.len();
            }
            items = shown;
        }
        self.rules.hide_statements(&mut items);
        Ok(Listed { items, rest, ignored })
    }

    /// The transactions with a statement that passes a filter.
    pub(crate) async fn transactions(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: usize,
        shows_all: bool,
    ) -> Result<Listed<Transaction>, AppError> {
        self.check(filter)?;
        let Page { mut items, rest } =
            activity::transactions(&self.client, filter, before, limit).await?;
        let ignored = if shows_all { 0 } else { self.leave_out(&mut items).await? };
        let mut items = feed::transactions(&self.client, &items).await?;
        self.rules.hide_transactions(&mut items);
        Ok(Listed { items, rest, ignored })
    }

    /// The newest transactions, how many were left out, and the cursor to go on from.
    pub(crate) async fn newest(
        &self,
        limit: i64,
    ) -> Result<(Vec<Transaction>, usize, Cursor), AppError> {
        let (mut items, cursor) = feed::newest(&self.client, limit, None).await?;
        let mut xids: Vec<i64> = items.iter().map(|one| one.xid).collect();
        let ignored = self.leave_out(&mut xids).await?;
        items.retain(|one| xids.contains(&one.xid));
        self.rules.hide_transactions(&mut items);
        Ok((items, ignored, cursor))
    }

    /// Of a new transaction, what passes a filter; empty if nothing of it does, or nothing that counts.
    pub(crate) async fn among(
        &self,
        filter: &Filter,
        xid: i64,
        shows_all: bool,
    ) -> Result<Vec<Statement>, AppError> {
        self.check(filter)?;
        let mut items = activity::among(&self.client, filter, &[xid]).await?;
        // Of a transaction with very many statements some count.
        if !shows_all && self.rules.ignores_any() && items.len() < MANY {
            let quiet = quiet_statements(&self.client, &items, &self.is_ignored()).await?;
            items.retain(|one| !quiet.contains(&(one.table.clone(), one.id)));
        }
        self.rules.hide_statements(&mut items);
        Ok(items)
    }

    /// Sums of what passes a filter and was committed after a place, which hold no values; `None` if that is no place
    /// of this database. Updates of ignored columns count, too.
    pub(crate) async fn summary(
        &self,
        filter: &Filter,
        after: &Bookmark,
    ) -> Result<Option<Summary>, AppError> {
        self.check(filter)?;
        Ok(activity::summary(&self.client, filter, after).await?)
    }

    pub(crate) async fn statement(&self, id: i64) -> Result<Option<Statement>, AppError> {
        let mut statement = activity::statement(&self.client, id).await?;
        self.rules.hide_statements(statement.as_mut_slice());
        Ok(statement)
    }

    pub(crate) async fn transaction(&self, xid: i64) -> Result<Option<Transaction>, AppError> {
        let mut transaction = feed::transaction(&self.client, xid).await?;
        self.rules.hide_transactions(transaction.as_mut_slice());
        Ok(transaction)
    }

    pub(crate) async fn changes_of_statement(
        &self,
        id: i64,
        max: i64,
    ) -> Result<Vec<Version>, AppError> {
        Ok(self.hidden(history::statement(&self.client, id, max).await?))
    }

    pub(crate) async fn changes_of_transaction(
        &self,
        xid: i64,
        max: i64,
    ) -> Result<Vec<Version>, AppError> {
        Ok(self.hidden(history::transaction(&self.client, xid, max).await?))
    }

    /// The latest row changes of a table, and how many were left out.
    pub(crate) async fn changes_of_table(
        &self,
        table: &TableName,
        max: i32,
        shows_all: bool,
    ) -> Result<(Vec<Version>, usize), AppError> {
        let mut versions = history::table(&self.client, table, max).await?;
        let read = versions.len();
        if !shows_all && self.rules.ignores_any() {
            versions.retain(|one| {
                let mut changed = one.changed_columns.iter();
                one.operation != Operation::Update
                    || one.after.is_none()
                    || !changed.all(|column| self.rules.ignores(table, column))
            });
        }
        let ignored = read - versions.len();
        Ok((self.hidden(versions), ignored))
    }

    pub(crate) async fn row(
        &self,
        table: &TableName,
        key: &RowKey,
    ) -> Result<Vec<Version>, AppError> {
        if key.0.keys().any(|column| self.rules.hides(table, column)) {
            return Err(AppError::hidden_key());
        }
        let mut versions = history::row(&self.client, table, key).await?;
        // What the key was to other rows is not this row's.
        versions.retain(|one| one.number.is_some());
        self.rules.hide_history(&mut versions);
        Ok(versions)
    }

    pub(crate) async fn deleted(
        &self,
        table: &TrackedTable,
        max: i32,
    ) -> Result<Vec<DeletedRow>, AppError> {
        let mut rows = history::deleted(&self.client, &table.name, max).await?;
        self.rules.hide_deleted(table, &mut rows);
        Ok(rows)
    }

    pub(crate) async fn rows_then(
        &self,
        table: &TrackedTable,
        point: &str,
        max: i64,
        skip: i64,
    ) -> Result<Vec<Image>, AppError> {
        let mut rows =
            past::rows(&self.client, &table.name, &table.key_columns, point, max, skip).await?;
        self.rules.hide_rows(table, &mut rows);
        Ok(rows)
    }

    pub(crate) async fn differences(
        &self,
        table: &TrackedTable,
        point: &str,
        max: i64,
    ) -> Result<Vec<Difference>, AppError> {
        let mut rows = past::diff(&self.client, &table.name, point, "now", max).await?;
        self.rules.hide_differences(table, &mut rows);
        Ok(rows)
    }

    fn hidden(&self, mut versions: Vec<Version>) -> Vec<Version> {
        self.rules.hide_versions(&mut versions);
        versions
    }

    /// Takes those transactions out in which nothing changed that counts, and says how many they were.
    async fn leave_out(&self, xids: &mut Vec<i64>) -> Result<usize, AppError> {
        if !self.rules.ignores_any() {
            return Ok(0);
        }
        let quiet = quiet_transactions(&self.client, xids, &self.is_ignored()).await?;
        xids.retain(|xid| !quiet.contains(xid));
        Ok(quiet.len())
    }

    fn is_ignored(&self) -> impl Fn(&TableName, &str) -> bool + Sync {
        |table, column| self.rules.ignores(table, column)
    }

    fn check(&self, filter: &Filter) -> Result<(), AppError> {
        match self.rules.objection(filter) {
            Some(why) => Err(AppError::Unsearchable(why)),
            None => Ok(()),
        }
    }
}

/// Works out a plan for a person with these rules, in whatever session: it may take longer than a page.
pub(crate) async fn plan(
    client: &Client,
    rules: &Rules,
    target: &Target,
    on_conflict: OnConflict,
) -> Result<Plan, AppError> {
    if rules.objects_to(target) {
        return Err(AppError::hidden_key());
    }
    let mut plan = revert::plan(client, target, on_conflict).await?;
    rules.hide_plan(&mut plan);
    Ok(plan)
}

/// For what holds no values: tables, columns, tags.
impl Deref for Reader {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
