//! The bytes of a replication link: what a MAIN and a replica say to each other inside TLS.
//!
//! Owns the messages, their layout and the decoder of a stream of them; called by the links. Always: the decoder holds
//! at most one unfinished message, never asks for more memory than has arrived plus what a verified header
//! announces, and after an error gives nothing more. What the messages mean is decided in [`crate::machine`].
//!
//! A message, integers little-endian:
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 4 | length of what follows the kind |
//! | 4 | 1 | kind, see [`Message`] |
//! | 5 | … | fields |
//!
//! A `Group` is `mark: u64`, then the group's own bytes as `quoit_log::group` draws them, so that the shared
//! bytes are sent as they are behind a head of [`GROUP_HEAD`] bytes.

use bytes::{Bytes, BytesMut};
use quoit_log::{Chain, CommitSeq, Group, GroupError, GroupSeq, Incarnation, LogPosition, Term};

use crate::codec::{Malformed, Reader, Writer};
use crate::durability::DurabilityWord;
use crate::identity::{ClusterId, NodeId};

/// The oldest and the newest version of this page that this server speaks.
/// Version 2 added the replica's durability to its welcome; a main of version 1 would not look at it.
pub const VERSIONS: VersionRange = VersionRange { min: 2, max: 2 };

/// Bytes before the group's own in a `Group` message: length, kind, mark.
pub const GROUP_HEAD: usize = 13;

/// The longest message that is no group, in bytes after the kind. It is also all that a peer can make this
/// node keep before its hello was accepted.
pub const PLAIN_LEN_MAX: usize = 1024;

/// The longest explanation in a refusal, in bytes.
pub const REFUSAL_LEN_MAX: usize = 400;

const MAGIC: [u8; 8] = *b"QUOITLNK";
const HEAD: usize = 5;

/// A closed range of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// Oldest.
    pub min: u16,
    /// Newest.
    pub max: u16,
}

impl VersionRange {
    /// The newest version in both ranges.
    pub fn common(self, other: VersionRange) -> Option<u16> {
        let newest = self.max.min(other.max);
        (newest >= self.min.max(other.min)).then_some(newest)
    }
}

/// Everything that travels on a link.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// MAIN → replica, first on lane 0.
    Hello(Hello),
    /// MAIN → replica, first on every other lane.
    Join {
        /// Of the hello.
        session: u64,
        /// 1, 2, … below the hello's number of lanes.
        lane: u16,
    },
    /// MAIN → replica: what is your position at this group?
    Probe(GroupSeq),
    /// MAIN → replica: the history is common up to `after`; drop what lies above it; groups follow.
    Begin {
        /// The cluster, for a replica that was empty.
        cluster: ClusterId,
        /// The last common position.
        after: LogPosition,
    },
    /// MAIN → replica: a group, and up to where the MAIN has published.
    Group {
        /// The MAIN's durable mark.
        mark: GroupSeq,
        /// The next piece of history.
        group: Group,
    },
    /// MAIN → replica: up to where the MAIN has published.
    Mark(GroupSeq),
    /// MAIN → replica: are you there? Answered by `Alive` on the same lane.
    Ping,
    /// Replica → MAIN: the answer to a hello.
    Welcome(Welcome),
    /// Replica → MAIN: the other answer to a hello or a join; the replica then closes.
    Refused {
        /// Why.
        code: RefusalCode,
        /// The newest term the replica knows, none as [`Term::NONE`].
        term: Term,
        /// Why, in words.
        text: String,
    },
    /// Replica → MAIN: the answer to a probe; `None` if the replica's log does not hold that group.
    Position(Option<LogPosition>),
    /// Replica → MAIN: the answer to `Begin`, once nothing lies above the common position.
    Started,
    /// Replica → MAIN: the answer to a join.
    Joined,
    /// Replica → MAIN: what it has.
    Ack(Ack),
    /// Replica → MAIN: the answer to `Ping`.
    Alive,
}

