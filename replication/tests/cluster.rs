//! Whole nodes on real rings, disks and sockets: the founding story, the mode table, restarts, promotion, strangers.

mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::{Directory, Node, NodeOptions, Proxy, eventually, free_port};
use quoit_log::Durability;
use quoit_replication::{
    Mode, OpenError, Reason, Refusal, RegisterFailure, Replication, ReplicationConfig, Role,
    StatementError,
};

fn failure(answer: Result<Vec<quoit_replication::Notice>, StatementError>) -> RegisterFailure {
    match answer {
        Err(StatementError::Register { failure, .. }) => failure,
        other => panic!("expected a refused registration, got {other:?}"),
    }
}

#[test]
fn the_founding_story_a_lone_write_shows_on_three_replicas_with_no_traffic_behind_it() {
    let directories: [Directory; 4] = std::array::from_fn(|_| Directory::new());
    let nodes = directories.each_ref().map(Node::start);
    let [main, r1, r2, r3] = &nodes;
    let modes = [
        Mode::Sync,
        Mode::Async,
        Mode::SyncTimeout(Duration::from_secs(1)),
    ];
    for ((name, replica), mode) in [("r1", r1), ("r2", r2), ("r3", r3)].into_iter().zip(modes) {
        let notices = main
            .register(name, mode, &replica.become_replica())
            .unwrap();
        assert_eq!(notices[0].title, format!("Replica {name} is registered."));
    }
    assert_eq!(main.shared.role(), Role::Main);
    assert_eq!(r1.shared.role(), Role::Replica);
    assert_eq!(r1.shared.writable(), Err(Refusal::Replica));
    assert_eq!(main.shared.identity().cluster, r3.shared.identity().cluster);

    let confirmation = main.commit(0, "This is going to be replicated!");
    assert_eq!(confirmation.warnings, []);
    for replica in [r1, r2, r3] {
        eventually("the write shows", || {
            replica.applied() == ["This is going to be replicated!"]
        });
    }
    eventually("all are ready", || {
        main.show()
            .iter()
            .all(|row| row.data_info.status == "ready")
    });
    let rows = main.show();
    let shown: Vec<_> = rows
        .iter()
        .map(|r| {
            (
                &*r.name,
                r.sync_mode,
                r.effective_mode,
                r.timeout,
                r.data_info.ts,
                r.data_info.behind,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("r1", "sync", "sync", None, Some(1), Some(0)),
            ("r2", "async", "async", None, Some(1), Some(0)),
            ("r3", "sync", "sync", Some(1.0), Some(1), Some(0)),
        ]
    );
    assert!(rows.iter().all(|row| row.lag_transactions == Some(0)
        && row.lag_seconds == Some(0.0)
        && row.detail.is_empty()));
}

#[test]
fn commits_of_two_cores_reach_a_replica_over_two_lanes_in_one_order() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start_with(
        &main_dir,
        NodeOptions {
            cores: 2,
            ..NodeOptions::default()
        },
    );
    let replica = Node::start(&replica_dir);
    main.register("r1", Mode::Sync, &replica.become_replica())
        .unwrap();
    let waits: Vec<_> = (0..400)
        .map(|n| main.begin_commit(n % 2, &format!("commit {n}")))
        .collect();
    for wait in waits {
        assert_eq!(wait.recv_timeout(harness::PATIENCE).unwrap().warnings, []);
    }
    eventually("all show", || replica.applied().len() == 400);
    assert_eq!(replica.applied_numbers(), (1..=400).collect::<Vec<_>>());
    let mut applied = replica.applied();
    applied.sort();
    let mut expected: Vec<_> = (0..400).map(|n| format!("commit {n}")).collect();
    expected.sort();
    assert_eq!(applied, expected);
    assert_eq!(main.shared.counters().lost, 0, "no lane was lost");
}

