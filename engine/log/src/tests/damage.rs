//! Damaged bytes, exhaustively: every truncation and every bit flip of a small log. The judge is the
//! pure check; `live` holds it against what opening does.

use bytes::{Bytes, BytesMut};

use crate::check::{Verdict, check};
use crate::frame::{FRAME_HEADER, OpeningReason, finish_frame, opening_frame};
use crate::group::{Forming, Group};
use crate::position::{Chain, GroupSeq, Incarnation, LogPosition, Term};
use crate::recovery::{Decision, Stop};
use crate::segment::{BLOCK, LocalPart, LogId, Marks, RecordKind, SegmentNumber, record_bytes};

const LOG: LogId = LogId(0x0051_F0A1);

/// A small log as the writer would leave it, with what is needed to judge it.
struct Small {
    segments: Vec<(SegmentNumber, Bytes)>,
    groups: Vec<Group>,
    /// For each segment, the offset at which each group's record ends and how many groups precede.
    ends: Vec<(usize, usize, usize)>,
    /// For each segment, the ranges of bytes that mean something.
    meaning: Vec<(usize, std::ops::Range<usize>)>,
}

fn frame(body: &[u8]) -> Bytes {
    let mut buffer = vec![0; FRAME_HEADER];
    buffer.extend_from_slice(body);
    finish_frame(buffer)
}

/// Two segments, three incarnations, groups of one to five frames, one longer than a block; with a
/// mark record at the end or without.
fn small(marked: bool) -> Small {
    let mut small = Small {
        segments: Vec::new(),
        groups: Vec::new(),
        ends: Vec::new(),
        meaning: Vec::new(),
    };
    let term = Term {
        counter: 1,
        id: 0xabcd,
    };
    let mut incarnation = Incarnation { number: 0, id: 0 };
    let mut position = LogPosition::EMPTY;
    let mut marks = Marks::default();
    for (index, number) in [SegmentNumber(1), SegmentNumber(2)].into_iter().enumerate() {
        let mut bytes = BytesMut::new();
        let mut put = |small: &mut Small, kind, payload: &[u8], len, marks| {
            let local = LocalPart {
                kind,
                segment: number,
                log_id: LOG,
                marks,
                payload_bytes: len,
            };
            let start = bytes.len();
            bytes.extend_from_slice(&local.encode());
            bytes.extend_from_slice(payload);
            small.meaning.push((index, start..bytes.len()));
            bytes.resize(start + record_bytes(payload.len()), 0);
            bytes.len()
        };
        let size = 16 * BLOCK as u64;
        put(&mut small, RecordKind::Segment, &[], size, Marks::default());
        for n in 0..5u8 {
            let (frames, commits) = if n % 3 == 0 {
                incarnation = Incarnation {
                    number: incarnation.number + 1,
                    id: u64::from(n) + 77,
                };
                (vec![opening_frame(OpeningReason::Restart, 5)], 0)
            } else {
                let long = if n == 2 { 5000 } else { 10 };
                (
                    vec![frame(&vec![n + 1; long]); usize::from(n)],
                    u32::from(n),
                )
            };
            let forming = Forming {
                after: position,
                term,
                incarnation,
            };
            let group = Group::form(&forming, &frames, commits);
            let len = group.bytes().len() as u64;
            let end = put(&mut small, RecordKind::Group, group.bytes(), len, marks);
            position = group.position();
            small.groups.push(group);
            small.ends.push((index, end, small.groups.len()));
            marks = Marks {
                durable: position.group,
                durable_chain: position.chain,
                published: position.group,
            };
        }
        if index == 1 && marked {
            put(&mut small, RecordKind::Mark, &[], 0, marks);
        }
        bytes.resize(size as usize, 0);
        small.segments.push((number, bytes.freeze()));
    }
    small
}

