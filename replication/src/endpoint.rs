//! Where a replica listens: the text between the quotes of `REGISTER REPLICA … TO "host:port"`.
//!
//! Owns the parsing and the display of an endpoint; called by the statements, the node record and the links.
//! What always holds: a parsed endpoint has a non-empty host of at most 253 bytes and a port that is not 0,
//! and its display parses to the same endpoint. Name look-up is left to the links, which repeat it at each
//! connect, so an endpoint never holds a resolved address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The port taken when the text names none.
pub const DEFAULT_REPLICATION_PORT: u16 = 10_000;

/// The longest host name, in bytes (RFC 1035, section 2.3.4, less the root label).
pub const HOST_LEN_MAX: usize = 253;

/// A host (an IPv4 or IPv6 address, or a name) and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: Host,
    port: u16,
}

/// The host part: an address stands for itself, a name is looked up at each connect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An IPv4 or IPv6 address.
    Address(IpAddr),
    /// A DNS name, in lower case.
    Name(String),
}

/// Why a text is no endpoint. The display follows Memgraph's "Invalid socket address!" with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// There is no host.
    #[error(
        "Invalid socket address! The host is missing; expected \"host:port\" or \"[ipv6]:port\"."
    )]
    HostMissing,
    /// The host is neither an address nor a name.
    #[error("Invalid socket address! '{0}' is neither an IP address nor a host name.")]
    HostInvalid(String),
    /// An IPv6 address with a port needs brackets.
    #[error("Invalid socket address! Write an IPv6 address in brackets, as in \"[::1]:10000\".")]
    BracketsMissing,
    /// The port is not a number from 1 to 65535.
    #[error("Invalid socket address! The port '{0}' is not a number from 1 to 65535.")]
    PortInvalid(String),
}

impl Endpoint {
    /// An endpoint from its parts; `None` if the port is 0.
    pub fn new(host: Host, port: u16) -> Option<Endpoint> {
        (port != 0).then_some(Endpoint { host, port })
    }

    /// The host part.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Endpoint, EndpointError> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, after) = rest.split_once(']').ok_or(EndpointError::BracketsMissing)?;
            let address: Ipv6Addr = inside
                .parse()
                .map_err(|_| EndpointError::HostInvalid(shown(inside)))?;
            let port = match after {
                "" => DEFAULT_REPLICATION_PORT,
                _ => parse_port(
                    after
                        .strip_prefix(':')
                        .ok_or_else(|| EndpointError::PortInvalid(shown(after)))?,
                )?,
            };
            return Ok(Endpoint {
                host: Host::Address(IpAddr::V6(address)),
                port,
            });
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            // Without brackets the last group could be meant as a port, unless nothing but an address is written.
            return Ok(Endpoint {
                host: Host::Address(IpAddr::V6(address)),
                port: DEFAULT_REPLICATION_PORT,
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            None => (text, DEFAULT_REPLICATION_PORT),
            Some((host, _)) if host.contains(':') => return Err(EndpointError::BracketsMissing),
            Some((host, port)) => (host, parse_port(port)?),
        };
        Ok(Endpoint {
            host: parse_host(host)?,
            port,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, EndpointError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(EndpointError::PortInvalid(shown(text))),
    }
}

fn parse_host(text: &str) -> Result<Host, EndpointError> {
    if text.is_empty() {
        return Err(EndpointError::HostMissing);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Host::Address(address));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let label_fits = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A last label of digits only would be a mistyped IPv4 address.
    let last_is_number = name
        .rsplit('.')
        .next()
        .is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    if name.len() > HOST_LEN_MAX || last_is_number || !name.split('.').all(label_fits) {
        return Err(EndpointError::HostInvalid(shown(text)));
    }
    Ok(Host::Name(name.to_ascii_lowercase()))
}

/// What an error may repeat of the input: its beginning.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_of_every_family_parse_and_display_back() {
        for (text, shown) in [
            ("127.0.0.1:10001", "127.0.0.1:10001"),
            ("127.0.0.1", "127.0.0.1:10000"),
            ("[::1]:10001", "[::1]:10001"),
            ("[fe80::1]", "[fe80::1]:10000"),
            ("::1", "[::1]:10000"),
            ("localhost:10001", "localhost:10001"),
            ("Replica-1.Example.com.:7", "replica-1.example.com:7"),
            ("data_node", "data_node:10000"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(shown.parse::<Endpoint>().as_ref(), Ok(&endpoint));
        }
    }

    #[test]
    fn texts_that_are_no_endpoint_are_refused_with_the_reason() {
        use EndpointError::*;
        for (text, error) in [
            ("", HostMissing),
            (":10000", HostMissing),
            ("127.0.0.1:0", PortInvalid("0".into())),
            ("127.0.0.1:65536", PortInvalid("65536".into())),
            ("127.0.0.1:+1", PortInvalid("+1".into())),
            ("127.0.0.1:", PortInvalid("".into())),
            ("256.0.0.1:10000", HostInvalid("256.0.0.1".into())),
            ("a b:1", HostInvalid("a b".into())),
            ("-a:1", HostInvalid("-a".into())),
            ("[::1:10000", BracketsMissing),
            ("1:2:3", BracketsMissing),
            ("[::1]10000", PortInvalid("10000".into())),
            ("[nonsense]:1", HostInvalid("nonsense".into())),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text}");
        }
    }
}
