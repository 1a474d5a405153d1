//! Byte forms: what is encoded comes back, keys sort as values do, and bytes from outside never do more than give an error.
#![cfg(not(loom))]

use proptest::prelude::*;
use quoit_graph::delta::{Delta, DeltaError, DeltaWriter, Deltas, NameKind};
use quoit_graph::ids::{EdgeId, KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::codec::{self, Reader, encode_properties};
use quoit_graph::value::sort_key::{self, SortKey};
use quoit_graph::value::{
    Date, DateTime, Duration, Edge, LocalDateTime, LocalTime, Point, Time, Value,
};
use quoit_graph::{ConstraintDefinition, IndexDefinition, Order, Properties, PropertyType};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        prop::sample::select(vec![
            0.0,
            -0.0,
            1.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            9.007199254740993e15,
            -9.3e18,
            9.3e18
        ]),
        (-4i64..4).prop_map(|x| x as f64 / 2.0),
    ]
}

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -3i64..3,
        (-3i64..3).prop_map(|x| x + (1 << 53)),
        (0i64..3).prop_map(|x| i64::MAX - x),
        (0i64..3).prop_map(|x| i64::MIN + x),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c\u{0}é]{0,4}", any::<String>()]
}

fn point() -> impl Strategy<Value = Point> {
    (
        prop::sample::select(vec![7203u32, 9157, 4326, 4979]),
        float(),
        float(),
        float(),
    )
        .prop_map(|(srid, x, y, z)| Point {
            srid,
            x,
            y,
            z: if matches!(srid, 9157 | 4979) { z } else { 0.0 },
        })
}

fn leaf() -> impl Strategy<Value = Value> {
    let nanos = 0u32..1_000_000_000;
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        int().prop_map(Value::Int),
        float().prop_map(Value::Float),
        text().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|b| Value::Bytes(b.into())),
        int().prop_map(|days| Date { days }.into()),
        int().prop_map(|nanoseconds| LocalTime { nanoseconds }.into()),
        (int(), -5i32..5).prop_map(|(nanoseconds, offset_seconds)| Time {
            nanoseconds,
            offset_seconds
        }
        .into()),
        (int(), nanos.clone()).prop_map(|(seconds, nanoseconds)| LocalDateTime {
            seconds,
            nanoseconds
        }
        .into()),
        (
            int(),
            nanos.clone(),
            -3i32..3,
            prop::option::of("[AB]{0,2}")
        )
            .prop_map(|(seconds, nanoseconds, offset_seconds, zone)| {
                DateTime {
                    seconds,
                    nanoseconds,
                    offset_seconds,
                    zone: zone.map(Into::into),
                }
                .into()
            }),
        (int(), -3i64..3, -3i64..3, nanos).prop_map(|(months, days, seconds, nanoseconds)| {
            Duration {
                months,
                days,
                seconds,
                nanoseconds,
            }
            .into()
        }),
        point().prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::list),
            prop::collection::vec((text(), inner), 0..4).prop_map(|pairs| Value::map(
                pairs.into_iter().map(|(k, v)| (k.into(), v)).collect()
            )),
        ]
    })
}

