//! Reasons, as clauses.

use std::borrow::Cow;

use axum::http::StatusCode;

use crate::database::Outage;
use crate::digests::Failure;
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
        Why::SessionEnded => "the session whose password it was opened with has ended",
        Why::AddressLong => "the address is longer than 2,000 characters",
        Why::AddressMissing => "the address is missing",
        Why::AddressUser => "the address holds a user name; webhooks have none",
        Why::ChooseFormat => "choose a format",
        Why::ChooseInterval => "choose how often",
        Why::DigestKeyMissing => "the key that its address was sealed with is not there",
        Why::DigestTimes => "a digest has times of its own; take the time out of the filter",
        Why::DigestTransaction => {
            "a digest tells of transactions to come; take the transaction out of the filter"
        }
        Why::DigestValues => {
            "a digest is read outside of the dashboard and holds no values, so it cannot look for \
             a text, a row or a value"
        }
        Why::DigestsFull => "This connection has 20 digests already",
        Why::FilterLong => "the filter is longer than 2,000 characters",
        Why::HttpsFirst => "the address begins with https://",
        Why::NoActivityFilter => {
            "the filter is no address of the activity; it looks like ?table=public.users&op=delete"
        }
        Why::NoKeyForDigests => {
            "The address of a digest is a secret, and there is no key to seal it with: set \
             key_file in the configuration of the dashboard"
        }
        Why::NoWebhook => "this is no address of a webhook",
        Why::NoZone(zone) => {
            return format!("“{zone}” is no time zone; one is written as Europe/Berlin").into();
        }
        Why::PasswordAsked => {
            "The password of this connection is asked every time, so nobody can give it when a \
             digest is due; keep it, sealed, to have digests"
        }
        Why::SecretShort => "JSON is signed; give a secret of at least 16 characters",
        Why::Undelivered(failure) => return undelivered(failure),
        Why::WebhookPort => "the port is a number up to 65535",
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

/// Why a digest did not arrive.
fn undelivered(failure: &Failure) -> Cow<'static, str> {
    Cow::Borrowed(match failure {
        Failure::Refused(Refusal::NotAHost) => "this is neither the name of a host nor an address",
        Failure::Refused(Refusal::Unknown) => "no address is known for this host",
        Failure::Refused(Refusal::Port) => {
            "this port is not allowed; list host:port in webhook_hosts of the configuration"
        }
        Failure::Refused(Refusal::Address) => {
            "this address is not allowed; list it in webhook_hosts of the configuration"
        }
        Failure::Unencrypted => {
            "http goes to hosts in webhook_hosts of the configuration only; use https"
        }
        Failure::Network => "nobody answers there",
        Failure::Tls => {
            "the connection could not be encrypted, or the server's certificate is not trusted"
        }
        Failure::NoRoots => "this machine trusts no certificates; install ca-certificates",
        Failure::Timeout => "the server did not answer in time",
        Failure::Nonsense => "the server did not answer as a web server does",
        Failure::Status(status) if status.is_redirection() => {
            let status = status.as_u16();
            return format!(
                "the server answered with status {status} and sends us elsewhere, which is not followed"
            )
            .into();
        }
        Failure::Status(StatusCode::NOT_FOUND | StatusCode::GONE) => {
            "the server says that there is no such webhook, or not any more"
        }
        Failure::Status(status) => {
            return format!("the server answered with status {}", status.as_u16()).into();
        }
    })
}
