//! How much memory this process needs at most while something runs.

use std::fs;

/// Returns the growth of the resident set at its peak, in KiB; the proxy runs in this process.
pub(crate) async fn peak_growth(work: impl Future<Output = ()>) -> u64 {
    // Resets the peak; proc(5), "/proc/pid/clear_refs".
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    work.await;
    status("VmHWM").saturating_sub(before)
}

fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