fn key(value: &Value) -> SortKey {
    let mut key = SortKey::new();
    sort_key::append(value, &mut key);
    key
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_comes_back_from_its_bytes(value in value()) {
        let mut bytes = Vec::new();
        codec::encode(&value, &mut bytes).unwrap();
        let back = codec::decode(&bytes).unwrap();
        prop_assert_eq!(&back, &value);
        let mut skipped = Reader::new(&bytes);
        skipped.skip_value().unwrap();
        prop_assert!(skipped.is_empty());
        for cut in 0..bytes.len() {
            prop_assert!(codec::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn keys_sort_as_values_do_and_equal_values_hash_alike(a in value(), b in value()) {
        prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b), "{:?} {:?}", a, b);
        prop_assert!(a == b || !key(&b).starts_with(&key(&a)), "a key is a prefix of another");
        let hash = BuildHasherDefault::<DefaultHasher>::default();
        prop_assert!(a != b || hash.hash_one(&a) == hash.hash_one(&b));
        if let Some(order) = a.compare(&b) {
            let nested_zero = order == std::cmp::Ordering::Equal;
            prop_assert!(order == a.cmp(&b) || nested_zero);
        }
        let mut bytes = Vec::new();
        codec::encode(&a, &mut bytes).unwrap();
        let stored = Reader::new(&bytes).value().unwrap();
        let mut by_reference = SortKey::new();
        sort_key::append_ref(stored, &mut by_reference);
        prop_assert_eq!(by_reference, key(&a));
        prop_assert_eq!(stored.order(&b), a.cmp(&b));
        prop_assert_eq!(stored.is(&b), a == b);
    }

    #[test]
    fn the_order_of_values_is_transitive(mut values in prop::collection::vec(value(), 3)) {
        values.sort();
        prop_assert!(values[0] <= values[1] && values[1] <= values[2] && values[0] <= values[2]);
    }

    #[test]
    fn bytes_from_outside_never_do_more_than_give_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = codec::decode(&bytes);
        let _ = Properties::check(&bytes, true);
        for delta in Deltas::new(&bytes) {
            let _ = delta;
        }
    }

    #[test]
    fn damaged_frames_never_panic_the_one_who_applies_them(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut frame = sample_frame();
        let at = at.index(frame.len());
        frame[at] = byte;
        let journal = std::sync::Arc::new(quoit_graph::door::NullJournal::default());
        let graph = quoit_graph::Graph::new(quoit_graph::GraphConfig { shards: 2, cores: 1, journal });
        let core = graph.core(0);
        let _ = core.apply(quoit_graph::ids::CommitSeq(1), &frame);
    }

    #[test]
    fn properties_are_sorted_without_nulls_and_the_last_of_a_key_stands(pairs in prop::collection::vec((0u32..6, value()), 0..8)) {
        let pairs: Vec<(KeyId, Value)> = pairs.into_iter().map(|(k, v)| (KeyId(k), v)).collect();
        let mut bytes = Vec::new();
        encode_properties(&pairs, &mut bytes).unwrap();
        let model: std::collections::BTreeMap<KeyId, Value> = pairs.into_iter().collect();
        let model: Vec<_> = model.into_iter().filter(|(_, v)| !v.is_null()).collect();
        let read = Properties::check(&bytes, false).unwrap();
        prop_assert_eq!(read.iter().map(|(k, v)| (k, v.to_value())).collect::<Vec<_>>(), model.clone());
        for (key, value) in model {
            prop_assert!(read.get(key).unwrap().is(&value));
        }
        prop_assert!(read.get(KeyId(77)).is_none());
    }
}

type Named = (
    Result<IndexDefinition, ConstraintDefinition>,
    Option<&'static str>,
);

/// One of each kind of index and constraint.
fn schema_samples() -> Vec<Named> {
    let (label, key) = (LabelId(0), KeyId(0));
    let both = [KeyId(0), KeyId(1)];
    vec![
        (Ok(IndexDefinition::on_label(label, &[])), None),
        (
            Ok(IndexDefinition::LabelProperties {
                label,
                keys: both[..].into(),
                order: Order::Descending,
            }),
            Some("by both"),
        ),
        (Ok(IndexDefinition::on_type(TypeId(0), &[])), None),
        (Ok(IndexDefinition::on_type(TypeId(0), &both)), None),
        (Err(ConstraintDefinition::Exists { label, key }), Some("é")),
        (
            Err(ConstraintDefinition::Unique {
                label,
                keys: both[..].into(),
            }),
            None,
        ),
        (
            Err(ConstraintDefinition::Key {
                label,
                keys: both[..].into(),
            }),
            Some("both"),
        ),
        (
            Err(ConstraintDefinition::Type {
                label,
                key,
                type_: PropertyType::String,
            }),
            None,
        ),
    ]
}

#[test]
fn indexes_and_constraints_come_back_with_their_names_and_orders() {
    let mut frame = Vec::new();
    let mut deltas = DeltaWriter::new(&mut frame);
    for (definition, name) in schema_samples() {
        match definition {
            Ok(index) => deltas.create_index(&index, name),
            Err(constraint) => deltas.create_constraint(&constraint, name),
        }
    }
    let read = Deltas::new(&frame).map(|delta| match delta.unwrap() {
        Delta::CreateIndex { definition, name } => (Ok(definition), name.map(str::to_owned)),
        Delta::CreateConstraint { definition, name } => (Err(definition), name.map(str::to_owned)),
        other => panic!("{other:?}"),
    });
    let written = schema_samples()
        .into_iter()
        .map(|(definition, name)| (definition, name.map(str::to_owned)));
    assert!(read.eq(written));
}

#[test]
fn an_index_in_its_first_form_is_still_read() {
    // 09: label 3, two keys; 0a: the same.
    let frame = [9, 3, 2, 5, 200, 1, 10, 3, 2, 5, 200, 1];
    let definition = IndexDefinition::on_label(LabelId(3), &[KeyId(5), KeyId(200)]);
    let read: Vec<Delta<'_>> = Deltas::new(&frame).collect::<Result<_, _>>().unwrap();
    assert!(matches!(
        &read[..],
        [
            Delta::CreateIndex { definition: made, name: None },
            Delta::DropIndex { definition: dropped },
        ] if *made == definition && *dropped == definition
    ));
    let without_keys = [9, 3, 0];
    assert!(Deltas::new(&without_keys).next().unwrap().is_err());
    let key_twice = [12, 0, 3, 2, 5, 5, 0];
    assert!(Deltas::new(&key_twice).next().unwrap().is_err());
}

