//! docs/cli.md, made from the command line itself: `make docs` writes it, and the tests fail while it is out of date.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

use crate::args::Arguments;

const BEGINNING: &str = "# Command line

`pgtrack` has git's habits, for tables. Every command tells about itself with `--help`.
This file is made from the program by `make docs`.

A database is found as psql finds it: by `--db` with a connection URL, `keyword=value` pairs or a name, and by `PGHOST`, `PGPORT`, `PGDATABASE`, `PGUSER`, `PGPASSWORD`, `PGSERVICE`, `PGSSLMODE` and the like, `~/.pg_service.conf` and `~/.pgpass`; where nothing names a user, it is the system's.
`sslmode`, `sslrootcert`, `sslcert`, `sslkey` and `sslnegotiation` mean what they mean to libpq.
A table is named as in a query; a key is a value, or JSON for a key of several columns.
A point is a tag's name, a timestamp, `xid:N` (as transaction N saw and left it), or `now`.
`@` is your latest transaction that is no undo, `@~1` the one before it; [concepts](concepts.md) says when that is refused.

Commands that change rows show what they would do and ask first; `--yes` says yes beforehand, `--dry-run` only shows.
Without a terminal and without `--yes` they do nothing.
`--json` writes one JSON object on each line, with the names of the [SQL reference](sql.md).

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed; the reason is on standard error |
| 2 | wrong usage |
| 3 | rows were changed since, so nothing was done |
| 4 | the answer was no, or there was nobody to ask |
| 5 | `verify` or `diff --exit-code` found something |
";

#[test]
fn the_reference_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let mut text = BEGINNING.to_owned();
    text.push_str("\n## Options of every command about a database\n\n");
    let program = Arguments::command();
    let status = program.find_subcommand("status").unwrap();
    text.extend(status.get_arguments().filter(|one| is_shared(one)).map(one_argument));
    for command in Arguments::command().get_subcommands_mut() {
        if command.get_name() != "help" {
            describe(command, &mut text);
        }
    }
    if std::env::var_os("PGTRACK_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/cli.md is out of date; `make docs` writes it");
}

fn describe(command: &mut Command, text: &mut String) {
    // Writing to a String cannot fail.
    let name = command.get_name().to_owned();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().bin_name(format!("pgtrack {name}")).render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace("\n       ", "\n");
    let _ = write!(text, "\n## {name}\n\n{about}.\n\n```text\n{usage}\n```\n");
    let own: String = command
        .get_arguments()
        .filter(|one| !one.is_hide_set() && !is_shared(one))
        .filter(|one| !["help", "version"].contains(&one.get_id().as_str()))
        .map(one_argument)
        .collect();
    if !own.is_empty() {
        let _ = write!(text, "\n{own}");
    }
}

/// Whether it is among the options that are described once for all commands.
fn is_shared(argument: &Arg) -> bool {
    matches!(argument.get_help_heading(), Some("Connection" | "Output"))
}

fn one_argument(argument: &Arg) -> String {
    let value = argument.get_value_names().unwrap_or_default().join(" ");
    let takes_value = argument.get_action().takes_values();
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    let flags: Vec<String> = [short, long].into_iter().flatten().collect();
    let name = match (flags.is_empty(), takes_value) {
        (true, _) => value,
        (false, true) => format!("{} {value}", flags.join(", ")),
        (false, false) => flags.join(", "),
    };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("- `{name}`: {help}.");
    let choices = argument.get_possible_values();
    if takes_value && !choices.is_empty() {
        let names: Vec<String> =
            choices.iter().map(|choice| format!("`{}`", choice.get_name())).collect();
        let _ = write!(text, " One of {}.", names.join(", "));
    }
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value && !defaults.is_empty() {
        let _ = write!(text, " Default: `{}`.", defaults.join(" "));
    }
    text.push('\n');
    text
}
