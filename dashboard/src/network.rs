//! Where connections and digests may lead. A form that opens connections to any address would be a way into the network
//! that the dashboard stands in, so addresses are resolved once, every one of them is checked, and only checked ones are used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::lookup_host;

/// The ports of PostgreSQL and of its usual poolers.
pub(crate) const DATABASE_PORTS: &[u16] = &[5432, 5433, 5434, 5435, 5436, 5437, 5438, 5439, 6432];
/// The ports of web servers.
pub(crate) const WEB_PORTS: &[u16] = &[80, 443];

/// What an admin of the machine has allowed besides the public network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

/// A name, an address or a network. With a port, it allows that one alone; without, the usual ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    host: Place,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Name(String),
    Network(IpAddr, u8),
}

impl FromIterator<AllowedHost> for AllowedHosts {
    fn from_iter<I: IntoIterator<Item = AllowedHost>>(hosts: I) -> Self {
        Self(hosts.into_iter().collect())
    }
}

/// Why an entry of the list makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no host; write db.example.com, 10.0.0.0/8 or 10.1.2.3, and :port after it to allow that port alone"
)]
pub struct AllowedHostError(String);

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    fn from_str(text: &str) -> Result<Self, AllowedHostError> {
        let error = || AllowedHostError(text.to_owned());
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address has colons of its own.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| error())?))
            }
            _ => (text, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let (address, length) = match host.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| error())?)),
            None => (host, None),
        };
        let place = match address.parse::<IpAddr>() {
            Ok(address) => {
                let most = if address.is_ipv4() { 32 } else { 128 };
                let length = length.unwrap_or(most);
                if length > most {
                    return Err(error());
                }
                Place::Network(address, length)
            }
            Err(_) if length.is_none() && is_host_name(address) => {
                Place::Name(address.to_lowercase())
            }
            Err(_) => return Err(error()),
        };
        Ok(Self { host: place, port })
    }
}

/// Whether a text can be the name of a host. Paths, lists and options cannot.
pub(crate) fn is_host_name(text: &str) -> bool {
    let is_part = |one: char| one.is_ascii_alphanumeric() || one == '-' || one == '.' || one == '_';
    !text.is_empty()
        && text.len() <= 253
        && text.chars().all(is_part)
        && !text.starts_with(['-', '.'])
}

/// Why a host is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotAHost,
    Unknown,
    Port,
    Address,
}

/// Finds the addresses of a host and checks every one of them. A port that is not among the usual ones has to be listed.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    allowed: &AllowedHosts,
    usual_ports: &[u16],
) -> Result<Vec<SocketAddr>, Refusal> {
    if host.parse::<IpAddr>().is_err() && !is_host_name(host) {
        return Err(Refusal::NotAHost);
    }
    let found = lookup_host((host, port)).await.map_err(|_| Refusal::Unknown)?;
    let addresses: Vec<SocketAddr> = found.collect();
    allowed.check(host, port, &addresses, usual_ports)?;
    Ok(addresses)
}

impl AllowedHosts {
    /// Whether all of these addresses of a host may be connected to.
    pub(crate) fn check(
        &self,
        host: &str,
        port: u16,
        addresses: &[SocketAddr],
        usual_ports: &[u16],
    ) -> Result<(), Refusal> {
        if addresses.is_empty() {
            return Err(Refusal::Unknown);
        }
        let is_usual = usual_ports.contains(&port);
        for address in addresses {
            let ip = plain(address.ip());
            if is_never_allowed(ip) {
                return Err(Refusal::Address);
            }
            let mut listed = self.0.iter().filter(|entry| entry.covers(host, ip)).peekable();
            if listed.peek().is_none() && !is_public(ip) {
                return Err(Refusal::Address);
            }
            let is_open = (is_usual && is_public(ip))
                || listed.any(|entry| entry.port.map_or(is_usual, |only| only == port));
            if !is_open {
                return Err(Refusal::Port);
            }
        }
        Ok(())
    }

