//! PackStream: every byte form, both ways, and what is refused.

mod wire;

use proptest::prelude::*;
use quoit_protocol::Version;
use quoit_protocol::packstream::{
    DecodeError, DecodeErrorKind as Kind, Limits, Token, Value, check, decode,
};
use wire::{hex, pack, write_value};

const LIMITS: Limits = Limits::AFTER_LOGIN.with_uuid(true);

fn refused(bytes: &[u8]) -> DecodeError {
    decode(bytes, &LIMITS).expect_err("to be refused")
}

fn repacked(value: Value<'_>) -> Vec<u8> {
    pack(Version::V6_1, |packer| write_value(packer, value))
}

/// Asserts that `bytes` are the shortest form of `value`.
fn both_ways(bytes: &[u8], value: Value<'_>) {
    let read = decode(bytes, &LIMITS).unwrap_or_else(|e| panic!("{bytes:02X?}: {e}"));
    assert_eq!(read, value, "{bytes:02X?}");
    assert_eq!(repacked(value), bytes, "{value:?}");
}

#[test]
fn integers_of_every_width_both_ways() {
    for (text, int) in [
        ("00", 0),
        ("7F", 127),
        ("FF", -1),
        ("F0", -16),
        ("C8 EF", -17),
        ("C8 80", -128),
        ("C9 00 80", 128),
        ("C9 FF 7F", -129),
        ("C9 7F FF", 32_767),
        ("C9 80 00", -32_768),
        ("CA 00 00 80 00", 32_768),
        ("CA FF FF 7F FF", -32_769),
        ("CA 7F FF FF FF", i64::from(i32::MAX)),
        ("CA 80 00 00 00", i64::from(i32::MIN)),
        ("CB 00 00 00 00 80 00 00 00", 1 << 31),
        ("CB FF FF FF FF 7F FF FF FF", i64::from(i32::MIN) - 1),
        ("CB 7F FF FF FF FF FF FF FF", i64::MAX),
        ("CB 80 00 00 00 00 00 00 00", i64::MIN),
    ] {
        both_ways(&hex(text), Value::Int(int));
    }
    for tiny in -16..=127 {
        both_ways(&[tiny as u8], Value::Int(tiny));
    }
}

#[test]
fn any_width_of_an_integer_is_read() {
    for text in [
        "C8 01",
        "C9 00 01",
        "CA 00 00 00 01",
        "CB 00 00 00 00 00 00 00 01",
    ] {
        assert_eq!(decode(&hex(text), &LIMITS), Ok(Value::Int(1)));
    }
}

#[test]
fn null_booleans_and_floats_both_ways() {
    both_ways(&[0xC0], Value::Null);
    both_ways(&[0xC2], Value::Bool(false));
    both_ways(&[0xC3], Value::Bool(true));
    both_ways(&hex("C1 3F F1 99 99 99 99 99 9A"), Value::Float(1.1));
    for bits in [
        0.0_f64.to_bits(),
        (-0.0_f64).to_bits(),
        f64::INFINITY.to_bits(),
        f64::NEG_INFINITY.to_bits(),
        0x7FF8_0000_0000_0001,
    ] {
        let bytes = [[0xC1].as_slice(), &bits.to_be_bytes()].concat();
        let Ok(Value::Float(float)) = decode(&bytes, &LIMITS) else {
            panic!("a float");
        };
        assert_eq!(float.to_bits(), bits);
        assert_eq!(repacked(Value::Float(float)), bytes);
    }
}

/// Bytes with the header that their number needs.
fn sized(header: &str, body: &[u8]) -> Vec<u8> {
    [hex(header).as_slice(), body].concat()
}

