//! Structures: the vectors of the Bolt page both ways, arities and tags by version, what is refused.

mod wire;

use quoit_protocol::packstream::{Limits, Packer, Struct, Value, decode};
use quoit_protocol::structure::{
    Edge, EdgeView, Element, Extended, PathPart, PathStep, StructureErrorKind, VectorElements,
    VertexView,
};
use quoit_protocol::{Version, WireFormat};
use wire::{hex, pack, pack_as};

const V4: WireFormat = WireFormat::new(Version::V4_4);
const V4_UTC: WireFormat = V4.with_utc_patch();
const V5: WireFormat = WireFormat::new(Version::V5_0);
const V6: WireFormat = WireFormat::new(Version::V6_0);

fn structure(bytes: &[u8]) -> Struct<'_> {
    match decode(bytes, &Limits::AFTER_LOGIN) {
        Ok(Value::Struct(structure)) => structure,
        other => panic!("a structure, not {other:?}"),
    }
}

/// Asserts that `write` gives these bytes in this format, and that they are read as `value`.
fn both_ways(
    format: WireFormat,
    text: &str,
    value: Extended<'_>,
    write: impl FnOnce(&mut Packer<'_>),
) {
    let bytes = hex(text);
    assert_eq!(pack_as(format, write), bytes, "{value:?}");
    assert_eq!(Extended::read(structure(&bytes), format), Ok(value));
}

fn person(packer: &mut Packer<'_>) {
    packer.vertex(7, ["P"], |map| map.int("a", 1));
}

#[test]
fn a_vertex_is_a_node_with_an_element_id_since_5_0() {
    let before = hex("B3 4E 07 91 81 50 A1 81 61 01");
    let since = hex("B4 4E 07 91 81 50 A1 81 61 01 81 37");
    for version in Version::SUPPORTED {
        let expected = if version >= Version::V5_0 {
            &since
        } else {
            &before
        };
        let bytes = pack(version, person);
        assert_eq!(&bytes, expected, "{version}");
        let Some(Element::Vertex(VertexView {
            id,
            labels,
            properties,
        })) = Element::read(structure(&bytes))
        else {
            panic!("a vertex");
        };
        assert_eq!(id, 7);
        assert!(labels.iter().eq([Value::String("P")]));
        assert_eq!(properties.get("a"), Some(Value::Int(1)));
    }
}

#[test]
fn an_edge_is_a_relationship_with_three_element_ids_since_5_0() {
    let write = |packer: &mut Packer<'_>| {
        packer.edge(
            Edge {
                id: 3,
                source: 7,
                target: 8,
                edge_type: "K",
            },
            |_| (),
        );
    };
    let before = hex("B5 52 03 07 08 81 4B A0");
    let since = hex("B8 52 03 07 08 81 4B A0 81 33 81 37 81 38");
    assert_eq!(pack_as(V4, write), before);
    assert_eq!(pack_as(V5, write), since);
    for bytes in [before, since] {
        assert!(matches!(
            Element::read(structure(&bytes)),
            Some(Element::Edge(EdgeView { id: 3, ends: Some((7, 8)), edge_type: "K", properties }))
                if properties.is_empty()
        ));
    }
}

#[test]
fn element_ids_are_decimal_numbers() {
    for id in [0, 9, 10, 1_234_567_890, i64::MAX, i64::MIN, -1] {
        let bytes = pack_as(V5, |packer| {
            packer.unbound_edge(id, "K", |_| ());
        });
        let fields: Vec<_> = structure(&bytes).fields().collect();
        assert_eq!(fields[0], Value::Int(id));
        assert_eq!(fields[3], Value::String(&id.to_string()));
    }
}

fn write_path(packer: &mut Packer<'_>, vertices: &[i64], edges: &[i64], steps: &[PathStep]) {
    packer.path(
        vertices.iter(),
        |packer, id| {
            packer.vertex(*id, [], |_| ());
        },
        edges.iter(),
        |packer, id| {
            packer.unbound_edge(*id, "K", |_| ());
        },
        steps.iter().copied(),
    );
}

