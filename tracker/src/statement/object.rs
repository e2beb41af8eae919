//! Names of database objects as a text gives them.

use std::fmt;

/// A name, with its schema if the text says it. Case is folded as the server does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The schema, not quoted.
    pub schema: Option<String>,
    /// The name, not quoted.
    pub name: String,
}

/// An object that a definition is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is, in the words of SQL: `TABLE`, `MATERIALIZED VIEW`.
    pub kind: &'static str,
    /// Its name.
    pub name: ObjectName,
}

impl ObjectName {
    pub(super) fn new(schema: &str, name: &str) -> Self {
        let schema = (!schema.is_empty()).then(|| schema.to_owned());
        Self { schema, name: name.to_owned() }
    }

    /// Reads the parts of a dotted name; a database before the schema is dropped.
    pub(super) fn from_parts(parts: &[&str]) -> Option<Self> {
        match parts {
            [] => None,
            [name] => Some(Self::new("", name)),
            [.., schema, name] => Some(Self::new(schema, name)),
        }
    }

    pub(super) fn weight_bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.schema.as_ref().map_or(0, String::len)
    }
}

/// For people: quoted only where it would be read differently otherwise.
impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(formatter, "{}.", quoted(schema))?;
        }
        formatter.write_str(&quoted(&self.name))
    }
}

fn quoted(name: &str) -> std::borrow::Cow<'_, str> {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.into() } else { format!("\"{}\"", name.replace('"', "\"\"")).into() }
}
