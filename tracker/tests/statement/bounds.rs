//! Hostile texts: nothing panics, and everything ends in time.

use std::time::{Duration, Instant};

use pgtrack_tracker::statement::{
    Analysis, ClientEncoding, MAX_COMMENT_OPENINGS, MAX_TEXT_BYTES, Opaque, Text, analyze,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::specification::cases;

/// Far above what any text takes even in an unoptimised build, and far below what an unbounded one does.
const LIMIT: Duration = Duration::from_secs(10);

/// Analyses as the threads of an analyzer do: with a stack of 8 MiB.
fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(8 << 20).spawn(work).unwrap().join().unwrap()
}

fn in_time(text: Text) -> Analysis {
    let start = Instant::now();
    let analysis = on_a_thread(move || analyze(&text));
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    analysis
}

fn nested(open: &str, inner: &str, close: &str, depth: usize) -> String {
    format!("SELECT {}{inner}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn long_texts_are_not_parsed() {
    let literal = format!("SELECT '{}'", "x".repeat(50 << 20));
    assert_eq!(in_time(Text::utf8(&literal)).opaque, Some(Opaque::TooLarge));
    let list = format!("SELECT 1 WHERE 1 IN ({}1) /*user='ann'*/", "1,".repeat(5 << 20));
    let analysis = in_time(Text::utf8(&list));
    assert_eq!(analysis.opaque, Some(Opaque::TooLarge));
    assert_eq!(analysis.tags.actor(), Some("ann"));
}

#[test]
fn the_longest_text_that_is_parsed_is_parsed() {
    let frame = "UPDATE t SET a = ''";
    let text = frame.replace("''", &format!("'{}'", "x".repeat(MAX_TEXT_BYTES - frame.len())));
    assert_eq!(text.len(), MAX_TEXT_BYTES);
    assert!(in_time(Text::utf8(&text)).statements[0].writes[0].is_unfiltered);
    assert_eq!(in_time(Text::utf8(&format!("{text} "))).opaque, Some(Opaque::TooLarge));
}

#[test]
fn wide_texts_of_the_largest_size_end_in_time() {
    for (frame, element) in [
        ("SELECT 1 WHERE 1 IN (?1)", "1,"),
        ("SELECT 1 WHERE true ?", " AND a"),
        ("INSERT INTO t VALUES (0) ?", ",(1)"),
        ("SELECT pgtrack.f(?1)", "1,"),
        ("SELECT pgtrack.version() ?", ";SELECT 1"),
        ("SELECT ?1", "''||"),
        ("SELECT * FROM a ?", " JOIN b USING (c)"),
        ("SELECT 1 ?", " UNION SELECT 1"),
        ("?", "DELETE FROM t;"),
        ("SELECT 1 ?", "/*a='b'*/"),
        ("SELECT 1 /*?*/", "a='b',"),
        ("SELECT 1 /*?*/", "='"),
        ("?", "\\'"),
    ] {
        let count = (MAX_TEXT_BYTES - frame.len()) / element.len();
        in_time(Text::utf8(&frame.replace('?', &element.repeat(count))));
    }
}

#[test]
fn deep_texts_end_in_time() {
    for depth in [100, 1_000, 10_000, 100_000] {
        for (open, close) in [
            ("(", ")"),
            ("-", ""),
            ("NOT ", ""),
            ("f(", ")"),
            ("(SELECT ", ")"),
            ("ARRAY[", "]"),
            ("CASE WHEN ", " THEN 1 END"),
        ] {
            in_time(Text::utf8(&nested(open, "1", close, depth)));
            in_time(Text::utf8(&nested(open, "pgtrack.undo('t', 1)", close, depth)));
            in_time(Text::utf8(&nested(open, "", "", depth)));
        }
    }
}

#[test]
fn a_statement_too_deep_for_its_tree_is_known_in_outline() {
    let sum = "a + ".repeat(300);
    let analysis =
        in_time(Text::utf8(&format!("SELECT pgtrack.undo('t', 1), {sum}1 FROM t; DELETE FROM u")));
    let [deep, shallow] = analysis.statements.as_slice() else { panic!("{analysis:?}") };
    assert!(deep.is_outline);
    assert_eq!(deep.reads[0].to_string(), "t");
    assert_eq!((deep.calls[0].verb.as_str(), &deep.calls[0].arguments), ("undo", &None));
    assert!(!shallow.is_outline && shallow.writes[0].is_unfiltered);
}

#[test]
fn nested_comments_are_bounded() {
    let comments = |count| format!("SELECT {}1{}", "/*".repeat(count), " */".repeat(count));
    let analysis = in_time(Text::utf8(&comments(MAX_COMMENT_OPENINGS)));
    assert_eq!((analysis.opaque, analysis.statements.len()), (None, 1));
    let analysis = in_time(Text::utf8(&comments(MAX_COMMENT_OPENINGS + 1)));
    assert_eq!(analysis.opaque, Some(Opaque::TooManyComments));
    assert_eq!(in_time(Text::utf8(&comments(12_000))).opaque, Some(Opaque::TooManyComments));
}

#[test]
fn bytes_that_are_no_text_are_opaque() {
    let bytes = |bytes: &[u8]| Text { bytes: bytes.into(), ..Text::utf8("") };
    assert_eq!(in_time(bytes(b"SELECT 1\0; DROP TABLE t")).opaque, Some(Opaque::Nul));
    assert_eq!(in_time(bytes(b"SELECT '\xff'")).opaque, Some(Opaque::Encoding));
    assert_eq!(in_time(bytes(b"")).opaque, None);
}

/// A text of the specification with parts cut out, doubled and exchanged.
fn mutated() -> impl Strategy<Value = String> {
    let texts: Vec<_> = cases().into_iter().map(|case| case.text).collect();
    let text = prop::sample::select(texts);
    (text.clone(), text, any::<(Index, Index, Index)>(), "[ ();'\"$/*\\\\,.]{0,3}").prop_map(
        |(one, other, (start, end, middle), noise)| {
            let cut = |text: &str, at: &Index| {
                let at = at.index(text.len() + 1);
                (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap()
            };
            format!(
                "{}{noise}{}{}",
                &one[..cut(&one, &start)],
                &other[cut(&other, &middle)..],
                &one[cut(&one, &end)..]
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_mutation_of_sql_is_analysed(text in mutated(), standard_conforming_strings: bool) {
        analyze(&Text { standard_conforming_strings, ..Text::utf8(&text) });
    }

    #[test]
    fn any_bytes_in_any_encoding_are_analysed(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        name in prop::sample::select(vec!["UTF8", "SQL_ASCII", "LATIN1", "SJIS", "BIG5", "GB18030", "EUC_JP", "MULE_INTERNAL"]),
        standard_conforming_strings: bool,
    ) {
        let encoding = ClientEncoding::named(name);
        analyze(&Text { bytes: bytes.into(), encoding, standard_conforming_strings });
    }
}