#[test]
fn a_replica_that_joins_late_catches_up_from_the_log() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start(&main_dir);
    let big = "x".repeat(20_000);
    for n in 0..300 {
        main.commit(0, &format!("{n} {big}"));
    }
    let replica = Node::start(&replica_dir);
    main.register("r1", Mode::Async, &replica.become_replica())
        .unwrap();
    let during: Vec<_> = (300..400)
        .map(|n| main.begin_commit(0, &format!("{n} {big}")))
        .collect();
    during
        .into_iter()
        .for_each(|wait| assert_eq!(wait.recv_timeout(harness::PATIENCE).unwrap().warnings, []));
    eventually("it has caught up", || replica.applied().len() == 400);
    assert_eq!(replica.applied_numbers(), (1..=400).collect::<Vec<_>>());
    eventually("it is ready", || main.row("r1").data_info.status == "ready");
}

#[test]
fn with_a_queue_that_holds_almost_nothing_every_group_still_arrives() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start_with(
        &main_dir,
        NodeOptions {
            queue_bytes: 200,
            ..NodeOptions::default()
        },
    );
    let replica = Node::start(&replica_dir);
    main.register("r1", Mode::Async, &replica.become_replica())
        .unwrap();
    for n in 0..200 {
        main.begin_commit(0, &format!("{n}"));
        if n % 10 == 0 {
            main.commit(0, "pause");
        }
    }
    eventually("all show", || replica.applied().len() == 220);
    assert_eq!(replica.applied_numbers(), (1..=220).collect::<Vec<_>>());
}

#[test]
fn a_dead_sync_replica_costs_one_wait_then_warnings_at_once_and_counts_again_after_its_return() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let options = NodeOptions {
        replica_timeout: Duration::from_millis(700),
        ..NodeOptions::default()
    };
    let main = Node::start_with(&main_dir, options);
    let replica = Node::start(&replica_dir);
    main.register("r1", Mode::Sync, &replica.become_replica())
        .unwrap();
    assert_eq!(main.commit(0, "one").warnings, []);
    drop(replica);

    let warned = main.commit(0, "two").warnings;
    assert_eq!((warned.len(), warned[0].reason), (1, Reason::NotCaughtUp));
    assert!(
        warned[0]
            .notice()
            .title
            .starts_with("Failed to replicate to SYNC replica 'r1': replica is not reachable or not in sync with the main.")
    );
    let begin = Instant::now();
    let warned = main.commit(0, "three").warnings;
    assert_eq!(warned.len(), 1);
    assert!(
        begin.elapsed() < options.replica_timeout,
        "a replica that was given up is not waited for"
    );
    let row = main.row("r1");
    assert_eq!(
        (row.effective_mode, row.sync_mode, row.data_info.status),
        ("async", "sync", "invalid")
    );
    assert_eq!(
        (row.lag_transactions, row.data_info.behind),
        (Some(2), Some(-2))
    );
    assert!(row.lag_seconds.unwrap() > 0.0);

    let replica = Node::start(&replica_dir);
    assert_eq!(
        replica.shared.role(),
        Role::Replica,
        "roles survive a restart"
    );
    eventually("it counts again", || {
        main.row("r1").effective_mode == "sync"
    });
    assert_eq!(main.commit(0, "four").warnings, []);
    eventually("all show", || {
        replica.applied() == ["one", "two", "three", "four"]
    });
}

#[test]
fn a_connected_sync_replica_that_falls_silent_is_said_to_make_no_progress() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let options = NodeOptions {
        replica_timeout: Duration::from_millis(300),
        ..NodeOptions::default()
    };
    let main = Node::start_with(&main_dir, options);
    let replica = Node::start(&replica_dir);
    let proxy = Proxy::to(&replica.become_replica());
    main.register("r1", Mode::Sync, &proxy.endpoint).unwrap();
    assert_eq!(main.commit(0, "one").warnings, []);
    proxy.pause();
    let warned = main.commit(0, "two").warnings;
    assert_eq!((warned.len(), warned[0].reason), (1, Reason::NoProgress));
}

