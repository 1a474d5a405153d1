//! Answers, by version: what is written, and what a client reads.

mod wire;

use quoit_protocol::message::Response;
use quoit_protocol::message::answer::{EncodedFields, HelloAnswer, Hints, RunAnswer};
use quoit_protocol::message::failure::{Cause, Classification, Failure, GqlError};
use quoit_protocol::message::notification::{
    Category, CategorySet, MinimumSeverity, Notification, NotificationFilter, OutcomeStatus,
    Position, Severity,
};
use quoit_protocol::message::plan::{PlanArgument, PlanNode, Profile};
use quoit_protocol::message::routing::RoutingTable;
use quoit_protocol::message::summary::{QueryKind, Stats, Summary};
use quoit_protocol::packstream::Value;
use quoit_protocol::{SendBuffer, Version};
use wire::{child, hex, keys, metadata, string, written};

#[test]
fn the_answer_to_hello_says_what_its_version_knows() {
    for version in Version::SUPPORTED {
        let message = written(version, |send| {
            send.hello_success(&HelloAnswer {
                server: "Neo4j/5.26.0 compatible graph database server - Quoit/0.1.0",
                connection_id: "bolt-1",
                hints: Hints {
                    recv_timeout_s: Some(120),
                    telemetry: true,
                    server_side_routing: true,
                },
                utc_patch: true,
                manifest: true,
            });
        });
        let map = metadata(&message);
        let mut expected = vec!["server", "connection_id"];
        if version >= Version::V4_3 {
            expected.push("hints");
            let mut hints = vec![];
            if version >= Version::V5_0 {
                hints.push("connection.recv_timeout_seconds");
            }
            if version >= Version::V5_4 {
                hints.push("telemetry.enabled");
            }
            if version >= Version::V5_8 {
                hints.push("ssr.enabled");
            }
            assert_eq!(keys(child(map, "hints")), hints, "{version}");
        }
        if version == Version::V4_3 || version == Version::V4_4 {
            expected.push("patch_bolt");
        }
        if version >= Version::V5_7 {
            expected.push("protocol_version");
            assert_eq!(string(map, "protocol_version"), version.to_string());
        }
        assert_eq!(keys(map), expected, "{version}");
    }
}

#[test]
fn the_home_database_is_named_since_5_8() {
    for (version, named) in [(Version::V5_7, false), (Version::V5_8, true)] {
        let run = written(version, |send| {
            send.run_success(&RunAnswer {
                fields: &EncodedFields::new([]),
                t_first_ms: 7,
                qid: Some(0),
                database: Some("quoit"),
            });
        });
        let map = metadata(&run);
        assert!(map.get("fields").unwrap().as_list().unwrap().is_empty());
        assert_eq!(map.get("t_first"), Some(Value::Int(7)));
        assert_eq!(map.get("qid"), Some(Value::Int(0)));
        assert_eq!(map.get("db").is_some(), named);
        let begin = written(version, |send| send.begin_success(Some("quoit")));
        assert_eq!(metadata(&begin).get("db").is_some(), named);
        let logon = written(version, |send| send.logon_success(Some("h:7687")));
        assert_eq!(metadata(&logon).get("advertised_address").is_some(), named);
    }
}

const SYNTAX_ERROR: Failure<'static> = Failure {
    code: "Neo.ClientError.Statement.SyntaxError",
    message: "unexpected ')'",
    gql: GqlError {
        status: "42001",
        description: "error: syntax error or access rule violation - invalid syntax",
        classification: Classification::Client,
        position: Some(Position {
            offset: 7,
            line: 1,
            column: 8,
        }),
        open_cypher: Some("SyntaxError at compile time: UnexpectedSyntax"),
        idempotent: false,
        cause: Some(&Cause {
            message: "why",
            gql: GqlError {
                status: "42I06",
                description: "error: invalid input",
                classification: Classification::Client,
                position: None,
                open_cypher: None,
                idempotent: true,
                cause: None,
            },
        }),
    },
};

