//! What is different when a person sits at a terminal. `script` makes one.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::process::{Child, Command, Stdio};

use super::support::{Shop, on_shop};

/// The program on a terminal.
fn terminal(shop: &Shop, arguments: &[&str], environment: &[(&str, &str)]) -> Child {
    let command = shop.command(arguments);
    let quoted = |text: &OsStr| format!("'{}'", text.to_str().unwrap().replace('\'', r"'\''"));
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
    let mut script = Command::new("script");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    script
        .args(["-qec", &words.join(" "), "/dev/null"])
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What it shows there when somebody types an answer, and its exit code.
fn at_terminal(
    shop: &Shop,
    arguments: &[&str],
    answer: &str,
    environment: &[(&str, &str)],
) -> (String, i32) {
    let mut process = terminal(shop, arguments, environment);
    process.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

/// Reads what is shown until this appears.
fn read_until(shown: &mut impl Read, text: &str) {
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&all).contains(text) {
        shown.read_exact(&mut byte).unwrap_or_else(|_| {
            panic!("no `{text}` in {}", String::from_utf8_lossy(&all));
        });
        all.push(byte[0]);
    }
}

#[test]
fn what_takes_long_is_said() {
    on_shop(async |shop| {
        shop.client.batch_execute("BEGIN; LOCK TABLE users IN EXCLUSIVE MODE").await.unwrap();
        let mut process = terminal(&shop, &["undo", "users", "1", "--yes"], &[]);
        let mut shown = process.stdout.take().unwrap();
        read_until(&mut shown, "Changing 1 row, which takes ");
        shop.client.batch_execute("COMMIT").await.unwrap();
        read_until(&mut shown, "Done in ");
        drop(process.stdin.take());
        shown.read_to_end(&mut Vec::new()).unwrap();
        assert!(process.wait().unwrap().success());
    });
}

#[test]
fn an_interrupt_leaves_everything_as_it_is() {
    on_shop(async |shop| {
        let mut process = terminal(&shop, &["undo", "users", "1"], &[]);
        let (mut keyboard, mut shown) =
            (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        read_until(&mut shown, "[y/N]");
        keyboard.write_all(b"\x03").unwrap();
        shown.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(130));
        // Also while the server works; it stops working then.
        shop.client.batch_execute("BEGIN; LOCK TABLE users IN EXCLUSIVE MODE").await.unwrap();
        let mut process = terminal(&shop, &["undo", "users", "1", "--yes"], &[]);
        let (mut keyboard, mut shown) =
            (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        read_until(&mut shown, "Changing 1 row, which takes ");
        keyboard.write_all(b"\x03").unwrap();
        shown.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(130));
        let query = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'";
        let active: i64 = shop.client.query_one(query, &[]).await.unwrap().get(0);
        assert_eq!(active, 0);
        shop.client.batch_execute("COMMIT").await.unwrap();
        assert_eq!(shop.rows().await, "(1,Ada,boss)");
    });
}

#[test]
fn a_person_is_asked() {
    on_shop(async |shop| {
        let (text, code) = at_terminal(&shop, &["undo", "users", "1"], "n\n", &[]);
        assert!(text.contains("Change 1 row in database"), "{text}");
        assert!(text.contains("nothing was done"), "{text}");
        assert_eq!((code, shop.rows().await.as_str()), (4, "(1,Ada,boss)"));
        let (text, code) = at_terminal(&shop, &["undo", "users", "1"], "y\n", &[]);
        assert!(text.contains("Done in "), "{text}");
        assert_eq!((code, shop.rows().await.as_str()), (0, "(1,Ada,clerk)"));
    });
}

#[test]
fn colours_are_for_terminals() {
    on_shop(async |shop| {
        let log = &["log", "--oneline", "-n", "1"];
        let is_colourful = |text: &str| text.contains("\x1b[33m");
        assert!(is_colourful(&at_terminal(&shop, log, "", &[]).0));
        assert!(!is_colourful(&at_terminal(&shop, log, "", &[("NO_COLOR", "1")]).0));
        assert!(!is_colourful(&shop.prints(log)));
        assert!(is_colourful(&shop.prints(&[log as &[&str], &["--color", "always"]].concat())));
    });
}

#[test]
fn one_line_is_as_wide_as_the_terminal() {
    on_shop(async |shop| {
        let log = shop.command(&["log", "--oneline", "--color", "never"]);
        let words: Vec<_> = std::iter::once(log.get_program())
            .chain(log.get_args())
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        let narrow = format!("stty cols 60; {}", words.join(" "));
        let output = Command::new("script")
            .args(["-qec", &narrow, "/dev/null"])
            .envs(log.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(
            lines.iter().all(|line| line.chars().count() == 60 && line.ends_with('…')),
            "{text}"
        );
    });
}

#[test]
fn long_output_goes_through_the_pager() {
    on_shop(async |shop| {
        let pager = [("PGTRACK_PAGER", "sed 's/^/paged: /'")];
        let (text, _) = at_terminal(&shop, &["log", "--oneline", "--color", "never"], "", &pager);
        assert_eq!(text.matches("paged: ").count(), 3, "{text}");
        let (text, _) = at_terminal(&shop, &["log", "--no-pager"], "", &pager);
        assert!(!text.contains("paged: "), "{text}");
    });
}

#[test]
fn whoever_has_seen_enough_may_close_the_output() {
    on_shop(async |shop| {
        shop.client
            .batch_execute(
                "INSERT INTO users SELECT n, repeat('x', 100), '' FROM generate_series(10, 5000) n",
            )
            .await
            .unwrap();
        let mut process = shop
            .command(&["export", "users"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(process.stdout.take());
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    });
}