#[test]
fn a_path_counts_its_edges_from_one_and_by_sign() {
    let step = |edge, against, vertex| PathStep {
        edge,
        against,
        vertex,
    };
    assert_eq!(
        pack_as(V4, |packer| write_path(
            packer,
            &[7, 8],
            &[3],
            &[step(0, false, 1)]
        )),
        hex("B3 50 92 B3 4E 07 90 A0 B3 4E 08 90 A0 91 B3 72 03 81 4B A0 92 01 01")
    );
    // (1)-[11]->(2)<-[12]-(3), back over 12 and 11, and 11 again.
    let steps = [
        step(0, false, 1),
        step(1, true, 2),
        step(1, false, 1),
        step(0, true, 0),
    ];
    for format in [V4, V5] {
        let bytes = pack_as(format, |packer| {
            write_path(packer, &[1, 2, 3], &[11, 12], &steps);
        });
        let Some(Element::Path(path)) = Element::read(structure(&bytes)) else {
            panic!("a path");
        };
        let indices: Vec<_> = path.indices.iter().filter_map(|i| i.as_int()).collect();
        assert_eq!(indices, [1, 1, -2, 2, 2, 1, -1, 0]);
        let mut walk = Vec::new();
        path.walk(|part| {
            walk.push(match part {
                PathPart::Vertex(vertex) => vertex.id,
                PathPart::Edge { edge, against } => {
                    if against {
                        -edge.id
                    } else {
                        edge.id
                    }
                }
            });
        })
        .expect("a consistent path");
        assert_eq!(walk, [1, 11, 2, -12, 3, 12, 2, -11, 1]);
    }
    let single = pack_as(V5, |packer| write_path(packer, &[5], &[], &[]));
    assert_eq!(single, hex("B3 50 91 B4 4E 05 90 A0 81 35 90 90"));
}

#[test]
fn an_inconsistent_path_is_not_walked() {
    for indices in [
        "92 00 00",
        "92 02 00",
        "92 01 02",
        "91 01",
        "92 01 FF",
        "92 CB 80 00 00 00 00 00 00 00 00",
    ] {
        let bytes = [
            hex("B3 50 91 B3 4E 07 90 A0 91 B3 72 03 81 4B A0"),
            hex(indices),
        ]
        .concat();
        let Some(Element::Path(path)) = Element::read(structure(&bytes)) else {
            panic!("a path");
        };
        assert_eq!(path.walk(|_| ()), None, "{indices}");
    }
}

/// 2024-01-02T03:04:05.6+02:00 in Kyiv.
const INSTANT: i64 = 0x6593_6105;
const NS: u32 = 600_000_000;
const KYIV: &str = "Europe/Kyiv";

#[test]
fn a_date_time_counts_the_instant_or_the_wall_clock_by_version_and_patch() {
    let with_offset = |packer: &mut Packer<'_>| packer.date_time(INSTANT, NS, 7200);
    let in_zone = |packer: &mut Packer<'_>| packer.zoned_date_time(INSTANT, NS, 7200, KYIV);
    let offset_value = Extended::DateTime {
        utc_seconds: INSTANT,
        ns: NS,
        offset_s: 7200,
    };
    let zone_value = Extended::ZonedDateTime {
        utc_seconds: INSTANT,
        ns: NS,
        zone: KYIV,
    };
    for format in [V5, V6, V4_UTC] {
        let text = "B3 49 CA 65 93 61 05 CA 23 C3 46 00 C9 1C 20";
        both_ways(format, text, offset_value, with_offset);
        let text = "B3 69 CA 65 93 61 05 CA 23 C3 46 00 8B 45 75 72 6F 70 65 2F 4B 79 69 76";
        both_ways(format, text, zone_value, in_zone);
    }
    for format in [V4, WireFormat::new(Version::V4_1)] {
        let text = "B3 46 CA 65 93 7D 25 CA 23 C3 46 00 C9 1C 20";
        both_ways(format, text, offset_value, with_offset);
        let text = "B3 66 CA 65 93 7D 25 CA 23 C3 46 00 8B 45 75 72 6F 70 65 2F 4B 79 69 76";
        let wall_clock = Extended::WallClockZoned {
            wall_seconds: INSTANT + 7200,
            ns: NS,
            zone: KYIV,
        };
        both_ways(format, text, wall_clock, in_zone);
    }
}