#[test]
fn a_failure_has_a_code_up_to_5_6_and_gql_fields_from_5_7_on() {
    for version in Version::SUPPORTED {
        let message = written(version, |send| send.failure(&SYNTAX_ERROR));
        let Ok(Response::Failure {
            code,
            message,
            metadata,
        }) = Response::decode(&message)
        else {
            panic!("a failure");
        };
        assert_eq!((code, message), (SYNTAX_ERROR.code, SYNTAX_ERROR.message));
        if version < Version::V5_7 {
            assert_eq!(keys(metadata), ["code", "message"]);
            continue;
        }
        assert_eq!(
            keys(metadata),
            [
                "neo4j_code",
                "message",
                "gql_status",
                "description",
                "diagnostic_record",
                "cause"
            ]
        );
        let record = child(metadata, "diagnostic_record");
        assert_eq!(string(record, "_classification"), "CLIENT_ERROR");
        assert_eq!(
            Some(string(record, "_opencypher")),
            SYNTAX_ERROR.gql.open_cypher
        );
        let position = child(record, "_position");
        assert_eq!(position.get("column"), Some(Value::Int(8)));
        let cause = child(metadata, "cause");
        assert_eq!(
            keys(cause),
            ["message", "gql_status", "description", "diagnostic_record"]
        );
        let record = child(cause, "diagnostic_record");
        assert_eq!(record.get("_idempotent"), Some(Value::Bool(true)));
    }
}

fn notification(
    status: &'static str,
    severity: Severity,
    category: Category,
) -> Notification<'static> {
    Notification {
        code: format!("Neo.ClientNotification.Test.N{status}").into(),
        gql_status: status.into(),
        title: "a title".into(),
        description: "a description".into(),
        status_description: "warn: a description".into(),
        severity,
        category,
        position: Some(Position {
            offset: 0,
            line: 1,
            column: 1,
        }),
    }
}

fn summary<'a>(
    notifications: &'a [Notification<'a>],
    filter: NotificationFilter,
    outcome: OutcomeStatus,
) -> Summary<'a> {
    Summary {
        kind: QueryKind::Read,
        t_last_ms: 2,
        database: "quoit",
        bookmark: None,
        stats: Stats::default(),
        plan: None,
        outcome,
        notifications,
        filter,
    }
}

#[test]
fn a_summary_always_says_what_clients_insist_on() {
    for version in Version::SUPPORTED {
        let message = written(version, |send| {
            let summary = summary(&[], NotificationFilter::default(), OutcomeStatus::Rows);
            send.summary_success(&summary, |map| map.float("parsing_time", 0.5));
        });
        let map = metadata(&message);
        assert_eq!(map.get("has_more"), Some(Value::Bool(false)));
        assert_eq!(string(map, "type"), "r");
        assert_eq!(string(map, "db"), "quoit");
        assert_eq!(map.get("t_last"), Some(Value::Int(2)));
        let mut expected = vec!["has_more", "type", "t_last", "db"];
        if version >= Version::V5_6 {
            expected.push("statuses");
        }
        expected.push("parsing_time");
        assert_eq!(keys(map), expected);
    }
    let more = written(Version::V5_8, SendBuffer::more_success);
    assert_eq!(metadata(&more).get("has_more"), Some(Value::Bool(true)));
    assert_eq!(keys(metadata(&more)), ["has_more"]);
}

#[test]
fn stats_name_only_what_changed() {
    let message = written(Version::V5_0, |send| {
        let summary = Summary {
            kind: QueryKind::ReadWrite,
            bookmark: Some("q:1"),
            stats: Stats {
                vertices_created: 2,
                edges_created: 1,
                ..Stats::default()
            },
            ..summary(&[], NotificationFilter::default(), OutcomeStatus::Rows)
        };
        send.summary_success(&summary, |_| ());
    });
    let map = metadata(&message);
    assert_eq!(string(map, "type"), "rw");
    assert_eq!(string(map, "bookmark"), "q:1");
    let stats = child(map, "stats");
    assert_eq!(
        keys(stats),
        ["nodes-created", "relationships-created", "contains-updates"]
    );
    assert_eq!(stats.get("nodes-created"), Some(Value::Int(2)));
}

fn three_notifications() -> [Notification<'static>; 3] {
    [
        notification("03N90", Severity::Information, Category::Performance),
        notification("01N51", Severity::Warning, Category::Unrecognized),
        notification("00NA0", Severity::Information, Category::Schema),
    ]
}

