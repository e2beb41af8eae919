//! What was recorded: transactions, their effects, and the versions of rows.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// What a statement did to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// INSERT, also by COPY, MERGE or a revert.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE, also by a foreign key's cascade.
    Delete,
    /// TRUNCATE.
    Truncate,
}

impl Operation {
    /// Reads the word that the SQL interface uses; `None` for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "INSERT" => Some(Self::Insert),
            "UPDATE" => Some(Self::Update),
            "DELETE" => Some(Self::Delete),
            "TRUNCATE" => Some(Self::Truncate),
            _ => None,
        }
    }

    /// The SQL command.
    pub fn word(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// A primary key: one value for each key column, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowKey(pub Map<String, Value>);

impl RowKey {
    /// Reads a key written as a JSON object; `None` if it is none, or holds what the database's `jsonb` cannot.
    pub fn from_json(text: &str) -> Option<Self> {
        match serde_json::from_str(text) {
            Ok(value) if !is_storable(&value) => None,
            Ok(Value::Object(columns)) => Some(Self(columns)),
            _ => None,
        }
    }

    /// The JSON object, as the SQL interface takes it.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// Whether `jsonb` can hold a value: it has no character NUL, and no numbers of any size.
fn is_storable(value: &Value) -> bool {
    const MOST_DIGITS: u32 = 16_000;
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => {
            let text = number.to_string();
            let exponent = text.split(['e', 'E']).nth(1).map(str::parse::<i32>);
            let is_small = |exponent: i32| exponent.unsigned_abs() <= MOST_DIGITS;
            exponent.is_none_or(|exponent| exponent.is_ok_and(is_small))
        }
        Value::String(text) => !text.contains('\0'),
        Value::Array(values) => values.iter().all(is_storable),
        Value::Object(members) => {
            members.iter().all(|(name, value)| !name.contains('\0') && is_storable(value))
        }
    }
}

/// For people: `id=1`, or `order_id=1, product_id=100`.
impl fmt::Display for RowKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (column, value)) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            match value {
                Value::String(text) => write!(formatter, "{separator}{column}={text}")?,
                other => write!(formatter, "{separator}{column}={other}")?,
            }
        }
        Ok(())
    }
}

/// A committed transaction that changed tracked tables.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// The transaction's id.
    pub xid: i64,
    /// When its last change was made.
    pub at: Timestamp,
    /// The actor if the application named one, else the session user.
    pub who: String,
    /// The session user.
    pub user_name: String,
    /// `application_name`.
    pub application: Option<String>,
    /// The client's address; through the proxy the real client's.
    pub client_addr: Option<String>,
    /// Whether the session said that it came through the proxy.
    pub through_proxy: bool,
    /// The reason that was given.
    pub message: Option<String>,
    /// For a revert: what it undoes.
    pub reverts: Option<Reverts>,
    /// The first recorded query text.
    pub query: Option<String>,
    /// What it did, table by table.
    pub effects: Vec<Effect>,
}

/// What a revert undoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reverts {
    /// Everything that a transaction did.
    Transaction(i64),
    /// A change of one row, and what came after it, that a transaction made.
    ChangeOf(i64),
    /// Something else, in words.
    Other(String),
}

impl Reverts {
    /// Reads what the SQL interface says: `xid:N`, a statement's number, or words; and the transaction in question.
    pub(crate) fn read(reverts: Option<String>, xid: Option<i64>) -> Option<Self> {
        let reverts = reverts?;
        Some(match xid {
            Some(xid) if reverts.starts_with("xid:") => Self::Transaction(xid),
            Some(xid) => Self::ChangeOf(xid),
            None => Self::Other(reverts),
        })
    }
}

/// What one transaction did to one table with one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// What was done.
    pub operation: Operation,
    /// To how many rows.
    pub rows: i64,
}

/// One change of one row.
#[derive(Debug, Clone)]
pub struct Version {
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// The row; `None` where the table has no primary key.
    pub key: Option<RowKey>,
    /// Counts the row's changes from 1; `None` where the table has no primary key, or the change is another row's.
    pub number: Option<i32>,
    /// What was done.
    pub operation: Operation,
    /// When.
    pub at: Timestamp,
    /// The actor if the application named one, else the session user.
    pub who: String,
    /// The transaction.
    pub xid: i64,
    /// `application_name`.
    pub application: Option<String>,
    /// The client's address.
    pub client_addr: Option<String>,
    /// The reason that was given.
    pub message: Option<String>,
    /// The beginning of the query text.
    pub query: Option<String>,
    /// The names of the changed columns of an UPDATE.
    pub changed_columns: Vec<String>,
    /// The row before; `None` for INSERT.
    pub before: Option<Map<String, Value>>,
    /// The row after; `None` for DELETE and TRUNCATE.
    pub after: Option<Map<String, Value>>,
}

/// Takes the columns out of a row image.
pub(crate) fn object(value: Option<Value>) -> Option<Map<String, Value>> {
    match value {
        Some(Value::Object(columns)) => Some(columns),
        _ => None,
    }
}
