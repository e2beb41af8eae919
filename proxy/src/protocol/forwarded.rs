//! The PROXY protocol: the header in which a load balancer says whom it speaks for.
//!
//! Both versions, as in the specification "The PROXY protocol, versions 1 & 2" of `HAProxy`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How version 2 begins.
pub(crate) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The fixed part of version 2: signature, version and command, family, length.
pub(crate) const FIXED_BYTES: usize = 16;
/// The longest line of version 1, with its CRLF.
pub(crate) const MAX_LINE_BYTES: usize = 107;

const VERSION_2_LOCAL: u8 = 0x20;
const VERSION_2_PROXY: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Whom the header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// This client.
    For(SocketAddr),
    /// Nobody: the balancer speaks for itself, or for a client without an IP address.
    Local,
}

/// How many bytes follow the fixed part of version 2.
pub(crate) fn rest_bytes(fixed: [u8; FIXED_BYTES]) -> usize {
    let [.., high, low] = fixed;
    usize::from(u16::from_be_bytes([high, low]))
}

/// Reads a header of version 2. `None` when it is not valid.
pub(crate) fn version_2(fixed: [u8; FIXED_BYTES], rest: &[u8]) -> Option<Forwarded> {
    let [.., command, family, _, _] = fixed;
    if !fixed.starts_with(&SIGNATURE) {
        return None;
    }
    match (command, family) {
        (VERSION_2_PROXY, TCP_OVER_IPV4) => {
            let (address, rest) = rest.split_first_chunk::<4>()?;
            address_2(IpAddr::V4(Ipv4Addr::from(*address)), rest.get(4..)?)
        }
        (VERSION_2_PROXY, TCP_OVER_IPV6) => {
            let (address, rest) = rest.split_first_chunk::<16>()?;
            address_2(IpAddr::V6(Ipv6Addr::from(*address)), rest.get(16..)?)
        }
        (VERSION_2_LOCAL | VERSION_2_PROXY, _) => Some(Forwarded::Local),
        _ => None,
    }
}

/// `ports` are the source's and the destination's; what follows them is of no interest.
fn address_2(address: IpAddr, ports: &[u8]) -> Option<Forwarded> {
    let (port, rest) = ports.split_first_chunk::<2>()?;
    rest.split_first_chunk::<2>()?;
    Some(Forwarded::For(SocketAddr::new(address, u16::from_be_bytes(*port))))
}

/// Reads a line of version 1, with its CRLF. `None` when it is not valid.
pub(crate) fn version_1(line: &[u8]) -> Option<Forwarded> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.split(' ');
    if words.next()? != "PROXY" {
        return None;
    }
    match words.next()? {
        "UNKNOWN" => Some(Forwarded::Local),
        family @ ("TCP4" | "TCP6") => {
            let source: IpAddr = words.next()?.parse().ok()?;
            let _destination: IpAddr = words.next()?.parse().ok()?;
            let port = words.next()?.parse().ok()?;
            let _destination_port: u16 = words.next()?.parse().ok()?;
            let is_as_said = source.is_ipv4() == (family == "TCP4") && words.next().is_none();
            is_as_said.then(|| Forwarded::For(SocketAddr::new(source, port)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Forwarded, SIGNATURE, rest_bytes, version_1, version_2};

    fn parse_2(command: u8, family: u8, rest: &[u8]) -> Option<Forwarded> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        let fixed = [SIGNATURE.as_slice(), &[command, family], &length].concat();
        let fixed = fixed.try_into().unwrap();
        assert_eq!(rest_bytes(fixed), rest.len());
        version_2(fixed, rest)
    }

    #[test]
    fn version_1_names_the_client() {
        for (line, expected) in [
            ("PROXY TCP4 203.0.113.7 10.0.0.1 54321 5432\r\n", Some(Some("203.0.113.7:54321"))),
            ("PROXY TCP6 2001:db8::1 ::1 54321 5432\r\n", Some(Some("[2001:db8::1]:54321"))),
            ("PROXY UNKNOWN\r\n", Some(None)),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Some(None)),
            ("PROXY TCP4 2001:db8::1 ::1 54321 5432\r\n", None),
            ("PROXY TCP4 203.0.113.7 10.0.0.1 54321\r\n", None),
            ("PROXY TCP4 203.0.113.7 10.0.0.1 54321 5432 6\r\n", None),
            ("PROXY TCP4 203.0.113.7 10.0.0.1 99999 5432\r\n", None),
            ("PROXY TCP4 203.0.113.7 10.0.0.1 54321 5432", None),
            ("HELO\r\n", None),
        ] {
            let expected = expected.map(|client: Option<&str>| {
                client.map_or(Forwarded::Local, |client| Forwarded::For(client.parse().unwrap()))
            });
            assert_eq!(version_1(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn version_2_names_the_client_and_may_say_more() {
        let v4 = [203, 0, 113, 7, 10, 0, 0, 1, 0xd4, 0x31, 0x15, 0x38];
        let client = Forwarded::For("203.0.113.7:54321".parse().unwrap());
        assert_eq!(parse_2(0x21, 0x11, &v4), Some(client));
        assert_eq!(parse_2(0x21, 0x11, &[&v4[..], b"\x03\0\x04abcd"].concat()), Some(client));
        assert_eq!(parse_2(0x21, 0x11, &v4[..11]), None);
        let v6 = [&[0; 15][..], &[1], &[0; 16], &[0, 5, 0, 6]].concat();
        let client = Forwarded::For("[::1]:5".parse().unwrap());
        assert_eq!(parse_2(0x21, 0x21, &v6), Some(client));
        assert_eq!(parse_2(0x20, 0, b""), Some(Forwarded::Local));
        assert_eq!(parse_2(0x21, 0x31, &[0; 216]), Some(Forwarded::Local));
        assert_eq!(parse_2(0x31, 0x11, &v4), None);
    }
}