#[test]
fn strings_of_every_size_form_both_ways() {
    both_ways(&hex("82 C3 A9"), Value::String("é"));
    for (header, len) in [
        ("80", 0),
        ("8F", 15),
        ("D0 10", 16),
        ("D0 FF", 255),
        ("D1 01 00", 256),
        ("D1 FF FF", 65_535),
        ("D2 00 01 00 00", 65_536),
    ] {
        let text = "x".repeat(len);
        both_ways(&sized(header, text.as_bytes()), Value::String(&text));
    }
    for header in ["81", "D0 01", "D1 00 01", "D2 00 00 00 01"] {
        assert_eq!(
            decode(&sized(header, b"a"), &LIMITS),
            Ok(Value::String("a"))
        );
    }
    both_ways(&[0x81, 0], Value::String("\0"));
}

#[test]
fn byte_arrays_of_every_size_form_both_ways() {
    for (header, len) in [
        ("CC 00", 0),
        ("CC FF", 255),
        ("CD 01 00", 256),
        ("CD FF FF", 65_535),
        ("CE 00 01 00 00", 65_536),
    ] {
        let body = vec![0xFF; len];
        both_ways(&sized(header, &body), Value::Bytes(&body));
    }
    for header in ["CD 00 01", "CE 00 00 00 01"] {
        assert_eq!(
            decode(&sized(header, &[7]), &LIMITS),
            Ok(Value::Bytes(&[7]))
        );
    }
}

#[test]
fn lists_of_every_size_form_both_ways() {
    for (header, len) in [
        ("90", 0),
        ("9F", 15),
        ("D4 10", 16),
        ("D4 FF", 255),
        ("D5 01 00", 256),
        ("D5 FF FF", 65_535),
        ("D6 00 01 00 00", 65_536),
    ] {
        let bytes = sized(header, &vec![1; len]);
        let Ok(Value::List(list)) = decode(&bytes, &LIMITS) else {
            panic!("a list");
        };
        assert_eq!(list.len(), len);
        assert!(list.iter().eq(std::iter::repeat_n(Value::Int(1), len)));
        assert_eq!(repacked(Value::List(list)), bytes);
        let counted = pack(Version::V4_4, |packer| {
            packer.list(|list| (0..len).for_each(|_| list.int(1)));
        });
        assert_eq!(counted, bytes, "counted while written");
    }
    for header in ["91", "D4 01", "D5 00 01", "D6 00 00 00 01"] {
        let bytes = sized(header, &[5]);
        let list = decode(&bytes, &LIMITS).unwrap().as_list().unwrap();
        assert!(list.iter().eq([Value::Int(5)]));
    }
}

#[test]
fn maps_of_every_size_form_both_ways() {
    for (header, len) in [
        ("A0", 0),
        ("AF", 15),
        ("D8 10", 16),
        ("D8 FF", 255),
        ("D9 01 00", 256),
        ("D9 FF FF", 65_535),
        ("DA 00 01 00 00", 65_536),
    ] {
        let bytes = sized(header, &b"\x81k\x02".repeat(len));
        let Ok(Value::Map(map)) = decode(&bytes, &LIMITS) else {
            panic!("a map");
        };
        assert_eq!(map.len(), len);
        assert!(
            map.iter()
                .eq(std::iter::repeat_n(("k", Value::Int(2)), len))
        );
        assert_eq!(repacked(Value::Map(map)), bytes);
        let counted = pack(Version::V4_4, |packer| {
            packer.map(|map| (0..len).for_each(|_| map.int("k", 2)));
        });
        assert_eq!(counted, bytes, "counted while written");
    }
    for header in ["A1", "D8 01", "D9 00 01", "DA 00 00 00 01"] {
        let bytes = sized(header, b"\x81k\x02");
        let map = decode(&bytes, &LIMITS).unwrap().as_map().unwrap();
        assert_eq!(map.get("k"), Some(Value::Int(2)));
    }
}

#[test]
fn structures_of_every_number_of_fields_both_ways() {
    for fields in 0..=15 {
        let bytes = [
            [0xB0 | fields, 0x7F].as_slice(),
            &vec![0xC0; usize::from(fields)],
        ]
        .concat();
        let Ok(Value::Struct(structure)) = decode(&bytes, &LIMITS) else {
            panic!("a structure");
        };
        assert_eq!(structure.tag(), 0x7F);
        assert_eq!(structure.len(), usize::from(fields));
        assert!(structure.fields().all(|field| field.is_null()));
        assert_eq!(repacked(Value::Struct(structure)), bytes);
    }
}

