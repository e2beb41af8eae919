//! A digest as it is sent: JSON with a signature, or a text for Slack and whatever takes the same.

use std::fmt::Write as _;

use axum::http::{HeaderName, HeaderValue};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::json;
use sha2::Sha256;

use super::content::{Content, Kind, Part};
use crate::{bidi, hex};

/// The longest name in a text, in characters.
const LONGEST_NAME: usize = 80;
/// How many tables and people a text names.
const MOST_NAMED: usize = 5;

/// What the receiver understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The digest as JSON, signed.
    Json,
    /// `{"text": …}`, as incoming webhooks of Slack, Mattermost and Rocket.Chat take it.
    Slack,
}

impl Format {
    pub(crate) const ALL: [Self; 2] = [Self::Slack, Self::Json];

    /// The word that is stored and sent.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// What goes over the wire.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: String,
}

impl Message {
    /// Writes a digest; with a secret, it is signed.
    pub(crate) fn new(format: Format, content: &Content, secret: Option<&str>) -> Self {
        let body = match format {
            Format::Json => bidi::escaped_in_json(json!(content).to_string()),
            Format::Slack => json!({ "text": text(content) }).to_string(),
        };
        let signature = secret.map(|secret| ("x-pgtrack-signature-256", sign(secret, &body)));
        let headers = [
            ("x-pgtrack-event", content.kind.word().to_owned()),
            ("x-pgtrack-delivery", content.id.clone()),
        ];
        let headers = headers.into_iter().chain(signature).filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
        });
        Self { headers: headers.collect(), body }
    }
}

/// `sha256=` and the digits of HMAC-SHA256 of the body, as GitHub signs its webhooks.
fn sign(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("keys have any length");
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(&mac.finalize().into_bytes()))
}

/// The digest for people.
fn text(content: &Content) -> String {
    let Content { connection, period, rows, .. } = content;
    let mut text = format!("*{}*", safe(&connection.label));
    if connection.environment != "none" {
        let _ = write!(text, " ({})", safe(&connection.environment));
    }
    let all = rows.insert + rows.update + rows.delete + rows.truncate;
    let _ = match content.statements {
        0 => write!(text, ": no changes"),
        many => write!(text, ": {} changed {}", count(many, "statement"), count(all, "row")),
    };
    let _ = write!(
        text,
        "\n{}, {} to {} UTC",
        safe(&content.digest),
        minute(period.from),
        minute(period.to)
    );
    if content.kind == Kind::Test {
        text.push_str("\nThis is a test: the digest will tell these changes again.");
    }
    let operations = [
        (rows.insert, "inserted"),
        (rows.update, "updated"),
        (rows.delete, "deleted"),
        (rows.truncate, "truncated"),
    ];
    let operations: Vec<_> = operations
        .into_iter()
        .filter(|(rows, _)| *rows > 0)
        .map(|(rows, word)| format!("{rows} {word}"))
        .collect();
    for (label, line) in [
        ("Rows", operations.join(", ")),
        ("Tables", names(&content.tables, content.table_count)),
        ("By", names(&content.actors, content.actor_count)),
    ] {
        if !line.is_empty() {
            let _ = write!(text, "\n• {label}: {line}");
        }
    }
    if content.reverts > 0 {
        let _ = write!(text, "\n• {} undid something", count(content.reverts, "statement"));
    }
    if let Some(link) = &content.link {
        let _ = write!(text, "\n<{}|Show these changes>", escape(link));
    }
    text
}

fn names(parts: &[Part], all: i64) -> String {
    let shown: Vec<_> = parts
        .iter()
        .take(MOST_NAMED)
        .map(|part| format!("`{}` {}", safe(&part.name), part.rows))
        .collect();
    let rest = all - i64::try_from(shown.len()).unwrap_or(all);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

fn count(number: i64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A name as it is, without meaning: neither calls it anybody nor does it change how the rest looks.
fn safe(name: &str) -> String {
    let mut text = String::new();
    for one in name.chars().take(LONGEST_NAME) {
        if bidi::is_turn(one) {
            let _ = write!(text, "[{}]", bidi::name(one));
        } else {
            text.push(if one.is_control() || "*~`".contains(one) { ' ' } else { one });
        }
    }
    if name.chars().nth(LONGEST_NAME).is_some() {
        text.push('…');
    }
    escape(&text)
}

/// The three characters that Slack gives a meaning.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Format, Message, safe, sign};
    use crate::digests::content::{Content, Kind, Part, Period, Rows, Source};

    fn content() -> Content {
        Content {
            id: "0123".to_owned(),
            kind: Kind::Digest,
            digest: "deletes".to_owned(),
            connection: Source {
                name: "shop".to_owned(),
                label: "The *shop* <!channel>".to_owned(),
                environment: "production".to_owned(),
            },
            period: Period {
                from: "2026-11-26T10:00:00Z".parse().unwrap(),
                to: "2026-11-26T11:00:00.5Z".parse().unwrap(),
            },
            filter: "?op=delete".to_owned(),
            statements: 3,
            reverts: 1,
            rows: Rows { delete: 31, update: 9, ..Rows::default() },
            tables: vec![Part { name: "shop.order_items".to_owned(), statements: 3, rows: 40 }],
            table_count: 1,
            actors: vec![Part { name: "a`d\na & co".to_owned(), statements: 3, rows: 40 }],
            actor_count: 4,
            link: Some("https://x/c/shop/changes?op=delete&since=1".to_owned()),
        }
    }

    #[test]
    fn people_read_a_text_in_which_names_mean_nothing() {
        let message = Message::new(Format::Slack, &content(), None);
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(
            body["text"].as_str().unwrap(),
            "*The  shop  &lt;!channel&gt;* (production): 3 statements changed 40 rows
deletes, 2026-11-26 10:00 to 2026-11-26 11:00 UTC
• Rows: 9 updated, 31 deleted
• Tables: `shop.order_items` 40
• By: `a d a &amp; co` 40 and 3 more
• 1 statement undid something
<https://x/c/shop/changes?op=delete&amp;since=1|Show these changes>"
        );
        assert!(!message.headers.iter().any(|(name, _)| name.as_str().contains("signature")));
        assert_eq!(safe(&"x".repeat(90)).chars().count(), 81);
        assert_eq!(safe("exe\u{202e}gpj.\u{2066}"), "exe[U+202E]gpj.[U+2066]");
    }

    #[test]
    fn programs_read_json_that_is_signed() {
        let message = Message::new(Format::Json, &content(), Some("It's a Secret to Everybody"));
        let header = |wanted: &str| {
            let found = message.headers.iter().find(|(name, _)| name.as_str() == wanted);
            found.map(|(_, value)| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("x-pgtrack-delivery").as_deref(), Some("0123"));
        assert_eq!(header("x-pgtrack-event").as_deref(), Some("digest"));
        let signature = header("x-pgtrack-signature-256").unwrap();
        assert_eq!(signature, sign("It's a Secret to Everybody", &message.body));
        assert_eq!(serde_json::from_str::<Content>(&message.body).unwrap(), content());
        // The example of GitHub's documentation, "Validating webhook deliveries".
        assert_eq!(
            sign("It's a Secret to Everybody", "Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