/// Why the MAIN calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// REGISTER REPLICA: obey me from now on.
    Register,
    /// The replica already obeys me.
    Resume,
}

/// The MAIN presents itself. Term, incarnation and node can be forged only by who holds the key that TLS has
/// proven, which the replica has pinned.
#[derive(Clone, Debug, PartialEq)]
pub struct Hello {
    /// What the MAIN speaks.
    pub versions: VersionRange,
    /// Why it calls.
    pub purpose: Purpose,
    /// That it knows the cluster, without saying its id to a stranger: see [`crate::identity::membership_proof`].
    pub proof: [u8; 32],
    /// Who it is.
    pub node: NodeId,
    /// Its reign.
    pub term: Term,
    /// Its start.
    pub incarnation: Incarnation,
    /// Drawn for this session.
    pub session: u64,
    /// How many connections the session will have, this one included.
    pub lanes: u16,
}

/// The replica presents itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Welcome {
    /// The version chosen.
    pub version: u16,
    /// Who it is.
    pub node: NodeId,
    /// It has no data and no cluster, and takes the MAIN's.
    pub empty: bool,
    /// What it has on its disk.
    pub durable: LogPosition,
    /// What its readers see.
    pub visible: GroupSeq,
    /// Where it speaks Bolt, on the host of its endpoint; for routing tables.
    pub bolt_port: u16,
    /// What its log runs with: how much an acknowledgement is worth.
    pub durability: DurabilityWord,
}

/// One triple, always a prefix without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Of the last durable group.
    pub term: Term,
    /// Of the last durable group.
    pub incarnation: Incarnation,
    /// On disk up to here.
    pub durable: GroupSeq,
    /// The last commit in or before `durable`.
    pub commit: CommitSeq,
    /// Visible up to here.
    pub visible: GroupSeq,
}

/// Why a replica refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum RefusalCode {
    /// No common version.
    Version = 1,
    /// It is not a replica.
    NotReplica = 2,
    /// It knows a newer term, or an equal counter with another id: the caller is to be fenced.
    NewerTerm = 3,
    /// It belongs to another cluster, or has data and belongs to none.
    Foreign = 4,
    /// It obeys another MAIN, which has not been replaced by REGISTER.
    OtherMain = 5,
    /// The key is not the one it has pinned.
    Key = 6,
    /// The session of a join is not the one that runs.
    Session = 7,
    /// The peer said something that cannot be said then.
    Protocol = 8,
    /// It cannot store or apply; the words say what.
    Broken = 9,
    /// The caller is this node itself, or a copy of its data directory.
    SameNode = 10,
    /// It shows more than the MAIN has.
    Ahead = 11,
}

impl RefusalCode {
    fn from_u8(code: u8) -> Option<RefusalCode> {
        use RefusalCode::*;
        [
            Version, NotReplica, NewerTerm, Foreign, OtherMain, Key, Session, Protocol, Broken,
            SameNode, Ahead,
        ]
        .into_iter()
        .find(|c| *c as u8 == code)
    }
}

/// Bytes that are no message. The link is closed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// Not this protocol.
    #[error("not a replication link: it does not begin with a hello")]
    Stranger,
    /// A length beyond what is allowed now.
    #[error("message of kind {kind} announces {len} bytes, at most {max} are allowed here")]
    TooLong {
        /// Its kind.
        kind: u8,
        /// What it announces.
        len: usize,
        /// What is allowed.
        max: usize,
    },
    /// A kind this version does not know.
    #[error("message of unknown kind {0}")]
    Kind(u8),
    /// A field.
    #[error("message of kind {kind}: {error}")]
    Field {
        /// Its kind.
        kind: u8,
        /// Which, and where.
        error: Malformed,
    },
    /// The group inside.
    #[error(transparent)]
    Group(#[from] GroupError),
}