    /// Whether all of these addresses of a host are listed for this port, so that it is trusted more than the public
    /// network.
    pub(crate) fn list(&self, host: &str, port: u16, addresses: &[SocketAddr]) -> bool {
        let is_listed = |ip| {
            let mut listed = self.0.iter().filter(|entry| entry.covers(host, ip));
            listed.any(|entry| entry.port.is_none_or(|only| only == port))
        };
        addresses.iter().all(|address| is_listed(plain(address.ip())))
    }
}

impl AllowedHost {
    fn covers(&self, host: &str, ip: IpAddr) -> bool {
        match (&self.host, ip) {
            (Place::Name(name), _) => host.eq_ignore_ascii_case(name),
            (Place::Network(IpAddr::V4(network), length), IpAddr::V4(ip)) => {
                let shift = 32 - u32::from(*length);
                let top = |ip: Ipv4Addr| u64::from(u32::from(ip)) >> shift;
                top(*network) == top(ip)
            }
            (Place::Network(IpAddr::V6(network), length), IpAddr::V6(ip)) => {
                let top = |ip: Ipv6Addr| u128::from(ip).checked_shr(128 - u32::from(*length));
                top(*network) == top(ip)
            }
            _ => false,
        }
    }
}

/// The address that is really meant: some IPv6 addresses only wrap an IPv4 one.
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let four = |high: u16, low: u16| {
        IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
    };
    match six.segments() {
        // Mapped, translated (NAT64), 6to4, compatible.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => four(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => four(high, low),
        _ => ip,
    }
}

/// Whom an address is counted as: a person who has one IPv6 address has 2^64 of them.
pub(crate) fn origin(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
        four @ IpAddr::V4(_) => four,
    }
}

