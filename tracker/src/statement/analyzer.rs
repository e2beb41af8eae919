//! Threads that analyse texts, apart from the sessions that send them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::cache::Cache;
use super::metrics::{Counters, Metrics};
use super::{Analysis, MAX_TEXT_BYTES, Opaque, Tags, Text, analyze};

/// The parser stops at a depth that takes at most 2 MiB of stack.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// How much an [`Analyzer`] may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnalyzerSettings {
    /// How many threads analyse, at least one.
    pub threads: usize,
    /// How many texts may wait for a thread; each has at most [`MAX_TEXT_BYTES`].
    pub queue_length: usize,
    /// How much memory the remembered analyses may take, in bytes.
    pub cache_bytes: usize,
}

impl Default for AnalyzerSettings {
    fn default() -> Self {
        Self { threads: 1, queue_length: 1024, cache_bytes: 16 * 1024 * 1024 }
    }
}

/// Analyses texts on threads of its own, and remembers the results. The threads end when it is dropped.
#[derive(Debug)]
pub struct Analyzer {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cache: Mutex<Cache>,
    counters: Counters,
}

struct Job {
    text: Text,
    deliver: Box<dyn FnOnce(Arc<Analysis>) + Send>,
}

impl Analyzer {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(settings: AnalyzerSettings) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(settings.queue_length);
        let queue = Arc::new(Mutex::new(queue));
        let shared = Arc::new(Shared {
            cache: Mutex::new(Cache::new(settings.cache_bytes)),
            counters: Counters::default(),
        });
        for number in 1..=settings.threads.max(1) {
            let (queue, shared) = (Arc::clone(&queue), Arc::clone(&shared));
            thread::Builder::new()
                .name(format!("analyze-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || shared.work(&queue))?;
        }
        Ok(Self { jobs, shared })
    }

    /// The analysis of a text that was seen before.
    pub fn remembered(&self, text: &Text) -> Option<Arc<Analysis>> {
        let found = lock(&self.shared.cache).get(text);
        if found.is_some() {
            Counters::count(&self.shared.counters.cache_hits);
        }
        found
    }

    /// Has a text analysed, and the result handed to `deliver`: at once if it is remembered, else on one of the threads.
    /// Never waits. Returns whether it will be delivered; when the queue is full, it will not.
    pub fn submit(&self, text: Text, deliver: impl FnOnce(Arc<Analysis>) + Send + 'static) -> bool {
        if let Some(analysis) = self.remembered(&text) {
            deliver(analysis);
            return true;
        }
        let counters = &self.shared.counters;
        Counters::count(&counters.cache_misses);
        if text.bytes.len() > MAX_TEXT_BYTES {
            // Costs nothing, because it is not parsed; and is too much to keep in the queue.
            deliver(self.shared.analyze(&text));
            return true;
        }
        counters.queue_depth.fetch_add(1, Ordering::Relaxed);
        match self.jobs.try_send(Job { text, deliver: Box::new(deliver) }) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                counters.queue_depth.fetch_sub(1, Ordering::Relaxed);
                Counters::count(&counters.dropped);
                false
            }
        }
    }

    /// How it is doing.
    pub fn metrics(&self) -> Metrics {
        self.shared.counters.metrics(lock(&self.shared.cache).bytes())
    }
}

impl Shared {
    /// Takes texts from the queue until it is closed.
    fn work(&self, queue: &Mutex<Receiver<Job>>) {
        loop {
            let job = lock(queue).recv();
            let Ok(Job { text, deliver }) = job else { return };
            self.counters.queue_depth.fetch_sub(1, Ordering::Relaxed);
            // Somebody else may have asked for the same text in the meantime.
            let remembered = lock(&self.cache).get(&text);
            let analysis = remembered.unwrap_or_else(|| {
                let analysis = self.analyze(&text);
                lock(&self.cache).put(text, Arc::clone(&analysis));
                analysis
            });
            if catch_unwind(AssertUnwindSafe(|| deliver(analysis))).is_err() {
                Counters::count(&self.counters.failed);
            }
        }
    }

    fn analyze(&self, text: &Text) -> Arc<Analysis> {
        let analysis = catch_unwind(|| analyze(text))
            .unwrap_or_else(|_| Analysis::opaque(Opaque::Failed, Tags::default()));
        match &analysis.opaque {
            None => {}
            Some(Opaque::TooLarge | Opaque::TooManyComments) => {
                Counters::count(&self.counters.too_large);
            }
            Some(Opaque::Nul | Opaque::Encoding | Opaque::Syntax(_)) => {
                Counters::count(&self.counters.refused);
            }
            Some(Opaque::Failed) => Counters::count(&self.counters.failed),
        }
        Arc::new(analysis)
    }
}

/// What these locks protect is whole whenever it is not locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
