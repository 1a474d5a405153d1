//! The log on real cores and a real disk.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quoit_graph::door::{Door, ReserveError};
use quoit_rt::{Config, Priority, Rt, start};

use super::ledger::{TestLedger, commit};
use crate::check::check;
use crate::recovery::Decision;
use crate::segment::{BLOCK, SegmentNumber, Slot, read_record};
use crate::*;

/// A directory of its own for each scene, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "quoit-log-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn on_one_core<Fut: Future<Output = ()> + 'static>(
    scene: impl FnOnce(Rt, PathBuf) -> Fut + Send + 'static,
) {
    let folder = Folder::new();
    let path = folder.0.clone();
    let mut scene = Some(scene);
    let running = start(Config::with_cores(1), move |_| {
        let (scene, path) = (scene.take().expect("one core"), path.clone());
        move |rt: Rt| async move {
            scene(rt.clone(), path).await;
            rt.shut_down();
        }
    });
    running.expect("a core").join().expect("the scene holds");
}

pub(super) fn options(directory: &Path) -> LogOptions {
    LogOptions {
        segment_bytes: 256 << 10,
        on_fatal: Arc::new(|fatal| panic!("{fatal}")),
        ..LogOptions::new(directory.to_owned(), 1)
    }
}

/// A recovered log on one core; `start_as_*` is next.
pub(super) async fn open(
    rt: &Rt,
    options: LogOptions,
    role: RecoverAs,
) -> (Rc<LogCore>, Rc<TestLedger>, RecoveryReport) {
    let log = Log::new(options);
    let ledger = TestLedger::new(&log);
    let report = log
        .recover(rt, &*ledger, role)
        .await
        .expect("the log recovers");
    (LogCore::new(&log, ledger.clone(), rt), ledger, report)
}