#[test]
fn a_slow_semi_sync_replica_is_demoted_with_one_round_of_warnings_and_promoted_back() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start_with(
        &main_dir,
        NodeOptions {
            cores: 2,
            ..NodeOptions::default()
        },
    );
    let replica = Node::start(&replica_dir);
    let proxy = Proxy::to(&replica.become_replica());
    let timeout = Duration::from_millis(600);
    main.register("r3", Mode::SyncTimeout(timeout), &proxy.endpoint)
        .unwrap();
    assert_eq!(main.commit(0, "in time").warnings, []);
    proxy.pause();
    let begin = Instant::now();
    let waiting: Vec<_> = (0..20)
        .map(|n| main.begin_commit(n % 2, &format!("waiting {n}")))
        .collect();
    for wait in waiting {
        let warnings = wait.recv_timeout(harness::PATIENCE).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "every commit that waited is warned");
        assert_eq!(warnings[0].reason, Reason::Timeout);
    }
    assert!(begin.elapsed() >= timeout);
    let row = main.row("r3");
    assert_eq!((row.effective_mode, row.timeout), ("async", Some(0.6)));
    for n in 0..10 {
        assert_eq!(
            main.commit(n % 2, "after").warnings,
            [],
            "none after the change"
        );
    }
    proxy.resume();
    eventually("it is promoted back", || {
        main.row("r3").effective_mode == "sync"
    });
    assert_eq!(main.commit(1, "again in time").warnings, []);
    eventually("all show", || replica.applied().len() == 32);
    assert_eq!(replica.applied_numbers(), (1..=32).collect::<Vec<_>>());
}

#[test]
fn a_stuck_sync_replica_holds_up_its_waiters_and_nothing_else() {
    let directories: [Directory; 3] = std::array::from_fn(|_| Directory::new());
    let nodes = directories.each_ref().map(Node::start);
    let [main, stuck, other] = &nodes;
    let proxy = Proxy::to(&stuck.become_replica());
    main.register("stuck", Mode::Sync, &proxy.endpoint).unwrap();
    main.register("other", Mode::Async, &other.become_replica())
        .unwrap();
    assert_eq!(main.commit(0, "one").warnings, []);
    proxy.pause();
    let waiting = main.begin_commit(0, "two");
    // The commit's row is visible here and travels on, and statements are answered, while its client waits.
    eventually("it shows on the other replica", || {
        other.applied() == ["one", "two"]
    });
    let visible = main.run(0, |n| async move { n.log.log().visible().commit.0 });
    assert_eq!(visible, 2);
    assert_eq!(main.row("stuck").lag_transactions, Some(1));
    assert!(waiting.try_recv().is_err(), "its answer waits");
    // DROP waits for nobody, and the commit is answered.
    main.drop_replica("stuck").unwrap();
    let warnings = waiting.recv_timeout(harness::PATIENCE).unwrap().warnings;
    assert_eq!((warnings.len(), warnings[0].reason), (1, Reason::Dropped));
    assert_eq!(main.show().len(), 1);
    assert_eq!(main.commit(0, "three").warnings, []);
}

