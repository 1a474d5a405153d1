//! Requests, by version: what is read, what is written, what is refused.

mod wire;

use quoit_protocol::message::answer::{EncodedFields, RunAnswer};
use quoit_protocol::message::ask::{ClientHello, Login, TransactionOptions};
use quoit_protocol::message::notification::{
    Category, CategorySet, MinimumSeverity, NotificationFilter,
};
use quoit_protocol::message::{
    AccessMode, Credentials, FieldError, Request, RequestError, RequestKind, Rows, StreamRequest,
    TelemetryApi, Violation,
};
use quoit_protocol::packstream::{DecodeErrorKind, Limits, MapWriter, Value};
use quoit_protocol::{SendBuffer, Version};
use wire::{buffer, hex, messages, string, written};

fn request(message: &[u8], version: Version) -> Result<Request<'_>, RequestError> {
    Request::decode(message, version, &Limits::AFTER_LOGIN)
}

/// A request of one map.
fn with_map(version: Version, tag: u8, write: impl FnOnce(&mut MapWriter<'_>)) -> Vec<u8> {
    written(version, |send| {
        let mut message = send.message(tag, 1);
        message.map(write);
        message.finish();
    })
}

/// The messages of the Bolt page, section 16, as sent by the Python driver's packer.
#[test]
fn recorded_messages_are_written_byte_for_byte() {
    let v5 = Version::V5_8;
    let check = |text: &str, version: Version, write: &dyn Fn(&mut SendBuffer)| {
        let mut send = buffer(version);
        write(&mut send);
        assert_eq!(send.as_slice(), hex(text), "{text}");
    };
    check(
        "00 0F B1 6A A1 86 73 63 68 65 6D 65 84 6E 6F 6E 65 00 00",
        v5,
        &|send| send.ask_logon(&Login::None),
    );
    check(
        "00 12 B3 10 8D 52 45 54 55 52 4E 20 31 20 41 53 20 6E A0 A0 00 00",
        v5,
        &|send| send.ask_run("RETURN 1 AS n", |_| (), &TransactionOptions::default()),
    );
    check(
        "00 16 B1 70 A2 86 66 69 65 6C 64 73 91 81 6E 87 74 5F 66 69 72 73 74 00 00 00",
        v5,
        &|send| {
            send.run_success(&RunAnswer {
                fields: &EncodedFields::new(["n"]),
                t_first_ms: 0,
                qid: None,
                database: None,
            });
        },
    );
    check("00 08 B1 3F A1 81 6E C9 03 E8 00 00", v5, &|send| {
        send.ask_pull(StreamRequest {
            rows: Rows::AtMost(1000),
            qid: None,
        });
    });
    check("00 04 B1 71 91 01 00 00", v5, &|send| {
        let mut record = send.record(1);
        record.int(1);
        record.finish();
    });
    check("00 0A B1 11 A1 84 6D 6F 64 65 81 72 00 00", v5, &|send| {
        send.ask_begin(&TransactionOptions {
            mode: AccessMode::Read,
            ..Default::default()
        });
    });
    check(
        "00 14 B3 66 A1 87 61 64 64 72 65 73 73 86 68 3A 37 36 38 37 90 A0 00 00",
        v5,
        &|send| send.ask_route("h:7687", &[], None),
    );
    check("00 03 B1 54 02 00 00", v5, &|send| {
        send.ask_telemetry(TelemetryApi::AutoCommit);
    });
    check("00 02 B0 0F 00 00", v5, &SendBuffer::ask_reset);
    check("00 02 B0 7E 00 00", v5, &SendBuffer::ignored);
    check("00 02 B0 02 00 00", v5, &SendBuffer::ask_goodbye);
}

#[test]
fn the_recorded_hello_of_mgclient_logs_in_without_credentials() {
    let stream = hex(
        "00 29 B1 01 A2 8A 75 73 65 72 5F 61 67 65 6E 74 8E 6D 67 63 6C 69 65 6E 74 2F 31 2E 37 2E 30 \
         86 73 63 68 65 6D 65 84 6E 6F 6E 65 00 00",
    );
    let message = messages(&stream).remove(0);
    let limits = Limits::BEFORE_LOGIN;
    let Ok(Request::Hello(hello)) = Request::decode(&message, Version::V4_1, &limits) else {
        panic!("HELLO");
    };
    assert_eq!(hello.user_agent, Some("mgclient/1.7.0"));
    assert_eq!(hello.auth.unwrap().credentials(), Some(Credentials::None));
    assert!(hello.routing.is_none());
}

#[test]
fn what_the_client_writes_the_server_reads_in_every_version() {
    for version in Version::SUPPORTED {
        let mut send = buffer(version);
        let filter = NotificationFilter {
            minimum: Some(MinimumSeverity::Warning),
            disabled: Some(
                CategorySet::of(Category::Hint).union(CategorySet::of(Category::Schema)),
            ),
        };
        send.ask_hello(&ClientHello {
            user_agent: "quoit-console/0.1",
            routing_address: Some("localhost:7687"),
            login: Login::Basic {
                principal: "neo",
                password: "secret",
            },
            notifications: filter,
        });
        let options = TransactionOptions {
            bookmarks: &["a", "b"],
            timeout_ms: Some(1500),
            mode: AccessMode::Read,
            database: Some("movies"),
        };
        send.ask_run("RETURN $x", |map| map.string("x", "y"), &options);
        send.ask_pull(StreamRequest {
            rows: Rows::All,
            qid: Some(3),
        });
        let sent = messages(send.as_slice());
        let mut requests = sent
            .iter()
            .map(|message| request(message, version).unwrap_or_else(|e| panic!("{version}: {e}")));

        let Some(Request::Hello(hello)) = requests.next() else {
            panic!("HELLO");
        };
        assert_eq!(hello.user_agent, Some("quoit-console/0.1"));
        assert_eq!(hello.routing.is_some(), version >= Version::V4_1);
        assert_eq!(
            hello.utc_patch,
            version == Version::V4_3 || version == Version::V4_4
        );
        assert_eq!(hello.bolt_agent.is_some(), version >= Version::V5_3);
        let filtered = version >= Version::V5_2;
        let none = NotificationFilter::default();
        assert_eq!(hello.notifications, if filtered { filter } else { none });
        let auth = match hello.auth {
            Some(auth) => auth,
            None => match requests.next() {
                Some(Request::Logon(auth)) => auth,
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(hello.auth.is_none(), version >= Version::V5_1);
        assert_eq!(
            auth.credentials(),
            Some(Credentials::Basic {
                principal: "neo",
                password: "secret"
            })
        );

        let Some(Request::Run(run)) = requests.next() else {
            panic!("RUN");
        };
        assert_eq!(run.query, "RETURN $x");
        assert_eq!(run.parameters.get("x"), Some(Value::String("y")));
        assert!(run.extra.bookmarks.iter().eq(["a", "b"]));
        assert_eq!(run.extra.timeout_ms, Some(1500));
        assert_eq!(run.extra.mode, AccessMode::Read);
        assert_eq!(run.extra.database, Some("movies"));

        assert_eq!(
            requests.next(),
            Some(Request::Pull(StreamRequest {
                rows: Rows::All,
                qid: Some(3)
            }))
        );
        assert_eq!(requests.next(), None);
    }
}

#[test]
fn requests_without_fields_are_read_in_every_version() {
    for version in Version::SUPPORTED {
        for (tag, kind) in [
            (0x02, RequestKind::Goodbye),
            (0x0F, RequestKind::Reset),
            (0x12, RequestKind::Commit),
            (0x13, RequestKind::Rollback),
        ] {
            assert_eq!(request(&[0xB0, tag], version).unwrap().kind(), kind);
        }
    }
}

#[test]
fn a_message_exists_from_its_version_on() {
    for version in Version::SUPPORTED {
        for (message, since) in [
            (&[0xB1, 0x6A, 0xA0][..], Version::V5_1),
            (&[0xB0, 0x6B], Version::V5_1),
            (&[0xB1, 0x54, 0x00], Version::V5_4),
            (&[0xB3, 0x66, 0xA0, 0x90, 0xC0], Version::V4_3),
        ] {
            let outcome = request(message, version);
            if version >= since {
                assert!(outcome.is_ok(), "{message:02X?} in {version}");
            } else {
                let unknown = Violation::UnknownMessage { tag: message[1] };
                assert_eq!(outcome, Err(unknown.into()));
            }
        }
    }
}

#[test]
fn every_wrong_number_of_fields_and_every_unknown_tag_is_a_violation() {
    for tag in 0..=0x7F_u8 {
        for fields in 0..=15_u8 {
            let message = [
                [0xB0 | fields, tag].as_slice(),
                &vec![0xA0; usize::from(fields)],
            ]
            .concat();
            let expected = match tag {
                0x01 | 0x11 | 0x2F | 0x3F | 0x54 | 0x6A => 1,
                0x10 | 0x66 => 3,
                0x02 | 0x0F | 0x12 | 0x13 | 0x6B => 0,
                _ => {
                    let unknown = Violation::UnknownMessage { tag };
                    assert_eq!(request(&message, Version::V6_1), Err(unknown.into()));
                    continue;
                }
            };
            let outcome = request(&message, Version::V6_1);
            let is_arity = matches!(
                outcome,
                Err(RequestError::Violation(Violation::Arity { .. }))
            );
            assert_eq!(
                is_arity,
                fields != expected,
                "{tag:02X}, {fields}: {outcome:?}"
            );
        }
    }
}

#[test]
fn a_field_of_the_wrong_type_is_a_violation() {
    for text in [
        "B1 01 C0",
        "B1 6A 90",
        "B3 10 C0 A0 A0",
        "B3 10 81 61 90 A0",
        "B3 10 81 61 A0 C0",
        "B1 11 01",
        "B1 3F 81 61",
        "B3 66 90 90 A0",
        "B3 66 A0 A0 A0",
    ] {
        assert!(
            matches!(
                request(&hex(text), Version::V5_8),
                Err(RequestError::Violation(Violation::FieldType { .. }))
            ),
            "{text}"
        );
    }
}

#[test]
fn malformed_bytes_are_a_violation_that_names_the_offset() {
    for (text, offset, kind) in [
        ("", 0, DecodeErrorKind::Truncated),
        ("B0", 0, DecodeErrorKind::Truncated),
        ("91 01", 0, DecodeErrorKind::NotAStructure(0x91)),
        ("DC 01 0F", 0, DecodeErrorKind::NotAStructure(0xDC)),
        ("B0 0F 00", 2, DecodeErrorKind::TrailingBytes),
        ("B1 11 A1 01 02", 3, DecodeErrorKind::KeyNotString),
        (
            "B1 3F A1 81 6E C7",
            5,
            DecodeErrorKind::ReservedMarker(0xC7),
        ),
    ] {
        let Err(RequestError::Violation(Violation::Malformed(error))) =
            request(&hex(text), Version::V5_8)
        else {
            panic!("{text}");
        };
        assert_eq!((error.offset, error.kind), (offset, kind), "{text}");
    }
}

#[test]
fn a_value_that_its_field_cannot_take_fails_the_request_only() {
    let failing = |message: Vec<u8>| match request(&message, Version::V5_8) {
        Err(RequestError::Field(FieldError { request, field, .. })) => (request, field),
        other => panic!("{other:?}"),
    };
    let pull = |write: fn(&mut MapWriter<'_>)| with_map(Version::V5_8, 0x3F, write);
    let begin = |write: fn(&mut MapWriter<'_>)| with_map(Version::V5_8, 0x11, write);
    let hello = |write: fn(&mut MapWriter<'_>)| with_map(Version::V5_8, 0x01, write);
    for (message, kind, field) in [
        (pull(|_| ()), RequestKind::Pull, "n"),
        (pull(|m| m.int("n", 0)), RequestKind::Pull, "n"),
        (pull(|m| m.int("n", -2)), RequestKind::Pull, "n"),
        (pull(|m| m.float("n", 1.0)), RequestKind::Pull, "n"),
        (pull(|m| m.key("n").null()), RequestKind::Pull, "n"),
        (
            pull(|m| {
                m.int("n", 1);
                m.int("qid", -2);
            }),
            RequestKind::Pull,
            "qid",
        ),
        (begin(|m| m.string("mode", "x")), RequestKind::Begin, "mode"),
        (
            begin(|m| m.int("tx_timeout", -1)),
            RequestKind::Begin,
            "tx_timeout",
        ),
        (
            begin(|m| m.string("tx_metadata", "")),
            RequestKind::Begin,
            "tx_metadata",
        ),
        (begin(|m| m.int("db", 1)), RequestKind::Begin, "db"),
        (
            begin(|m| m.string("bookmarks", "")),
            RequestKind::Begin,
            "bookmarks",
        ),
        (
            begin(|m| m.key("bookmarks").list(|l| l.int(1))),
            RequestKind::Begin,
            "bookmarks",
        ),
        (
            begin(|m| m.string("notifications_minimum_severity", "LOUD")),
            RequestKind::Begin,
            "notifications_minimum_severity",
        ),
        (
            hello(|m| m.bool("user_agent", true)),
            RequestKind::Hello,
            "user_agent",
        ),
        (
            hello(|m| m.key("bolt_agent").map(|_| ())),
            RequestKind::Hello,
            "bolt_agent.product",
        ),
        (hex("B1 54 09"), RequestKind::Telemetry, "api"),
        (hex("B1 54 C0"), RequestKind::Telemetry, "api"),
        (hex("B3 66 A0 91 01 A0"), RequestKind::Route, "bookmarks"),
    ] {
        assert_eq!(failing(message), (kind, field));
    }
}

#[test]
fn null_means_absent_and_unknown_keys_mean_nothing() {
    let message = with_map(Version::V5_8, 0x11, |map| {
        for key in [
            "bookmarks",
            "tx_timeout",
            "tx_metadata",
            "mode",
            "db",
            "imp_user",
            "notifications_minimum_severity",
            "notifications_disabled_classifications",
        ] {
            map.key(key).null();
        }
        map.key("a future key").list(|list| list.int(1));
    });
    let bare = with_map(Version::V5_8, 0x11, |_| ());
    assert_eq!(
        request(&message, Version::V5_8),
        request(&bare, Version::V5_8)
    );
    let empty_name = with_map(Version::V5_8, 0x11, |map| map.string("db", ""));
    assert_eq!(
        request(&empty_name, Version::V5_8),
        request(&bare, Version::V5_8)
    );
}

#[test]
fn keys_of_later_versions_are_unknown_to_earlier_ones() {
    let begin = with_map(Version::V4_3, 0x11, |map| {
        map.int("imp_user", 1);
        map.int("notifications_minimum_severity", 1);
    });
    assert!(request(&begin, Version::V4_3).is_ok());
    assert!(request(&begin, Version::V4_4).is_err());
    let filters = with_map(Version::V5_4, 0x11, |map| {
        map.strings("notifications_disabled_categories", ["HINT", "NEW"]);
        map.strings("notifications_disabled_classifications", ["SCHEMA"]);
    });
    for (version, category) in [
        (Version::V5_1, None),
        (Version::V5_2, Some(Category::Hint)),
        (Version::V5_4, Some(Category::Hint)),
        (Version::V5_6, Some(Category::Schema)),
    ] {
        let Ok(Request::Begin(extra)) = request(&filters, version) else {
            panic!("BEGIN");
        };
        assert_eq!(
            extra.notifications.disabled,
            category.map(CategorySet::of),
            "{version}"
        );
    }
}

#[test]
fn route_names_its_database_in_a_map_since_4_4() {
    let plain = hex("B3 66 A0 90 82 64 62");
    let Ok(Request::Route(route)) = request(&plain, Version::V4_3) else {
        panic!("ROUTE");
    };
    assert_eq!(route.database, Some("db"));
    assert!(request(&plain, Version::V4_4).is_err());
    for version in [Version::V4_3, Version::V4_4, Version::V6_1] {
        for database in [None, Some("movies")] {
            let message = written(version, |send| {
                send.ask_route("[::1]:7687", &["q:1"], database)
            });
            let Ok(Request::Route(route)) = request(&message, version) else {
                panic!("ROUTE");
            };
            assert_eq!(route.database, database);
            assert_eq!(string(route.routing, "address"), "[::1]:7687");
            assert!(route.bookmarks.iter().eq(["q:1"]));
        }
    }
}

#[test]
fn a_scheme_that_lacks_what_it_needs_gives_no_credentials() {
    let logon = |write: fn(&mut MapWriter<'_>)| with_map(Version::V5_8, 0x6A, write);
    let credentials = |message: &[u8]| match request(message, Version::V5_8) {
        Ok(Request::Logon(auth)) => auth.credentials().map(|c| format!("{c:?}")),
        other => panic!("{other:?}"),
    };
    assert_eq!(credentials(&logon(|_| ())).as_deref(), Some("None"));
    // An empty name and password are left out by drivers.
    assert_eq!(
        credentials(&logon(|m| m.string("scheme", "basic"))).as_deref(),
        Some("Basic { principal: \"\", .. }")
    );
    assert_eq!(credentials(&logon(|m| m.string("scheme", "bearer"))), None);
    assert_eq!(
        credentials(&logon(|m| m.string("scheme", "saml-entra-id"))).as_deref(),
        Some("Custom(\"saml-entra-id\")")
    );
}

#[test]
fn secrets_do_not_show_in_debug_texts_or_errors() {
    let message = with_map(Version::V5_8, 0x6A, |map| {
        map.string("scheme", "basic");
        map.string("principal", "neo");
        map.string("credentials", "hunter2");
    });
    let logon = request(&message, Version::V5_8).unwrap();
    assert!(!format!("{logon:?}").contains("hunter2"));
    let wrong = with_map(Version::V5_8, 0x6A, |map| {
        map.key("credentials").list(|list| list.string("hunter2"));
    });
    let error = request(&wrong, Version::V5_8).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let login = Login::Basic {
        principal: "neo",
        password: "hunter2",
    };
    assert!(!format!("{login:?}").contains("hunter2"));
}
