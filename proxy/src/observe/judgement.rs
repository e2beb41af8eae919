//! What a text will do, as far as somebody has to know before it is done.

use pgtrack_tracker::Operation;
use pgtrack_tracker::calls::{CallId, Deed, Target, is_audited};
use pgtrack_tracker::statement::{Analysis, Argument, Call, Kind, Literal, Opaque, Statement};
use serde_json::{Map, Value};

/// How much of an argument is recorded, in characters.
const ARGUMENT_CHARS: usize = 1000;

/// What matters of a text, whoever sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What happens when it is executed.
    pub runs: Acts,
    /// What happens when the statement is executed that it prepares, for `PREPARE` in SQL.
    pub prepares: Option<Acts>,
    /// The application's user, if a comment names one.
    pub actor: Option<String>,
    /// Why it is not known what it does, where that may have to be refused.
    pub not_analysed: Option<NotAnalysed>,
}

/// Why it is not known what a text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAnalysed {
    /// Too many others waited.
    Dropped,
    /// It took too long.
    Late,
    /// It is too long, or has too many comments.
    TooLong,
    /// The parser or the encoding refuses it, or it nests too deeply.
    NotUnderstood,
    /// It is a `DO` block.
    Block,
    /// It was prepared, and too much was since.
    Forgotten,
    /// It is a call of a function by its number.
    FunctionCall,
}

/// How the session stands in which a text is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The `search_path` has `pgtrack`, or that is not known and matters.
    pub(crate) has_path: bool,
    /// What is not analysed may have to be refused.
    pub(crate) is_strict: bool,
}

/// What a text does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acts {
    /// The functions of pg_track that it calls and that change something.
    pub calls: Vec<CalledFunction>,
    /// What cannot be taken back easily.
    pub dangers: Vec<Danger>,
    /// To what it does that.
    pub targets: Vec<Target>,
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
    /// Which of them are which parameters.
    pub parameters: Vec<(String, u64)>,
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
    pub(crate) fn of(analysis: &Analysis, reading: Reading) -> Self {
        let mut judgement =
            Self { actor: analysis.tags.actor().map(str::to_owned), ..Self::default() };
        for (index, statement) in (0_u32..).zip(&analysis.statements) {
            if let Kind::Prepare { body, .. } = &statement.kind {
                judgement.prepares.get_or_insert_default().add(0, body, reading);
            } else if let Some(executed) = statement.executed() {
                judgement.runs.add(index, executed, reading);
            }
        }
        if reading.is_strict {
            judgement.not_analysed = NotAnalysed::of(analysis);
        }
        judgement
    }

    /// Nothing is known of a text.
    pub(crate) fn none(why: NotAnalysed) -> Self {
        Self { not_analysed: Some(why), ..Self::default() }
    }

    /// What happens when SQL executes the statement that this text has prepared.
    pub fn executed_by_name(&self) -> &Acts {
        self.prepares.as_ref().unwrap_or(&self.runs)
    }

    /// Whether there is nothing to know.
    pub fn is_harmless(&self) -> bool {
        self.runs == Acts::default() && self.prepares.is_none() && self.not_analysed.is_none()
    }
}

impl NotAnalysed {
    /// Why an analysis does not say everything about its text.
    pub(crate) fn of_all(analysis: &Analysis) -> Option<Self> {
        let mut statements = analysis.statements.iter().flat_map(Statement::with_parts);
        match &analysis.opaque {
            Some(Opaque::TooLarge | Opaque::TooManyComments) => Some(Self::TooLong),
            Some(_) => Some(Self::NotUnderstood),
            None => statements.any(|statement| statement.is_outline).then_some(Self::NotUnderstood),
        }
    }

    /// Why it is not known what a text does, of which this is the analysis.
    fn of(analysis: &Analysis) -> Option<Self> {
        let mut statements = analysis.statements.iter();
        let is_block = |statement: &Statement| statement.kind == Kind::Do;
        Self::of_all(analysis).or_else(|| statements.any(is_block).then_some(Self::Block))
    }

    /// In words, behind "it".
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Dropped => "could not be analysed: too many others wait",
            Self::Late => "could not be analysed in time",
            Self::TooLong => "is too long to be analysed",
            Self::NotUnderstood => "is not understood",
            Self::Block => "is a DO block, which is not looked into",
            Self::Forgotten => "was prepared too long ago to be remembered",
            Self::FunctionCall => "calls a function by its number",
        }
    }
}

impl Acts {
    fn add(&mut self, index: u32, statement: &Statement, reading: Reading) {
        let possible = statement.possible_calls.iter().filter(|_| reading.has_path);
        let mut calls: Vec<_> = statement.calls.iter().chain(possible).collect();
        calls.sort_by_key(|call| call.place);
        self.calls.extend(calls.into_iter().filter_map(|call| called(index, call)));
        for write in &statement.writes {
            let (danger, deed) = match write.operation {
                Operation::Update if write.is_unfiltered => (Danger::UpdateAll, Deed::Update),
                Operation::Delete if write.is_unfiltered => (Danger::DeleteAll, Deed::Delete),
                Operation::Truncate => (Danger::Truncate, Deed::Truncate),
                _ => continue,
            };
            self.dangers.push(danger);
            self.targets.push(Target { deed, name: write.table.clone() });
        }
        let Kind::Definition(definition) = &statement.kind else { return };
        let (danger, deed, kind) = match statement.tag {
            "DROP TABLE" => (Danger::DropTable, Deed::DropTable, "TABLE"),
            "DROP SCHEMA" => (Danger::DropTable, Deed::DropSchema, "SCHEMA"),
            _ if !definition.dropped_columns.is_empty() => {
                (Danger::DropColumn, Deed::DropColumn, "TABLE")
            }
            _ => return,
        };
        self.dangers.push(danger);
        let objects = definition.objects.iter().filter(|object| object.kind == kind);
        self.targets.extend(objects.map(|object| Target { deed, name: object.name.clone() }));
    }
}

fn called(index: u32, call: &Call) -> Option<CalledFunction> {
    let verb = is_audited(&call.verb)?.to_owned();
    let arguments = call.arguments.as_deref().map(arguments);
    let named = (1..).zip(call.arguments.iter().flatten());
    let parameters = named.filter_map(|(position, argument)| match argument.value {
        Literal::Parameter(number) => Some((name(position, argument), number)),
        _ => None,
    });
    Some(CalledFunction { index, verb, parameters: parameters.collect(), arguments })
}

fn arguments(arguments: &[Argument]) -> Value {
    let named = (1..).zip(arguments).map(|(position, argument)| {
        let value = match &argument.value {
            Literal::Text(text) | Literal::Number(text) => Value::from(cut(text)),
            Literal::Boolean(value) => Value::from(*value),
            Literal::Null => Value::Null,
            Literal::Parameter(number) => Value::from(format!("${number}")),
            Literal::Expression => Value::from("…"),
        };
        (name(position, argument), value)
    });
    Value::Object(named.collect::<Map<_, _>>())
}

fn name(position: u32, argument: &Argument) -> String {
    argument.name.clone().unwrap_or_else(|| position.to_string())
}

/// As much of an argument as is recorded. JSON in the database has no byte 0.
pub(crate) fn cut(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(ARGUMENT_CHARS).collect()
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
