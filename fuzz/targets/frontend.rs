//! See `pgtrack_proxy::fuzzing::frontend`. The first bytes say how the others are split.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (cuts, stream) = bytes.split_at(bytes.len().min(4));
    pgtrack_proxy::fuzzing::frontend(stream, cuts);
});
