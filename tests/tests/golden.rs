//! The format promise: what version 1 wrote is read for ever, and is still what is written.
//!
//! `tests/golden/version-1` has each form as text: an offset and up to 32 bytes a line, lines of zeros left out. Written anew only by
//! `QUOIT_WRITE_GOLDEN=1 cargo test -p quoit-tests --test golden`, for a form that did not exist before.

use bytes::Bytes;
use quoit_graph::delta::{Delta, DeltaWriter, Deltas, NameKind};
use quoit_graph::ids::{CommitSeq, EdgeId, KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::codec::{Properties, encode_properties};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{ConstraintDefinition, IndexDefinition};
use quoit_log::check::check;
use quoit_log::frame::{finish_frame, opening_frame};
use quoit_log::group::Forming;
use quoit_log::recovery::Decision;
use quoit_log::segment::{BLOCK, LocalPart, LogId, Marks, RecordKind, SegmentNumber, record_bytes};
use quoit_log::snapshot::layout::{
    BlockHeader, END, decode_manifest, encode_manifest, encode_part,
};
use quoit_log::snapshot::{PartSummary, SnapshotHead, offline};
use quoit_log::{
    Chain, FRAME_HEADER, Group, GroupSeq, Incarnation, LogPosition, OpeningReason, Term,
};
use quoit_replication::message::{
    Ack, Admission, Decoder, Hello, Message, Purpose, RefusalCode, VersionRange, Welcome,
};
use quoit_replication::{ClusterId, NodeId, durability::DurabilityWord};
use std::path::PathBuf;

const LOG: LogId = LogId(0x0102_0304_0506_0708);
const TERM: Term = Term {
    counter: 1,
    id: 0x1111_2222_3333_4444,
};
const INCARNATION: Incarnation = Incarnation {
    number: 1,
    id: 0x5555_6666_7777_8888,
};

fn path(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/version-1");
    directory.join(format!("{name}.txt"))
}

fn text_of(bytes: &[u8]) -> String {
    let mut text = format!("{} bytes\n", bytes.len());
    for (at, line) in bytes.chunks(32).enumerate() {
        if line.iter().any(|byte| *byte != 0) {
            let hex: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
            text.push_str(&format!("{:08x} {hex}\n", at * 32));
        }
    }
    text
}

fn bytes_of(text: &str) -> Vec<u8> {
    let mut lines = text.lines();
    let len = lines.next().and_then(|line| line.strip_suffix(" bytes"));
    let mut bytes = vec![0; len.and_then(|len| len.parse().ok()).expect("the length")];
    for line in lines {
        let (at, hex) = line.split_once(' ').expect("offset and bytes");
        let at = usize::from_str_radix(at, 16).expect("an offset");
        for (n, digits) in hex.as_bytes().chunks(2).enumerate() {
            let digits = std::str::from_utf8(digits).expect("digits");
            bytes[at + n] = u8::from_str_radix(digits, 16).expect("a byte");
        }
    }
    bytes
}

/// What was kept under a name, which is what is written today.
fn golden(name: &str, written: &[u8]) -> Vec<u8> {
    if std::env::var_os("QUOIT_WRITE_GOLDEN").is_some() && !path(name).exists() {
        std::fs::write(path(name), text_of(written)).expect("the directory is there");
    }
    let kept = std::fs::read_to_string(path(name)).expect("a golden file");
    let kept = bytes_of(&kept);
    assert_eq!(
        text_of(&kept),
        text_of(written),
        "{name} is written otherwise"
    );
    kept
}

/// One of every delta.
fn deltas() -> Vec<u8> {
    let mut out = Vec::new();
    let properties = |pairs: &[(u32, Value)]| {
        let pairs: Vec<(KeyId, Value)> =
            pairs.iter().map(|(k, v)| (KeyId(*k), v.clone())).collect();
        let mut bytes = Vec::new();
        encode_properties(&pairs, &mut bytes).expect("they can be stored");
        bytes
    };
    let all = properties(&[
        (0, Value::Bool(true)),
        (1, Value::Int(-300)),
        (2, Value::Float(1.5)),
        (3, Value::string("text")),
        (4, Value::list(vec![Value::Int(1), Value::string("two")])),
    ]);
    let one = properties(&[(1, Value::Int(7))]);
    let check = |bytes| Properties::check(bytes, true).expect("they were encoded");
    let edge = Edge {
        id: EdgeId::new(VertexId(1025), 3),
        target: VertexId(2),
        type_: TypeId(4),
    };
    let mut writer = DeltaWriter::new(&mut out);
    writer.define_name(NameKind::Label, 0, "Label");
    writer.define_name(NameKind::Type, 4, "TYPE");
    writer.define_name(NameKind::Key, 1, "key");
    writer.create_vertex(VertexId(1025), &[LabelId(0)], check(&all));
    writer.set_vertex_labels(VertexId(1025), &[LabelId(5)], &[LabelId(0)]);
    writer.set_vertex_properties(VertexId(1025), check(&one));
    writer.create_edge(edge, check(&one));
    writer.set_edge_properties(edge, check(&all));
    writer.delete_edge(edge);
    writer.delete_vertex(VertexId(1025));
    let index = IndexDefinition::on_label(LabelId(0), &[KeyId(1), KeyId(2)]);
    writer.create_index(&index, Some("by_key"));
    writer.drop_index(&index);
    let unique = ConstraintDefinition::Unique {
        label: LabelId(0),
        keys: [KeyId(1)].into_iter().collect(),
    };
    writer.create_constraint(&unique, None);
    writer.drop_constraint(&unique);
    writer.setting("name", b"value");
    out
}

fn frame() -> Bytes {
    let mut buffer = vec![0; FRAME_HEADER];
    buffer.extend_from_slice(&deltas());
    finish_frame(buffer)
}

fn groups() -> Vec<Group> {
    let forming = |after| Forming {
        after,
        term: TERM,
        incarnation: INCARNATION,
    };
    let opening = opening_frame(OpeningReason::Founding, 1_700_000_000_000);
    let first = Group::form(&forming(LogPosition::EMPTY), &[opening], 0);
    let second = Group::form(&forming(first.position()), &[frame(), frame()], 2);
    vec![first, second]
}

fn segment() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |kind, payload: &[u8], len, marks| {
        let local = LocalPart {
            kind,
            segment: SegmentNumber(1),
            log_id: LOG,
            marks,
            payload_bytes: len,
        };
        let start = bytes.len();
        bytes.extend_from_slice(&local.encode());
        bytes.extend_from_slice(payload);
        bytes.resize(start + record_bytes(payload.len()), 0);
    };
    let groups = groups();
    put(RecordKind::Segment, &[], 6 * BLOCK as u64, Marks::default());
    for group in &groups {
        put(
            RecordKind::Group,
            group.bytes(),
            group.bytes().len() as u64,
            Marks::default(),
        );
    }
    let last = groups[1].position();
    let marks = Marks {
        durable: last.group,
        durable_chain: last.chain,
        published: last.group,
    };
    put(RecordKind::Mark, &[], 0, marks);
    bytes.resize(6 * BLOCK, 0);
    bytes
}

