//! The version handshake, both sides, both kinds.
//!
//! ```text
//! classic    C  60 60 B0 17 | 4 slots of: 00 range minor major
//!            S  00 00 minor major                                 zeros: none fits, closes
//! manifest   C  as above, one slot being 00 00 01 FF
//!            S  00 00 01 FF | VarInt n | n times 00 range minor major | VarInt capabilities
//!            C  00 00 minor major | VarInt capabilities           zeros: none fits, closes
//! ```
//!
//! `range` counts minor versions below `minor`. A VarInt has 7 bits a byte, the lowest first; the top bit
//! says that more follow. It is the one little-endian thing in Bolt.
//!
//! Both sides take bytes as they come, one by one if need be, and never take one too many: what follows
//! the handshake stays in the input. What goes out in one step is appended in one piece, and must be sent in one,
//! since several drivers fail on a split answer.

mod client;
mod server;
mod varint;

pub use client::{ClientHandshake, ClientHandshakeError, Proposal};
pub use server::{ServerHandshake, ServerHandshakeError};

use crate::version::Version;

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The version spoken from here on.
    pub version: Version,
    /// It was agreed by manifest.
    pub manifest: bool,
}

/// The slot that asks for the manifest, and the first bytes of the answer to it.
const MANIFEST_V1: [u8; 4] = [0x00, 0x00, 0x01, 0xFF];

/// A version and the minors below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    major: u8,
    minor: u8,
    range: u8,
}

impl Slot {
    const fn from_bytes([_, range, minor, major]: [u8; 4]) -> Self {
        Self {
            major,
            minor,
            range,
        }
    }

    const fn to_bytes(self) -> [u8; 4] {
        [0, self.range, self.minor, self.major]
    }

    /// Whether the slot names this version. A range that reaches below minor 0 ends there.
    fn contains(self, version: Version) -> bool {
        let lowest = self.minor.saturating_sub(self.range);
        version.major() == self.major && (lowest..=self.minor).contains(&version.minor())
    }

    /// The newest supported version that the slot names.
    fn newest_supported(self) -> Option<Version> {
        Version::SUPPORTED
            .into_iter()
            .rev()
            .find(|version| self.contains(*version))
    }
}

/// What the server offers by manifest, the most wanted first. 5.5 stands in none of these ranges.
const OFFERED: [Slot; 4] = [
    Slot {
        major: 6,
        minor: 1,
        range: 1,
    },
    Slot {
        major: 5,
        minor: 8,
        range: 2,
    },
    Slot {
        major: 5,
        minor: 4,
        range: 4,
    },
    Slot {
        major: 4,
        minor: 4,
        range: 4,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offered_ranges_are_exactly_the_supported_versions() {
        for major in 0..=255 {
            for minor in 0..=255 {
                let offered = OFFERED.iter().any(|slot| {
                    slot.major == major && (slot.minor - slot.range..=slot.minor).contains(&minor)
                });
                assert_eq!(offered, Version::supported(major, minor).is_some());
            }
        }
    }

    /// Drives both sides against each other, handing over so many bytes at a time.
    fn agree(proposal: Proposal, piece: usize) -> (Option<Agreement>, Option<Agreement>) {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let mut client = ClientHandshake::new(proposal, &mut to_server);
        let mut server = ServerHandshake::new();
        let (mut client_agreed, mut server_agreed) = (None, None);
        loop {
            let (incoming, answers) = (std::mem::take(&mut to_server), &mut to_client);
            for mut bytes in incoming.chunks(piece) {
                match server.advance(&mut bytes, answers) {
                    Ok(agreed) => server_agreed = server_agreed.or(agreed),
                    Err(_) => break,
                }
            }
            let (incoming, answers) = (std::mem::take(&mut to_client), &mut to_server);
            for mut bytes in incoming.chunks(piece) {
                match client.advance(&mut bytes, answers) {
                    Ok(agreed) => client_agreed = client_agreed.or(agreed),
                    Err(_) => return (server_agreed, client_agreed),
                }
            }
            if to_server.is_empty() {
                return (server_agreed, client_agreed);
            }
        }
    }

    #[test]
    fn both_sides_agree_on_every_version_however_the_bytes_are_cut() {
        for piece in [1, 2, 3, 5, 64] {
            for version in Version::SUPPORTED {
                let classic = Some(Agreement {
                    version,
                    manifest: false,
                });
                assert_eq!(
                    agree(Proposal::Exactly(version), piece),
                    (classic, classic),
                    "{version} in pieces of {piece}"
                );
            }
            let newest = Some(Agreement {
                version: Version::V6_1,
                manifest: true,
            });
            assert_eq!(agree(Proposal::Newest, piece), (newest, newest));
        }
    }
}
