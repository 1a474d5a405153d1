//! The client's side: propose versions, take the answer.

use super::varint::VarIntReader;
use super::{Agreement, MANIFEST_V1, Slot};
use crate::sniff::MAGIC;
use crate::version::Version;

/// What a client proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// The newest both sides speak: the manifest, and for servers that do not know it 5.8 to 5.6,
    /// 5.4 to 5.0, 4.4 to 4.0.
    Newest,
    /// This version and no other, in the classic way.
    Exactly(Version),
}

/// Why no version was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientHandshakeError {
    /// The server speaks HTTP: this is not its Bolt port.
    #[error("the server answered in HTTP: this is not its Bolt port")]
    Http,
    /// The server supports none of the proposed versions. If it sent a manifest, zeros were appended.
    #[error("the server supports none of the proposed Bolt versions")]
    NoCommonVersion,
    /// The server chose a version that was not proposed.
    #[error("the server chose a version that was not proposed: {answer:02X?}")]
    NotProposed {
        /// Its answer, as sent.
        answer: [u8; 4],
    },
    /// The server's manifest is no manifest.
    #[error("the server's list of versions is malformed")]
    MalformedManifest,
}

/// Versions a server may list; more than this is no honest manifest.
const LISTED_MAX: u64 = 256;

/// The client's side of a handshake.
#[derive(Clone, Debug)]
pub struct ClientHandshake {
    proposal: Proposal,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Takes the server's choice, or the manifest's marker.
    Answer { taken: usize, bytes: [u8; 4] },
    /// Takes the number of versions listed.
    Count(VarIntReader),
    /// Takes the versions listed; keeps the newest that is supported.
    Listed {
        left: u64,
        taken: usize,
        bytes: [u8; 4],
        best: Option<Version>,
    },
    /// Takes the server's capabilities, of which none are used.
    Capabilities {
        best: Option<Version>,
        varint: VarIntReader,
    },
    /// There is nothing more to take.
    Over(Result<Agreement, ClientHandshakeError>),
}

