//! Sentences with markup inside: a language says where its links, names and times stand.

use maud::Markup;

use crate::auth::Role;

/// One of them. A piece of markup is placed as it is, a text is emphasized or made a link.
#[derive(Debug, Clone)]
pub(crate) enum Marked<'a> {
    /// A size of something that grows.
    ADay(Markup),
    AsOf(&'a str),
    /// Names a command and a view.
    AuditOfDatabase,
    ChangeARow(&'a str),
    /// Names a command.
    ChooseFewer,
    /// A link to the health page.
    ChooseTables(&'a str),
    /// The version is for those who do not see where the link stands.
    CompareWithNow(i32),
    /// How many connections have another role than everywhere.
    ConnectionsOf {
        name: &'a str,
        others: i64,
    },
    /// What a digest is written as, and where it goes.
    DigestTo {
        format: &'a str,
        url: &'a str,
    },
    DeletedBy {
        when: Markup,
        who: &'a str,
        transaction: Markup,
    },
    DeletedRowsAppear(&'a str),
    DoneIn {
        transactions: Markup,
        more: i64,
        when: Option<Markup>,
    },
    HiddenByRules(i64),
    /// How far a job is; the batches stand in a part of the sentence.
    HowFar {
        done: i64,
        of: i64,
        batches: &'a str,
    },
    JobBegun {
        who: &'a str,
        when: Markup,
        reason: Option<&'a str>,
    },
    HistoryOf(&'a str),
    LatestChange {
        mark: Markup,
        who: &'a str,
        when: Markup,
        transaction: Markup,
        message: Option<&'a str>,
    },
    MadeBy {
        when: Markup,
        who: &'a str,
        application: Option<&'a str>,
        transaction: Markup,
    },
    NothingChanged {
        from: Markup,
        to: Markup,
        /// Whether something else than the time is asked for.
        is_filtered: bool,
        /// Of the history, if it is later.
        beginning: Option<Markup>,
    },
    /// With a short form for narrow screens.
    OpenTransaction(i64),
    PasswordNotKept(&'a str),
    ProductionTypeName(&'a str),
    RequestId(&'a str),
    RestoreState,
    RestoreVersion(i32),
    RowAt(Markup),
    RowsOf {
        mark: Markup,
        rows: i64,
        table: Markup,
    },
    SaveConnectionsOf(&'a str),
    /// A link to the job.
    SeeHowFar(&'a str),
    SeeTransaction(Markup),
    ToTheHistoryOf(&'a str),
    SendTest(&'a str),
    TestDelivered {
        name: &'a str,
        status: u16,
    },
    TrackedOnlySince(Markup),
    TypeName(&'a str),
    WouldRemove(i64),
    YourRoleIs(Role),
}
