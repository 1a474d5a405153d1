//! Where a server is, as people write it.
//!
//! `127.0.0.1`, `db:7688`, `[::1]:7687`, and the URIs of drivers: `bolt://`, `neo4j://`, their `+s` and
//! `+ssc` forms, `memgraph://`, with `user:password@` in front of the host if wished.

use std::fmt;
use std::str::FromStr;

/// A server's place and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address, without brackets.
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    pub credentials: Option<Credentials>,
}

/// Whether the connection is to be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    Plain,
    /// TLS with a certificate that the system trusts (`+s`).
    Verified,
    /// TLS with any certificate (`+ssc`, mgconsole's `--use-ssl`).
    AnyCertificate,
}

/// A user's name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

/// Shows no secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why a text names no server.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    #[error(
        "'{0}://' is not a Bolt scheme; use bolt, bolt+s, bolt+ssc, neo4j, neo4j+s, neo4j+ssc or memgraph"
    )]
    Scheme(String),
    #[error("'{0}' has no host")]
    Host(String),
    #[error("'{0}' is not a port")]
    Port(String),
}

/// Bolt's port.
pub const DEFAULT_PORT: u16 = 7687;

impl Endpoint {
    /// A plain connection to this host and port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Endpoint {
            host: host.into(),
            port,
            encryption: Encryption::Plain,
            credentials: None,
        }
    }

    /// `host:port`, IPv6 addresses in brackets.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("bolt", text));
        let encryption = match scheme {
            "bolt" | "neo4j" | "memgraph" => Encryption::Plain,
            "bolt+s" | "neo4j+s" => Encryption::Verified,
            "bolt+ssc" | "neo4j+ssc" => Encryption::AnyCertificate,
            other => return Err(EndpointError::Scheme(other.to_owned())),
        };
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => {
                let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
                let credentials = Credentials {
                    user: user.to_owned(),
                    password: password.to_owned(),
                };
                (Some(credentials), place)
            }
            None => (None, rest),
        };
        let (host, port) = host_and_port(place)?;
        Ok(Endpoint {
            host: host.to_owned(),
            port: port.unwrap_or(DEFAULT_PORT),
            encryption,
            credentials,
        })
    }
}

/// Takes `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address apart.
fn host_and_port(place: &str) -> Result<(&str, Option<u16>), EndpointError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let Some((host, after)) = rest.split_once(']') else {
                return Err(EndpointError::Host(place.to_owned()));
            };
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(EndpointError::Port(after.to_owned())),
            }
        }
        None if place.matches(':').count() > 1 => (place, None),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err(EndpointError::Host(place.to_owned()));
    }
    match port.map(str::parse).transpose() {
        Ok(port) => Ok((host, port)),
        Err(_) => Err(EndpointError::Port(port.unwrap_or_default().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, u16, Encryption) {
        let endpoint: Endpoint = text.parse().unwrap();
        (endpoint.host, endpoint.port, endpoint.encryption)
    }

    #[test]
    fn every_way_to_write_an_address_is_understood() {
        use Encryption::*;
        for (text, host, port, encryption) in [
            ("db", "db", 7687, Plain),
            ("db:1", "db", 1, Plain),
            ("::1", "::1", 7687, Plain),
            ("[::1]:9", "::1", 9, Plain),
            ("[::1]", "::1", 7687, Plain),
            ("bolt://db:1/", "db", 1, Plain),
            ("neo4j://db?policy=x", "db", 7687, Plain),
            ("memgraph://db:7687", "db", 7687, Plain),
            ("neo4j+s://db", "db", 7687, Verified),
            ("bolt+ssc://db", "db", 7687, AnyCertificate),
        ] {
            assert_eq!(parts(text), (host.to_owned(), port, encryption), "{text}");
        }
    }

    #[test]
    fn credentials_stand_in_front_of_the_host_and_are_not_shown() {
        let endpoint: Endpoint = "bolt://ada:s3:cr@t@db".parse().unwrap();
        let credentials = endpoint.credentials.clone().unwrap();
        assert_eq!(
            (credentials.user.as_str(), credentials.password.as_str()),
            ("ada", "s3:cr@t")
        );
        assert!(!format!("{endpoint:?}").contains("s3"));
    }

    #[test]
    fn wrong_addresses_are_refused() {
        for text in [
            "http://db",
            "bolt://",
            ":7687",
            "db:port",
            "db:70000",
            "[::1",
            "[::1]x",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_address_of_an_ipv6_host_has_brackets() {
        assert_eq!(Endpoint::new("::1", 7).address(), "[::1]:7");
        assert_eq!(Endpoint::new("db", 7).address(), "db:7");
    }
}
