//! The threads that serve connections. Each runs a single-threaded runtime of its own, so a session never
//! moves: its buffers stay in one processor's cache, and nobody has to wake another thread for it.
//!
//! What the connections are for is none of its business.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{Counters, pacing};

/// Serves one connection. It is called on the thread that will run it.
pub(crate) type Job = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A fixed number of threads.
pub(crate) struct Workers {
    threads: Vec<Worker>,
}

struct Worker {
    jobs: mpsc::UnboundedSender<Job>,
    /// How many connections it serves, those on their way to it included.
    load: Arc<AtomicUsize>,
    /// Resolves when the thread has ended, by an error: nothing is ever sent.
    ended: oneshot::Receiver<()>,
}

impl Workers {
    /// Starts the threads. When `abort` is cancelled, all that they serve ends at once.
    ///
    /// # Errors
    /// When the operating system has no more of them.
    pub(crate) fn start(
        count: usize,
        counters: &Arc<Counters>,
        abort: &CancellationToken,
    ) -> io::Result<Self> {
        let threads = (0..count.max(1)).map(|index| Worker::start(index, counters, abort));
        Ok(Self { threads: threads.collect::<io::Result<_>>()? })
    }

    /// Gives a connection to the thread that has the fewest.
    pub(crate) fn serve(&self, job: Job) {
        let Some(worker) =
            self.threads.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed))
        else {
            return;
        };
        worker.load.fetch_add(1, Ordering::Relaxed);
        // A thread that has ended takes nothing more; the connection is closed.
        let _ = worker.jobs.send(job);
    }

    /// Takes no more connections, and waits until those that are open have ended.
    pub(crate) async fn finish(self) {
        for Worker { jobs, ended, .. } in self.threads {
            drop(jobs);
            let _ = ended.await;
        }
    }
}

impl Worker {
    fn start(
        index: usize,
        counters: &Arc<Counters>,
        abort: &CancellationToken,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .on_thread_park(pacing::before_waiting)
            .build()?;
        let (jobs, received) = mpsc::unbounded_channel();
        let load = Arc::<AtomicUsize>::default();
        let (on_end, ended) = oneshot::channel();
        let (counters, abort) = (Arc::clone(counters), abort.clone());
        let loaded = Arc::clone(&load);
        thread::Builder::new().name(format!("pgtrack-proxy-{index}")).spawn(move || {
            let serving = run(received, &loaded, &counters);
            runtime.block_on(abort.run_until_cancelled(serving));
            // Ends what is still open before anybody hears of it.
            drop(runtime);
            drop(on_end);
        })?;
        Ok(Self { jobs, load, ended })
    }
}

/// Serves connections until there will be no more and all have ended. A panic ends its own only.
async fn run(mut jobs: mpsc::UnboundedReceiver<Job>, load: &AtomicUsize, counters: &Counters) {
    let mut connections = JoinSet::new();
    let mut is_open = true;
    loop {
        tokio::select! {
            biased;
            Some(ended) = connections.join_next() => {
                load.fetch_sub(1, Ordering::Relaxed);
                note_panic(ended, counters);
            }
            job = jobs.recv(), if is_open => match job {
                Some(job) => drop(connections.spawn(job())),
                None => is_open = false,
            },
            else => return,
        }
    }
}

fn note_panic(ended: Result<(), JoinError>, counters: &Counters) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        counters.panics.add(1);
        error!(
            error = &failure as &dyn std::error::Error,
            "a connection ended by a bug in the proxy"
        );
    }
}

#[cfg(test)]
mod tests;
