//! Connection strings: `postgresql://user@host/database?sslmode=require`, `host=db dbname=shop`, or a database's name.

use percent_encoding::percent_decode_str;

use super::keywords::Keywords;
use crate::Error;

const CUT: &str = "in a password, /, ? and @ have to be written as %2F, %3F and %40";

/// Reads either form.
pub(super) fn parse(text: &str) -> Result<Keywords, Error> {
    let url = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"));
    match url {
        Some(rest) => parse_url(rest),
        None if text.contains("://") => {
            Err(failed("it should begin with postgresql://, as in postgresql://user@host/database"))
        }
        None if text.contains('=') => parse_pairs(text),
        None => {
            let mut keywords = Keywords::default();
            keywords.add("dbname", text.to_owned())?;
            Ok(keywords)
        }
    }
}

fn failed(reason: impl Into<String>) -> Error {
    Error::Text { reason: reason.into() }
}

/// What follows the scheme: `user:password@host:port,host:port/database?keyword=value`.
fn parse_url(rest: &str) -> Result<Keywords, Error> {
    let mut keywords = Keywords::default();
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    // A password with a bare / or ? seems to end before its @; what follows is part of it, and not to be quoted.
    let is_cut = !authority.contains('@') && rest.contains('@');
    let has_port = |authority: &str| {
        authority.split(',').all(|host| match split_port(host) {
            Ok((_, port)) => port.bytes().all(|byte| byte.is_ascii_digit()),
            Err(_) => false,
        })
    };
    if is_cut && (!has_port(authority) || authority.contains(':') && database.contains('@')) {
        return Err(failed(CUT));
    }
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    keywords.add("user", decode(user)?)?;
    keywords.add("password", decode(password)?)?;
    keywords.add("dbname", decode(database)?)?;
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',').filter(|host| !host.is_empty()) {
        let (name, port) = split_port(host)?;
        names.push(decode(name)?);
        ports.push(port);
    }
    keywords.add("host", names.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        let ports: Vec<&str> =
            ports.into_iter().map(|port| if port.is_empty() { "5432" } else { port }).collect();
        keywords.add("port", ports.join(","))?;
    }
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (keyword, value) = parameter
            .split_once('=')
            .ok_or_else(|| failed("a parameter behind the ? has no value"))?;
        keywords.add(&decode(keyword)?, decode(value)?)?;
    }
    Ok(keywords)
}

/// A host and its port; the host may be an IPv6 address in brackets.
fn split_port(host: &str) -> Result<(&str, &str), Error> {
    if let Some(rest) = host.strip_prefix('[') {
        let (address, rest) =
            rest.split_once(']').ok_or_else(|| failed("an address has no closing bracket"))?;
        return Ok((address, rest.strip_prefix(':').unwrap_or(rest)));
    }
    Ok(host.rsplit_once(':').unwrap_or((host, "")))
}

fn decode(text: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| failed("a percent-encoded part is not UTF-8"))
}

/// `keyword = 'a value' other=value`, with backslashes before quotes and backslashes.
fn parse_pairs(text: &str) -> Result<Keywords, Error> {
    let mut keywords = Keywords::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (keyword, after) = rest
            .split_once('=')
            .ok_or_else(|| failed("its end should be a keyword with = and a value"))?;
        let (value, after) = take_value(after.trim_start())?;
        keywords.add(keyword.trim_end(), value)?;
        rest = after.trim_start();
    }
    Ok(keywords)
}

/// A value and what follows it.
fn take_value(text: &str) -> Result<(String, &str), Error> {
    let is_quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(is_quoted));
    while let Some((position, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return Ok((value, text.get(position + 1..).unwrap_or_default())),
            _ if character.is_whitespace() && !is_quoted => {
                return Ok((value, text.get(position..).unwrap_or_default()));
            }
            _ => value.push(character),
        }
    }
    if is_quoted {
        return Err(failed("a quoted value does not end"));
    }
    Ok((value, ""))
}