#[test]
fn a_date_time_in_the_other_counting_is_refused() {
    let legacy = hex("B3 46 00 00 00");
    let utc = hex("B3 49 00 00 00");
    for (format, bytes) in [(V5, &legacy), (V4_UTC, &legacy), (V4, &utc)] {
        let error = Extended::read(structure(bytes), format).unwrap_err();
        assert_eq!(error.kind, StructureErrorKind::NotInVersion);
    }
}

#[test]
fn other_times_and_points_both_ways() {
    both_ways(
        V5,
        "B2 64 CA 65 93 7D 25 CA 23 C3 46 00",
        Extended::LocalDateTime {
            seconds: INSTANT + 7200,
            ns: NS,
        },
        |packer| packer.local_date_time(INSTANT + 7200, NS),
    );
    both_ways(
        V5,
        "B1 44 C9 4D 0C",
        Extended::Date { days: 19_724 },
        |packer| {
            packer.date(19_724);
        },
    );
    let ns = ((3 * 60 + 4) * 60 + 5) * 1_000_000_000 + i64::from(NS);
    both_ways(
        V5,
        "B2 54 CB 00 00 0A 0B C1 10 78 00 C9 1C 20",
        Extended::Time { ns, offset_s: 7200 },
        |packer| packer.time(ns, 7200),
    );
    both_ways(
        V5,
        "B1 74 CB 00 00 0A 0B C1 10 78 00",
        Extended::LocalTime { ns },
        |packer| packer.local_time(ns),
    );
    both_ways(
        V5,
        "B4 45 0E 03 04 CA 1D CD 65 00",
        Extended::Duration {
            months: 14,
            days: 3,
            seconds: 4,
            ns: 500_000_000,
        },
        |packer| packer.duration(14, 3, 4, 500_000_000),
    );
    both_ways(
        V5,
        "B3 58 C9 10 E6 C1 3F F0 00 00 00 00 00 00 C1 40 00 00 00 00 00 00 00",
        Extended::Point2d {
            srid: 4326,
            x: 1.0,
            y: 2.0,
        },
        |packer| packer.point_2d(4326, 1.0, 2.0),
    );
    both_ways(
        V5,
        "B4 59 C9 13 73 C1 3F F0 00 00 00 00 00 00 C1 40 00 00 00 00 00 00 00 C1 00 00 00 00 00 00 00 00",
        Extended::Point3d {
            srid: 4979,
            x: 1.0,
            y: 2.0,
            z: 0.0,
        },
        |packer| packer.point_3d(4979, 1.0, 2.0, 0.0),
    );
}

#[test]
fn a_vector_is_a_structure_since_6_0_and_a_list_before() {
    let text = "B2 56 CC 01 C6 CC 08 3F 80 00 00 40 00 00 00";
    let write = |packer: &mut Packer<'_>| packer.vector(VectorElements::F32(&[1.0, 2.0]));
    assert_eq!(pack_as(V6, write), hex(text));
    let bytes = hex(text);
    let Ok(Extended::Vector(vector)) = Extended::read(structure(&bytes), V6) else {
        panic!("a vector");
    };
    assert_eq!((vector.element_marker(), vector.len()), (0xC6, 2));
    assert_eq!(vector.data(), &bytes[7..]);
    assert_eq!(
        Extended::read(structure(&bytes), V5).unwrap_err().kind,
        StructureErrorKind::NotInVersion
    );
    assert_eq!(
        pack_as(V5, write),
        hex("92 C1 3F F0 00 00 00 00 00 00 C1 40 00 00 00 00 00 00 00")
    );
    for (elements, text) in [
        (VectorElements::I8(&[-1]), "B2 56 CC 01 C8 CC 01 FF"),
        (VectorElements::I16(&[-1]), "B2 56 CC 01 C9 CC 02 FF FF"),
        (
            VectorElements::I32(&[1]),
            "B2 56 CC 01 CA CC 04 00 00 00 01",
        ),
        (VectorElements::I64(&[]), "B2 56 CC 01 CB CC 00"),
        (
            VectorElements::F64(&[1.0]),
            "B2 56 CC 01 C1 CC 08 3F F0 00 00 00 00 00 00",
        ),
    ] {
        assert_eq!(pack_as(V6, |packer| packer.vector(elements)), hex(text));
        assert!(Extended::read(structure(&hex(text)), V6).is_ok());
    }
    for text in [
        "B2 56 CC 01 C6 CC 03 00 00 00",
        "B2 56 CC 01 C0 CC 00",
        "B2 56 CC 02 C6 C6 CC 00",
        "B2 56 01 CC 00",
    ] {
        let error = Extended::read(structure(&hex(text)), V6).unwrap_err();
        assert!(
            matches!(error.kind, StructureErrorKind::Field { .. }),
            "{text}"
        );
    }
}