#[test]
fn a_uuid_is_known_from_6_1_on() {
    let uuid: [u8; 16] = std::array::from_fn(|i| 0x10 * (i as u8) + 7);
    let bytes = [[0xE0].as_slice(), &uuid].concat();
    both_ways(&bytes, Value::Uuid(uuid));
    assert_eq!(
        decode(&bytes, &Limits::AFTER_LOGIN).unwrap_err().kind,
        Kind::ReservedMarker(0xE0)
    );
    assert_eq!(
        pack(Version::V6_0, |packer| packer.uuid(&uuid)),
        pack(Version::V6_0, |packer| packer
            .string("07172737-4757-6777-8797-a7b7c7d7e7f7"))
    );
}

#[test]
fn of_a_key_given_twice_the_last_one_counts() {
    let bytes = hex("A3 81 61 01 81 62 91 02 81 61 93 03 04 05");
    let map = decode(&bytes, &LIMITS).unwrap().as_map().unwrap();
    assert_eq!(map.get("a").unwrap().as_list().unwrap().len(), 3);
    assert_eq!(map.get("c"), None);
    let keys: Vec<_> = map.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a", "b", "a"]);
}

#[test]
fn elements_behind_nested_containers_are_found() {
    let bytes = hex("94 92 91 01 A1 81 61 92 02 03 B1 44 91 04 05 C0");
    let list = decode(&bytes, &LIMITS).unwrap().as_list().unwrap();
    let kinds: Vec<_> = list.iter().map(|value| value.type_name()).collect();
    assert_eq!(kinds, ["a list", "a structure", "an integer", "null"]);
    let mut tokens = list.tokens();
    assert_eq!(tokens.next(), Some(Token::List(2)));
    tokens.skip_values(2);
    assert_eq!(
        tokens.next(),
        Some(Token::Struct {
            tag: 0x44,
            fields: 1
        })
    );
    assert_eq!(tokens.rest_of_struct(0x44, 1).fields().count(), 1);
    assert!(tokens.eq([Token::Int(5), Token::Null]));
}

#[test]
fn reserved_markers_are_refused() {
    let reserved = [
        0xC4..=0xC7,
        0xCF..=0xCF,
        0xD3..=0xD3,
        0xD7..=0xD7,
        0xDB..=0xEF,
    ];
    let mut count = 0;
    for marker in reserved.into_iter().flatten().filter(|m| *m != 0xE0) {
        let mut bytes = vec![marker];
        bytes.extend_from_slice(&[0; 40]);
        let error = refused(&bytes);
        assert_eq!(
            (error.kind, error.offset),
            (Kind::ReservedMarker(marker), 0)
        );
        count += 1;
    }
    // 256 less: integers, floats, booleans, null, sized forms, tiny forms, UUID.
    assert_eq!(count, 256 - 144 - 4 - 4 - 4 * 3 - 4 * 16 - 1);
}

#[test]
fn every_prefix_of_a_value_is_truncated() {
    let whole = hex(
        "A3 81 61 CB 00 00 00 00 80 00 00 00 D0 01 62 D5 00 02 C1 3F F1 99 99 99 99 99 9A CC 02 01 02 \
         81 63 B1 44 C9 4D 0C",
    );
    assert!(decode(&whole, &LIMITS).is_ok());
    for len in 0..whole.len() {
        let error = refused(&whole[..len]);
        assert!(
            matches!(error.kind, Kind::Truncated | Kind::CountExceedsMessage),
            "{len}: {error}"
        );
        assert!(error.offset <= len);
    }
}

