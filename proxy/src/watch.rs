//! Watches sessions: records calls before they are forwarded, and keeps the guard rails.
//!
//! A message that may matter is held until it was decided about; all others pass as they came. To refuse one, a byte
//! of it is changed (of a function call, the function's number) so that the server itself refuses it, before anything is
//! executed; the text of the server's error is replaced on its way back. So the server, the transaction and the pipeline are in the state that they are in
//! after any failed statement, in the simple and the extended protocol.

mod decision;
mod overload;
mod session;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pgtrack_tracker::calls::AuditLog;
use pgtrack_tracker::statement::{Analysis, Analyzer, AnalyzerSettings, Metrics, Statement, Text};
use tokio::sync::oneshot;

use self::overload::Overload;
use crate::observe::{Judgement, NotAnalysed, Reading, mentions_path};
pub use overload::NotAnalysedCounters;
pub(crate) use session::{SessionWatch, Who};

/// How long the analysis of a text is tried when there is too much to do.
const PATIENCE: Duration = Duration::from_secs(1);

/// What remembered analyses may take: few texts are analysed, and fewer again.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// What all watched sessions share.
pub struct Watch {
    log: AuditLog,
    analyzer: Analyzer,
    overload: Overload,
    tell_of_definition: Option<TellOfDefinition>,
}

/// Called with the name of a database.
type TellOfDefinition = Box<dyn Fn(&str) + Send + Sync>;

/// What is known of a text.
#[derive(Default)]
struct Judged {
    /// What it will do, if that matters.
    judgement: Option<Arc<Judgement>>,
    /// It may put `pgtrack` on the session's `search_path`.
    sets_path: bool,
}

impl Watch {
    /// Starts the threads that analyse texts.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(log: AuditLog) -> io::Result<Self> {
        let settings = AnalyzerSettings { cache_bytes: CACHE_BYTES, ..AnalyzerSettings::default() };
        let analyzer = Analyzer::start(settings)?;
        Ok(Self { log, analyzer, overload: Overload::default(), tell_of_definition: None })
    }

    /// Has somebody told of each database in which a transaction may have defined a table or what belongs to one, once
    /// the transaction is over. It is called on the sessions' threads and must not wait.
    #[must_use]
    pub fn telling_of_definitions(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { tell_of_definition: Some(Box::new(tell)), ..self }
    }

    fn defined(&self, database: &str) {
        if let Some(tell) = &self.tell_of_definition {
            tell(database);
        }
    }

    /// How the analysis of texts is doing.
    pub fn metrics(&self) -> Metrics {
        self.analyzer.metrics()
    }

    /// What could not be analysed so far.
    pub fn not_analysed(&self) -> &NotAnalysedCounters {
        self.overload.counters()
    }

    /// What a text will do, if that matters. What cannot be analysed (in [`PATIENCE`], for its length, or because the
    /// parser does not understand it) is counted; nothing is said about it and it passes, unless the session is one
    /// in which that may have to be refused: then the judgement says why it is not known.
    async fn judge(&self, text: &Text, reading: Reading) -> Judged {
        let analysis = match self.analysis(text).await {
            Ok(analysis) => analysis,
            Err(why) => {
                self.overload.note(why);
                let judgement = reading.is_strict.then(|| Arc::new(Judgement::none(why)));
                return Judged { judgement, sets_path: mentions_path(&text.bytes) };
            }
        };
        if let Some(why) = NotAnalysed::of_all(&analysis) {
            self.overload.note(why);
        }
        let sets_path = mentions_path(&text.bytes)
            || analysis
                .statements
                .iter()
                .flat_map(Statement::with_parts)
                .any(|statement| statement.sets_path);
        // It may be set by this very text.
        let reading = Reading { has_path: reading.has_path || sets_path, ..reading };
        let judgement = Judgement::of(&analysis, reading);
        let judgement = (!judgement.is_harmless()).then(|| Arc::new(judgement));
        Judged { judgement, sets_path }
    }

    /// Has a text analysed, for a while.
    async fn analysis(&self, text: &Text) -> Result<Arc<Analysis>, NotAnalysed> {
        let mut is_queued = false;
        let analyzed = async {
            loop {
                let (deliver, analysis) = oneshot::channel();
                let submitted = self.analyzer.submit(text.clone(), move |analysis| {
                    // The session may have ended.
                    let _ = deliver.send(analysis);
                });
                if submitted {
                    is_queued = true;
                    return analysis.await.ok();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let analysis = tokio::time::timeout(PATIENCE, analyzed).await;
        analysis.ok().flatten().ok_or(if is_queued {
            NotAnalysed::Late
        } else {
            NotAnalysed::Dropped
        })
    }
}
