//! Lets large transfers gather.
//!
//! A server sends 8 KB at a time, and to wake up for each of those costs more than to pass them on. So a thread that has
//! just moved a part of a large transfer, and has nothing else to do, dozes for a moment before it waits for more.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

/// What one session moves without a gap before it is a large transfer.
const LARGE_BYTES: usize = 1024 * 1024;
/// A turn that moves less than this ends one: the peers are not that busy.
const TURN_BYTES: usize = 8 * 1024;
/// How long to doze; the system adds up to as much again. At a gigabyte a second, 50 KB come meanwhile.
const DOZE: Duration = Duration::from_micros(50);

thread_local! {
    static HAS_MOVED_LARGE: Cell<bool> = const { Cell::new(false) };
}

/// What one direction of a session has moved without a gap.
#[derive(Debug, Default)]
pub(crate) struct Flow(usize);

impl Flow {
    /// A turn is over, in which so much was read.
    pub(crate) fn turn(&mut self, bytes: usize) {
        if bytes < TURN_BYTES {
            self.0 = 0;
            return;
        }
        self.0 = self.0.saturating_add(bytes);
        if self.0 >= LARGE_BYTES {
            HAS_MOVED_LARGE.set(true);
        }
    }
}

/// To be called when the thread has nothing to do.
pub(crate) fn before_waiting() {
    if HAS_MOVED_LARGE.take() {
        thread::sleep(DOZE);
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, HAS_MOVED_LARGE, LARGE_BYTES, TURN_BYTES};

    #[test]
    fn only_what_moves_without_a_gap_is_a_large_transfer() {
        let mut flow = Flow::default();
        for _ in 0..2 {
            flow.turn(LARGE_BYTES - 1);
            flow.turn(TURN_BYTES - 1);
        }
        assert!(!HAS_MOVED_LARGE.get(), "there were gaps");
        flow.turn(LARGE_BYTES - TURN_BYTES);
        flow.turn(TURN_BYTES);
        assert!(HAS_MOVED_LARGE.take());
    }
}