#[test]
fn a_cut_link_resumes_and_nothing_is_lost_or_doubled() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start_with(
        &main_dir,
        NodeOptions {
            cores: 2,
            ..NodeOptions::default()
        },
    );
    let replica = Node::start(&replica_dir);
    let proxy = Proxy::to(&replica.become_replica());
    main.register("r1", Mode::Sync, &proxy.endpoint).unwrap();
    let mut waits = Vec::new();
    for n in 0..200 {
        waits.push(main.begin_commit(n % 2, &format!("{n}")));
        if n % 40 == 20 {
            proxy.cut();
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    for wait in waits {
        assert_eq!(
            wait.recv_timeout(harness::PATIENCE).unwrap().warnings,
            [],
            "a short cut is waited for"
        );
    }
    eventually("all show", || replica.applied().len() == 200);
    assert_eq!(replica.applied_numbers(), (1..=200).collect::<Vec<_>>());
    assert!(main.shared.counters().lost > 0, "links were cut");
}

#[test]
fn registrations_survive_the_main_and_a_dropped_replica_stays_dropped() {
    let directories: [Directory; 3] = std::array::from_fn(|_| Directory::new());
    let main = Node::start(&directories[0]);
    let (r1, r2) = (Node::start(&directories[1]), Node::start(&directories[2]));
    main.register("r1", Mode::Sync, &r1.become_replica())
        .unwrap();
    main.register(
        "r2",
        Mode::SyncTimeout(Duration::from_secs(2)),
        &r2.become_replica(),
    )
    .unwrap();
    main.commit(0, "one");
    main.drop_replica("r2").unwrap();
    assert_eq!(
        main.drop_replica("r2"),
        Err(StatementError::DropUnknown("r2".into()))
    );
    drop(main);
    let main = Node::start(&directories[0]);
    eventually("r1 is ready", || main.row("r1").effective_mode == "sync");
    assert_eq!(main.show().len(), 1);
    assert_eq!(main.commit(0, "two").warnings, []);
    eventually("it shows", || r1.applied() == ["one", "two"]);
    assert_eq!(r2.applied(), ["one"], "a dropped replica gets nothing");
    main.register("r2", Mode::Async, &r2_endpoint(&r2)).unwrap();
    eventually("it shows", || r2.applied() == ["one", "two"]);
}

/// Where a replica listens, from its own record: it was registered before.
fn r2_endpoint(node: &Node) -> String {
    let address = node.shared.listen_address().expect("it is a replica");
    format!("127.0.0.1:{}", address.port())
}

#[test]
fn what_a_replica_holds_is_unknown_to_a_restarted_main_until_it_is_heard_from() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start(&main_dir);
    let replica = Node::start(&replica_dir);
    main.register("r1", Mode::Sync, &replica.become_replica())
        .unwrap();
    assert_eq!(main.commit(0, "one").warnings, []);
    drop(replica);
    drop(main);
    let main = Node::start(&main_dir);
    let row = main.row("r1");
    assert_eq!((row.data_info.ts, row.data_info.behind), (None, None));
    assert_eq!((row.lag_transactions, row.lag_seconds), (None, None));
    assert_eq!(row.data_info.status, "invalid");
    assert_eq!(main.commit(0, "two").warnings.len(), 1);
    assert_eq!(main.row("r1").lag_transactions, None);

    let replica = Node::start(&replica_dir);
    eventually("it has caught up", || {
        let row = main.row("r1");
        (row.data_info.ts, row.data_info.behind, row.lag_transactions)
            == (Some(2), Some(0), Some(0))
    });
    assert_eq!(main.row("r1").lag_seconds, Some(0.0));
    drop(replica);
    eventually("it is gone", || {
        main.row("r1").data_info.status == "invalid"
    });
    assert_eq!(
        main.row("r1").data_info.ts,
        Some(2),
        "what was heard once stays known"
    );
}

#[test]
fn a_refused_registration_leaves_nothing_behind() {
    let directories: [Directory; 3] = std::array::from_fn(|_| Directory::new());
    let nodes = directories.each_ref().map(Node::start);
    let [main, r1, r2] = &nodes;
    let port = free_port();
    let nobody = format!("127.0.0.1:{port}");
    assert!(matches!(
        failure(main.register("r1", Mode::Sync, &nobody)),
        RegisterFailure::Unreachable(_)
    ));
    assert_eq!(main.show(), []);
    r1.run(0, move |n| async move {
        n.replication.set_role_replica(port, None).await
    })
    .unwrap();
    main.register("r1", Mode::Sync, &nobody)
        .expect("the same statement works once somebody listens");
    let r2_at = r2.become_replica();
    assert_eq!(
        failure(main.register("r1", Mode::Async, &r2_at)),
        RegisterFailure::NameExists
    );
    assert_eq!(
        failure(main.register("r2", Mode::Async, &nobody)),
        RegisterFailure::EndpointExists("r1".into())
    );
    assert!(matches!(
        main.register("r2", Mode::Async, "not an endpoint:"),
        Err(StatementError::Endpoint(_))
    ));
    assert_eq!(
        r2.register("r1", Mode::Sync, &nobody),
        Err(StatementError::RegisterOnReplica)
    );
    assert_eq!(r2.drop_replica("r1"), Err(StatementError::DropOnReplica));
    assert_eq!(
        r2.run(0, |n| async move { n.replication.show_replicas() }),
        Err(StatementError::ShowOnReplica)
    );
    assert_eq!(main.become_main(), Err(StatementError::AlreadyMain));
    let again = r2.run(0, |n| async move {
        n.replication.set_role_replica(10_000, None).await
    });
    assert_eq!(again, Err(StatementError::AlreadyReplica));
    assert_eq!(main.show().len(), 1);
}

