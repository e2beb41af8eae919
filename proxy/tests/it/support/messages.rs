//! Frontend messages as bytes; manual, "Message Formats".

/// A startup packet of protocol 3.0.
pub(crate) fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    startup_version([0, 3, 0, 0], parameters)
}

/// A startup packet of any version.
pub(crate) fn startup_version(version: [u8; 4], parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_vec();
    for (name, value) in parameters {
        body.extend(format!("{name}\0{value}\0").bytes());
    }
    body.push(0);
    [length(&body).as_slice(), &body].concat()
}

pub(crate) const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
pub(crate) const GSSENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];

/// A cancel request for the session with this `BackendKeyData`.
pub(crate) fn cancel_request(key_data: &[u8]) -> Vec<u8> {
    let body = [&[4, 210, 22, 46], key_data].concat();
    [length(&body).as_slice(), &body].concat()
}

pub(crate) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag], length(body).as_slice(), body].concat()
}

pub(crate) fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

pub(crate) fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', format!("{name}\0{sql}\0\0\0").as_bytes())
}

/// Binds a portal with text parameters and text results.
pub(crate) fn bind(portal: &str, statement: &str, values: &[&[u8]]) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0\0\0").into_bytes();
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
    }
    body.extend([0, 0]);
    message(b'B', &body)
}

pub(crate) fn describe_statement(name: &str) -> Vec<u8> {
    message(b'D', format!("S{name}\0").as_bytes())
}

pub(crate) fn execute(portal: &str, max_rows: u32) -> Vec<u8> {
    message(b'E', &[format!("{portal}\0").as_bytes(), &max_rows.to_be_bytes()].concat())
}

/// Parses, binds and executes a statement without parameters.
pub(crate) fn extended(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", "", &[]), execute("", 0)].concat()
}

pub(crate) fn sync() -> Vec<u8> {
    message(b'S', &[])
}

pub(crate) fn flush() -> Vec<u8> {
    message(b'H', &[])
}

pub(crate) fn terminate() -> Vec<u8> {
    message(b'X', &[])
}

pub(crate) fn copy_data(data: &[u8]) -> Vec<u8> {
    message(b'd', data)
}

pub(crate) fn copy_done() -> Vec<u8> {
    message(b'c', &[])
}

fn length(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len() + 4).unwrap().to_be_bytes()
}