#[test]
fn a_type_that_the_client_lacks_is_named() {
    assert_eq!(
        pack_as(V6, |packer| packer.unsupported_type(
            "UUID",
            (6, 1),
            "newer driver"
        )),
        hex(
            "B4 3F 84 55 55 49 44 06 01 A1 87 6D 65 73 73 61 67 65 8C 6E 65 77 65 72 20 64 72 69 76 65 72"
        )
    );
}

#[test]
fn a_client_may_not_send_graph_elements_or_unknown_structures() {
    for tag in *b"NRrP?" {
        let bytes = [0xB0, tag];
        let error = Extended::read(structure(&bytes), V5).unwrap_err();
        assert_eq!(error.tag, tag);
        assert_eq!(error.kind, StructureErrorKind::NotAParameter);
    }
    let error = Extended::read(structure(&[0xB0, 0x00]), V5).unwrap_err();
    assert_eq!(error.kind, StructureErrorKind::Unknown);
}

#[test]
fn a_structure_has_an_exact_number_of_fields() {
    for (tag, expected, format) in [
        (b'D', 1, V5),
        (b'T', 2, V5),
        (b't', 1, V5),
        (b'd', 2, V5),
        (b'I', 3, V5),
        (b'i', 3, V5),
        (b'F', 3, V4),
        (b'f', 3, V4),
        (b'E', 4, V5),
        (b'X', 3, V5),
        (b'Y', 4, V5),
        (b'V', 2, V6),
    ] {
        for found in 0..=15 {
            let bytes = [[0xB0 | found, tag].as_slice(), &vec![0; usize::from(found)]].concat();
            let outcome = Extended::read(structure(&bytes), format).map_err(|error| error.kind);
            let arity = StructureErrorKind::Arity {
                found: usize::from(found),
                expected,
            };
            assert_eq!(outcome == Err(arity), usize::from(found) != expected);
        }
    }
}

#[test]
fn wrong_fields_of_a_structure_are_named() {
    for (text, field) in [
        ("B1 44 80", "days"),
        ("B1 74 FF", "nanoseconds"),
        ("B1 74 CB 00 00 4E 94 91 4F 00 00", "nanoseconds"),
        ("B2 54 00 CA 00 00 FD 21", "offset"),
        ("B2 54 00 CA FF FF 02 DF", "offset"),
        ("B2 64 00 FF", "nanoseconds"),
        ("B2 64 00 CA 3B 9A CA 00", "nanoseconds"),
        ("B3 69 00 00 00", "zone"),
        ("B3 58 00 00 00", "x"),
        ("B4 45 00 00 C0 00", "seconds"),
    ] {
        let error = Extended::read(structure(&hex(text)), V5).unwrap_err();
        let StructureErrorKind::Field { field: found, .. } = error.kind else {
            panic!("{text}: {error}");
        };
        assert_eq!(found, field, "{text}");
    }
    let overflow = hex("B3 46 CB 80 00 00 00 00 00 00 00 00 01");
    assert!(Extended::read(structure(&overflow), V4).is_err());
}