/// Nobody's database is there, but secrets of cloud providers are.
fn is_never_allowed(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] == 0
        }
        IpAddr::V6(ip) => {
            let is_link_local = ip.segments()[0] & 0xffc0 == 0xfe80;
            let metadata = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
            is_link_local || ip.is_multicast() || ip.is_unspecified() || ip == metadata
        }
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let is_shared = a == 100 && b & 0xc0 == 64;
            let is_special =
                (a == 192 && b == 0 && c == 0) || (a == 198 && b & 0xfe == 18) || a >= 240;
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_documentation()
                || is_shared
                || is_special)
        }
        IpAddr::V6(ip) => !ip.is_loopback() && ip.segments()[0] & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{AllowedHost, AllowedHosts, DATABASE_PORTS, Refusal, is_host_name};

    fn allowed(list: &[&str]) -> AllowedHosts {
        list.iter().map(|one| one.parse::<AllowedHost>().unwrap()).collect()
    }

    fn check(list: &[&str], host: &str, addresses: &[&str], port: u16) -> Result<(), Refusal> {
        let addresses: Vec<SocketAddr> =
            addresses.iter().map(|one| SocketAddr::new(one.parse().unwrap(), port)).collect();
        allowed(list).check(host, port, &addresses, DATABASE_PORTS)
    }

    #[test]
    fn only_public_addresses_are_allowed_by_themselves() {
        for public in ["93.184.216.34", "2606:2800:220:1::1"] {
            assert_eq!(check(&[], "db.example.com", &[public], 5432), Ok(()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "240.0.0.1",
            "::1",
            "fc00::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ] {
            let result = check(&[], "db.example.com", &[private], 5432);
            assert_eq!(result, Err(Refusal::Address), "{private}");
        }
    }

    #[test]
    fn some_addresses_are_never_allowed() {
        for never in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "::",
            "ff02::1",
        ] {
            let everything = ["0.0.0.0/0", "::/0", "db.example.com"];
            let result = check(&everything, "db.example.com", &[never], 5432);
            assert_eq!(result, Err(Refusal::Address), "{never}");
        }
    }

    #[test]
    fn what_is_listed_is_allowed() {
        assert_eq!(check(&["127.0.0.1"], "localhost", &["127.0.0.1"], 5432), Ok(()));
        assert_eq!(check(&["127.0.0.1"], "localhost", &["127.0.0.2"], 5432), Err(Refusal::Address));
        assert_eq!(check(&["10.0.0.0/8"], "db", &["10.200.0.1"], 5432), Ok(()));
        assert_eq!(check(&["10.0.0.0/8"], "db", &["::ffff:10.200.0.1"], 5432), Ok(()));
        assert_eq!(check(&["fd12::/16"], "db", &["fd12::7"], 5432), Ok(()));
        assert_eq!(check(&["DB.internal"], "db.Internal", &["10.0.0.1"], 5432), Ok(()));
        assert_eq!(
            check(&["db.internal"], "other.internal", &["10.0.0.1"], 5432),
            Err(Refusal::Address)
        );
    }

    #[test]
    fn every_address_of_a_name_counts() {
        let rebinding = ["93.184.216.34", "127.0.0.1"];
        assert_eq!(check(&[], "db.example.com", &rebinding, 5432), Err(Refusal::Address));
        assert_eq!(check(&[], "db.example.com", &[], 5432), Err(Refusal::Unknown));
    }

    #[test]
    fn unusual_ports_are_listed() {
        assert_eq!(check(&[], "db.example.com", &["93.184.216.34"], 22), Err(Refusal::Port));
        assert_eq!(check(&["127.0.0.1"], "localhost", &["127.0.0.1"], 80), Err(Refusal::Port));
        assert_eq!(check(&["127.0.0.1:80"], "localhost", &["127.0.0.1"], 80), Ok(()));
        assert_eq!(check(&["[::1]:7000"], "localhost", &["::1"], 7000), Ok(()));
    }

    #[test]
    fn an_entry_with_a_port_opens_that_port_alone() {
        let only = ["127.0.0.1:21400"];
        assert_eq!(check(&only, "localhost", &["127.0.0.1"], 21400), Ok(()));
        for other in DATABASE_PORTS {
            let result = check(&only, "localhost", &["127.0.0.1"], *other);
            assert_eq!(result, Err(Refusal::Port), "{other}");
        }
        let both = ["127.0.0.1:21400", "127.0.0.1"];
        assert_eq!(check(&both, "localhost", &["127.0.0.1"], 5432), Ok(()));
        // What is public stays so, and gets one port more.
        let public = ["db.example.com:22"];
        for port in [22, 5432] {
            assert_eq!(check(&public, "db.example.com", &["93.184.216.34"], port), Ok(()));
        }
        // One address of a name opens nothing at another.
        let mixed = ["10.0.0.1:22"];
        let result = check(&mixed, "db.example.com", &["10.0.0.1", "93.184.216.34"], 22);
        assert_eq!(result, Err(Refusal::Port));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let origin = |ip: &str| super::origin(ip.parse().unwrap()).to_string();
        assert_eq!(origin("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(origin("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(origin("10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn what_is_listed_is_known_by_name_or_by_every_address() {
        let list = |list: &[&str], addresses: &[&str]| {
            let addresses: Vec<SocketAddr> =
                addresses.iter().map(|one| SocketAddr::new(one.parse().unwrap(), 80)).collect();
            allowed(list).list("hooks.internal", 80, &addresses)
        };
        assert!(!list(&["hooks.internal:8080"], &["10.0.0.1"]));
        assert!(list(&["hooks.internal:80"], &["10.0.0.1", "93.184.216.34"]));
        assert!(list(&["10.0.0.0/8"], &["10.0.0.1", "::ffff:10.0.0.2"]));
        assert!(!list(&["10.0.0.0/8"], &["10.0.0.1", "93.184.216.34"]));
        assert!(!list(&[], &["93.184.216.34"]));
    }

    #[test]
    fn hosts_are_names_and_nothing_else() {
        for good in ["db", "db-1.example.com", "a_b"] {
            assert!(is_host_name(good), "{good}");
        }
        for bad in ["", "/var/run", "a,b", "a b", "a:1", "-a", "a?x", "a\0", "user@host", "@x"] {
            assert!(!is_host_name(bad), "{bad}");
        }
        for bad in ["10.0.0.0/33", "db/8", "a b", "db:x", "/tmp", ""] {
            assert!(bad.parse::<AllowedHost>().is_err(), "{bad}");
        }
    }
}
