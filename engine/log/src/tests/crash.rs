//! Power cuts at random moments of a random workload, and faults of the disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quoit_graph::door::ReserveError;
use quoit_rt::{Priority, Rng, Rt};

use super::faults::{Faults, Mutant};
use super::ledger::commit;
use super::live::{commit_durably, kill, on_one_core, open, options};
use crate::*;

/// What a run of power cuts found.
#[derive(Default, Debug)]
struct Found {
    cuts: u64,
    in_flight: u64,
    acknowledged: u64,
    torn: u64,
    /// Cuts after which an acknowledged commit was missing.
    lost: u64,
}

fn body(seed: u64, seq: u64, rng: &mut Rng) -> Vec<u8> {
    let mut body = [seed.to_le_bytes(), seq.to_le_bytes()].concat();
    body.resize(16 + rng.below(9000) as usize, seq as u8);
    body
}

/// Sessions commit at random; now and then, right after an answer, the power is cut and what is left
/// recovers beside the running log. What recovers must be a prefix with every acknowledged commit.
async fn cut_at_random(
    rt: &Rt,
    folder: &Path,
    seed: u64,
    mutant: Option<Mutant>,
    found: &mut Found,
) {
    let made = folder.join(format!("seed-{seed}"));
    let faults = Arc::new(Faults::with_mutant(mutant));
    let under_test = LogOptions {
        faults: faults.clone(),
        idle_mark: Duration::from_millis(1),
        segment_bytes: 128 << 10,
        ..options(&made)
    };
    let (core, ledger, _) = open(rt, under_test, RecoverAs::Main).await;
    core.start_as_main().await.unwrap();
    let images: Rc<std::cell::RefCell<Vec<_>>> = Rc::default();
    let sessions: Vec<_> = (0..4u64)
        .map(|session| {
            let (core, ledger, faults) = (core.clone(), ledger.clone(), faults.clone());
            let (made, images, rt) = (made.clone(), images.clone(), rt.clone());
            let mut rng = Rng::new(seed * 100 + session);
            rt.clone().spawn(Priority::Latency, async move {
                for n in 0..25 {
                    let body = body(seed, n, &mut rng);
                    let seq = loop {
                        match commit(core.log(), ledger.door(), 0, &body) {
                            Ok(seq) => break seq,
                            Err(ReserveError::Busy) => {
                                core.room(FRAME_HEADER + body.len()).await.unwrap()
                            }
                            Err(error) => panic!("{error}"),
                        }
                    };
                    core.durable(seq).await.unwrap();
                    faults.acknowledged(seq.0);
                    if rng.one_in(12) {
                        let to = made.join(format!("image-{session}-{n}"));
                        let image = faults.cut_power(&made, &to, &mut rng);
                        images.borrow_mut().push((to, image));
                    }
                    if rng.one_in(8) {
                        rt.sleep(Duration::from_millis(rng.below(4))).await;
                    }
                }
            })
        })
        .collect();
    for session in sessions {
        session.await;
    }
    let mut history = Vec::new();
    for group in core.read_groups(GroupSeq(1), usize::MAX).await.unwrap() {
        history.extend(
            group
                .frames()
                .filter(|f| f.kind.is_numbered())
                .map(|f| f.body.to_vec()),
        );
    }
    kill(&core).await;
    for (to, image) in images.take() {
        let (core, recovered, report) = open(rt, options(&to), RecoverAs::Main).await;
        let bodies = recovered.bodies();
        // A broken variant may be read from before it has written what it acknowledged: that is caught too.
        let is_prefix = history.starts_with(&bodies);
        assert!(
            is_prefix || mutant.is_some(),
            "seed {seed}: what recovers is a prefix of what was committed"
        );
        found.cuts += 1;
        found.in_flight += u64::from(image.in_flight);
        found.acknowledged += image.acknowledged;
        found.torn += u64::from(!report.cut.is_empty());
        found.lost += u64::from(!is_prefix || (bodies.len() as u64) < image.acknowledged);
        kill(&core).await;
    }
    std::fs::remove_dir_all(&made).unwrap();
}

