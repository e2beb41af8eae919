//! The databases that are shown, and how a test of one went.

use crate::connections::{Finding, Part, TlsMode};

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    // view/connections.rs
    Add,
    Server,
    Change,
    FromConfiguration,
    KeptSealed,
    AskedEveryTime,
    Edit,
    AddAnother,
    EditTitle,
    AddTitle,
    Slug,
    SlugHelp,
    Host,
    HostHelp,
    Port,
    Database,
    RoleHelp,
    ViewingOnly,
    ViewingOnlyHelp,
    Test,
    Environment,
    AsKept,
    PasswordIs,
    Kept,
    KeptHelp,
    AskedHelp,
    NeedsKeyFile,
    Works,
    WasTested,
    NotTried,
    Connect,
    EmptyPassword,
    TlsChoice(TlsMode),
    // The stages of a test, and what was found.
    Stage(Part),
    Found(&'a Finding),
}
