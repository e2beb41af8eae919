//! What is different when a person sits at a terminal. `script` makes one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::support::{Shop, on_shop};

/// What the program shows on a terminal where somebody types an answer, and its exit code.
fn at_terminal(
    shop: &Shop,
    arguments: &[&str],
    answer: &str,
    environment: &[(&str, &str)],
) -> (String, i32) {
    let command = shop.command(arguments);
    let quoted =
        |text: &std::ffi::OsStr| format!("'{}'", text.to_str().unwrap().replace('\'', r"'\''"));
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
    let mut script = Command::new("script");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let mut process = script
        .args(["-qec", &words.join(" "), "/dev/null"])
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
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
