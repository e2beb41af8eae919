//! The databases that are shown, and how a test of one went.

use std::borrow::Cow;

use crate::connections::{Finding, Part};
use crate::words::connections::Text;
use crate::words::{Shared, Words};

pub(in crate::words) fn say(text: &Text<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // view/connections.rs
        Text::Add => "Add connection…",
        Text::Server => "Server",
        Text::Change => "Change",
        Text::FromConfiguration => "from the configuration; also holds the dashboard's own tables",
        Text::KeptSealed => "kept, sealed",
        Text::AskedEveryTime => "asked every time",
        Text::Edit => "Edit",
        Text::AddAnother => "Add another database to see its history here, too.",
        Text::EditTitle => "Edit connection",
        Text::AddTitle => "Add connection",
        Text::Slug => "Name in URLs",
        Text::SlugHelp => "Small letters, digits and hyphens; it cannot be changed later.",
        Text::Host => "Host",
        Text::HostHelp => {
            "A name or an address. Private networks have to be listed in the configuration."
        }
        Text::Port => "Port",
        Text::Database => "Database",
        Text::RoleHelp => "What the dashboard may read and revert there is what this role may.",
        Text::ViewingOnly => "Viewing only",
        Text::ViewingOnlyHelp => "Nothing is reverted or changed there through the dashboard.",
        Text::Test => "Test",
        Text::Environment => "Environment",
        Text::AsKept => "as it is kept",
        Text::PasswordIs => "The password is",
        Text::Kept => "kept",
        Text::KeptHelp => "Sealed with the dashboard's key; for everybody who may sign in.",
        Text::AskedHelp => "Kept no longer than a person is signed in.",
        Text::NeedsKeyFile => {
            "To keep passwords, give the dashboard a key: key_file in its configuration."
        }
        Text::Works => "The connection works",
        Text::WasTested => "The connection was tested",
        Text::NotTried => "not tried",
        Text::Connect => "Connect",
        Text::EmptyPassword => "Leave it empty if the role needs none.",
        Text::TlsChoice(mode) => {
            return format!("{}: {}", mode.word(), words.say(Shared::Tls(*mode))).into();
        }
        // The stages of a test, and what was found.
        Text::Stage(Part::Address) => "Address",
        Text::Stage(Part::Network) => "Network",
        Text::Stage(Part::Encryption) => "Encryption",
        Text::Stage(Part::Login) => "Login",
        Text::Stage(Part::PgTrack) => "pg_track",
        Text::Found(found) => {
            return match found {
                Finding::Addresses(list) => list.clone(),
                Finding::Answers(port) => format!("port {port} answers"),
                Finding::Tls(mode) => return words.say(Shared::Tls(*mode)),
                Finding::LoggedIn(role) => format!("as {role}"),
                Finding::Version(version) => format!("version {version}"),
            }
            .into();
        }
    })
}