pub(super) async fn commit_durably(core: &LogCore, body: &[u8]) -> CommitSeq {
    loop {
        match commit(core.log(), core.ledger.door(), 0, body) {
            Ok(seq) => {
                core.durable(seq).await.expect("durable");
                return seq;
            }
            Err(ReserveError::Busy) => core.room(FRAME_HEADER + body.len()).await.expect("room"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The log ends here without a word, as by kill -9 between two writes.
pub(super) async fn kill(core: &LogCore) {
    let writer = core.acquire(&core.log().writer).await;
    core.log().set_role(Role::Stopped);
    core.let_go_and_nudge(writer);
    // A dead process makes no segments either.
    drop(core.maker().await);
}

fn segments_of(directory: &Path) -> Vec<(SegmentNumber, bytes::Bytes)> {
    let mut segments: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let number = SegmentNumber::from_file_name(entry.file_name().to_str()?)?;
            Some((number, std::fs::read(entry.path()).unwrap().into()))
        })
        .collect();
    segments.sort_by_key(|(number, _)| *number);
    segments
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart_and_each_start_is_an_incarnation() {
    on_one_core(|rt, folder| async move {
        let mut expected = Vec::new();
        for round in 0..4u8 {
            let (core, ledger, report) = open(&rt, options(&folder), RecoverAs::Main).await;
            assert_eq!(ledger.bodies(), expected);
            assert_eq!(report.frames as usize, expected.len());
            assert_eq!((report.position, report.cut.len()), (report.applied, 0));
            let tail = core.start_as_main().await.unwrap();
            if round == 0 {
                assert!(
                    tail.is_empty(),
                    "a fresh directory has no term before its first write"
                );
            } else {
                assert_eq!(tail.incarnation.number, u64::from(round) + 1);
                assert_eq!(tail.term, report.position.term);
            }
            for n in 0..20u8 {
                let body = vec![round, n];
                let seq = commit_durably(&core, &body).await;
                expected.push(body);
                assert_eq!(seq.0 as usize, expected.len());
                assert_eq!(core.log().tail().commit, seq);
            }
            assert_eq!(core.log().tail().term.counter, 1);
            if round % 2 == 0 {
                core.close().await.unwrap();
            } else {
                kill(&core).await;
            }
        }
    });
}

#[test]
fn found_opens_a_term_once_and_an_idle_log_marks_its_last_group() {
    on_one_core(|rt, folder| async move {
        let (core, _, _) = open(&rt, options(&folder), RecoverAs::Main).await;
        assert!(matches!(
            core.found().await,
            Err(LogError::WrongRole { .. })
        ));
        core.start_as_main().await.unwrap();
        let founded = core.found().await.unwrap();
        assert_eq!(
            (
                founded.group,
                founded.term.counter,
                founded.incarnation.number
            ),
            (GroupSeq(1), 1, 1)
        );
        assert_eq!(core.found().await.unwrap(), founded);
        commit_durably(&core, b"last").await;
        let last_group = loop {
            rt.sleep(Duration::from_millis(5)).await;
            let bytes = &segments_of(&folder)[0].1;
            let records: Vec<_> = (0..bytes.len())
                .step_by(BLOCK)
                .map(|at| {
                    (
                        at,
                        read_record(&bytes.slice(at..), SegmentNumber(1), core.log().id()),
                    )
                })
                .take_while(|(_, slot)| *slot != Slot::Blank)
                .collect();
            if let [.., (at, Slot::Group(_, group)), (_, Slot::Local(mark))] = &records[..]
                && mark.marks.durable == group.seq()
                && group.commit_count() == 1
            {
                break *at;
            }
        };
        // With the mark on disk, damage to the last group is rot: refused.
        let mut segments = segments_of(&folder);
        assert_eq!(check(&segments, |_| {}).decision, Decision::Clean);
        let mut bytes = segments[0].1.to_vec();
        bytes[last_group + 170] ^= 1;
        segments[0].1 = bytes.into();
        assert_eq!(check(&segments, |_| {}).decision, Decision::Refuse);
    });
}

#[test]
fn damage_below_the_mark_refuses_with_exit_18_and_changes_nothing() {
    on_one_core(|rt, folder| async move {
        let (core, _, _) = open(&rt, options(&folder), RecoverAs::Main).await;
        core.start_as_main().await.unwrap();
        for n in 0..5 {
            commit_durably(&core, &[n]).await;
        }
        core.close().await.unwrap();
        let path = folder.join(SegmentNumber(1).file_name());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3 * 4096 + 170] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let log = Log::new(options(&folder));
        let ledger = TestLedger::new(&log);
        let error = log
            .recover(&rt, &*ledger, RecoverAs::Main)
            .await
            .unwrap_err();
        let LogError::Fatal(
            fatal @ Fatal::Damaged {
                offset,
                group,
                durable,
                ..
            },
        ) = &error
        else {
            panic!("{error}");
        };
        assert_eq!(
            (*offset, *group, *durable),
            (3 * 4096, GroupSeq(3), GroupSeq(6))
        );
        assert_eq!(fatal.exit_code(), 18);
        assert!(
            fatal
                .to_string()
                .contains("0000000000000001.log at offset 12288")
        );
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    });
}

#[test]
fn opening_does_what_the_pure_check_says_for_sampled_truncations_and_keeps_what_it_cuts() {
    on_one_core(|rt, folder| async move {
        let (core, _, _) = open(&rt, options(&folder.join("made")), RecoverAs::Main).await;
        core.start_as_main().await.unwrap();
        for n in 0..8u8 {
            commit_durably(&core, &vec![n; 900 * usize::from(n)]).await;
        }
        let good = std::fs::read(folder.join("made").join(SegmentNumber(1).file_name())).unwrap();
        let end = good.iter().rposition(|&b| b != 0).unwrap() + 1;
        let (mut cut, mut clean) = (0, 0);
        for len in (0..end).step_by(1013) {
            let directory = folder.join(format!("cut-{len}"));
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(SegmentNumber(1).file_name()), &good[..len]).unwrap();
            let verdict = check(&segments_of(&directory), |_| {});
            let (core, ledger, report) = open(&rt, options(&directory), RecoverAs::Main).await;
            assert_eq!(
                (report.position, report.frames),
                (verdict.position, verdict.frames),
                "cut at {len}"
            );
            assert_eq!(ledger.bodies().len() as u64, report.frames);
            let kept: u64 = report
                .cut
                .iter()
                .map(|r| std::fs::metadata(&r.kept_in).unwrap().len())
                .sum();
            match verdict.decision {
                Decision::Cut => {
                    cut += 1;
                    assert!(kept > 0 && !report.cut_reason.is_empty(), "cut at {len}");
                    assert_eq!(kept, report.cut.iter().map(|r| r.bytes).sum::<u64>());
                }
                Decision::Clean => {
                    clean += 1;
                    assert_eq!(kept, 0, "cut at {len}");
                }
                Decision::Refuse => panic!("cut at {len}: refused"),
            }
            // The log goes on from there, and the next start finds a clean one.
            core.start_as_main().await.unwrap();
            commit_durably(&core, b"after").await;
            let again = check(&segments_of(&directory), |_| {});
            assert_eq!(
                (again.decision, again.frames),
                (Decision::Clean, report.frames + 1),
                "cut at {len}"
            );
            core.close().await.unwrap();
        }
        assert!(cut > 10 && clean > 0, "{cut} cut, {clean} clean");
    });
}

#[test]
fn a_large_frame_gets_a_segment_of_its_own_and_a_run_of_frames_crosses_segments() {
    on_one_core(|rt, folder| async move {
        let (core, _, _) = open(&rt, options(&folder), RecoverAs::Main).await;
        core.start_as_main().await.unwrap();
        let mut expected = Vec::new();
        for n in 0..30usize {
            let len = if n % 10 == 5 { 1 << 20 } else { 20_000 };
            let body = vec![n as u8; len];
            commit_durably(&core, &body).await;
            expected.push(body);
        }
        core.close().await.unwrap();
        assert!(core.log().counters().segments_made > 4);
        let (core, ledger, report) = open(&rt, options(&folder), RecoverAs::Main).await;
        assert_eq!(ledger.bodies(), expected);
        assert_eq!(report.frames, 30);
        drop(core);
    });
}

/// Collects what lanes would send, on all cores.
#[derive(Default)]
struct Lane {
    groups: Mutex<Vec<Group>>,
    durable: AtomicU64,
}

impl GroupSink for Arc<Lane> {
    fn group(&self, group: &Group) {
        self.groups.lock().unwrap().push(group.clone());
    }
    fn durable(&self, position: &LogPosition) {
        self.durable.fetch_max(position.group.0, Ordering::Relaxed);
    }
}

#[test]
fn cores_that_commit_together_share_groups_and_every_commit_is_led_and_sent_once() {
    const TASKS: usize = 16;
    const COMMITS: usize = 40;
    let folder = Folder::new();
    let mut log_options = options(&folder.0);
    log_options.cores = 2;
    log_options.segment_bytes = 1 << 20;
    let log = Log::new(log_options.clone());
    let door = Arc::new(Door::new(log.clone(), log_options.cores));
    let lane = Arc::new(Lane::default());
    let ready = Arc::new(AtomicU32::new(0));
    let done = Arc::new(AtomicU32::new(0));
    let shared = (log.clone(), door, lane.clone(), ready, done);
    let running = start(Config::with_cores(2), move |id| {
        let (log, door, lane, ready, done) = shared.clone();
        move |rt: Rt| async move {
            let ledger = TestLedger::with_door(door.clone());
            if id.0 == 0 {
                log.recover(&rt, &*ledger, RecoverAs::Main).await.unwrap();
                ready.store(1, Ordering::Release);
            }
            while ready.load(Ordering::Acquire) == 0 {
                rt.sleep(Duration::from_millis(1)).await;
            }
            let core = LogCore::new(&log, ledger, &rt);
            core.set_sink(Rc::new(lane));
            if id.0 == 0 {
                core.start_as_main().await.unwrap();
                ready.store(2, Ordering::Release);
            }
            while ready.load(Ordering::Acquire) < 2 {
                rt.sleep(Duration::from_millis(1)).await;
            }
            let tasks: Vec<_> = (0..TASKS)
                .map(|task| {
                    let (core, door) = (core.clone(), door.clone());
                    rt.spawn(Priority::Latency, async move {
                        for n in 0..COMMITS {
                            let body = [id.0 as u8, task as u8, n as u8];
                            let seq = loop {
                                match commit(core.log(), &door, id.0, &body) {
                                    Ok(seq) => break seq,
                                    Err(_) => core.room(FRAME_HEADER + 3).await.unwrap(),
                                }
                            };
                            core.durable(seq).await.unwrap();
                            assert!(core.log().tail().commit >= seq);
                            assert!(door.visible() >= seq);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
            if done.fetch_add(1, Ordering::AcqRel) == 1 {
                core.close().await.unwrap();
                rt.shut_down();
            }
            rt.shutdown_requested().await;
        }
    });
    running.expect("two cores").join().expect("the scene holds");

    let commits = (2 * TASKS * COMMITS) as u64;
    let counters = log.counters();
    assert_eq!(
        (counters.frames_encoded, counters.frames_written),
        (commits, commits)
    );
    println!(
        "{commits} commits in {} groups, {} marks",
        counters.groups_written, counters.marks_written
    );
    assert!(counters.groups_written < commits, "commits shared groups");

    let mut sent = lane.groups.lock().unwrap().clone();
    sent.sort_by_key(Group::seq);
    let mut position = LogPosition::EMPTY;
    for group in &sent {
        group
            .follows(&position)
            .expect("each group was handed over once");
        position = group.position();
    }
    assert_eq!(position, log.tail());
    assert_eq!(lane.durable.load(Ordering::Relaxed), position.group.0);
    let mut on_disk = Vec::new();
    let verdict = check(&segments_of(&folder.0), |group| on_disk.push(group.clone()));
    assert_eq!(verdict.decision, Decision::Clean);
    assert!(on_disk == sent, "the disk has the bytes that were sent");
    let mut bodies: Vec<Vec<u8>> = sent
        .iter()
        .flat_map(|g| {
            g.frames()
                .filter(|f| f.kind.is_numbered())
                .map(|f| f.body.to_vec())
                .collect::<Vec<_>>()
        })
        .collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len() as u64, commits);
}

#[test]
fn a_replica_appends_holds_above_the_mark_applies_below_it_and_is_promoted() {
    on_one_core(|rt, folder| async move {
        let (main, _, _) = open(&rt, options(&folder.join("main")), RecoverAs::Main).await;
        main.start_as_main().await.unwrap();
        for n in 0..30u8 {
            commit_durably(&main, &[n; 50]).await;
        }
        let tail = main.log().tail();

        let (replica, ledger, _) =
            open(&rt, options(&folder.join("replica")), RecoverAs::Replica).await;
        assert!(matches!(
            replica.append(Vec::new()).await,
            Err(AppendError::Log(LogError::WrongRole { .. }))
        ));
        assert!(replica.start_as_follower().await.unwrap().is_empty());

        // Catch-up in small bites, resumable by number.
        let mut next = GroupSeq(1);
        let mut calls = 0;
        loop {
            let groups = main.read_groups(next, 400).await.unwrap();
            let Some(last) = groups.last() else { break };
            next = last.seq().next();
            calls += 1;
            let position = replica.append(groups.clone()).await.unwrap();
            assert_eq!(position, last.position());
            assert_eq!(replica.log().tail(), position);
            assert!(
                matches!(
                    replica.append(groups).await,
                    Err(AppendError::NotFollowing(NotFollowing::Number { .. }))
                ),
                "a group is appended once"
            );
        }
        assert!(calls > 5);
        assert_eq!(replica.log().tail(), tail);
        assert!(
            ledger.applied.borrow().is_empty(),
            "nothing is shown without the mark"
        );

        // The mark governs what is shown.
        let visible = replica.apply_to(GroupSeq(11)).await.unwrap();
        assert_eq!(
            (visible.group, visible.commit),
            (GroupSeq(11), CommitSeq(10))
        );
        assert_eq!(ledger.bodies().len(), 10);
        assert_eq!(ledger.door().visible(), CommitSeq(10));
        assert_eq!(replica.apply_to(GroupSeq(5)).await.unwrap(), visible);
        assert!(
            commit(replica.log(), ledger.door(), 0, b"x").is_err(),
            "a replica takes no commit"
        );

        // Positions compare histories.
        assert_eq!(
            replica.find(GroupSeq(7)).await.unwrap(),
            main.find(GroupSeq(7)).await.unwrap()
        );
        assert_eq!(
            replica.find(GroupSeq(0)).await.unwrap(),
            Some(LogPosition::EMPTY)
        );
        assert_eq!(replica.find(tail.group.next()).await.unwrap(), None);

        // After a restart it shows no more than it did, and has kept the rest.
        replica.close().await.unwrap();
        let (replica, ledger, report) =
            open(&rt, options(&folder.join("replica")), RecoverAs::Replica).await;
        assert_eq!((report.position, report.applied), (tail, visible));
        assert_eq!(ledger.bodies().len(), 10);
        assert_eq!(replica.start_as_follower().await.unwrap(), tail);

        // Promotion publishes everything first, then opens a term of its own.
        let promoted = replica.promote().await.unwrap();
        assert_eq!(ledger.bodies().len(), 30);
        assert_eq!(
            (promoted.term.counter, promoted.group),
            (2, tail.group.next())
        );
        assert_ne!(promoted.term.id, tail.term.id);
        assert_eq!(commit_durably(&replica, b"new").await, CommitSeq(31));

        // The old main's next group does not continue the new history.
        commit_durably(&main, b"old").await;
        let old = main.read_groups(tail.group.next(), 1).await.unwrap();
        assert!(matches!(
            old[0].follows(&promoted),
            Err(NotFollowing::Number { .. })
        ));
        assert_ne!(
            main.find(tail.group.next()).await.unwrap(),
            replica.find(tail.group.next()).await.unwrap()
        );
    });
}

#[test]
fn a_replica_cuts_back_what_it_never_showed_and_keeps_it_aside() {
    on_one_core(|rt, folder| async move {
        let (main, _, _) = open(&rt, options(&folder.join("main")), RecoverAs::Main).await;
        main.start_as_main().await.unwrap();
        for n in 0..40u8 {
            commit_durably(&main, &vec![n; 10_000]).await;
        }
        let (replica, ledger, _) =
            open(&rt, options(&folder.join("replica")), RecoverAs::Replica).await;
        replica.start_as_follower().await.unwrap();
        replica
            .append(main.read_groups(GroupSeq(1), usize::MAX).await.unwrap())
            .await
            .unwrap();
        replica.apply_to(GroupSeq(5)).await.unwrap();
        let to = main.find(GroupSeq(8)).await.unwrap().unwrap();

        let foreign = LogPosition {
            chain: Chain(1),
            ..to
        };
        assert!(matches!(
            replica.cut_back(&foreign).await,
            Err(LogError::NotInHistory(_))
        ));
        let seen = main.find(GroupSeq(4)).await.unwrap().unwrap();
        assert!(matches!(
            replica.cut_back(&seen).await,
            Err(LogError::AlreadyVisible { .. })
        ));

        let from = replica.log().tail();
        let cut = replica.cut_back(&to).await.unwrap();
        assert_eq!((cut.from, cut.to, cut.groups), (from, to, from.group.0 - 8));
        assert!(cut.rescued.len() > 1, "it spanned segments");
        for rescue in &cut.rescued {
            assert_eq!(
                std::fs::metadata(&rescue.kept_in).unwrap().len(),
                rescue.bytes
            );
        }
        assert_eq!(replica.log().tail(), to);

        // It takes what the main has after that, and is the same after a restart.
        let groups = main.read_groups(GroupSeq(9), usize::MAX).await.unwrap();
        let tail = replica.append(groups).await.unwrap();
        assert_eq!(tail, main.log().tail());
        replica.apply_to(tail.group).await.unwrap();
        assert_eq!(ledger.bodies().len(), 40);
        replica.close().await.unwrap();
        let (_, ledger, report) =
            open(&rt, options(&folder.join("replica")), RecoverAs::Replica).await;
        assert_eq!((report.position, report.applied), (tail, tail));
        assert_eq!(ledger.bodies().len(), 40);
    });
}

#[test]
fn a_main_that_becomes_a_replica_writes_what_was_sealed_and_refuses_the_rest() {
    on_one_core(|rt, folder| async move {
        let (core, ledger, _) = open(&rt, options(&folder), RecoverAs::Main).await;
        core.start_as_main().await.unwrap();
        let seqs: Vec<_> = (0..10u8)
            .map(|n| commit(core.log(), ledger.door(), 0, &[n]).unwrap())
            .collect();
        let tail = core.start_as_follower().await.unwrap();
        assert_eq!(tail.commit, *seqs.last().unwrap());
        core.durable(tail.commit).await.unwrap();
        assert!(matches!(
            commit(core.log(), ledger.door(), 0, b"no"),
            Err(ReserveError::Closed(_))
        ));
        let promoted = core.promote().await.unwrap();
        assert_eq!(promoted.term.counter, 2);
        commit_durably(&core, b"yes").await;
    });
}

#[test]
fn a_group_that_does_not_fit_the_graph_stops_the_log() {
    on_one_core(|rt, folder| async move {
        let (main, _, _) = open(&rt, options(&folder.join("main")), RecoverAs::Main).await;
        main.start_as_main().await.unwrap();
        for n in 0..5u8 {
            commit_durably(&main, &[n]).await;
        }
        let codes: Arc<Mutex<Vec<i32>>> = Arc::default();
        let told = codes.clone();
        let log = Log::new(LogOptions {
            on_fatal: Arc::new(move |fatal| told.lock().unwrap().push(fatal.exit_code())),
            ..options(&folder.join("replica"))
        });
        let ledger = TestLedger::new(&log);
        log.recover(&rt, &*ledger, RecoverAs::Replica)
            .await
            .unwrap();
        let mut choosy = Rc::into_inner(ledger).expect("not shared yet");
        choosy.refuses = Some(3);
        let replica = LogCore::new(&log, Rc::new(choosy), &rt);
        replica.start_as_follower().await.unwrap();
        replica
            .append(main.read_groups(GroupSeq(1), usize::MAX).await.unwrap())
            .await
            .unwrap();
        let error = replica.apply_to(GroupSeq(100)).await.unwrap_err();
        assert!(
            matches!(
                error,
                LogError::Fatal(Fatal::Apply {
                    group: GroupSeq(4),
                    ..
                })
            ),
            "{error}"
        );
        assert_eq!(log.role(), Role::Stopped);
        assert_eq!(*codes.lock().unwrap(), [18]);
        assert_eq!(replica.durable(CommitSeq(5)).await, Err(LogError::Stopped));
    });
}

#[test]
fn the_interval_log_answers_when_written_and_marks_only_what_it_synced() {
    on_one_core(|rt, folder| async move {
        let relaxed = LogOptions {
            durability: Durability::Interval(Duration::from_millis(20)),
            idle_mark: Duration::from_secs(3600),
            ..options(&folder)
        };
        let (core, _, _) = open(&rt, relaxed.clone(), RecoverAs::Main).await;
        core.start_as_main().await.unwrap();
        commit_durably(&core, b"one").await;
        let first = core.log().tail().group;
        while core.log().synced.group() < first {
            rt.sleep(Duration::from_millis(5)).await;
        }
        commit_durably(&core, b"two").await;
        let mut last_mark = GroupSeq::NONE;
        for at in (BLOCK..20 * BLOCK).step_by(BLOCK) {
            let bytes = segments_of(&folder)[0].1.slice(at..);
            if let Slot::Group(local, group) =
                read_record(&bytes, SegmentNumber(1), core.log().id())
            {
                assert!(local.marks.durable < group.seq());
                last_mark = local.marks.durable;
            }
        }
        kill(&core).await;
        assert_eq!(
            last_mark, first,
            "the second group tells that the first was synced"
        );
        let (_, ledger, report) = open(&rt, relaxed, RecoverAs::Main).await;
        assert_eq!((ledger.bodies().len(), report.durable_mark), (2, first));
    });
}

#[test]
fn without_durability_commits_are_written_together_once_none_comes_any_more() {
    on_one_core(|rt, folder| async move {
        let lax = LogOptions {
            durability: Durability::None,
            ..options(&folder)
        };
        let (core, _, _) = open(&rt, lax.clone(), RecoverAs::Main).await;
        core.start_as_main().await.unwrap();
        commit_durably(&core, &[0]).await;
        let before = core.log().counters().groups_written;
        for n in 1..50u8 {
            commit_durably(&core, &[n]).await;
        }
        assert_eq!(core.log().visible().commit, crate::CommitSeq(50));
        rt.sleep(10 * lax.idle_mark).await;
        let groups = core.log().counters().groups_written - before;
        assert!((1..25).contains(&groups), "{groups} groups of 49 commits");
        kill(&core).await;
        let (_, ledger, _) = open(&rt, lax, RecoverAs::Main).await;
        assert_eq!(ledger.bodies().len(), 50);
    });
}

#[test]
fn the_log_without_durability_publishes_at_once_and_writes_all_the_same() {
    on_one_core(|rt, folder| async move {
        let lax = LogOptions {
            durability: Durability::None,
            ..options(&folder)
        };
        let (core, _, _) = open(&rt, lax.clone(), RecoverAs::Main).await;
        core.start_as_main().await.unwrap();
        for n in 0..50u8 {
            commit_durably(&core, &[n]).await;
        }
        core.close().await.unwrap();
        let (_, ledger, _) = open(&rt, lax, RecoverAs::Main).await;
        assert_eq!(ledger.bodies().len(), 50);
    });
}