#[test]
fn deltas_of_version_1_are_read() {
    let kept = golden("deltas", &deltas());
    let read: Vec<Delta<'_>> = Deltas::new(&kept)
        .map(|delta| delta.expect("a delta"))
        .collect();
    assert_eq!(read.len(), 15);
    assert!(matches!(
        read[0],
        Delta::DefineName {
            id: 0,
            name: "Label",
            ..
        }
    ));
    assert!(
        matches!(&read[3], Delta::CreateVertex { id: VertexId(1025), properties, .. }
        if properties.get(KeyId(1)).is_some_and(|value| value.is(&Value::Int(-300))))
    );
    assert!(matches!(
        read[14],
        Delta::Setting {
            name: "name",
            value: b"value"
        }
    ));
}

#[test]
fn a_segment_of_version_1_is_read() {
    let kept = golden("segment", &segment());
    let mut positions = Vec::new();
    let segments = [(SegmentNumber(1), Bytes::from(kept))];
    let verdict = check(&segments, |group| positions.push(group.position()));
    assert_eq!(verdict.decision, Decision::Clean);
    assert_eq!(
        (verdict.groups, verdict.frames, verdict.log_id),
        (2, 2, LOG)
    );
    assert_eq!(verdict.position.commit, CommitSeq(2));
    assert_eq!(
        positions,
        groups().iter().map(Group::position).collect::<Vec<_>>()
    );
}

