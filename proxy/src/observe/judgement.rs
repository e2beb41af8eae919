//! What a text will do, as far as somebody has to know before it is done.

use pgtrack_tracker::Operation;
use pgtrack_tracker::calls::CallId;
use pgtrack_tracker::calls::is_audited;
use pgtrack_tracker::statement::{Analysis, Argument, Kind, Literal, Statement};
use serde_json::{Map, Value};

/// What matters of a text, whoever sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What happens when it is executed.
    pub runs: Acts,
    /// What happens when the statement is executed that it prepares, for `PREPARE` in SQL.
    pub prepares: Option<Acts>,
    /// The application's user, if a comment names one.
    pub actor: Option<String>,
}

/// What a text does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acts {
    /// The functions of pg_track that it calls and that change something.
    pub calls: Vec<CalledFunction>,
    /// What cannot be taken back easily.
    pub dangers: Vec<Danger>,
    /// The tables that are gone after it, with their columns if only those are.
    pub drops: Vec<String>,
}

/// A call of a function of pg_track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledFunction {
    /// In which statement of the text, from 0.
    pub index: u32,
    /// The function, without `_pk`.
    pub verb: String,
    /// Its arguments by name or position, as far as the text gives them.
    pub arguments: Option<Value>,
}

/// What guard rails are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Danger {
    /// An `UPDATE` without `WHERE`.
    UpdateAll,
    /// A `DELETE` without `WHERE`.
    DeleteAll,
    /// A `TRUNCATE`.
    Truncate,
    /// A `DROP TABLE`, also by way of its schema.
    DropTable,
    /// An `ALTER TABLE … DROP COLUMN`.
    DropColumn,
}

/// A call whose record waits for its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// In which statement of the text, from 0.
    pub index: u32,
    /// Its record.
    pub id: CallId,
}

impl Judgement {
    /// Reads an analysis.
    pub fn of(analysis: &Analysis) -> Self {
        let mut judgement =
            Self { actor: analysis.tags.actor().map(str::to_owned), ..Self::default() };
        for (index, statement) in (0_u32..).zip(&analysis.statements) {
            if let Kind::Prepare { body, .. } = &statement.kind {
                judgement.prepares.get_or_insert_default().add(0, body);
            } else if let Some(executed) = statement.executed() {
                judgement.runs.add(index, executed);
            }
        }
        judgement
    }

    /// What happens when SQL executes the statement that this text has prepared.
    pub fn executed_by_name(&self) -> &Acts {
        self.prepares.as_ref().unwrap_or(&self.runs)
    }

    /// Whether there is nothing to know.
    pub fn is_harmless(&self) -> bool {
        self.runs == Acts::default() && self.prepares.is_none()
    }
}

impl Acts {
    fn add(&mut self, index: u32, statement: &Statement) {
        for call in &statement.calls {
            if let Some(verb) = is_audited(&call.verb) {
                let arguments = call.arguments.as_deref().map(arguments);
                self.calls.push(CalledFunction { index, verb: verb.to_owned(), arguments });
            }
        }
        for write in &statement.writes {
            let danger = match write.operation {
                Operation::Update if write.is_unfiltered => Danger::UpdateAll,
                Operation::Delete if write.is_unfiltered => Danger::DeleteAll,
                Operation::Truncate => Danger::Truncate,
                _ => continue,
            };
            self.dangers.push(danger);
        }
        let Kind::Definition(definition) = &statement.kind else { return };
        let tables = definition.objects.iter().filter(|object| object.kind == "TABLE");
        if statement.tag == "DROP TABLE" || statement.tag == "DROP SCHEMA" {
            self.dangers.push(Danger::DropTable);
            self.drops.extend(tables.map(|table| table.name.to_string()));
        } else if !definition.dropped_columns.is_empty() {
            self.dangers.push(Danger::DropColumn);
            self.drops.extend(tables.map(|table| table.name.to_string()));
        }
    }
}

fn arguments(arguments: &[Argument]) -> Value {
    let named = (1..).zip(arguments).map(|(position, argument)| {
        let name = argument.name.clone().unwrap_or_else(|| position.to_string());
        let value = match &argument.value {
            Literal::Text(text) | Literal::Number(text) => Value::from(text.as_str()),
            Literal::Boolean(value) => Value::from(*value),
            Literal::Null => Value::Null,
            Literal::Parameter(number) => Value::from(format!("${number}")),
            Literal::Expression => Value::from("…"),
        };
        (name, value)
    });
    Value::Object(named.collect::<Map<_, _>>())
}

impl Danger {
    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::UpdateAll => "UPDATE without WHERE",
            Self::DeleteAll => "DELETE without WHERE",
            Self::Truncate => "TRUNCATE",
            Self::DropTable => "DROP TABLE",
            Self::DropColumn => "DROP COLUMN",
        }
    }
}
