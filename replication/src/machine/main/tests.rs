//! The session's rules one by one; `simulation` runs them together.

use quoit_log::{GroupSeq, LogPosition, Term};

use super::*;
use crate::durability::DurabilityWord;
use crate::message::tests::group_after;

const THIS: NodeId = NodeId(1);
const REPLICA: NodeId = NodeId(2);
const TERM: Term = Term { counter: 4, id: 44 };
const S: Duration = Duration::from_secs(1);

fn session(replica: Option<NodeId>) -> Session {
    Session::new(
        Bounds::default(),
        THIS,
        TERM,
        replica,
        Mode::SyncTimeout(S),
        0,
    )
}

fn welcome(durable: LogPosition, visible: u64) -> Welcome {
    Welcome {
        version: 2,
        node: REPLICA,
        empty: false,
        durable,
        visible: GroupSeq(visible),
        bolt_port: 0,
        durability: DurabilityWord::Commit,
    }
}

fn tell(session: &mut Session, now: Time, event: Event) -> Vec<Action> {
    let mut out = Vec::new();
    session.handle(session.number(), event, now, &mut out);
    out
}

fn tick(session: &mut Session, now: Time) -> Vec<Action> {
    let mut out = Vec::new();
    session.tick(now, &mut out);
    out
}

fn look(acked: u64, gate: GateState, tail: u64, demoted: bool) -> Event {
    let (acked, tail) = (GroupSeq(acked), GroupSeq(tail));
    Event::Look(Look {
        acked,
        gate,
        tail,
        formed: tail,
        demoted,
    })
}

const CLOSED: GateState = GateState::Closed {
    from: GroupSeq::NONE,
};

/// A session in which groups flow, behind the empty history.
fn feeding() -> Session {
    let mut session = session(Some(REPLICA));
    tick(&mut session, S);
    tell(
        &mut session,
        S,
        Event::Welcomed(welcome(LogPosition::EMPTY, 0)),
    );
    tell(&mut session, S, Event::Said(Message::Started));
    tell(&mut session, S, Event::LanesJoined);
    assert!(session.is_up());
    session
}

#[test]
fn attempts_come_after_pauses_that_double_up_to_a_bound() {
    let mut session = session(Some(REPLICA));
    let mut now = S;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        assert!(matches!(
            tick(&mut session, now)[..],
            [Action::Connect {
                purpose: Purpose::Resume,
                ..
            }]
        ));
        tell(
            &mut session,
            now,
            Event::NotWelcomed {
                why: "nobody".into(),
                refused: None,
                term: None,
            },
        );
        let next = session.deadline().unwrap();
        pauses.push((next - now).as_millis());
        now = next;
    }
    assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
}

#[test]
fn a_call_that_is_not_answered_ends_and_what_comes_later_changes_nothing() {
    let mut session = session(Some(REPLICA));
    tick(&mut session, S);
    let first = session.number();
    let out = tick(&mut session, S + Bounds::default().connect_max);
    assert!(out.contains(&Action::End {
        why: "it does not answer".into()
    }));
    let mut late = Vec::new();
    session.handle(
        first,
        Event::Welcomed(welcome(LogPosition::EMPTY, 0)),
        7 * S,
        &mut late,
    );
    assert_eq!(late, []);
}

#[test]
fn a_registration_that_fails_stops_and_says_how() {
    for (event, failure) in [
        (
            Event::NotWelcomed {
                why: "x".into(),
                refused: None,
                term: None,
            },
            Failure::Unreachable,
        ),
        (
            Event::NotWelcomed {
                why: "x".into(),
                refused: Some(RefusalCode::Foreign),
                term: None,
            },
            Failure::Refused(RefusalCode::Foreign),
        ),
        (
            Event::Welcomed(Welcome {
                node: THIS,
                ..welcome(LogPosition::EMPTY, 0)
            }),
            Failure::Refused(RefusalCode::SameNode),
        ),
    ] {
        let mut session = session(None);
        assert!(matches!(
            tick(&mut session, S)[..],
            [Action::Connect {
                purpose: Purpose::Register,
                ..
            }]
        ));
        let out = tell(&mut session, S, event);
        assert!(
            matches!(out.last(), Some(Action::RegistrationFailed { failure: f, .. }) if *f == failure),
            "{out:?}"
        );
        assert_eq!(
            (session.deadline(), tick(&mut session, 100 * S)),
            (None, vec![])
        );
    }
}

