//! The replica's rules one by one; `simulation` runs them together.

use quoit_log::{GroupSeq, LogPosition, Term};

use super::*;
use crate::identity::membership_proof;
use crate::message::VersionRange;
use crate::message::tests::group_after;

const CLUSTER: ClusterId = ClusterId(7);
const OWN_KEY: Fingerprint = Fingerprint([1; 32]);
const MAIN_KEY: Fingerprint = Fingerprint([2; 32]);
const OTHER_KEY: Fingerprint = Fingerprint([3; 32]);
const MAIN: NodeId = NodeId(20);
const T4: Term = Term { counter: 4, id: 44 };

fn obeyed() -> ObeyedMain {
    ObeyedMain {
        node: MAIN,
        fingerprint: MAIN_KEY,
        term: T4,
    }
}

fn hello(purpose: Purpose, node: NodeId, key: Fingerprint, term: Term) -> Hello {
    Hello {
        versions: VERSIONS,
        purpose,
        proof: membership_proof(CLUSTER, key, OWN_KEY),
        node,
        term,
        incarnation: Default::default(),
        session: 5,
        lanes: 2,
    }
}

fn replica(cluster: Option<ClusterId>, main: Option<ObeyedMain>, durable: LogPosition) -> Replica {
    let facts = Facts {
        node: NodeId(10),
        fingerprint: OWN_KEY,
        cluster,
        term: main.map(|m| m.term),
        main,
        bolt_port: 7687,
        durability: DurabilityWord::Commit,
    };
    Replica::new(Bounds::default(), facts, durable, GroupSeq::NONE)
}

fn some_data() -> LogPosition {
    group_after(LogPosition::EMPTY, b"x").position()
}