impl ClientHandshake {
    /// Appends the client's first bytes to `out`.
    pub fn new(proposal: Proposal, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&MAGIC);
        let slot = |major, minor, range| Slot {
            major,
            minor,
            range,
        };
        let slots: [[u8; 4]; 4] = match proposal {
            Proposal::Newest => [
                MANIFEST_V1,
                slot(5, 8, 2).to_bytes(),
                slot(5, 4, 4).to_bytes(),
                slot(4, 4, 4).to_bytes(),
            ],
            Proposal::Exactly(version) => [
                slot(version.major(), version.minor(), 0).to_bytes(),
                [0; 4],
                [0; 4],
                [0; 4],
            ],
        };
        out.extend_from_slice(slots.as_flattened());
        Self {
            proposal,
            step: Step::Answer {
                taken: 0,
                bytes: [0; 4],
            },
        }
    }

    /// Takes bytes from the front of `input` and appends what is to be sent to `out`. `None`: more is
    /// needed. After the agreement messages may be sent.
    pub fn advance(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Agreement>, ClientHandshakeError> {
        loop {
            if let Step::Over(outcome) = self.step {
                return outcome.map(Some);
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            *input = rest;
            self.step = self.take(byte, out);
        }
    }

    fn take(&self, byte: u8, out: &mut Vec<u8>) -> Step {
        let malformed = Step::Over(Err(ClientHandshakeError::MalformedManifest));
        match self.step {
            Step::Answer { taken, mut bytes } => {
                bytes[taken] = byte;
                match taken + 1 {
                    4 => self.answered(bytes),
                    taken => Step::Answer { taken, bytes },
                }
            }
            Step::Count(mut varint) => match varint.take(byte) {
                Ok(None) => Step::Count(varint),
                Ok(Some(left @ 1..=LISTED_MAX)) => Step::Listed {
                    left,
                    taken: 0,
                    bytes: [0; 4],
                    best: None,
                },
                Ok(Some(_)) | Err(_) => malformed,
            },
            Step::Listed {
                left,
                taken,
                mut bytes,
                best,
            } => {
                bytes[taken] = byte;
                if taken < 3 {
                    return Step::Listed {
                        left,
                        taken: taken + 1,
                        bytes,
                        best,
                    };
                }
                let best = best.max(Slot::from_bytes(bytes).newest_supported());
                match left - 1 {
                    0 => Step::Capabilities {
                        best,
                        varint: VarIntReader::default(),
                    },
                    left => Step::Listed {
                        left,
                        taken: 0,
                        bytes: [0; 4],
                        best,
                    },
                }
            }
            Step::Capabilities { best, mut varint } => match varint.take(byte) {
                Err(_) => malformed,
                Ok(None) => Step::Capabilities { best, varint },
                Ok(Some(_)) => match best {
                    Some(version) => {
                        out.extend_from_slice(&[0, 0, version.minor(), version.major(), 0]);
                        Step::Over(Ok(Agreement {
                            version,
                            manifest: true,
                        }))
                    }
                    None => {
                        out.extend_from_slice(&[0; 5]);
                        Step::Over(Err(ClientHandshakeError::NoCommonVersion))
                    }
                },
            },
            Step::Over(_) => self.step,
        }
    }

    fn answered(&self, answer: [u8; 4]) -> Step {
        let [_, _, minor, major] = answer;
        let proposed = Version::supported(major, minor).filter(|version| match self.proposal {
            // Bolt 6 is offered by manifest only.
            Proposal::Newest => version.major() < 6,
            Proposal::Exactly(only) => *version == only,
        });
        Step::Over(match proposed {
            _ if answer == MANIFEST_V1 && self.proposal == Proposal::Newest => {
                return Step::Count(VarIntReader::default());
            }
            _ if answer == *b"HTTP" => Err(ClientHandshakeError::Http),
            _ if answer == [0; 4] => Err(ClientHandshakeError::NoCommonVersion),
            Some(version) if answer[..2] == [0, 0] => Ok(Agreement {
                version,
                manifest: false,
            }),
            _ => Err(ClientHandshakeError::NotProposed { answer }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        proposal: Proposal,
        mut answer: &[u8],
    ) -> (Result<Option<Agreement>, ClientHandshakeError>, Vec<u8>) {
        let mut out = Vec::new();
        let mut handshake = ClientHandshake::new(proposal, &mut out);
        out.clear();
        (handshake.advance(&mut answer, &mut out), out)
    }

    #[test]
    fn a_server_without_manifest_is_understood() {
        let (agreed, out) = run(Proposal::Newest, &[0, 0, 4, 4]);
        assert_eq!(
            agreed,
            Ok(Some(Agreement {
                version: Version::V4_4,
                manifest: false
            }))
        );
        assert!(out.is_empty());
    }

    #[test]
    fn the_newest_common_version_of_a_manifest_is_chosen() {
        let manifest = [
            0, 0, 1, 0xFF, 3, 0, 0, 9, 7, 0, 3, 3, 5, 0, 2, 8, 5, 0x81, 0,
        ];
        let (agreed, out) = run(Proposal::Newest, &manifest);
        assert_eq!(agreed.unwrap().unwrap().version, Version::V5_8);
        assert_eq!(out, [0, 0, 8, 5, 0]);
    }

    #[test]
    fn a_manifest_of_strangers_is_answered_with_zeros() {
        let (agreed, out) = run(Proposal::Newest, &[0, 0, 1, 0xFF, 1, 0, 0, 9, 7, 0]);
        assert_eq!(agreed, Err(ClientHandshakeError::NoCommonVersion));
        assert_eq!(out, [0; 5]);
    }

    #[test]
    fn wrong_answers_are_told_apart() {
        let exactly = Proposal::Exactly(Version::V5_4);
        for (answer, error) in [
            (b"HTTP", ClientHandshakeError::Http),
            (&[0; 4], ClientHandshakeError::NoCommonVersion),
            (
                &[0, 0, 3, 5],
                ClientHandshakeError::NotProposed {
                    answer: [0, 0, 3, 5],
                },
            ),
            (
                &MANIFEST_V1,
                ClientHandshakeError::NotProposed {
                    answer: MANIFEST_V1,
                },
            ),
        ] {
            assert_eq!(run(exactly, answer).0, Err(error));
        }
        for count in [&[0][..], &[0x81, 0x02], &[0xFF; 10]] {
            let answer = [&MANIFEST_V1, count].concat();
            assert_eq!(
                run(Proposal::Newest, &answer).0,
                Err(ClientHandshakeError::MalformedManifest)
            );
        }
    }
}
