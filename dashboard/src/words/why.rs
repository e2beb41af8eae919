//! Reasons: why something cannot be used, looked for, or reached. Each is a clause of a sentence in `problem`.

use pgtrack_tracker::activity::FilterFault;

use crate::auth::AccountError;
use crate::database::Outage;
use crate::digests::Failure;
use crate::network::Refusal;

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// In somebody else's words.
    Quoted(String),
    // Of accounts.
    Account(AccountError),
    NameTaken,
    PasswordsDiffer,
    // Of searches.
    Filter(FilterFault),
    NoKey(String),
    NoOperation(String),
    NoTable(String),
    NoTime(String),
    NoTransaction(String),
    OneTable,
    SayColumn,
    KeyHidden,
    TextsHidden,
    ValuesHidden,
    // Of rules.
    NoRule(String),
    TooManyRules(usize),
    // Of connections.
    DatabaseLength,
    HostNeither,
    PortRange,
    RoleLength,
    SlugCharacters,
    SlugTaken,
    Host(Refusal),
    // Of a database that is not there.
    Outage(Outage),
    AllBusy,
    KeyMissing,
    NoAnswer,
    NoCertificates,
    NoSession,
    SessionEnded,
    // Of digests.
    AddressLong,
    AddressMissing,
    AddressUser,
    ChooseFormat,
    ChooseInterval,
    DigestKeyMissing,
    DigestTimes,
    DigestTransaction,
    DigestValues,
    DigestsFull,
    FilterLong,
    HttpsFirst,
    NoActivityFilter,
    NoKeyForDigests,
    NoWebhook,
    NoZone(String),
    PasswordAsked,
    SecretShort,
    Undelivered(Failure),
    WebhookPort,
    // Of a test of a connection.
    CannotBeAsked,
    CannotConnect,
    LoginRefused,
    NameUnverifiable,
    NewerVersion(String),
    NobodyAnswers(u16),
    NotInstalledYet,
    OlderVersion(String),
}

impl Why {
    /// The fields of the search's form that it is about.
    pub(crate) fn fields(&self) -> &'static [&'static str] {
        match self {
            Self::Filter(FilterFault::NotOneTable) | Self::NoTable(_) | Self::OneTable => {
                &["table"]
            }
            Self::Filter(FilterFault::NoColumn | FilterFault::UnknownColumn) | Self::SayColumn => {
                &["column"]
            }
            Self::Filter(FilterFault::NoKey) | Self::NoKey(_) | Self::KeyHidden => &["key"],
            _ => &[],
        }
    }
}