#[test]
fn errors_name_the_offset_of_the_value_at_fault() {
    for (text, offset, kind) in [
        ("91 C4", 1, Kind::ReservedMarker(0xC4)),
        ("92 01 82 61 FF", 2, Kind::InvalidUtf8),
        ("A1 01 02", 1, Kind::KeyNotString),
        ("A1 C0 02", 1, Kind::KeyNotString),
        ("A1 91 61 02", 1, Kind::KeyNotString),
        ("91 01 02", 2, Kind::TrailingBytes),
        ("91 B0 80", 2, Kind::InvalidTag(0x80)),
        ("91 B0", 1, Kind::Truncated),
        ("92 01 CA 00 00", 2, Kind::Truncated),
        ("", 0, Kind::Truncated),
    ] {
        assert_eq!(refused(&hex(text)), DecodeError { offset, kind }, "{text}");
    }
}

#[test]
fn strings_that_are_not_utf_8_are_refused_wherever_they_stand() {
    for bad in [
        &b"\xFF"[..],
        b"a\xC3",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xC0\x80",
    ] {
        let string = [[0x80 | bad.len() as u8].as_slice(), bad].concat();
        assert_eq!(refused(&string).kind, Kind::InvalidUtf8);
        let key = [[0xA1].as_slice(), &string, &[0x01]].concat();
        assert_eq!(refused(&key).kind, Kind::InvalidUtf8);
    }
}

#[test]
fn giant_sizes_are_refused_for_every_width() {
    for marker in [0xCC, 0xD0, 0xD4, 0xD8] {
        for (width, bytes) in [
            (0, &[0xFF][..]),
            (1, &[0xFF, 0xFF]),
            (2, &[0x7F, 0xFF, 0xFF, 0xFF]),
        ] {
            let claim = [[marker + width].as_slice(), bytes, &[0x80, 0x80]].concat();
            let error = refused(&claim);
            assert!(
                matches!(error.kind, Kind::Truncated | Kind::CountExceedsMessage),
                "{claim:02X?}: {error}"
            );
            assert_eq!(error.offset, 0);
        }
        for size in [0x8000_0000_u32, u32::MAX] {
            let claim = [[marker + 2].as_slice(), &size.to_be_bytes()].concat();
            assert_eq!(refused(&claim).kind, Kind::SizeTooLarge(size));
        }
    }
    for tiny in [0x8F, 0x9F, 0xAF] {
        assert!(matches!(
            refused(&[tiny, 0x80]).kind,
            Kind::Truncated | Kind::CountExceedsMessage
        ));
    }
}

/// Each list claims as many elements as there are bytes left; one by one that is allowed, together not.
#[test]
fn nested_claims_are_added_up() {
    let mut nest = Vec::new();
    for _ in 0..200 {
        nest.extend_from_slice(&hex("D5 03 E8"));
    }
    nest.extend_from_slice(&[0; 2000]);
    let error = refused(&nest);
    assert_eq!(error.kind, Kind::CountExceedsMessage);
    assert_eq!(
        error.offset,
        3 * 2,
        "two claims of 1000 fit, a third does not"
    );
}

#[test]
fn nesting_is_bounded() {
    for marker in [0x91, 0xB1] {
        let nest = |depth: usize| {
            let level: &[u8] = if marker == 0xB1 {
                &[0xB1, 0x01]
            } else {
                &[0x91]
            };
            [level.repeat(depth), vec![0xC0]].concat()
        };
        assert!(check(&nest(256), &LIMITS).is_ok());
        assert_eq!(refused(&nest(257)).kind, Kind::TooDeep { limit: 256 });
        assert_eq!(refused(&nest(100_000)).kind, Kind::TooDeep { limit: 256 });
        assert!(check(&nest(8), &Limits::BEFORE_LOGIN).is_ok());
        assert_eq!(
            check(&nest(9), &Limits::BEFORE_LOGIN).unwrap_err().kind,
            Kind::TooDeep { limit: 8 }
        );
    }
    let deep = [[0x91_u8; 256].as_slice(), &[0xC0]].concat();
    let value = decode(&deep, &LIMITS).unwrap();
    assert_eq!(repacked(value), deep);
    let maps = [b"\xA1\x81k".repeat(300).as_slice(), &[0xC0]].concat();
    assert_eq!(refused(&maps).kind, Kind::TooDeep { limit: 256 });
}

