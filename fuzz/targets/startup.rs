//! See `pgtrack_proxy::fuzzing::startup`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgtrack_proxy::fuzzing::startup(bytes));
