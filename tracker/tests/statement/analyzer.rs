//! The threads, their queue and what they remember.

use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use pgtrack_tracker::statement::{
    Analysis, Analyzer, AnalyzerSettings, MAX_TEXT_BYTES, Opaque, Text,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn started(settings: AnalyzerSettings) -> Analyzer {
    Analyzer::start(settings).unwrap()
}

/// Submits a text and waits for its analysis.
fn analysed(analyzer: &Analyzer, text: &Text) -> Arc<Analysis> {
    let (sender, receiver) = channel();
    assert!(analyzer.submit(text.clone(), move |analysis| sender.send(analysis).unwrap()));
    receiver.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn a_text_is_analysed_once() {
    let analyzer = started(AnalyzerSettings::default());
    let text = Text::utf8("DELETE FROM t");
    assert!(analyzer.remembered(&text).is_none());
    let first = analysed(&analyzer, &text);
    let second = analysed(&analyzer, &text);
    assert!(Arc::ptr_eq(&first, &second));
    let metrics = analyzer.metrics();
    assert_eq!((metrics.cache_hits, metrics.cache_misses, metrics.queue_depth), (1, 1, 0));
    assert!(metrics.cache_bytes > text.bytes.len());
}

#[test]
fn the_same_bytes_under_other_settings_are_another_text() {
    let analyzer = started(AnalyzerSettings::default());
    let text = Text::utf8("SELECT 'it\\'s'");
    let other = Text { standard_conforming_strings: false, ..text.clone() };
    assert!(analysed(&analyzer, &text).opaque.is_some());
    assert!(analysed(&analyzer, &other).opaque.is_none());
}

#[test]
fn memory_stays_within_the_budget() {
    let cache_bytes = 200_000;
    let analyzer = started(AnalyzerSettings { cache_bytes, ..AnalyzerSettings::default() });
    let text = |number: u32| Text::utf8(&format!("SELECT * FROM table_{number}"));
    for number in 0..2_000 {
        analysed(&analyzer, &text(number));
        assert!(analyzer.metrics().cache_bytes <= cache_bytes);
    }
    assert!(analyzer.metrics().cache_bytes > cache_bytes / 2);
    assert!(analyzer.remembered(&text(1_999)).is_some());
    assert!(analyzer.remembered(&text(0)).is_none());
}

#[test]
fn a_text_that_would_fill_the_memory_is_not_remembered() {
    let analyzer = started(AnalyzerSettings { cache_bytes: 20_000, ..AnalyzerSettings::default() });
    let large = Text::utf8(&format!("SELECT '{}'", "x".repeat(10_000)));
    analysed(&analyzer, &large);
    assert!(analyzer.remembered(&large).is_none());
}

#[test]
fn a_full_queue_drops_texts_instead_of_waiting() {
    let analyzer = started(AnalyzerSettings { queue_length: 2, ..AnalyzerSettings::default() });
    let text = |number: u32| Text::utf8(&format!("SELECT {number}"));
    // The only thread is held in a delivery.
    let (entered, inside) = sync_channel(0);
    let release = Arc::new(Barrier::new(2));
    let held = Arc::clone(&release);
    assert!(analyzer.submit(text(0), move |_| {
        entered.send(()).unwrap();
        held.wait();
    }));
    inside.recv_timeout(PATIENCE).unwrap();
    let (sender, receiver) = channel();
    let accepted: Vec<_> = (1..=5)
        .map(|number| {
            let sender = sender.clone();
            analyzer.submit(text(number), move |_| sender.send(number).unwrap())
        })
        .collect();
    assert_eq!(accepted, [true, true, false, false, false]);
    let metrics = analyzer.metrics();
    assert_eq!((metrics.dropped, metrics.queue_depth), (3, 2));
    release.wait();
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok(1));
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok(2));
    assert_eq!(analyzer.metrics().queue_depth, 0);
}

#[test]
fn large_texts_pass_by_the_queue_and_failures_are_counted() {
    let analyzer = started(AnalyzerSettings::default());
    let large = Text::utf8(&"x".repeat(MAX_TEXT_BYTES + 1));
    assert_eq!(analysed(&analyzer, &large).opaque, Some(Opaque::TooLarge));
    analysed(&analyzer, &Text::utf8("no SQL"));
    assert!(analyzer.remembered(&large).is_none());
    assert!(analyzer.remembered(&Text::utf8("no SQL")).is_some());
    let metrics = analyzer.metrics();
    assert_eq!((metrics.too_large, metrics.refused, metrics.failed), (1, 1, 0));
}

#[test]
fn a_receiver_that_panics_does_not_end_the_thread() {
    let analyzer = started(AnalyzerSettings::default());
    assert!(analyzer.submit(Text::utf8("SELECT 1"), |_| panic!("on purpose")));
    assert!(analysed(&analyzer, &Text::utf8("SELECT 2")).opaque.is_none());
    assert_eq!(analyzer.metrics().failed, 1);
}

#[test]
fn several_threads_share_the_work() {
    let analyzer = started(AnalyzerSettings { threads: 3, ..AnalyzerSettings::default() });
    let meeting = Arc::new(Barrier::new(3));
    let (sender, receiver) = channel();
    for number in 0..3 {
        let (meeting, sender) = (Arc::clone(&meeting), sender.clone());
        assert!(analyzer.submit(Text::utf8(&format!("SELECT {number}")), move |_| {
            // Passes only if three threads are here at once.
            meeting.wait();
            sender.send(()).unwrap();
        }));
    }
    for _ in 0..3 {
        receiver.recv_timeout(PATIENCE).unwrap();
    }
}