fn sample_frame() -> Vec<u8> {
    let mut frame = Vec::new();
    let mut properties = Vec::new();
    encode_properties(
        &[(KeyId(0), Value::string("x")), (KeyId(1), 5.into())],
        &mut properties,
    )
    .unwrap();
    let properties = Properties::check(&properties, false).unwrap();
    let edge = Edge {
        id: EdgeId::new(VertexId(0), 0),
        target: VertexId(1),
        type_: TypeId(0),
    };
    let mut deltas = DeltaWriter::new(&mut frame);
    deltas.define_name(NameKind::Label, 0, "L");
    deltas.define_name(NameKind::Type, 0, "T");
    deltas.define_name(NameKind::Key, 0, "k");
    deltas.define_name(NameKind::Key, 1, "l");
    deltas.create_index(&IndexDefinition::on_label(LabelId(0), &[KeyId(0)]), None);
    deltas.create_vertex(VertexId(0), &[LabelId(0)], properties);
    deltas.create_vertex(VertexId(1), &[], Properties::default());
    deltas.create_edge(edge, properties);
    deltas.set_vertex_properties(VertexId(1), properties);
    deltas.set_edge_properties(edge, properties);
    deltas.set_vertex_labels(VertexId(1), &[LabelId(0)], &[]);
    deltas.delete_edge(edge);
    deltas.delete_vertex(VertexId(0));
    deltas.drop_index(&IndexDefinition::on_label(LabelId(0), &[KeyId(0)]));
    deltas.setting("name", b"value");
    for (definition, name) in schema_samples() {
        match definition {
            Ok(index) => {
                deltas.create_index(&index, name);
                deltas.drop_index(&index);
            }
            Err(constraint) => {
                deltas.create_constraint(&constraint, name);
                deltas.drop_constraint(&constraint);
            }
        }
    }
    frame
}

#[test]
fn every_kind_of_delta_comes_back() {
    let frame = sample_frame();
    let read: Vec<Delta<'_>> = Deltas::new(&frame).collect::<Result<_, _>>().unwrap();
    assert_eq!(read.len(), 15 + 2 * schema_samples().len());
    assert!(matches!(
        &read[2],
        Delta::DefineName {
            kind: NameKind::Key,
            id: 0,
            name: "k"
        }
    ));
    assert!(
        matches!(&read[5], Delta::CreateVertex { id: VertexId(0), labels, properties }
        if labels[..] == [LabelId(0)] && properties.iter().count() == 2)
    );
    assert!(matches!(&read[11], Delta::DeleteEdge { edge } if edge.target == VertexId(1)));
    assert!(matches!(
        &read[14],
        Delta::Setting {
            name: "name",
            value: b"value"
        }
    ));
    let journal = std::sync::Arc::new(quoit_graph::door::NullJournal::default());
    let graph = quoit_graph::Graph::new(quoit_graph::GraphConfig {
        shards: 2,
        cores: 1,
        journal,
    });
    let settings = graph
        .core(0)
        .apply(quoit_graph::ids::CommitSeq(1), &frame)
        .unwrap();
    assert_eq!(settings[0].value, b"value");
    assert_eq!((graph.vertex_count(), graph.edge_count()), (1, 0));
}

#[test]
fn an_unknown_kind_is_named_with_its_offset() {
    let mut frame = Vec::new();
    DeltaWriter::new(&mut frame).delete_vertex(VertexId(5));
    frame.push(0x7f);
    let results: Vec<_> = Deltas::new(&frame).collect();
    assert_eq!(
        results[1].as_ref().unwrap_err(),
        &DeltaError::UnknownKind {
            kind: 0x7f,
            offset: 2
        }
    );
    assert_eq!(results.len(), 2);
}

#[test]
fn nesting_and_lengths_are_bounded() {
    let deep = (0..100).fold(Value::Int(1), |inner, _| Value::list(vec![inner]));
    assert!(codec::encode(&deep, &mut Vec::new()).is_err());
    // A list that claims 2^60 bytes; lists in lists, a hundred thousand deep by their tags.
    assert!(codec::decode(&[7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
    let mut nested = Vec::new();
    for _ in 0..100 {
        let mut outer = vec![7];
        codec::put_varint(&mut outer, nested.len() as u64);
        outer.extend_from_slice(&nested);
        nested = outer;
    }
    assert!(codec::decode(&nested).is_err());
}