#[test]
fn an_instance_is_registered_once_however_its_address_is_spelt() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let (main, replica) = (Node::start(&main_dir), Node::start(&replica_dir));
    let endpoint = replica.become_replica();
    main.register("r1", Mode::Sync, &endpoint).unwrap();
    let by_name = endpoint.replace("127.0.0.1", "localhost");
    assert_eq!(
        main.register("r2", Mode::Async, &by_name)
            .unwrap_err()
            .to_string(),
        "Couldn't register replica r2. Error: 2 (this instance is registered as 'r1')"
    );
    assert_eq!(main.show().len(), 1);
    assert_eq!(
        main.commit(0, "one").warnings,
        [],
        "the session it has goes on"
    );
    assert_eq!(main.shared.counters().lost, 0);
    main.drop_replica("r1").unwrap();
    main.register("r2", Mode::Async, &by_name)
        .expect("DROP frees the instance");
}

#[test]
fn a_pinned_fingerprint_must_be_the_replicas() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let (main, replica) = (Node::start(&main_dir), Node::start(&replica_dir));
    let endpoint = replica.become_replica();
    let register = |fingerprint| {
        let endpoint = endpoint.clone();
        main.run(0, move |n| async move {
            let registration = quoit_replication::Registration {
                name: "r1".into(),
                mode: Mode::Async,
                endpoint,
                fingerprint: Some(fingerprint),
            };
            n.replication.register(registration).await
        })
    };
    let wrong = main.shared.identity().fingerprint;
    assert!(matches!(
        failure(register(wrong)),
        RegisterFailure::Unreachable(_)
    ));
    assert_eq!(main.show(), []);
    register(replica.shared.identity().fingerprint).unwrap();
}

#[test]
fn what_durability_cannot_keep_is_not_promised() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let durability = Durability::Interval(Duration::from_millis(50));
    let main = Node::start_with(
        &main_dir,
        NodeOptions {
            durability,
            ..NodeOptions::default()
        },
    );
    let replica = Node::start(&replica_dir);
    let endpoint = replica.become_replica();
    assert!(matches!(
        failure(main.register("r1", Mode::Sync, &endpoint)),
        RegisterFailure::Durability { .. }
    ));
    main.register("r1", Mode::Async, &endpoint).unwrap();
}

#[test]
fn a_replica_whose_durability_is_too_low_for_the_mode_is_refused_by_register() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start(&main_dir);
    let replica = Node::start_with(&replica_dir, synced_every(Duration::from_millis(50)));
    let endpoint = replica.become_replica();
    for (mode, words) in [
        (Mode::Sync, "SYNC"),
        (
            Mode::SyncTimeout(Duration::from_secs(1)),
            "SYNC WITH TIMEOUT",
        ),
    ] {
        assert_eq!(
            main.register("r1", mode, &endpoint)
                .unwrap_err()
                .to_string(),
            format!(
                "Couldn't register replica r1. Error: 7 ({words} needs --durability commit on the replica; it runs with interval)"
            )
        );
    }
    assert_eq!(main.show(), []);
    main.register("r1", Mode::Async, &endpoint)
        .expect("ASYNC takes an interval");
}