#[test]
fn a_registration_is_stored_before_anything_is_sent_to_the_replica() {
    let mut session = session(None);
    tick(&mut session, S);
    tell(
        &mut session,
        S,
        Event::Welcomed(welcome(LogPosition::EMPTY, 0)),
    );
    assert_eq!(
        tell(&mut session, S, Event::Said(Message::Started)),
        [Action::Register(REPLICA)]
    );
    assert_eq!(tick(&mut session, 50 * S), []);
    let mut out = Vec::new();
    session.registered(REPLICA, 50 * S, &mut out);
    assert_eq!(out, [Action::OpenLanes(LogPosition::EMPTY)]);
}

#[test]
fn a_replica_with_another_end_is_asked_for_the_last_common_group() {
    let ours = group_after(LogPosition::EMPTY, b"1").position();
    let theirs = group_after(ours, b"never durable here").position();
    let mut session = session(Some(REPLICA));
    tell(&mut session, S, look(0, CLOSED, 1, true));
    tick(&mut session, S);
    let out = tell(&mut session, S, Event::Welcomed(welcome(theirs, 1)));
    assert_eq!(out, [Action::Find(GroupSeq(2))]);
    let out = tell(
        &mut session,
        S,
        Event::Found {
            group: GroupSeq(2),
            position: None,
        },
    );
    assert_eq!(
        out,
        [
            Action::Send(Message::Probe(GroupSeq(1))),
            Action::Find(GroupSeq(1))
        ]
    );
    tell(
        &mut session,
        S,
        Event::Found {
            group: GroupSeq(1),
            position: Some(ours),
        },
    );
    let out = tell(&mut session, S, Event::Said(Message::Position(Some(ours))));
    assert!(
        matches!(out[..], [Action::Send(Message::Begin { after, .. })] if after == ours),
        "{out:?}"
    );
}

#[test]
fn a_replica_that_shows_what_is_not_common_is_diverged_with_the_remedy() {
    let ours = group_after(LogPosition::EMPTY, b"1").position();
    let theirs = group_after(LogPosition::EMPTY, b"other").position();
    let mut session = session(Some(REPLICA));
    tell(&mut session, S, look(0, CLOSED, 1, true));
    tick(&mut session, S);
    tell(&mut session, S, Event::Welcomed(welcome(theirs, 1)));
    let out = tell(
        &mut session,
        S,
        Event::Found {
            group: GroupSeq(1),
            position: Some(ours),
        },
    );
    assert!(out.contains(&Action::GiveUp(Reason::Diverged)));
    let status = out.iter().find_map(|a| match a {
        Action::Status { status, detail } => Some((*status, detail.contains("REGISTER"))),
        _ => None,
    });
    assert_eq!(status, Some((ReplicaStatus::Diverged, true)));
}

#[test]
fn a_newer_term_fences_and_an_equal_one_does_not() {
    for (counter, fences) in [(5, true), (4, false)] {
        let newer = Term { counter, id: 99 };
        let mut session = session(Some(REPLICA));
        tick(&mut session, S);
        let refused = Some(RefusalCode::NewerTerm);
        let out = tell(
            &mut session,
            S,
            Event::NotWelcomed {
                why: "x".into(),
                refused,
                term: Some(newer),
            },
        );
        assert_eq!(out.contains(&Action::Fence(newer)), fences, "{out:?}");
    }
}

#[test]
fn the_log_is_fed_to_its_end_then_the_gate_is_asked_for_and_what_lies_before_its_stamp_is_fed() {
    let mut session = feeding();
    let feed = |from, until: Option<u64>| Action::Feed {
        from: GroupSeq(from),
        until: until.map(GroupSeq),
    };
    assert!(tell(&mut session, S, look(0, CLOSED, 2, false)).contains(&feed(1, None)));
    let out = tell(
        &mut session,
        S,
        Event::Fed {
            next: GroupSeq(3),
            bytes: 10,
        },
    );
    assert!(out.contains(&Action::RequestGate), "{out:?}");
    let open = GateState::Open { since: GroupSeq(5) };
    assert!(tell(&mut session, S, look(2, open, 3, false)).contains(&feed(3, Some(5))));
    tell(
        &mut session,
        S,
        Event::Fed {
            next: GroupSeq(4),
            bytes: 10,
        },
    );
    assert!(tell(&mut session, S, look(2, open, 6, false)).contains(&feed(4, Some(5))));
    assert!(!session.is_settled());
    tell(
        &mut session,
        S,
        Event::Fed {
            next: GroupSeq(5),
            bytes: 10,
        },
    );
    assert!(session.is_settled());
    // A leader could not send group 9: what it and the others sent before is not sent again.
    let closed = GateState::Closed { from: GroupSeq(9) };
    assert!(tell(&mut session, S, look(6, closed, 9, false)).contains(&feed(9, None)));
}