fn statuses(outcome: OutcomeStatus, filter: NotificationFilter) -> Vec<String> {
    let notifications = three_notifications();
    let message = written(Version::V5_6, |send| {
        send.summary_success(&summary(&notifications, filter, outcome), |_| ());
    });
    let list = metadata(&message)
        .get("statuses")
        .unwrap()
        .as_list()
        .unwrap();
    list.iter()
        .map(|status| string(status.as_map().unwrap(), "gql_status").to_string())
        .collect()
}

#[test]
fn statuses_hold_the_outcome_and_are_in_order() {
    let all = NotificationFilter::default();
    assert_eq!(
        statuses(OutcomeStatus::Rows, all),
        ["01N51", "00000", "00NA0", "03N90"]
    );
    assert_eq!(
        statuses(OutcomeStatus::NoData, all),
        ["02000", "01N51", "00NA0", "03N90"]
    );
    let off = NotificationFilter {
        minimum: Some(MinimumSeverity::Off),
        disabled: None,
    };
    assert_eq!(statuses(OutcomeStatus::OmittedResult, off), ["00001"]);
    let warnings = NotificationFilter {
        minimum: Some(MinimumSeverity::Warning),
        disabled: None,
    };
    assert_eq!(statuses(OutcomeStatus::Rows, warnings), ["01N51", "00000"]);
    let not_schema = NotificationFilter {
        minimum: None,
        disabled: Some(CategorySet::of(Category::Schema)),
    };
    assert_eq!(
        statuses(OutcomeStatus::Rows, not_schema),
        ["01N51", "00000", "03N90"]
    );
}

#[test]
fn a_status_carries_what_a_notification_did() {
    let notifications = [notification(
        "01N51",
        Severity::Warning,
        Category::Unrecognized,
    )];
    let message = written(Version::V5_6, |send| {
        let filter = NotificationFilter::default();
        send.summary_success(
            &summary(&notifications, filter, OutcomeStatus::NoData),
            |_| (),
        );
    });
    let list = metadata(&message)
        .get("statuses")
        .unwrap()
        .as_list()
        .unwrap();
    let statuses: Vec<_> = list.iter().map(|status| status.as_map().unwrap()).collect();
    assert_eq!(string(statuses[0], "status_description"), "note: no data");
    assert_eq!(statuses[0].get("neo4j_code"), None);
    assert_eq!(
        string(statuses[1], "neo4j_code"),
        "Neo.ClientNotification.Test.N01N51"
    );
    assert_eq!(string(statuses[1], "title"), "a title");
    let record = child(statuses[1], "diagnostic_record");
    assert_eq!(string(record, "_severity"), "WARNING");
    assert_eq!(string(record, "_classification"), "UNRECOGNIZED");
    assert_eq!(child(record, "_position").get("line"), Some(Value::Int(1)));
}

#[test]
fn notifications_up_to_5_4_have_a_category_from_5_2_on() {
    let notifications = three_notifications();
    for version in [Version::V4_4, Version::V5_1, Version::V5_2, Version::V5_4] {
        let filter = NotificationFilter {
            minimum: Some(MinimumSeverity::Warning),
            disabled: None,
        };
        let message = written(version, |send| {
            send.summary_success(
                &summary(&notifications, filter, OutcomeStatus::Rows),
                |_| (),
            );
        });
        let map = metadata(&message);
        assert!(map.get("statuses").is_none());
        let list = map.get("notifications").unwrap().as_list().unwrap();
        assert_eq!(list.len(), 1);
        let only = list.iter().next().unwrap().as_map().unwrap();
        let mut expected = vec!["code", "title", "description", "severity"];
        if version >= Version::V5_2 {
            expected.push("category");
        }
        expected.push("position");
        assert_eq!(keys(only), expected, "{version}");
        assert_eq!(string(only, "severity"), "WARNING");
    }
}

#[test]
fn memgraphs_notifications_say_info() {
    let notifications = [Notification {
        code: "CreateIndex".into(),
        ..notification("00NA0", Severity::Information, Category::Schema)
    }];
    let message = written(Version::V4_4, |send| {
        let filter = NotificationFilter::default();
        send.summary_success(
            &summary(&notifications, filter, OutcomeStatus::Rows),
            |_| (),
        );
    });
    let list = metadata(&message)
        .get("notifications")
        .unwrap()
        .as_list()
        .unwrap();
    let only = list.iter().next().unwrap().as_map().unwrap();
    assert_eq!(string(only, "severity"), "INFO");
}