fn seeds() -> u64 {
    std::env::var("QUOIT_LOG_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(12)
}

#[test]
fn no_power_cut_loses_an_acknowledged_commit() {
    on_one_core(|rt, folder| async move {
        let mut found = Found::default();
        for seed in 0..seeds() {
            cut_at_random(&rt, &folder, seed, None, &mut found).await;
        }
        println!("power cuts over {} seeds: {found:?}", seeds());
        assert_eq!(found.lost, 0);
        assert!(
            found.cuts > 50 && found.in_flight > 0 && found.torn > 0,
            "{found:?}"
        );
    });
}

#[test]
fn acknowledging_before_the_write_completes_is_caught_by_the_same_cuts() {
    on_one_core(|rt, folder| async move {
        let mut found = Found::default();
        for seed in 0..seeds() {
            cut_at_random(
                &rt,
                &folder,
                seed,
                Some(Mutant::AcknowledgeEarly),
                &mut found,
            )
            .await;
        }
        println!("the mutant that acknowledges early: {found:?}");
        assert!(found.lost > 0, "the mutant passed: {found:?}");
    });
}

/// A MAIN sends a group to a replica and dies before its own disk has it; restarted, it gives the same
/// numbers to something else. True when the replica is told to cut instead of taking both.
async fn reused_numbers_are_told_apart(rt: &Rt, folder: &Path, mutant: Option<Mutant>) -> bool {
    let faults = Arc::new(Faults::with_mutant(mutant));
    let made = folder.join(format!("main-{mutant:?}"));
    let options_of = |directory: &Path| LogOptions {
        faults: faults.clone(),
        ..options(directory)
    };
    let (main, _, _) = open(rt, options_of(&made), RecoverAs::Main).await;
    main.start_as_main().await.unwrap();
    commit_durably(&main, b"both have it").await;
    let shared = main.log().tail();
    kill(&main).await;
    // What was on its way: a group that continues `shared`, on the replica only.
    let forming = crate::group::Forming {
        after: shared,
        term: shared.term,
        incarnation: shared.incarnation,
    };
    let mut frame = vec![0; FRAME_HEADER];
    frame.extend_from_slice(b"lost here");
    let lost = Group::form(&forming, &[crate::frame::finish_frame(frame)], 1);

    let (main, _, _) = open(rt, options_of(&made), RecoverAs::Main).await;
    main.start_as_main().await.unwrap();
    let again = commit_durably(&main, b"another").await;
    assert_eq!(again, lost.first_commit(), "the number is used again");
    commit_durably(&main, b"and on").await;

    let (replica, _, _) = open(
        rt,
        options(&folder.join(format!("replica-{mutant:?}"))),
        RecoverAs::Replica,
    )
    .await;
    replica.start_as_follower().await.unwrap();
    let mut groups = main.read_groups(GroupSeq(1), usize::MAX).await.unwrap();
    groups.truncate(shared.group.0 as usize);
    groups.push(lost.clone());
    let held = replica.append(groups).await.unwrap();
    // The comparison that a hello makes: is my tail a point of your history, by number and incarnation?
    let theirs = main
        .find(held.group)
        .await
        .unwrap()
        .expect("the main is further");
    let told_apart = theirs.incarnation != held.incarnation;
    if told_apart {
        let common = main.find(shared.group).await.unwrap().unwrap();
        replica.cut_back(&common).await.unwrap();
        let tail = replica
            .append(
                main.read_groups(common.group.next(), usize::MAX)
                    .await
                    .unwrap(),
            )
            .await
            .unwrap();
        assert_eq!(tail, main.log().tail());
    }
    kill(&main).await;
    kill(&replica).await;
    told_apart
}

#[test]
fn numbers_reused_after_a_restart_are_told_apart_by_their_incarnation() {
    on_one_core(|rt, folder| async move {
        assert!(reused_numbers_are_told_apart(&rt, &folder, None).await);
        // Without incarnations of its own the same scene goes unnoticed, so this test can fail.
        assert!(!reused_numbers_are_told_apart(&rt, &folder, Some(Mutant::SameIncarnation)).await);
    });
}

#[test]
fn a_failed_write_stops_the_log_with_exit_21_and_acknowledges_nothing_more() {
    on_one_core(|rt, folder| async move {
        let codes: Arc<std::sync::Mutex<Vec<i32>>> = Arc::default();
        let told = codes.clone();
        let faults = Arc::new(Faults::default());
        let failing = LogOptions {
            faults: faults.clone(),
            on_fatal: Arc::new(move |fatal| told.lock().unwrap().push(fatal.exit_code())),
            ..options(&folder)
        };
        let (core, ledger, _) = open(&rt, failing, RecoverAs::Main).await;
        core.start_as_main().await.unwrap();
        let before = commit_durably(&core, b"before").await;
        faults.fail_after.store(1, Ordering::Relaxed);
        let waiting: Vec<_> = (0..3u8)
            .map(|n| commit(core.log(), ledger.door(), 0, &[n]).unwrap())
            .collect();
        for seq in waiting {
            assert_eq!(core.durable(seq).await, Err(LogError::Stopped));
        }
        assert_eq!(*codes.lock().unwrap(), [EXIT_LOG_WRITE]);
        assert_eq!(
            (core.log().tail().commit, ledger.door().visible()),
            (before, before)
        );
        assert!(matches!(
            commit(core.log(), ledger.door(), 0, b"no"),
            Err(ReserveError::Closed(_))
        ));
        assert_eq!(core.close().await, Err(LogError::Stopped));
    });
}

#[test]
fn a_full_disk_refuses_before_the_number_and_commits_go_on_when_there_is_room() {
    on_one_core(|rt, folder| async move {
        let faults = Arc::new(Faults::default());
        let small = LogOptions {
            faults: faults.clone(),
            segment_bytes: 64 << 10,
            ..options(&folder)
        };
        let (core, ledger, _) = open(&rt, small, RecoverAs::Main).await;
        core.start_as_main().await.unwrap();
        commit_durably(&core, b"first").await;
        faults.full.store(true, Ordering::Relaxed);
        let mut acknowledged = BTreeSet::from([1]);
        let refused = loop {
            match commit(core.log(), ledger.door(), 0, &[7; 3000]) {
                Ok(seq) => {
                    core.durable(seq).await.unwrap();
                    acknowledged.insert(seq.0);
                }
                Err(ReserveError::Busy) => {
                    if let Err(error) = core.room(3000 + FRAME_HEADER).await {
                        break error;
                    }
                }
                Err(ReserveError::JournalFull(reason)) => break LogError::Full(reason),
                Err(error) => panic!("{error}"),
            }
            assert!(acknowledged.len() < 1000, "the disk was full");
        };
        assert!(matches!(refused, LogError::Full(_)), "{refused}");
        assert!(matches!(
            commit(core.log(), ledger.door(), 0, &[7; 3000]),
            Err(ReserveError::JournalFull(_))
        ));
        assert_eq!(
            core.log().role(),
            Role::Main,
            "reads and small things go on"
        );
        let sealed = ledger.door().sealed();
        faults.full.store(false, Ordering::Relaxed);
        while core.room(3000 + FRAME_HEADER).await.is_err() {
            rt.sleep(Duration::from_millis(50)).await;
        }
        let next = commit_durably(&core, &[8; 3000]).await;
        assert_eq!(
            next.0,
            sealed.0 + 1,
            "no number was spent on what was refused"
        );
        kill(&core).await;
        let (_, ledger, _) = open(&rt, options(&folder), RecoverAs::Main).await;
        assert_eq!(ledger.bodies().len(), acknowledged.len() + 1);
    });
}