#[test]
fn a_window_of_unacknowledged_bytes_holds_the_feed_back() {
    let mut session = feeding();
    let window = Bounds::default().window_bytes;
    assert_eq!(
        tell(&mut session, S, look(0, CLOSED, 9, false)),
        [Action::Feed {
            from: GroupSeq(1),
            until: None
        }]
    );
    assert_eq!(
        tell(
            &mut session,
            S,
            Event::Fed {
                next: GroupSeq(5),
                bytes: window
            }
        ),
        []
    );
    assert_eq!(tell(&mut session, S, look(3, CLOSED, 9, false)), []);
    assert_eq!(
        tell(&mut session, S, look(4, CLOSED, 9, false)),
        [Action::Feed {
            from: GroupSeq(5),
            until: None
        }]
    );
}

#[test]
fn a_demoted_replica_counts_again_once_caught_up_after_a_hold_off_that_doubles() {
    let mut session = feeding();
    let mut now = 2 * S;
    let mut group = 1;
    let open = GateState::Open { since: GroupSeq(1) };
    // The first time there is nothing to hold off for: it had not counted yet.
    assert!(tell(&mut session, now, look(0, open, 0, true)).contains(&Action::Resume));
    let mut held = Vec::new();
    for _ in 0..8 {
        group += 1;
        let demoted_at = now;
        assert!(
            !tell(&mut session, now, look(group - 1, open, group, true)).contains(&Action::Resume)
        );
        assert_eq!(session.deadline(), None, "it has not caught up");
        tell(&mut session, now, look(group, open, group, true));
        now = session.deadline().expect("caught up, held off");
        assert!(!tick(&mut session, now - Duration::from_nanos(1)).contains(&Action::Resume));
        assert!(tick(&mut session, now).contains(&Action::Resume));
        tell(&mut session, now, look(group, open, group, false));
        held.push((now - demoted_at).as_secs());
        now += S / 2;
    }
    assert_eq!(held, [1, 2, 4, 8, 16, 32, 60, 60]);
    // After a long time without a demotion it begins anew.
    now += 1000 * S;
    tell(&mut session, now, look(group, open, group + 1, true));
    tell(&mut session, now, look(group + 1, open, group + 1, true));
    assert_eq!(session.deadline(), Some(now + S));
}

#[test]
fn a_replica_whose_disk_cannot_keep_the_promise_is_not_registered_and_is_asked_nothing() {
    let mut session = session(None);
    tick(&mut session, S);
    let weak = Welcome {
        durability: DurabilityWord::Interval,
        ..welcome(LogPosition::EMPTY, 0)
    };
    let out = tell(&mut session, S, Event::Welcomed(weak));
    let [
        Action::End { .. },
        Action::RegistrationFailed {
            failure: Failure::Durability(lacks),
            why,
        },
    ] = &out[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!((lacks.mode, lacks.needed), ("SYNC WITH TIMEOUT", "commit"));
    assert!(
        why.ends_with("on the replica; it runs with interval"),
        "{why}"
    );
}

#[test]
fn a_registered_replica_that_returns_with_less_durability_is_given_up_and_called_again() {
    let mut session = session(Some(REPLICA));
    tick(&mut session, S);
    let weak = Welcome {
        durability: DurabilityWord::None,
        ..welcome(LogPosition::EMPTY, 0)
    };
    let out = tell(&mut session, S, Event::Welcomed(weak));
    assert!(out.contains(&Action::GiveUp(Reason::Durability)));
    assert!(out.iter().any(|action| matches!(
        action,
        Action::Status { status: ReplicaStatus::Invalid, detail } if detail.contains("--durability commit")
    )));
    let again = S + Bounds::default().backoff_max;
    let out = tick(&mut session, again);
    assert!(matches!(out[..], [Action::Connect { .. }]));
    let out = tell(
        &mut session,
        again,
        Event::Welcomed(welcome(LogPosition::EMPTY, 0)),
    );
    assert!(
        matches!(out[..], [Action::Send(Message::Begin { .. })]),
        "with enough durability it is taken back: {out:?}"
    );
}