#[test]
fn a_transactions_filter_goes_before_its_connections() {
    let connection = NotificationFilter {
        minimum: Some(MinimumSeverity::Off),
        disabled: Some(CategorySet::of(Category::Hint)),
    };
    let transaction = NotificationFilter {
        minimum: Some(MinimumSeverity::Information),
        disabled: None,
    };
    let both = transaction.over(connection);
    assert!(both.wants(Severity::Information, Category::Schema));
    assert!(!both.wants(Severity::Warning, Category::Hint));
    assert!(!connection.wants(Severity::Warning, Category::Schema));
}

#[test]
fn a_plan_is_written_with_its_children_and_a_profile_with_its_counts() {
    let scan = PlanNode {
        operator: "NodeByLabelScan".into(),
        identifiers: vec!["n".into()],
        arguments: vec![
            ("Details".into(), PlanArgument::Text("n:N".into())),
            ("EstimatedRows".into(), PlanArgument::Float(10.0)),
        ],
        profile: None,
        children: vec![],
    };
    let mut root = PlanNode {
        operator: "ProduceResults".into(),
        children: vec![scan],
        ..PlanNode::default()
    };
    let write = |root: &PlanNode| {
        written(Version::V5_8, |send| {
            let summary = Summary {
                plan: Some(root),
                ..summary(&[], NotificationFilter::default(), OutcomeStatus::NoData)
            };
            send.summary_success(&summary, |_| ());
        })
    };
    let message = write(&root);
    let plan = child(metadata(&message), "plan");
    assert_eq!(
        keys(plan),
        ["operatorType", "identifiers", "args", "children"]
    );
    let children = plan.get("children").unwrap().as_list().unwrap();
    let scan = children.iter().next().unwrap().as_map().unwrap();
    assert_eq!(string(child(scan, "args"), "Details"), "n:N");

    root.profile = Some(Profile {
        db_hits: 3,
        rows: 2,
        time_ns: Some(900),
    });
    let message = write(&root);
    let profile = child(metadata(&message), "profile");
    assert_eq!(profile.get("dbHits"), Some(Value::Int(3)));
    assert_eq!(profile.get("rows"), Some(Value::Int(2)));
    assert_eq!(profile.get("time"), Some(Value::Int(900)));

    let mut deep = PlanNode::default();
    for _ in 0..500 {
        deep = PlanNode {
            children: vec![deep],
            ..PlanNode::default()
        };
    }
    assert!(
        Response::decode(&write(&deep)).is_ok(),
        "no deeper than a reader takes"
    );
}

#[test]
fn a_routing_table_names_its_database_since_4_4() {
    let table = RoutingTable {
        ttl_s: 300,
        database: "quoit",
        routers: &["h1:7687", "h2:7687"],
        readers: &["h2:7687"],
        writers: &[],
    };
    for (version, named) in [(Version::V4_3, false), (Version::V4_4, true)] {
        let message = written(version, |send| send.route_success(&table));
        let rt = child(metadata(&message), "rt");
        assert_eq!(rt.get("db").is_some(), named);
        assert_eq!(rt.get("ttl"), Some(Value::Int(300)));
        let servers = rt.get("servers").unwrap().as_list().unwrap();
        let roles: Vec<_> = servers
            .iter()
            .map(|server| string(server.as_map().unwrap(), "role"))
            .collect();
        assert_eq!(roles, ["ROUTE", "READ"], "no role without a server");
    }
}

#[test]
fn a_client_reads_what_other_servers_answer() {
    assert_eq!(Response::decode(&[0xB0, 0x7E]), Ok(Response::Ignored));
    assert_eq!(
        Response::decode(&[0xB1, 0x7E, 0xA0]),
        Ok(Response::Ignored),
        "as old servers send it"
    );
    for wrong in ["B0 70", "B1 70 90", "B1 71 A0", "B2 71 90 90", "B1 0F A0"] {
        assert!(Response::decode(&hex(wrong)).is_err(), "{wrong}");
    }
}