impl Message {
    fn kind(&self) -> u8 {
        match self {
            Message::Hello(_) => 1,
            Message::Join { .. } => 2,
            Message::Probe(_) => 3,
            Message::Begin { .. } => 4,
            Message::Group { .. } => KIND_GROUP,
            Message::Mark(_) => 6,
            Message::Ping => 7,
            Message::Welcome(_) => 65,
            Message::Refused { .. } => 66,
            Message::Position(_) => 67,
            Message::Started => 68,
            Message::Joined => 69,
            Message::Ack(_) => 70,
            Message::Alive => 71,
        }
    }

    /// The message's bytes. For a `Group` the links send [`group_head`] and the group's shared bytes instead.
    pub fn encode(&self) -> Vec<u8> {
        if let Message::Group { mark, group } = self {
            let mut bytes = group_head(*mark, group).to_vec();
            bytes.extend_from_slice(group.bytes());
            return bytes;
        }
        let mut w = Writer::new(vec![0, 0, 0, 0, self.kind()]);
        match self {
            Message::Hello(hello) => {
                w.fixed(&MAGIC);
                w.u16(hello.versions.min);
                w.u16(hello.versions.max);
                w.u8(match hello.purpose {
                    Purpose::Register => 1,
                    Purpose::Resume => 2,
                });
                w.fixed(&hello.proof);
                w.u128(hello.node.0);
                w.term(hello.term);
                incarnation(&mut w, hello.incarnation);
                w.u64(hello.session);
                w.u16(hello.lanes);
            }
            Message::Join { session, lane } => {
                w.fixed(&MAGIC);
                w.u64(*session);
                w.u16(*lane);
            }
            Message::Probe(group) | Message::Mark(group) => w.u64(group.0),
            Message::Begin { cluster, after } => {
                w.u128(cluster.0);
                position(&mut w, after);
            }
            Message::Welcome(welcome) => {
                w.u16(welcome.version);
                w.u128(welcome.node.0);
                w.bool(welcome.empty);
                position(&mut w, &welcome.durable);
                w.u64(welcome.visible.0);
                w.u16(welcome.bolt_port);
                w.u8(welcome.durability as u8);
            }
            Message::Refused { code, term, text } => {
                w.u8(*code as u8);
                w.term(*term);
                w.bytes(&text.as_bytes()[..text.floor_char_boundary(REFUSAL_LEN_MAX)]);
            }
            Message::Position(found) => w.option(found.as_ref(), position),
            Message::Ack(ack) => {
                w.term(ack.term);
                incarnation(&mut w, ack.incarnation);
                w.u64(ack.durable.0);
                w.u64(ack.commit.0);
                w.u64(ack.visible.0);
            }
            Message::Ping | Message::Started | Message::Joined | Message::Alive => {}
            Message::Group { .. } => unreachable!("returned above"),
        }
        let mut bytes = w.into_bytes();
        let len = u32::try_from(bytes.len() - HEAD).expect("plain messages are short");
        bytes[..4].copy_from_slice(&len.to_le_bytes());
        bytes
    }

    fn decode(kind: u8, fields: Bytes) -> Result<Message, DecodeError> {
        let mut r = Reader::new(&fields);
        if kind == KIND_GROUP {
            let mark = GroupSeq(
                r.u64()
                    .map_err(|error| DecodeError::Field { kind, error })?,
            );
            let body = fields.slice(8..);
            let group = Group::parse(&body)?;
            if group.bytes().len() != body.len() {
                let error = Malformed {
                    what: "bytes after the group",
                    offset: 8 + group.bytes().len(),
                };
                return Err(DecodeError::Field { kind, error });
            }
            return Ok(Message::Group { mark, group });
        }
        let message =
            decode_plain(kind, &mut r).map_err(|error| DecodeError::Field { kind, error })?;
        let message = message.ok_or(DecodeError::Kind(kind))?;
        r.finish()
            .map_err(|error| DecodeError::Field { kind, error })?;
        Ok(message)
    }
}

const KIND_GROUP: u8 = 5;