impl Small {
    /// The verdict on these segments; what it accepts must be a prefix of what was written.
    fn judge(&self, segments: &[(SegmentNumber, Bytes)]) -> Verdict {
        let mut accepted = 0;
        let verdict = check(segments, |group| {
            assert_eq!(
                group, &self.groups[accepted],
                "an accepted group is the one that was written"
            );
            accepted += 1;
        });
        assert_eq!(verdict.groups as usize, accepted);
        let expected = self.groups[..accepted]
            .last()
            .map_or(LogPosition::EMPTY, Group::position);
        assert_eq!(verdict.position, expected);
        verdict
    }

    fn replaced(&self, index: usize, bytes: Bytes) -> Vec<(SegmentNumber, Bytes)> {
        let mut segments = self.segments.clone();
        segments[index].1 = bytes;
        segments
    }
}

#[test]
fn an_undamaged_log_is_accepted_whole() {
    for marked in [false, true] {
        let small = small(marked);
        let verdict = small.judge(&small.segments);
        assert_eq!((verdict.groups, verdict.decision), (10, Decision::Clean));
    }
}

#[test]
fn every_truncation_of_the_last_segment_gives_an_exact_prefix() {
    for marked in [false, true] {
        let small = small(marked);
        let (mut clean, mut cut) = (0, 0);
        for len in 0..=small.segments[1].1.len() {
            let verdict = small.judge(&small.replaced(1, small.segments[1].1.slice(..len)));
            let whole = small
                .ends
                .iter()
                .filter(|&&(index, end, _)| index == 0 || end <= len)
                .count();
            assert_eq!(verdict.groups as usize, whole, "cut at {len}");
            match verdict.decision {
                Decision::Clean => clean += 1,
                Decision::Cut => cut += 1,
                Decision::Refuse => panic!("cut at {len}: refused"),
            }
        }
        println!(
            "truncations of the last segment, marked {marked}: {clean} clean, {cut} cut, 0 refused"
        );
        assert!(clean > 0 && cut > 0);
    }
}

#[test]
fn every_truncation_of_an_earlier_segment_that_loses_a_group_is_refused() {
    let small = small(true);
    let (mut refused, mut harmless) = (0, 0);
    for len in 0..small.segments[0].1.len() {
        let verdict = small.judge(&small.replaced(0, small.segments[0].1.slice(..len)));
        let whole = small
            .ends
            .iter()
            .filter(|&&(index, end, _)| index == 0 && end <= len)
            .count();
        if whole == 5 {
            assert_eq!(
                (verdict.groups, verdict.decision),
                (10, Decision::Clean),
                "cut at {len}"
            );
            harmless += 1;
        } else {
            assert_eq!(verdict.decision, Decision::Refuse, "cut at {len}");
            refused += 1;
        }
    }
    println!("truncations of the first segment: {refused} refused, {harmless} in blank space");
}

#[test]
fn a_missing_segment_below_the_mark_is_refused() {
    let small = small(true);
    assert_eq!(small.judge(&small.segments[1..]).decision, Decision::Refuse);
    // Without the second there is nothing that speaks of it: that is a log with an earlier end.
    assert_eq!(small.judge(&small.segments[..1]).decision, Decision::Clean);
}

#[test]
fn every_bit_flip_is_noticed_or_harmless() {
    for marked in [false, true] {
        let small = small(marked);
        let (mut refused, mut cut, mut harmless) = (0u64, 0u64, 0u64);
        for (index, (_, good)) in small.segments.iter().enumerate() {
            let meaning: Vec<_> = small.meaning.iter().filter(|(i, _)| *i == index).collect();
            for byte in 0..good.len() {
                let means = meaning.iter().any(|(_, range)| range.contains(&byte));
                // A bit of each padding byte, every bit of the others; in the long frame every 16th byte.
                if !means && byte % 7 != 0 {
                    continue;
                }
                let long = meaning
                    .iter()
                    .any(|(_, range)| range.len() > BLOCK && range.contains(&byte));
                if long && byte % 16 != 0 && byte % BLOCK > 300 {
                    continue;
                }
                for bit in if means { 0..8 } else { 3..4 } {
                    let mut bad = good.to_vec();
                    bad[byte] ^= 1 << bit;
                    let verdict = small.judge(&small.replaced(index, bad.into()));
                    match verdict.decision {
                        Decision::Refuse => refused += 1,
                        Decision::Cut => {
                            cut += 1;
                            let lost = 10 - verdict.groups;
                            assert!(
                                lost <= u64::from(!marked),
                                "byte {byte} bit {bit}: {lost} synced groups cut"
                            );
                        }
                        Decision::Clean => {
                            assert_eq!(verdict.groups, 10, "byte {byte} bit {bit}: silently lost");
                            assert!(
                                !means,
                                "byte {byte} bit {bit} of segment {index} was not noticed"
                            );
                            harmless += 1;
                        }
                    }
                }
            }
        }
        println!(
            "bit flips, marked {marked}: {refused} refused, {cut} cut, {harmless} harmless, 0 silently wrong"
        );
        assert!(refused > 10_000 && cut > 0 && harmless > 0);
    }
}