fn head() -> SnapshotHead {
    SnapshotHead {
        id: 0x0a0b_0c0d_0e0f_1011,
        log_id: LOG.0,
        unix_ms: 1_700_000_000_000,
        position: LogPosition {
            term: TERM,
            incarnation: INCARNATION,
            group: GroupSeq(2),
            commit: CommitSeq(2),
            chain: Chain(0x2122_2324_2526_2728),
        },
        commit: CommitSeq(3),
        parts: 1,
    }
}

fn part() -> (Vec<u8>, PartSummary) {
    let head = head();
    let mut bytes = encode_part(head.id, 0, head.commit).to_vec();
    let mut checksums = Vec::new();
    for (number, (kind, payload)) in [(1, &b"definitions"[..]), (2, b"vertices"), (END, b"")]
        .into_iter()
        .enumerate()
    {
        let header = BlockHeader::of(head.id, 0, kind, number as u32, payload);
        bytes.extend_from_slice(&header.encode());
        bytes.extend_from_slice(payload);
        checksums.extend_from_slice(&header.checksum.to_le_bytes());
    }
    let summary = PartSummary {
        part: 0,
        bytes: bytes.len() as u64,
        blocks: 3,
        checksum: crc32c::crc32c(&checksums),
    };
    (bytes, summary)
}

#[test]
fn a_snapshot_of_version_1_is_read() {
    let (bytes, summary) = part();
    let kept = golden("snapshot-part", &bytes);
    let checked = |summary: &PartSummary| {
        offline::check_part(&mut &kept[..], kept.len() as u64, &head(), summary)
    };
    checked(&summary).expect("it is whole");
    let other = PartSummary {
        checksum: summary.checksum ^ 1,
        ..summary
    };
    assert!(checked(&other).is_err(), "another checksum is noticed");
    let manifest = golden("snapshot-manifest", &encode_manifest(&head(), &[summary]));
    assert_eq!(decode_manifest(&manifest), Ok((head(), vec![summary])));
}

#[test]
fn messages_of_version_2_of_the_link_are_read() {
    let position = groups()[1].position();
    let messages = [
        Message::Hello(Hello {
            versions: VersionRange { min: 2, max: 2 },
            purpose: Purpose::Register,
            proof: [7; 32],
            node: NodeId(0x31),
            term: TERM,
            incarnation: INCARNATION,
            session: 9,
            lanes: 2,
        }),
        Message::Join {
            session: 9,
            lane: 1,
        },
        Message::Probe(GroupSeq(2)),
        Message::Begin {
            cluster: ClusterId(0x41),
            after: position,
        },
        Message::Group {
            mark: GroupSeq(1),
            group: groups()[1].clone(),
        },
        Message::Mark(GroupSeq(2)),
        Message::Ping,
        Message::Welcome(Welcome {
            version: 2,
            node: NodeId(0x51),
            empty: true,
            durable: position,
            visible: GroupSeq(1),
            bolt_port: 7687,
            durability: DurabilityWord::Commit,
        }),
        Message::Refused {
            code: RefusalCode::NewerTerm,
            term: TERM,
            text: "words".to_owned(),
        },
        Message::Position(Some(position)),
        Message::Position(None),
        Message::Started,
        Message::Joined,
        Message::Ack(Ack {
            term: TERM,
            incarnation: INCARNATION,
            durable: GroupSeq(2),
            commit: CommitSeq(2),
            visible: GroupSeq(1),
        }),
        Message::Alive,
    ];
    let bytes: Vec<u8> = messages.iter().flat_map(Message::encode).collect();
    let kept = golden("link", &bytes);
    let mut decoder = Decoder::new(Admission::Groups);
    decoder.push(&kept);
    for message in messages {
        assert_eq!(decoder.next_message().expect("a message"), Some(message));
    }
    assert_eq!(decoder.next_message(), Ok(None));
}
