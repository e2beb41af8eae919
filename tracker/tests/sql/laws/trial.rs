//! Tries a law on random values, and shrinks a value that breaks it.

use std::fmt::Debug;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many smaller values are tried after a failure.
const SHRINK_STEPS: usize = 150;

/// Tries a law on `cases` random values.
pub(super) async fn try_law<T: Debug>(
    cases: u32,
    values: impl Strategy<Value = T>,
    law: impl AsyncFn(T) -> Result<(), String>,
) {
    let seed = seed();
    let mut runner = runner(seed);
    for _ in 0..number_of(cases) {
        let mut tree = values.new_tree(&mut runner).expect("every value is acceptable");
        let Err(mut reason) = law(tree.current()).await else { continue };
        let mut smallest = tree.current();
        for _ in 0..SHRINK_STEPS {
            if !tree.simplify() {
                break;
            }
            while let Ok(()) = law(tree.current()).await {
                if !tree.complicate() {
                    break;
                }
            }
            if let Err(smaller) = law(tree.current()).await {
                (reason, smallest) = (smaller, tree.current());
            }
        }
        panic!("{reason}\nwith {smallest:#?}\nPGTRACK_TEST_SEED={seed} repeats this");
    }
}

/// How many are tried instead of `cases`.
pub(super) fn number_of(cases: u32) -> u32 {
    variable("PGTRACK_TEST_CASES").unwrap_or(cases)
}

/// The seed to repeat. Without one always the same: whether a change is good is not left to chance; `make laws` hunts with others.
pub(super) fn seed() -> u64 {
    variable("PGTRACK_TEST_SEED").unwrap_or(2026)
}

/// A source of random values that are the same for the same seed.
pub(super) fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}