#[test]
fn a_tail_of_other_bytes_is_cut_and_never_read() {
    let small = small(false);
    let last = &small.segments[1].1;
    let stale = small.segments[0].1.slice(BLOCK..3 * BLOCK);
    for from in (BLOCK..last.len() - 3 * BLOCK).step_by(512) {
        for filler in [vec![0xff; 2 * BLOCK], stale.to_vec()] {
            let mut bad = last[..from].to_vec();
            bad.extend_from_slice(&filler);
            bad.resize(last.len(), 0);
            let verdict = small.judge(&small.replaced(1, bad.into()));
            // The segment's own record means something too; a group whose pad alone is hit stays.
            let whole = small
                .meaning
                .iter()
                .filter(|(index, range)| *index == 1 && range.end <= from)
                .count();
            assert_eq!(verdict.groups as usize, 5 + whole - 1, "at {from}");
            // A whole record of another segment at a boundary was put there by somebody: not a torn write.
            let foreign = matches!(verdict.stop, Some((_, _, Stop::Foreign(_))));
            assert_eq!(
                verdict.decision,
                if foreign {
                    Decision::Refuse
                } else {
                    Decision::Cut
                },
                "at {from}"
            );
        }
    }
}

#[test]
fn a_number_used_again_by_a_later_incarnation_is_never_taken_for_the_first() {
    // Incarnation 1 wrote groups 2 and 3; 3 was lost before it was durable, incarnation 2 wrote its own 3.
    let term = Term { counter: 1, id: 4 };
    let first = Incarnation { number: 1, id: 10 };
    let second = Incarnation { number: 2, id: 20 };
    let opening = opening_frame(OpeningReason::Founding, 0);
    let form = |after, incarnation, frame: &Bytes, commits| {
        Group::form(
            &Forming {
                after,
                term,
                incarnation,
            },
            std::slice::from_ref(frame),
            commits,
        )
    };
    let one = form(LogPosition::EMPTY, first, &opening, 0);
    let two = form(one.position(), first, &frame(b"same"), 1);
    let lost = form(two.position(), first, &frame(b"next"), 1);
    let reopened = form(
        two.position(),
        second,
        &opening_frame(OpeningReason::Restart, 0),
        0,
    );
    let again = form(reopened.position(), second, &frame(b"next"), 1);
    assert_eq!(lost.seq(), reopened.seq());
    assert_eq!(lost.first_commit(), again.first_commit());
    assert_ne!(lost.chain(), reopened.chain());
    // A replica that holds the lost group refuses what follows the other, and the reverse.
    assert!(again.follows(&lost.position()).is_err());
    assert!(lost.follows(&reopened.position()).is_err());
    // The same frames in an incarnation with the same number but another id differ too.
    let twin = form(
        two.position(),
        Incarnation { number: 2, id: 21 },
        &opening_frame(OpeningReason::Restart, 0),
        0,
    );
    assert_ne!(twin.chain(), reopened.chain());
    assert_eq!(GroupSeq(3), twin.seq());
    assert_ne!(twin.chain(), Chain::NONE);
}