#[test]
fn a_sync_replica_that_restarts_with_less_durability_is_shown_and_warned_about_until_it_is_mended()
{
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start(&main_dir);
    let replica = Node::start(&replica_dir);
    main.register("r1", Mode::Sync, &replica.become_replica())
        .unwrap();
    assert_eq!(main.commit(0, "one").warnings, []);
    drop(replica);
    let replica = Node::start_with(&replica_dir, synced_every(Duration::from_millis(50)));
    eventually("the reason is shown", || {
        let row = main.row("r1");
        (row.data_info.status, &*row.detail, row.effective_mode)
            == (
                "invalid",
                "SYNC needs --durability commit on the replica; it runs with interval",
                "async",
            )
    });
    let warned = main.commit(0, "two").warnings;
    assert_eq!((warned.len(), warned[0].reason), (1, Reason::Durability));
    drop(replica);
    let replica = Node::start(&replica_dir);
    eventually("it counts again", || {
        main.row("r1").effective_mode == "sync"
    });
    assert_eq!(main.commit(0, "three").warnings, []);
    eventually("all show", || replica.applied() == ["one", "two", "three"]);
}

#[test]
fn a_main_does_not_start_with_less_durability_than_its_registrations_need() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start(&main_dir);
    let replica = Node::start(&replica_dir);
    main.register("r1", Mode::Sync, &replica.become_replica())
        .unwrap();
    main.commit(0, "one");
    drop(main);
    let open = |durability| {
        let config = ReplicationConfig::new(main_dir.path().to_owned(), 1, 1, durability);
        Replication::open(config).map(drop)
    };
    let error = open(Durability::Interval(Duration::from_millis(50))).unwrap_err();
    assert!(matches!(error, OpenError::Durability { .. }));
    assert_eq!(
        error.to_string(),
        "replica 'r1' is registered as SYNC, which needs --durability commit, and this server was started with \
         --durability interval; start it with --durability commit (to change the mode, DROP REPLICA r1 then)"
    );
    assert!(matches!(
        open(Durability::None),
        Err(OpenError::Durability { .. })
    ));
    let main = Node::start(&main_dir);
    main.drop_replica("r1").unwrap();
    drop(main);
    open(Durability::None).expect("without registrations nothing is promised");
}

fn synced_every(interval: Duration) -> NodeOptions {
    NodeOptions {
        durability: Durability::Interval(interval),
        ..NodeOptions::default()
    }
}

#[test]
fn a_promoted_replica_takes_over_and_the_old_main_is_fenced() {
    let directories: [Directory; 3] = std::array::from_fn(|_| Directory::new());
    let main = Node::start(&directories[0]);
    let (r1, r2) = (Node::start(&directories[1]), Node::start(&directories[2]));
    let r2_at = r2.become_replica();
    main.register("r1", Mode::Sync, &r1.become_replica())
        .unwrap();
    main.register("r2", Mode::Sync, &r2_at).unwrap();
    assert_eq!(main.commit(0, "one").warnings, []);
    drop(main);

    r1.become_main().unwrap();
    assert_eq!(r1.applied(), ["one"], "the durable prefix is published");
    r1.register("r2", Mode::Sync, &r2_at).unwrap();
    assert_eq!(r1.commit(0, "two").warnings, []);
    eventually("the other replica follows", || {
        r2.applied() == ["one", "two"]
    });

    let old = Node::start(&directories[0]);
    eventually("the old main is fenced", || {
        old.shared.writable() == Err(Refusal::Fenced)
    });
    assert_eq!(
        r2.applied(),
        ["one", "two"],
        "nothing of the old main reached the replica"
    );
    drop(old);
    let old = Node::start(&directories[0]);
    assert_eq!(
        old.shared.writable(),
        Err(Refusal::Fenced),
        "the fence survives a restart"
    );
    assert!(r2.shared.counters().refused > 0);
}

#[test]
fn a_planned_switch_over_loses_nothing() {
    let (a_dir, b_dir) = (Directory::new(), Directory::new());
    let (a, b) = (Node::start(&a_dir), Node::start(&b_dir));
    a.register("b", Mode::Sync, &b.become_replica()).unwrap();
    assert_eq!(a.commit(0, "one").warnings, []);
    eventually("b has shown it", || b.applied() == ["one"]);
    let a_at = a.become_replica();
    b.become_main().unwrap();
    b.register("a", Mode::Sync, &a_at).unwrap();
    assert_eq!(b.commit(0, "two").warnings, []);
    eventually("a follows", || a.applied() == ["two"]);
    assert_eq!(a.shared.writable(), Err(Refusal::Replica));
}

