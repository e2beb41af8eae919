//! Calls of pg_track's own functions.

use serde_json::Value;

/// A call of a function in the schema `pgtrack`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The function, without its schema.
    pub verb: String,
    /// What it is called with; `None` if the statement nests too deeply to tell.
    pub arguments: Option<Vec<Argument>>,
    /// Where in the text it is, in bytes.
    pub place: u32,
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name, in `name => value`.
    pub name: Option<String>,
    /// Its value.
    pub value: Literal,
}

/// The value of an argument as far as the text gives it. Casts are looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// A number, as written.
    Number(String),
    /// `true` or `false`.
    Boolean(bool),
    /// `NULL`.
    Null,
    /// A parameter of a prepared statement, from 1.
    Parameter(u64),
    /// Anything that only the server can evaluate.
    Expression,
}

impl Call {
    /// The value of a parameter, given by name or by position (from 0).
    pub fn argument(&self, name: &str, position: usize) -> Option<&Literal> {
        let arguments = self.arguments.as_deref()?;
        let named = arguments.iter().find(|argument| argument.name.as_deref() == Some(name));
        let at_position = || arguments.get(position).filter(|argument| argument.name.is_none());
        named.or_else(at_position).map(|argument| &argument.value)
    }

    pub(super) fn weight_bytes(&self) -> usize {
        let arguments = self.arguments.as_deref().unwrap_or_default().iter();
        size_of::<Self>() + self.verb.len() + arguments.map(Argument::weight_bytes).sum::<usize>()
    }
}

impl Argument {
    /// Reads a node of a parse tree.
    pub(super) fn from_node(node: &Value) -> Self {
        let named = &node["node"]["NamedArgExpr"];
        match named["name"].as_str() {
            Some(name) => Self { name: Some(name.to_owned()), value: literal(&named["arg"]) },
            None => Self { name: None, value: literal(node) },
        }
    }

    fn weight_bytes(&self) -> usize {
        let value = match &self.value {
            Literal::Text(text) | Literal::Number(text) => text.len(),
            _ => 0,
        };
        size_of::<Self>() + value + self.name.as_ref().map_or(0, String::len)
    }
}

fn literal(node: &Value) -> Literal {
    let node = &node["node"];
    if let Some(cast) = node.get("TypeCast") {
        return literal(&cast["arg"]);
    }
    if let Some(number) = node["ParamRef"]["number"].as_u64() {
        return Literal::Parameter(number);
    }
    let constant = &node["AConst"];
    if constant["isnull"] == true {
        return Literal::Null;
    }
    let value = &constant["val"];
    if let Some(text) = value["Sval"]["sval"].as_str().or_else(|| value["Bsval"]["bsval"].as_str())
    {
        return Literal::Text(text.to_owned());
    }
    if let Some(number) = value["Ival"]["ival"].as_i64() {
        return Literal::Number(number.to_string());
    }
    if let Some(number) = value["Fval"]["fval"].as_str() {
        return Literal::Number(number.to_owned());
    }
    value["Boolval"]["boolval"].as_bool().map_or(Literal::Expression, Literal::Boolean)
}
