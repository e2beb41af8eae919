//! Reasons, as clauses.

use std::borrow::Cow;

use crate::database::Outage;
use crate::network::Refusal;
use crate::words::{Why, Words};

pub(in crate::words) fn say(why: &Why, _: Words) -> Cow<'static, str> {
    Cow::Borrowed(match why {
        Why::Quoted(text) => return text.clone().into(),
        Why::Account(error) => return error.to_string().into(),
        Why::NameTaken => "the name is taken",
        Why::PasswordsDiffer => "the two passwords differ",
        Why::Filter(fault) => return fault.to_string().into(),
        Why::NoKey(text) => {
            return format!("“{text}” is no key; a key looks like {{\"id\": 1}}").into();
        }
        Why::NoOperation(text) => {
            return format!(
                "“{text}” is no operation; they are insert, update, delete and truncate"
            )
            .into();
        }
        Why::NoTable(text) => {
            return format!(
                "“{text}” is no table; a table is written with its schema, as public.users"
            )
            .into();
        }
        Why::NoTime(text) => {
            return format!("“{text}” is no time; write 2026-11-23 14:00 or, for an hour ago, 1h")
                .into();
        }
        Why::NoTransaction(text) => {
            return format!("“{text}” is no number of a transaction").into();
        }
        Why::OneTable => "a row, a column or a value can be looked for in one table; choose it",
        Why::SayColumn => "a value is looked for in a column; say in which",
        Why::KeyHidden => "the key of this table is hidden from your role",
        Why::TextsHidden => {
            "the texts of statements are hidden from your role, as they may hold hidden values"
        }
        Why::ValuesHidden => "the values of this column are hidden from your role",
        Why::NoRule(line) => {
            return format!(
                "“{line}” is no rule; a rule is column, table.column or schema.table.column"
            )
            .into();
        }
        Why::TooManyRules(most) => return format!("there are more than {most} rules").into(),
        Why::DatabaseLength => "the database has 1 to 63 characters",
        Why::HostNeither => "the host is neither a name nor an address",
        Why::PortRange => "the port is a number from 1 to 65535",
        Why::RoleLength => "the role has 1 to 63 characters",
        Why::SlugCharacters => "a name in URLs has small letters, digits and hyphens",
        Why::SlugTaken => "there is a connection of this name in URLs already",
        Why::Host(Refusal::NotAHost) => "this is neither the name of a host nor an address",
        Why::Host(Refusal::Unknown) => "no address is known for this host",
        Why::Host(Refusal::Port) => {
            "this port is not allowed; list host:port in allowed_hosts of the configuration"
        }
        Why::Host(Refusal::Address) => {
            "this address is not allowed; list it in allowed_hosts of the configuration"
        }
        Why::Outage(Outage::Closed) => "the connection was closed",
        Why::Outage(Outage::Unreachable) => "the server cannot be reached",
        Why::Outage(Outage::NotReady) => "the server is starting up or shutting down",
        Why::Outage(Outage::ShuttingDown) => "the server is shutting down",
        Why::Outage(Outage::TooManyConnections) => "the server has too many connections",
        Why::Outage(Outage::Refused) => "the server refused the dashboard's role or password",
        Why::Outage(Outage::NoDatabase) => "the database does not exist",
        Why::Outage(Outage::Failed) => "the connection failed",
        Why::AllBusy => "all of the dashboard's connections are busy",
        Why::KeyMissing => "the key that its password was sealed with is not there",
        Why::NoAnswer => "the server did not answer in time",
        Why::NoCertificates => "this machine trusts no certificates",
        Why::NoSession => "no session could be opened",
        Why::CannotBeAsked => "it could not be asked for",
        Why::CannotConnect => "it could not be connected to",
        Why::LoginRefused => "the server refused the login",
        Why::NameUnverifiable => "the host's name cannot be verified",
        Why::NewerVersion(version) => {
            return format!("version {version} is newer than this dashboard").into();
        }
        Why::NobodyAnswers(port) => return format!("nobody answers on port {port}").into(),
        Why::NotInstalledYet => "not installed yet; that can be done next",
        Why::OlderVersion(version) => {
            return format!("version {version} is older; it can be upgraded next").into();
        }
    })
}