#[test]
fn whom_a_replica_obeys_follows_the_table_row_by_row() {
    let member = || replica(Some(CLUSTER), Some(obeyed()), some_data());
    let (t3, t4b, t5) = (
        Term { counter: 3, id: 9 },
        Term { counter: 4, id: 45 },
        Term { counter: 5, id: 55 },
    );
    use Purpose::*;
    use RefusalCode::*;
    type Case = (
        &'static str,
        Replica,
        Hello,
        Fingerprint,
        Result<(), RefusalCode>,
    );
    let cases: Vec<Case> = vec![
        (
            "no common version",
            member(),
            Hello {
                versions: VersionRange {
                    min: VERSIONS.max + 1,
                    max: VERSIONS.max + 8,
                },
                ..hello(Resume, MAIN, MAIN_KEY, T4)
            },
            MAIN_KEY,
            Err(Version),
        ),
        (
            "itself",
            member(),
            hello(Register, NodeId(10), OWN_KEY, t5),
            OWN_KEY,
            Err(SameNode),
        ),
        (
            "no term",
            member(),
            hello(Resume, MAIN, MAIN_KEY, Term::NONE),
            MAIN_KEY,
            Err(Protocol),
        ),
        (
            "no lanes",
            member(),
            Hello {
                lanes: 0,
                ..hello(Resume, MAIN, MAIN_KEY, T4)
            },
            MAIN_KEY,
            Err(Protocol),
        ),
        (
            "many lanes",
            member(),
            Hello {
                lanes: 999,
                ..hello(Resume, MAIN, MAIN_KEY, T4)
            },
            MAIN_KEY,
            Err(Protocol),
        ),
        (
            "another cluster",
            member(),
            Hello {
                proof: membership_proof(ClusterId(8), OTHER_KEY, OWN_KEY),
                ..hello(Register, NodeId(30), OTHER_KEY, t5)
            },
            OTHER_KEY,
            Err(Foreign),
        ),
        // A member's proof is worth nothing with another key: it cannot be replayed.
        (
            "a replayed proof",
            member(),
            hello(Register, NodeId(30), MAIN_KEY, t5),
            OTHER_KEY,
            Err(Foreign),
        ),
        (
            "data and no cluster",
            replica(None, None, some_data()),
            hello(Register, MAIN, MAIN_KEY, T4),
            MAIN_KEY,
            Err(Foreign),
        ),
        (
            "an older term",
            member(),
            hello(Resume, MAIN, MAIN_KEY, t3),
            MAIN_KEY,
            Err(NewerTerm),
        ),
        (
            "an equal counter, another id",
            member(),
            hello(Register, NodeId(30), OTHER_KEY, t4b),
            OTHER_KEY,
            Err(NewerTerm),
        ),
        (
            "its MAIN comes back",
            member(),
            hello(Resume, MAIN, MAIN_KEY, T4),
            MAIN_KEY,
            Ok(()),
        ),
        (
            "its MAIN registers it again",
            member(),
            hello(Register, MAIN, MAIN_KEY, T4),
            MAIN_KEY,
            Ok(()),
        ),
        (
            "its MAIN's name, another key",
            member(),
            hello(Resume, MAIN, OTHER_KEY, T4),
            OTHER_KEY,
            Err(Key),
        ),
        (
            "another MAIN, higher, by REGISTER",
            member(),
            hello(Register, NodeId(30), OTHER_KEY, t5),
            OTHER_KEY,
            Ok(()),
        ),
        (
            "another MAIN, higher, on reconnect",
            member(),
            hello(Resume, NodeId(30), OTHER_KEY, t5),
            OTHER_KEY,
            Err(OtherMain),
        ),
        (
            "another MAIN of the same term",
            member(),
            hello(Register, NodeId(30), OTHER_KEY, T4),
            OTHER_KEY,
            Err(OtherMain),
        ),
        (
            "first contact",
            replica(None, None, LogPosition::EMPTY),
            hello(Register, MAIN, MAIN_KEY, T4),
            MAIN_KEY,
            Ok(()),
        ),
        (
            "a reconnect to one that obeys nobody",
            replica(Some(CLUSTER), None, some_data()),
            hello(Resume, MAIN, MAIN_KEY, T4),
            MAIN_KEY,
            Err(OtherMain),
        ),
        (
            "a former main is registered",
            replica(Some(CLUSTER), None, some_data()),
            hello(Register, MAIN, MAIN_KEY, T4),
            MAIN_KEY,
            Ok(()),
        ),
    ];
    for (name, mut replica, hello, key, expected) in cases {
        let mut out = Vec::new();
        let message = Message::Hello(hello);
        replica.handle(
            Event::Said {
                link: LinkId(1),
                peer: key,
                message,
            },
            &mut out,
        );
        let found = match out.last() {
            Some(Action::Send(LinkId(1), Message::Welcome(_))) => Ok(()),
            Some(Action::Refuse {
                link: LinkId(1),
                code,
                ..
            }) => Err(*code),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(found, expected, "{name}");
    }
}

/// A replica in a running session on links 1 (lane 0) and 2 (lane 1).
fn following() -> Replica {
    let mut replica = replica(Some(CLUSTER), Some(obeyed()), LogPosition::EMPTY);
    let mut out = Vec::new();
    for (link, message) in [
        (
            1,
            Message::Hello(hello(Purpose::Resume, MAIN, MAIN_KEY, T4)),
        ),
        (
            1,
            Message::Begin {
                cluster: CLUSTER,
                after: LogPosition::EMPTY,
            },
        ),
        (
            2,
            Message::Join {
                session: 5,
                lane: 1,
            },
        ),
    ] {
        replica.handle(
            Event::Said {
                link: LinkId(link),
                peer: MAIN_KEY,
                message,
            },
            &mut out,
        );
    }
    assert!(
        out.contains(&Action::Send(LinkId(1), Message::Started)),
        "{out:?}"
    );
    assert!(
        out.contains(&Action::Send(LinkId(2), Message::Joined)),
        "{out:?}"
    );
    replica
}

fn say(replica: &mut Replica, link: u64, message: Message) -> Vec<Action> {
    let mut out = Vec::new();
    replica.handle(
        Event::Said {
            link: LinkId(link),
            peer: MAIN_KEY,
            message,
        },
        &mut out,
    );
    out
}

#[test]
fn groups_of_two_lanes_are_handed_over_in_order_and_acknowledged_once_durable() {
    let mut replica = following();
    let first = group_after(LogPosition::EMPTY, b"1");
    let second = group_after(first.position(), b"2");
    let mark = GroupSeq::NONE;
    assert_eq!(
        say(
            &mut replica,
            2,
            Message::Group {
                mark,
                group: second.clone()
            }
        ),
        [],
        "the first is missing"
    );
    let out = say(
        &mut replica,
        1,
        Message::Group {
            mark,
            group: first.clone(),
        },
    );
    assert_eq!(out, [Action::Append(vec![first.clone(), second.clone()])]);
    assert_eq!(
        say(
            &mut replica,
            2,
            Message::Group {
                mark,
                group: first.clone()
            }
        ),
        [],
        "a group that came twice"
    );
    let mut out = Vec::new();
    replica.handle(Event::Appended(second.position(), Ok(())), &mut out);
    let [Action::Send(link, Message::Ack(ack))] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(
        (*link, ack.durable, ack.visible),
        (LinkId(1), GroupSeq(2), GroupSeq::NONE)
    );
    // Nothing shows before the MAIN's mark; a lone mark is enough.
    assert_eq!(
        say(&mut replica, 1, Message::Mark(GroupSeq(9))),
        [Action::Apply(GroupSeq(2))]
    );
}

#[test]
fn a_lost_lane_ends_the_session_and_a_new_one_waits_for_what_is_being_written() {
    let mut replica = following();
    let group = group_after(LogPosition::EMPTY, b"1");
    say(
        &mut replica,
        1,
        Message::Group {
            mark: GroupSeq::NONE,
            group: group.clone(),
        },
    );
    let mut out = Vec::new();
    replica.handle(Event::Closed(LinkId(2)), &mut out);
    assert_eq!(out, [Action::Close(LinkId(1))]);
    let out = say(
        &mut replica,
        3,
        Message::Hello(hello(Purpose::Resume, MAIN, MAIN_KEY, T4)),
    );
    assert_eq!(out, [], "the position would move by itself");
    let mut out = Vec::new();
    replica.handle(Event::Appended(group.position(), Ok(())), &mut out);
    let [Action::Send(LinkId(3), Message::Welcome(welcome))] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(welcome.durable, group.position());
}

#[test]
fn what_waits_out_of_order_is_bounded() {
    let mut replica = following();
    replica.bounds.pending_bytes_max = 400;
    let mut after = group_after(LogPosition::EMPTY, b"1").position();
    let mut refused = false;
    for _ in 0..10 {
        let group = group_after(after, &[0; 100]);
        after = group.position();
        let out = say(
            &mut replica,
            1,
            Message::Group {
                mark: GroupSeq::NONE,
                group,
            },
        );
        refused |= matches!(
            out.first(),
            Some(Action::Refuse {
                code: RefusalCode::Protocol,
                ..
            })
        );
        if refused {
            break;
        }
    }
    assert!(refused, "a MAIN that floods is sent away");
}

#[test]
fn a_replica_that_shows_more_than_the_main_has_says_so_and_cuts_nothing() {
    let group = group_after(LogPosition::EMPTY, b"1");
    let mut replica = replica(Some(CLUSTER), Some(obeyed()), group.position());
    replica.visible = GroupSeq(1);
    say(
        &mut replica,
        1,
        Message::Hello(hello(Purpose::Resume, MAIN, MAIN_KEY, T4)),
    );
    let out = say(
        &mut replica,
        1,
        Message::Begin {
            cluster: CLUSTER,
            after: LogPosition::EMPTY,
        },
    );
    assert!(
        matches!(
            out[0],
            Action::Refuse {
                code: RefusalCode::Ahead,
                ..
            }
        ),
        "{out:?}"
    );
}

#[test]
fn what_was_held_and_never_shown_is_cut_back_to_the_common_position() {
    let group = group_after(LogPosition::EMPTY, b"1");
    let mut replica = replica(Some(CLUSTER), Some(obeyed()), group.position());
    say(
        &mut replica,
        1,
        Message::Hello(hello(Purpose::Resume, MAIN, MAIN_KEY, T4)),
    );
    let out = say(
        &mut replica,
        1,
        Message::Begin {
            cluster: CLUSTER,
            after: LogPosition::EMPTY,
        },
    );
    assert_eq!(out, [Action::Cut(LogPosition::EMPTY)]);
    let mut out = Vec::new();
    replica.handle(Event::Cut(LogPosition::EMPTY, Ok(())), &mut out);
    assert_eq!(out.last(), Some(&Action::Send(LinkId(1), Message::Started)));
}