#[test]
fn a_stranger_may_send_few_elements() {
    let list = |len: u8| [[0xD4, len].as_slice(), &vec![0; usize::from(len)]].concat();
    let within = |bytes: &[u8]| check(bytes, &Limits::BEFORE_LOGIN);
    assert!(within(&list(255)).is_ok());
    let two = [[0x92].as_slice(), &list(127), &list(127)].concat();
    assert!(within(&two).is_ok());
    let two = [[0x92].as_slice(), &list(127), &list(128)].concat();
    assert_eq!(
        within(&two).unwrap_err().kind,
        Kind::TooManyElements { limit: 256 }
    );
}

/// A tree of values, for round trips.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Vec<u8>),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
    Struct(u8, Vec<Tree>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(vec![0xC0]),
        any::<i64>().prop_map(|i| pack(Version::V6_1, |p| p.int(i))),
        any::<f64>().prop_map(|f| pack(Version::V6_1, |p| p.float(f))),
        any::<bool>().prop_map(|b| pack(Version::V6_1, |p| p.bool(b))),
        any::<[u8; 16]>().prop_map(|u| pack(Version::V6_1, |p| p.uuid(&u))),
        ".{0,40}".prop_map(|s| pack(Version::V6_1, |p| p.string(&s))),
        prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|b| pack(Version::V6_1, |p| p.bytes(&b))),
    ];
    leaf.prop_map(Tree::Leaf)
        .prop_recursive(6, 200, 20, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..20).prop_map(Tree::List),
                prop::collection::vec((".{0,20}", inner.clone()), 0..20).prop_map(Tree::Map),
                (0..=0x7F_u8, prop::collection::vec(inner, 0..15))
                    .prop_map(|(tag, fields)| Tree::Struct(tag, fields)),
            ]
        })
}

fn write_tree(packer: &mut quoit_protocol::packstream::Packer<'_>, tree: &Tree) {
    match tree {
        Tree::Leaf(bytes) => packer.encoded(bytes),
        Tree::List(elements) => packer.list(|list| {
            elements
                .iter()
                .for_each(|e| write_tree(&mut list.item(), e));
        }),
        Tree::Map(pairs) => packer.map(|map| {
            pairs
                .iter()
                .for_each(|(k, v)| write_tree(&mut map.key(k), v));
        }),
        Tree::Struct(tag, fields) => {
            packer.struct_header(*tag, fields.len() as u8);
            fields.iter().for_each(|field| write_tree(packer, field));
        }
    }
}

/// Walks a value both ways; gives the number of tokens.
fn walk(value: Value<'_>) -> usize {
    match value {
        Value::List(list) => {
            let by_view: usize = list.iter().map(walk).sum();
            assert_eq!(by_view, list.tokens().count());
            1 + by_view
        }
        Value::Map(map) => {
            let by_view: usize = map.iter().map(|(_, value)| 1 + walk(value)).sum();
            assert_eq!(by_view, map.tokens().count());
            1 + by_view
        }
        Value::Struct(structure) => {
            let by_view: usize = structure.fields().map(walk).sum();
            assert_eq!(by_view, structure.tokens().count());
            1 + by_view
        }
        _ => 1,
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_and_written_alike(tree in tree()) {
        let bytes = pack(Version::V6_1, |packer| write_tree(packer, &tree));
        let value = decode(&bytes, &LIMITS).unwrap();
        walk(value);
        prop_assert_eq!(repacked(value), bytes);
    }

    #[test]
    fn a_flipped_byte_is_refused_or_read_without_panic(
        tree in tree(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = pack(Version::V6_1, |packer| write_tree(packer, &tree));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        match decode(&bytes, &LIMITS) {
            Ok(value) => {
                walk(value);
            }
            Err(error) => prop_assert!(error.offset <= bytes.len()),
        }
    }

    #[test]
    fn random_bytes_are_refused_or_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(value) = decode(&bytes, &LIMITS) {
            walk(value);
        }
    }
}
