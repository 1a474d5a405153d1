//! The server's side: choose a version from what the client proposes.
//!
//! The first slot, in the client's order, that names anything supported decides, and of that slot the
//! newest. A client that asks for the manifest gets the list and chooses itself.

use super::varint::VarIntReader;
use super::{Agreement, MANIFEST_V1, OFFERED, Slot};
use crate::sniff::MAGIC;
use crate::version::Version;

/// Why no version was agreed on. The connection is to be closed, after what was appended has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerHandshakeError {
    /// The connection does not begin as Bolt does. Nothing is answered.
    #[error("not a Bolt handshake")]
    NotBolt,
    /// No proposed version is supported; four zeros were appended.
    #[error("no common version among the slots {slots:02X?}")]
    NoCommonVersion {
        /// What the client proposed, as sent.
        slots: [u8; 16],
    },
    /// The client wants none of the versions in the manifest.
    #[error("the client refused every offered version")]
    Refused,
    /// The client chose a version that was not offered.
    #[error("the client chose a version that was not offered: {choice:02X?}")]
    NotOffered {
        /// Its choice, as sent.
        choice: [u8; 4],
    },
    /// The client's capabilities are no number, or such as were not offered.
    #[error("invalid handshake capabilities")]
    Capabilities,
}

/// The server's side of a handshake.
#[derive(Clone, Debug)]
pub struct ServerHandshake {
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Takes the magic and four slots.
    Opening { taken: usize, bytes: [u8; 20] },
    /// Takes the version chosen from the manifest.
    Choice { taken: usize, bytes: [u8; 4] },
    /// Takes the capabilities that come with the choice.
    Capabilities {
        version: Version,
        varint: VarIntReader,
    },
    /// There is nothing more to take.
    Over(Result<Agreement, ServerHandshakeError>),
}

impl Default for ServerHandshake {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerHandshake {
    /// Before the client's first byte (those that were sniffed are given again).
    pub fn new() -> Self {
        Self {
            step: Step::Opening {
                taken: 0,
                bytes: [0; 20],
            },
        }
    }