#[test]
fn a_node_with_data_of_its_own_is_not_overwritten() {
    let directories: [Directory; 2] = std::array::from_fn(|_| Directory::new());
    let nodes = directories.each_ref().map(Node::start);
    let [main, stranger] = &nodes;
    main.commit(0, "ours");
    stranger.commit(0, "theirs");
    let refused = failure(main.register("r1", Mode::Sync, &stranger.become_replica()));
    assert!(
        matches!(&refused, RegisterFailure::Refused(why) if why.contains("data of its own")),
        "{refused}"
    );
    assert_eq!(main.show(), []);
}

#[test]
fn a_former_main_with_writes_nobody_has_is_shown_as_diverged() {
    let (a_dir, b_dir) = (Directory::new(), Directory::new());
    let (a, b) = (Node::start(&a_dir), Node::start(&b_dir));
    let proxy = Proxy::to(&b.become_replica());
    a.register("b", Mode::Async, &proxy.endpoint).unwrap();
    a.commit(0, "common");
    eventually("b has it", || b.applied() == ["common"]);
    proxy.pause();
    a.commit(0, "only here");
    proxy.cut();
    b.become_main().unwrap();
    let a_at = a.become_replica();
    let refused = failure(b.register("a", Mode::Async, &a_at));
    assert!(
        matches!(&refused, RegisterFailure::Diverged(why) if why.contains("part after group")),
        "{refused}"
    );
    assert_eq!(b.show(), []);
}

#[test]
fn strangers_and_garbage_on_the_replication_port_are_refused_and_counted() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let (main, replica) = (Node::start(&main_dir), Node::start(&replica_dir));
    let endpoint = replica.become_replica();
    main.register("r1", Mode::Sync, &endpoint).unwrap();
    let before = replica.shared.counters().refused;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 5000],
        b"\x60\x60\xb0\x17\0\0\x04\x04\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        let mut stream = TcpStream::connect(&endpoint).unwrap();
        stream.write_all(garbage).unwrap();
        stream.set_read_timeout(Some(harness::PATIENCE)).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    eventually("they are counted", || {
        replica.shared.counters().refused >= before + 3
    });
    // Another node with a good key of its own, which belongs to no cluster of this replica.
    let other_dir = Directory::new();
    let other = Node::start(&other_dir);
    let refused = failure(other.register("r1", Mode::Sync, &endpoint));
    assert!(matches!(refused, RegisterFailure::Refused(_)), "{refused}");
    assert_eq!(
        main.commit(0, "one").warnings,
        [],
        "the main's link is unimpressed"
    );
    eventually("it shows", || replica.applied() == ["one"]);
}

#[test]
fn silent_callers_do_not_keep_the_main_out() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let (main, replica) = (Node::start(&main_dir), Node::start(&replica_dir));
    let endpoint = replica.become_replica();
    let silent: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(&endpoint).unwrap())
        .collect();
    eventually(
        "the main gets its turn once the silent ones are turned away",
        || main.register("r1", Mode::Sync, &endpoint).is_ok(),
    );
    drop(silent);
}

