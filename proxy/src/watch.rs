//! Watches sessions: records calls before they are forwarded, and keeps the guard rails.
//!
//! A message that may matter is held until it was decided about; all others pass as they came. To refuse one, a byte
//! of it is changed so that the server itself refuses it, before anything is executed; the text of the server's error
//! is replaced on its way back. So the server, the transaction and the pipeline are in the state that they are in
//! after any failed statement, in the simple and the extended protocol.

mod decision;
mod session;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pgtrack_tracker::calls::AuditLog;
use pgtrack_tracker::statement::{Analyzer, AnalyzerSettings, Metrics, Text};
use tokio::sync::oneshot;

use crate::observe::Judgement;
pub(crate) use session::{SessionWatch, Who};

/// How long the analysis of a text is tried when there is too much to do.
const PATIENCE: Duration = Duration::from_secs(1);

/// What remembered analyses may take: few texts are analysed, and fewer again.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// What all watched sessions share.
pub struct Watch {
    log: AuditLog,
    analyzer: Analyzer,
    tell_of_definition: Option<TellOfDefinition>,
}

/// Called with the name of a database.
type TellOfDefinition = Box<dyn Fn(&str) + Send + Sync>;

impl Watch {
    /// Starts the threads that analyse texts.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(log: AuditLog) -> io::Result<Self> {
        let settings = AnalyzerSettings { cache_bytes: CACHE_BYTES, ..AnalyzerSettings::default() };
        let analyzer = Analyzer::start(settings)?;
        Ok(Self { log, analyzer, tell_of_definition: None })
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

    /// What a text will do, if that matters; also `None` for one that is not understood.
    async fn judge(&self, text: &Text) -> Option<Arc<Judgement>> {
        let analyzed = async {
            loop {
                let (deliver, analysis) = oneshot::channel();
                let submitted = self.analyzer.submit(text.clone(), move |analysis| {
                    // The session may have ended.
                    let _ = deliver.send(analysis);
                });
                if submitted {
                    return analysis.await.ok();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let analysis = tokio::time::timeout(PATIENCE, analyzed).await.ok()??;
        let judgement = Judgement::of(&analysis);
        (!judgement.is_harmless()).then(|| Arc::new(judgement))
    }
}
