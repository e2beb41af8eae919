//! docs/configuration.md, made from config.example.toml, which another test compares with the types of the
//! configuration: `make docs` writes it, and the tests fail while it is out of date.

use std::fmt::Write as _;
use std::path::Path;

const BEGINNING: &str = "# Configuration

`pgtrack serve --config FILE` takes a file in [TOML](https://toml.io); every key has a default but `upstream`.
`pgtrack check --config FILE` says whether it is valid and what `serve` would do with it.
SIGHUP makes a running `pgtrack serve` read it again; an environment variable overrides a key where one is named.
This file is made from [config.example.toml](../config.example.toml) by `make docs`.
";

/// Sections whose keys have an environment variable.
const OVERRIDABLE: [&str; 3] = ["proxy", "dashboard", "monitor"];

#[test]
fn the_reference_is_what_the_example_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = format!("{BEGINNING}{}", sections(include_str!("../../../config.example.toml")));
    if std::env::var_os("PGTRACK_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/configuration.md is out of date; `make docs` writes it");
}

/// The example as Markdown: a headline for each section and key, and the comments before it.
fn sections(example: &str) -> String {
    let mut text = String::new();
    let (mut section, mut comment) = ("", String::new());
    // What stands above the first empty line is about the file.
    for line in example.lines().skip_while(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
            let _ = write!(text, "\n## [{name}]\n{}", paragraph(&comment));
            comment.clear();
        } else if let Some(name) = line.strip_prefix("#[[").and_then(|line| line.strip_suffix("]]")) {
            // There may be any number of these, and there is none by default.
            section = name;
            let _ = write!(text, "\n## [[{name}]]\n{}", paragraph(&comment));
            comment.clear();
        } else if let Some((key, value, is_default)) = setting(line) {
            // One comment may be about several keys.
            let about =
                if comment.is_empty() { "Described with the key before." } else { &comment };
            let _ = write!(text, "\n### {key}\n{}\n", paragraph(about));
            let _ = match (is_default, section) {
                (true, "databases") => writeln!(text, "For example `{key} = {value}`."),
                (true, _) => writeln!(text, "Default: `{value}`."),
                (false, _) => writeln!(text, "For example `{value}`."),
            };
            if OVERRIDABLE.contains(&section) {
                let variable = format!("PGTRACK_{section}_{key}").to_uppercase();
                let _ = writeln!(text, "Environment: `{variable}`.");
            }
            comment.clear();
        } else if let Some(more) = line.strip_prefix('#') {
            comment.push_str(more.trim_start());
            comment.push(' ');
        } else {
            comment.clear();
        }
    }
    text
}

fn paragraph(comment: &str) -> String {
    let comment = comment.trim();
    if comment.is_empty() {
        return String::new();
    }
    // One sentence on each line, as in every document here.
    let sentences = comment.replace(". ", ".\n");
    format!(
        "\n{}\n",
        sentences.strip_suffix(':').map_or(sentences.clone(), |text| format!("{text}."))
    )
}

/// A key, its value, and whether that is the default: `key = value`, `# key = default` or `#key = example`.
fn setting(line: &str) -> Option<(&str, &str, bool)> {
    let (line, is_default) = match line.strip_prefix("# ") {
        Some(rest) => (rest, true),
        None => (line.strip_prefix('#').unwrap_or(line), false),
    };
    let (key, value) = line.split_once(" = ")?;
    let is_key = !key.is_empty() && key.chars().all(|one| one.is_ascii_lowercase() || one == '_');
    is_key.then_some((key, value, is_default))
}

#[test]
fn a_key_is_told_from_a_sentence() {
    assert_eq!(setting("# threads = 1"), Some(("threads", "1", true)));
    assert_eq!(setting("#key = \"x\""), Some(("key", "\"x\"", false)));
    assert_eq!(setting("# \"none\", \"file\", or x = y."), None);
    let text = sections("# File.\n\n[proxy]\n# How many. At most.\n# threads = 1\n");
    assert_eq!(
        text,
        "\n## [proxy]\n\n### threads\n\nHow many.\nAt most.\n\nDefault: `1`.\nEnvironment: `PGTRACK_PROXY_THREADS`.\n"
    );
}