    /// Takes bytes from the front of `input` and appends what is to be sent at once to `out`. `None`: more
    /// is needed. With the agreement, whatever is left in `input` is the first message.
    pub fn advance(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Agreement>, ServerHandshakeError> {
        loop {
            if let Step::Over(outcome) = self.step {
                return outcome.map(Some);
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            *input = rest;
            self.step = self.step.take(byte, out);
        }
    }
}

impl Step {
    fn take(self, byte: u8, out: &mut Vec<u8>) -> Self {
        match self {
            Self::Opening { taken, mut bytes } => {
                bytes[taken] = byte;
                let taken = taken + 1;
                if !bytes[..taken.min(4)].starts_with(&MAGIC[..taken.min(4)]) {
                    return Self::Over(Err(ServerHandshakeError::NotBolt));
                }
                match bytes.last_chunk() {
                    Some(slots) if taken == bytes.len() => Self::choose(slots, out),
                    _ => Self::Opening { taken, bytes },
                }
            }
            Self::Choice { taken, mut bytes } => {
                bytes[taken] = byte;
                match taken + 1 {
                    4 => Self::chosen(bytes),
                    taken => Self::Choice { taken, bytes },
                }
            }
            Self::Capabilities {
                version,
                mut varint,
            } => match varint.take(byte) {
                Ok(None) => Self::Capabilities { version, varint },
                Ok(Some(0)) => Self::Over(Ok(Agreement {
                    version,
                    manifest: true,
                })),
                // None were offered.
                Ok(Some(_)) | Err(_) => Self::Over(Err(ServerHandshakeError::Capabilities)),
            },
            Self::Over(_) => self,
        }
    }

    fn choose(slots: &[u8; 16], out: &mut Vec<u8>) -> Self {
        let (each, _) = slots.as_chunks::<4>();
        for slot in each {
            if *slot == MANIFEST_V1 {
                out.extend_from_slice(&MANIFEST_V1);
                out.push(OFFERED.len() as u8);
                OFFERED
                    .iter()
                    .for_each(|offer| out.extend_from_slice(&offer.to_bytes()));
                out.push(0);
                return Self::Choice {
                    taken: 0,
                    bytes: [0; 4],
                };
            }
            if let Some(version) = Slot::from_bytes(*slot).newest_supported() {
                out.extend_from_slice(&[0, 0, version.minor(), version.major()]);
                return Self::Over(Ok(Agreement {
                    version,
                    manifest: false,
                }));
            }
        }
        out.extend_from_slice(&[0; 4]);
        Self::Over(Err(ServerHandshakeError::NoCommonVersion { slots: *slots }))
    }

    fn chosen(choice: [u8; 4]) -> Self {
        let [_, _, minor, major] = choice;
        match Version::supported(major, minor) {
            _ if choice == [0; 4] => Self::Over(Err(ServerHandshakeError::Refused)),
            Some(version) if choice[..2] == [0, 0] => Self::Capabilities {
                version,
                varint: VarIntReader::default(),
            },
            _ => Self::Over(Err(ServerHandshakeError::NotOffered { choice })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(slots: [u32; 4]) -> Vec<u8> {
        MAGIC
            .into_iter()
            .chain(slots.into_iter().flat_map(u32::to_be_bytes))
            .collect()
    }

    fn run(mut input: &[u8]) -> (Result<Option<Agreement>, ServerHandshakeError>, Vec<u8>) {
        let mut out = Vec::new();
        let outcome = ServerHandshake::new().advance(&mut input, &mut out);
        (outcome, out)
    }

    #[test]
    fn real_clients_get_the_version_they_should() {
        for (client, slots, answer) in [
            ("neo4rs 0.8", [0x0104, 0x0004, 0, 0], Version::V4_1),
            (
                "neo4rs 0.9",
                [0x0404, 0x0304, 0x0104, 0x0004],
                Version::V4_4,
            ),
            ("mgclient", [0x0404, 0x0304, 0x0104, 0x0001], Version::V4_4),
            ("mgclient, old", [0x0104, 0x0001, 0, 0], Version::V4_1),
            (
                "Java 5.25",
                [0x0007_0705, 0x0002_0404, 0x0104, 3],
                Version::V5_7,
            ),
            (
                ".NET 2024",
                [0x0006_0605, 0x0002_0404, 0x0104, 3],
                Version::V5_6,
            ),
        ] {
            let (outcome, out) = run(&opening(slots));
            assert_eq!(
                outcome.unwrap().unwrap(),
                Agreement {
                    version: answer,
                    manifest: false
                },
                "{client}"
            );
            assert_eq!(out, [0, 0, answer.minor(), answer.major()], "{client}");
        }
    }

    #[test]
    fn five_dot_five_is_never_chosen() {
        assert_eq!(
            run(&opening([0x0001_0505, 0, 0, 0])).1,
            [0, 0, 4, 5],
            "the rest of its range is"
        );
        assert_eq!(run(&opening([0x0505, 0x0404, 0, 0])).1, [0, 0, 4, 4]);
        assert_eq!(run(&opening([0x0505, 0, 0, 0])).1, [0, 0, 0, 0]);
    }

    #[test]
    fn the_clients_order_of_slots_decides_and_the_newest_within_one() {
        assert_eq!(run(&opening([0x0104, 0x0805, 0, 0])).1, [0, 0, 1, 4]);
        assert_eq!(run(&opening([0x0009, 0x0003_0305, 0, 0])).1, [0, 0, 3, 5]);
        assert_eq!(
            run(&opening([0x00FF_0204, 0, 0, 0])).1,
            [0, 0, 2, 4],
            "a range below minor 0 is cut there"
        );
        assert_eq!(
            run(&opening([0x00FF_FF05, 0, 0, 0])).1,
            [0, 0, 8, 5],
            "versions beyond ours are passed over"
        );
    }

    #[test]
    fn without_a_common_version_four_zeros_are_sent() {
        let (outcome, out) = run(&opening([0x0003, 0x0001, 0, 0]));
        assert!(matches!(
            outcome,
            Err(ServerHandshakeError::NoCommonVersion { .. })
        ));
        assert_eq!(out, [0; 4]);
    }

    #[test]
    fn another_protocol_is_told_by_its_first_wrong_byte_and_not_answered() {
        for bytes in [&b"\x60\x60\xB1"[..], b"G"] {
            let (outcome, out) = run(bytes);
            assert_eq!(outcome, Err(ServerHandshakeError::NotBolt));
            assert!(out.is_empty());
        }
    }

    /// As the Python driver 6.4.1 opens a connection.
    #[test]
    fn the_manifest_goes_out_in_one_piece_and_messages_behind_the_choice_are_left() {
        let mut handshake = ServerHandshake::new();
        let mut out = Vec::new();
        let hello = opening([0x01FF, 0x0008_0805, 0x0002_0404, 3]);
        for byte in &hello[..19] {
            assert_eq!(handshake.advance(&mut &[*byte][..], &mut out), Ok(None));
            assert!(out.is_empty());
        }
        assert_eq!(handshake.advance(&mut &hello[19..], &mut out), Ok(None));
        assert_eq!(
            out,
            [
                0, 0, 1, 0xFF, 4, 0, 1, 1, 6, 0, 2, 8, 5, 0, 4, 4, 5, 0, 4, 4, 4, 0
            ]
        );
        out.clear();
        let mut input = &[0, 0, 1, 6, 0, 0, 29][..];
        assert_eq!(
            handshake.advance(&mut input, &mut out),
            Ok(Some(Agreement {
                version: Version::V6_1,
                manifest: true
            }))
        );
        assert_eq!(input, [0, 29]);
        assert!(out.is_empty());
    }

    #[test]
    fn a_choice_that_was_not_offered_ends_the_connection() {
        let choose = |choice: &[u8]| {
            let mut bytes = opening([0x01FF, 0, 0, 0]);
            bytes.extend_from_slice(choice);
            run(&bytes).0
        };
        assert_eq!(choose(&[0, 0, 0, 0]), Err(ServerHandshakeError::Refused));
        for choice in [[0, 0, 5, 5], [0, 0, 0, 3], [0, 1, 1, 6], [0, 0, 1, 0xFF]] {
            assert_eq!(
                choose(&choice),
                Err(ServerHandshakeError::NotOffered { choice })
            );
        }
        assert_eq!(
            choose(&[0, 0, 1, 6, 1]),
            Err(ServerHandshakeError::Capabilities)
        );
        assert_eq!(
            choose(&[[0, 0, 1, 6].as_slice(), &[0x80; 10]].concat()),
            Err(ServerHandshakeError::Capabilities)
        );
        assert!(choose(&[0, 0, 1, 6, 0x80, 0]).is_ok());
    }
}
