//! `texts.txt`, one case a block: a title, the text, and what the analysis says about it.
//!
//! With `PGTRACK_REGENERATE=1` the analyses are written anew, to be reviewed as a change of the file.

use std::path::Path;
use std::{env, fs};

use pgtrack_tracker::statement::{Analysis, ClientEncoding, Text, analyze};

use crate::render::render;

/// A text with its title.
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) analysis: String,
}

/// The cases, and the sections that they are in.
pub(crate) fn cases() -> Vec<Case> {
    let file = fs::read_to_string(path()).unwrap();
    let blocks = file.split("\n### ").skip(1);
    let cases = blocks.map(|block| {
        let (title, rest) = block.split_once('\n').unwrap();
        let (text, analysis) = rest.split_once("\n---").unwrap();
        let analysis = analysis.split("\n## ").next().unwrap();
        Case {
            title: title.to_owned(),
            text: text.to_owned(),
            analysis: analysis.trim().to_owned(),
        }
    });
    cases.collect()
}

impl Case {
    /// The text as a session sends it; a title may end in the session's settings, in brackets.
    pub(crate) fn sent(&self) -> Text {
        let mut text = Text::utf8(&self.text);
        if self.title.contains("[standard_conforming_strings=off]") {
            text.standard_conforming_strings = false;
        }
        if self.title.contains("[client_encoding=SQL_ASCII]") {
            text.encoding = ClientEncoding::named("SQL_ASCII");
        }
        text
    }
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/statement/texts.txt")
}

#[test]
fn every_text_is_analysed_as_specified() {
    let mut file = fs::read_to_string(path()).unwrap();
    let mut differences = Vec::new();
    for case in cases() {
        let analysis = render(&analyze(&case.sent()));
        if analysis != case.analysis {
            let before = format!("### {}\n{}\n---\n{}", case.title, case.text, case.analysis);
            let after = format!("### {}\n{}\n---\n{analysis}", case.title, case.text);
            assert!(file.contains(&before), "blocks are separated by one empty line: {before}");
            file = file.replacen(&before, &after, 1);
            differences.push(format!("{}\n{analysis}\ninstead of\n{}", case.title, case.analysis));
        }
    }
    if env::var_os("PGTRACK_REGENERATE").is_some() {
        fs::write(path(), file).unwrap();
    } else {
        assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    }
}

#[test]
fn titles_are_unique_and_the_table_is_large() {
    let mut titles: Vec<_> = cases().into_iter().map(|case| case.title).collect();
    let count = titles.len();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), count);
    assert!(count >= 200, "{count}");
}

/// Most texts are understood from the parser's summary; one that has our name in a comment is parsed in full.
#[test]
fn the_summary_and_the_tree_say_the_same() {
    let mut compared = 0;
    for case in cases() {
        let plain = analyze(&case.sent());
        if plain.opaque.is_none() {
            let mut commented = case.sent();
            commented.bytes =
                format!("-- pgtrack\n/* x */ {}\n/* y */", case.text).into_bytes().into();
            // Places are behind the comment there, and a summary has none.
            let unplaced = |found: Analysis| {
                let text = format!("{:?}", found.statements);
                let parts = text.split("place: ");
                parts.map(|part| part.trim_start_matches(char::is_numeric).to_owned()).collect()
            };
            let [tree, summary]: [Vec<String>; 2] = [analyze(&commented), plain].map(unplaced);
            assert_eq!(tree, summary, "{}", case.title);
            compared += 1;
        }
    }
    assert!(compared >= 200, "{compared}");
}
