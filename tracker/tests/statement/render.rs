//! An analysis as lines of text.

use std::fmt::Write;

use pgtrack_tracker::statement::{
    Analysis, Argument, Call, CopyDirection, Definition, Kind, Literal, Scope, Statement,
    Transaction,
};

pub(crate) fn render(analysis: &Analysis) -> String {
    let mut lines = String::new();
    if let Some(why) = &analysis.opaque {
        writeln!(lines, "opaque: {why:?}").unwrap();
    }
    for statement in &analysis.statements {
        render_statement(statement, "", &mut lines);
    }
    let tags: Vec<_> = analysis.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if !tags.is_empty() {
        writeln!(lines, "tags {}", tags.join(", ")).unwrap();
    }
    if lines.is_empty() { "nothing".to_owned() } else { lines.trim_end().to_owned() }
}

fn render_statement(statement: &Statement, indent: &str, lines: &mut String) {
    let depth = if statement.is_outline { " (outline)" } else { "" };
    writeln!(lines, "{indent}{}{}{depth}", statement.tag, detail(&statement.kind)).unwrap();
    let mut line = |word: &str, items: Vec<String>| {
        if !items.is_empty() {
            writeln!(lines, "{indent}  {word} {}", items.join(", ")).unwrap();
        }
    };
    line("reads", statement.reads.iter().map(ToString::to_string).collect());
    let writes = statement.writes.iter().map(|write| {
        let rows = if write.is_unfiltered { " every row" } else { "" };
        format!("{} ({}{rows})", write.table, write.operation)
    });
    line("writes", writes.collect());
    line("names", statement.functions.iter().map(|function| format!("{function}()")).collect());
    line("calls", statement.calls.iter().map(call).collect());
    if let Kind::Definition(definition) = &statement.kind {
        render_definition(definition, &mut line);
    }
    let (Kind::Prepare { body, .. } | Kind::Explain { body, .. } | Kind::Declare { body, .. }) =
        &statement.kind
    else {
        return;
    };
    render_statement(body, &format!("{indent}  "), lines);
}

fn render_definition(definition: &Definition, line: &mut impl FnMut(&str, Vec<String>)) {
    let objects = definition.objects.iter();
    line("defines", objects.map(|object| format!("{} {}", object.kind, object.name)).collect());
    line("drops column", definition.dropped_columns.clone());
    line("retypes column", definition.retyped_columns.clone());
    line("renames to", definition.renamed_to.iter().cloned().collect());
}

fn detail(kind: &Kind) -> String {
    match kind {
        Kind::Copy(CopyDirection::From) => " from".to_owned(),
        Kind::Copy(CopyDirection::To) => " to".to_owned(),
        Kind::Transaction(Transaction::RollbackTo(name)) => format!(" to {name}"),
        Kind::Transaction(
            Transaction::Prepare(gid)
            | Transaction::CommitPrepared(gid)
            | Transaction::RollbackPrepared(gid),
        ) => format!(" {gid:?}"),
        Kind::Set { name, value, scope } => {
            let scope = if *scope == Scope::Transaction { " local" } else { "" };
            value.as_ref().map_or_else(
                || format!("{scope} {name} to its default"),
                |value| format!("{scope} {name} = {value:?}"),
            )
        }
        Kind::Reset(name) => format!(" {}", name.as_deref().unwrap_or("all")),
        Kind::Transaction(Transaction::Savepoint(name) | Transaction::Release(name))
        | Kind::Prepare { name, .. }
        | Kind::Execute(name)
        | Kind::Declare { name, .. } => {
            format!(" {name}")
        }
        Kind::Deallocate(name) => name.as_ref().map(|name| format!(" {name}")).unwrap_or_default(),
        Kind::Explain { executes: true, .. } => ", executed".to_owned(),
        _ => String::new(),
    }
}

fn call(call: &Call) -> String {
    let Some(arguments) = &call.arguments else { return format!("{}(?)", call.verb) };
    let arguments: Vec<_> = arguments.iter().map(argument).collect();
    format!("{}({})", call.verb, arguments.join(", "))
}

fn argument(argument: &Argument) -> String {
    let value = match &argument.value {
        Literal::Text(text) => format!("{text:?}"),
        Literal::Number(number) => number.clone(),
        Literal::Boolean(value) => value.to_string(),
        Literal::Null => "null".to_owned(),
        Literal::Parameter(number) => format!("${number}"),
        Literal::Expression => "…".to_owned(),
    };
    argument.name.as_ref().map(|name| format!("{name} => {value}")).unwrap_or(value)
}