fn decode_plain(kind: u8, r: &mut Reader<'_>) -> Result<Option<Message>, Malformed> {
    Ok(Some(match kind {
        1 => {
            magic(r)?;
            let versions = VersionRange {
                min: r.u16()?,
                max: r.u16()?,
            };
            let purpose = match r.u8()? {
                1 => Purpose::Register,
                2 => Purpose::Resume,
                _ => return Err(r.malformed("purpose")),
            };
            Message::Hello(Hello {
                versions,
                purpose,
                proof: r.fixed()?,
                node: NodeId(r.u128()?),
                term: r.term()?,
                incarnation: read_incarnation(r)?,
                session: r.u64()?,
                lanes: r.u16()?,
            })
        }
        2 => {
            magic(r)?;
            Message::Join {
                session: r.u64()?,
                lane: r.u16()?,
            }
        }
        3 => Message::Probe(GroupSeq(r.u64()?)),
        4 => Message::Begin {
            cluster: ClusterId(r.u128()?),
            after: read_position(r)?,
        },
        6 => Message::Mark(GroupSeq(r.u64()?)),
        7 => Message::Ping,
        65 => Message::Welcome(Welcome {
            version: r.u16()?,
            node: NodeId(r.u128()?),
            empty: r.bool()?,
            durable: read_position(r)?,
            visible: GroupSeq(r.u64()?),
            bolt_port: r.u16()?,
            durability: DurabilityWord::from_u8(r.u8()?).ok_or(r.malformed("durability"))?,
        }),
        66 => Message::Refused {
            code: RefusalCode::from_u8(r.u8()?).ok_or(r.malformed("refusal code"))?,
            term: r.term()?,
            text: r.text(REFUSAL_LEN_MAX)?.to_owned(),
        },
        67 => Message::Position(r.option(read_position)?),
        68 => Message::Started,
        69 => Message::Joined,
        70 => Message::Ack(Ack {
            term: r.term()?,
            incarnation: read_incarnation(r)?,
            durable: GroupSeq(r.u64()?),
            commit: CommitSeq(r.u64()?),
            visible: GroupSeq(r.u64()?),
        }),
        71 => Message::Alive,
        _ => return Ok(None),
    }))
}

/// What precedes a group's shared bytes on a link.
pub fn group_head(mark: GroupSeq, group: &Group) -> [u8; GROUP_HEAD] {
    let len =
        u32::try_from(8 + group.bytes().len()).expect("a group's length is bounded by the log");
    let mut head = [0; GROUP_HEAD];
    head[..4].copy_from_slice(&len.to_le_bytes());
    head[4] = KIND_GROUP;
    head[5..].copy_from_slice(&mark.0.to_le_bytes());
    head
}

fn magic(r: &mut Reader<'_>) -> Result<(), Malformed> {
    if r.fixed::<8>()? == MAGIC {
        Ok(())
    } else {
        Err(r.malformed("magic"))
    }
}

fn incarnation(w: &mut Writer, incarnation: Incarnation) {
    w.u64(incarnation.number);
    w.u64(incarnation.id);
}

fn read_incarnation(r: &mut Reader<'_>) -> Result<Incarnation, Malformed> {
    Ok(Incarnation {
        number: r.u64()?,
        id: r.u64()?,
    })
}

fn position(w: &mut Writer, position: &LogPosition) {
    w.term(position.term);
    incarnation(w, position.incarnation);
    w.u64(position.group.0);
    w.u64(position.commit.0);
    w.u64(position.chain.0);
}

fn read_position(r: &mut Reader<'_>) -> Result<LogPosition, Malformed> {
    Ok(LogPosition {
        term: r.term()?,
        incarnation: read_incarnation(r)?,
        group: GroupSeq(r.u64()?),
        commit: CommitSeq(r.u64()?),
        chain: Chain(r.u64()?),
    })
}

/// What a peer may send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Only a hello or a join: nothing is known of the peer.
    Greeting,
    /// Any message but groups.
    Plain,
    /// Groups too: the hello was accepted.
    Groups,
}