#[test]
fn a_main_killed_under_load_leaves_every_confirmed_write_on_its_sync_replica() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let replica = Node::start(&replica_dir);
    let endpoint = replica.become_replica();
    let mut confirmed = Vec::new();
    for round in 0..6 {
        let main = Node::start_with(
            &main_dir,
            NodeOptions {
                cores: 2,
                ..NodeOptions::default()
            },
        );
        if round == 0 {
            main.register("r1", Mode::Sync, &endpoint).unwrap();
        }
        eventually("the replica counts", || {
            main.row("r1").effective_mode == "sync"
        });
        let waits: Vec<_> = (0..150)
            .map(|n| {
                let payload = format!("{round}.{n}");
                (main.begin_commit(n % 2, &payload), payload)
            })
            .collect();
        // Some are answered, some are on their way, some have not begun.
        waits[20 + round * 20]
            .0
            .recv_timeout(harness::PATIENCE)
            .unwrap();
        drop(main);
        for (wait, payload) in waits {
            if wait
                .try_recv()
                .is_ok_and(|answer| answer.warnings.is_empty())
            {
                confirmed.push(payload);
            }
        }
    }
    assert!(confirmed.len() > 100, "{} were confirmed", confirmed.len());
    // The last MAIN is gone; what its replica holds is published by its promotion.
    replica.become_main().unwrap();
    let applied = replica.applied();
    for payload in &confirmed {
        assert_eq!(
            applied.iter().filter(|a| *a == payload).count(),
            1,
            "{payload} was confirmed"
        );
    }
    let numbers = replica.applied_numbers();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_replica_killed_again_and_again_keeps_what_it_acknowledged_and_catches_up() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start_with(
        &main_dir,
        NodeOptions {
            cores: 2,
            ..NodeOptions::default()
        },
    );
    let mut replica = Node::start(&replica_dir);
    main.register("r1", Mode::Sync, &replica.become_replica())
        .unwrap();
    let mut waits = Vec::new();
    for round in 0..5 {
        waits.extend((0..60).map(|n| main.begin_commit(n % 2, &format!("{round}.{n}"))));
        std::thread::sleep(Duration::from_millis(3 * round));
        drop(replica);
        replica = Node::start(&replica_dir);
    }
    for wait in waits {
        assert_eq!(
            wait.recv_timeout(harness::PATIENCE).unwrap().warnings,
            [],
            "a short absence is waited for"
        );
    }
    eventually("all show", || replica.applied().len() == 300);
    assert_eq!(replica.applied_numbers(), (1..=300).collect::<Vec<_>>());
}

#[test]
fn a_main_that_becomes_a_replica_answers_every_running_commit_and_keeps_its_data() {
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let (main, replica) = (Node::start(&main_dir), Node::start(&replica_dir));
    let proxy = Proxy::to(&replica.become_replica());
    main.register("r1", Mode::Sync, &proxy.endpoint).unwrap();
    main.commit(0, "first");
    proxy.pause();
    let waits: Vec<_> = (0..50)
        .map(|n| main.begin_commit(0, &format!("{n}")))
        .collect();
    main.become_replica();
    for wait in waits {
        let warnings = wait.recv_timeout(harness::PATIENCE).unwrap().warnings;
        assert_eq!(
            (warnings.len(), warnings[0].reason),
            (1, Reason::RoleChanged)
        );
    }
    assert_eq!(main.shared.writable(), Err(Refusal::Replica));
    let standing = main.run(0, |n| async move { n.replication.standing() });
    assert_eq!(standing.visible.commit.0, 51, "the data stay");
    main.become_main().unwrap();
    assert_eq!(main.show(), [], "registrations were dropped");
    assert_eq!(main.commit(0, "again").warnings, []);
}

#[test]
fn a_promotion_opens_a_term_above_every_one_that_the_node_knows_of() {
    use quoit_replication::node_record::NodeRecordFile;
    let (main_dir, replica_dir) = (Directory::new(), Directory::new());
    let main = Node::start(&main_dir);
    let replica = Node::start(&replica_dir);
    main.register("r1", Mode::Sync, &replica.become_replica())
        .unwrap();
    main.commit(0, "one");
    drop((main, replica));
    // As if a MAIN of term 4 had registered it and died before it sent anything.
    let (mut file, mut record) =
        NodeRecordFile::open_or_create(replica_dir.path(), || panic!("there is one")).unwrap();
    record.term = Some(quoit_log::Term { counter: 4, id: 44 });
    file.store(&record).unwrap();
    drop(file);
    let replica = Node::start(&replica_dir);
    replica.become_main().unwrap();
    let standing = replica.run(0, |n| async move { n.replication.standing() });
    assert_eq!(standing.durable.term.counter, 5);
    assert_eq!(replica.applied(), ["one"]);
}