/// Cuts a stream of bytes into messages.
pub struct Decoder {
    buffer: BytesMut,
    admission: Admission,
    failed: bool,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new(admission: Admission) -> Decoder {
        Decoder {
            buffer: BytesMut::new(),
            admission,
            failed: false,
        }
    }

    /// What may come from now on; messages already buffered are judged by it too.
    pub fn admit(&mut self, admission: Admission) {
        self.admission = admission;
    }

    /// Takes in what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes held.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next message; `None` when its end has not arrived.
    pub fn next_message(&mut self) -> Result<Option<Message>, DecodeError> {
        if self.failed {
            return Err(DecodeError::Stranger);
        }
        let result = self.take();
        if result.is_err() {
            self.failed = true;
            self.buffer = BytesMut::new();
        }
        result
    }

    fn take(&mut self) -> Result<Option<Message>, DecodeError> {
        let Some(&[a, b, c, d, kind]) = self.buffer.first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        if self.admission == Admission::Greeting {
            // Garbage is recognised by its first bytes, whatever length they would announce.
            let greeting = matches!(kind, 1 | 2) && len <= PLAIN_LEN_MAX;
            let seen = &self.buffer[HEAD..self.buffer.len().min(HEAD + MAGIC.len())];
            if !greeting || !MAGIC.starts_with(seen) {
                return Err(DecodeError::Stranger);
            }
        }
        if kind == KIND_GROUP && self.admission == Admission::Groups {
            // The group's own header is checksummed: an announced length is believed only from there.
            if self.buffer.len() >= GROUP_HEAD {
                match Group::len_from_header(&self.buffer[GROUP_HEAD..])? {
                    None => return Ok(None),
                    Some(group_len) if group_len + 8 != len => {
                        return Err(DecodeError::TooLong {
                            kind,
                            len,
                            max: group_len + 8,
                        });
                    }
                    Some(_) => {}
                }
            }
        } else if len > PLAIN_LEN_MAX || kind == KIND_GROUP {
            return Err(DecodeError::TooLong {
                kind,
                len,
                max: PLAIN_LEN_MAX,
            });
        }
        if self.buffer.len() < HEAD + len {
            return Ok(None);
        }
        let mut message = self.buffer.split_to(HEAD + len).freeze();
        let fields = message.split_off(HEAD);
        Message::decode(kind, fields).map(Some)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use quoit_log::frame::finish_frame;
    use quoit_log::group::Forming;

    use super::*;

    pub(crate) fn group_after(after: LogPosition, payload: &[u8]) -> Group {
        let term = Term { counter: 1, id: 11 };
        let incarnation = Incarnation { number: 1, id: 12 };
        let mut buffer = vec![0; quoit_log::FRAME_HEADER];
        buffer.extend_from_slice(payload);
        Group::form(
            &Forming {
                after,
                term,
                incarnation,
            },
            &[finish_frame(buffer)],
            1,
        )
    }

    fn some_position() -> LogPosition {
        LogPosition {
            term: Term { counter: 3, id: 4 },
            incarnation: Incarnation { number: 5, id: 6 },
            group: GroupSeq(7),
            commit: CommitSeq(8),
            chain: Chain(9),
        }
    }

    fn one_of_each() -> Vec<Message> {
        vec![
            Message::Hello(Hello {
                versions: VERSIONS,
                purpose: Purpose::Register,
                proof: [3; 32],
                node: NodeId(5),
                term: Term { counter: 1, id: 2 },
                incarnation: Incarnation { number: 3, id: 4 },
                session: 77,
                lanes: 2,
            }),
            Message::Join {
                session: 77,
                lane: 1,
            },
            Message::Probe(GroupSeq(4)),
            Message::Begin {
                cluster: ClusterId(1),
                after: some_position(),
            },
            Message::Group {
                mark: GroupSeq(6),
                group: group_after(LogPosition::EMPTY, b"deltas"),
            },
            Message::Mark(GroupSeq(9)),
            Message::Ping,
            Message::Welcome(Welcome {
                version: 2,
                node: NodeId(8),
                empty: true,
                durable: some_position(),
                visible: GroupSeq(6),
                bolt_port: 7687,
                durability: DurabilityWord::Interval,
            }),
            Message::Refused {
                code: RefusalCode::Key,
                term: Term::NONE,
                text: "why".into(),
            },
            Message::Position(None),
            Message::Position(Some(some_position())),
            Message::Started,
            Message::Joined,
            Message::Ack(Ack {
                term: Term { counter: 1, id: 2 },
                incarnation: Incarnation { number: 3, id: 4 },
                durable: GroupSeq(5),
                commit: CommitSeq(6),
                visible: GroupSeq(4),
            }),
            Message::Alive,
        ]
    }

    #[test]
    fn every_message_arrives_as_it_was_sent_whatever_the_cuts() {
        let messages = one_of_each();
        let stream: Vec<u8> = messages.iter().flat_map(Message::encode).collect();
        for step in [1, 2, 3, 7, 64, stream.len()] {
            let mut decoder = Decoder::new(Admission::Groups);
            let mut arrived = Vec::new();
            for piece in stream.chunks(step) {
                decoder.push(piece);
                while let Some(message) = decoder.next_message().unwrap() {
                    arrived.push(message);
                }
            }
            assert_eq!(arrived, messages);
            assert_eq!(decoder.buffered(), 0);
        }
    }

    #[test]
    fn every_cut_short_field_and_every_extra_byte_is_an_error_with_an_offset() {
        for message in one_of_each() {
            let bytes = message.encode();
            let kind = bytes[4];
            let fields = Bytes::copy_from_slice(&bytes[HEAD..]);
            for len in 0..fields.len() {
                assert!(
                    Message::decode(kind, fields.slice(..len)).is_err(),
                    "{message:?} cut at {len}"
                );
            }
            let longer = [&fields[..], &[0]].concat();
            assert!(
                Message::decode(kind, longer.into()).is_err(),
                "{message:?} with a byte too many"
            );
        }
    }

    #[test]
    fn before_a_hello_nothing_but_a_short_greeting_is_kept() {
        let garbage: [&[u8]; 5] = [
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x60\x60\xb0\x17\x00\x00\x04\x04",
            &[0xff; 64],
            &Message::Mark(GroupSeq(1)).encode(),
            &[20, 0, 0, 0, 1, b'Q', b'U', b'O', b'T'],
        ];
        for bytes in garbage {
            let mut decoder = Decoder::new(Admission::Greeting);
            decoder.push(bytes);
            assert_eq!(
                decoder.next_message(),
                Err(DecodeError::Stranger),
                "{bytes:02x?}"
            );
            decoder.push(&one_of_each()[0].encode());
            assert_eq!(
                decoder.next_message(),
                Err(DecodeError::Stranger),
                "after an error nothing is taken"
            );
        }
    }

    #[test]
    fn a_length_is_not_believed_before_the_header_of_its_group() {
        let mut head = group_head(GroupSeq(1), &group_after(LogPosition::EMPTY, b"x")).to_vec();
        head[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut decoder = Decoder::new(Admission::Plain);
        decoder.push(&head);
        assert!(matches!(
            decoder.next_message(),
            Err(DecodeError::TooLong { .. })
        ));
        let mut decoder = Decoder::new(Admission::Groups);
        decoder.push(&head);
        decoder.push(group_after(LogPosition::EMPTY, b"x").bytes());
        assert!(matches!(
            decoder.next_message(),
            Err(DecodeError::TooLong { .. })
        ));
    }

    #[test]
    fn the_newest_common_version_is_chosen() {
        let range = |min, max| VersionRange { min, max };
        assert_eq!(range(1, 3).common(range(2, 5)), Some(3));
        assert_eq!(range(1, 1).common(range(1, 1)), Some(1));
        assert_eq!(range(1, 1).common(range(2, 2)), None);
    }
}
