//! Lives of a node in simulation: it recovers, commits from two cores, and dies at a random moment, by
//! power cut or by kill, over and over; a disk that forgets what was not synced decides what is left.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use quoit_graph::door::{Door, ReserveError};
use quoit_rt::sim::{DiskFault, FaultKind, NodeId, Sim};
use quoit_rt::{CoreId, Priority, Rng, Rt};

use super::faults::{Faults, Mutant};
use super::ledger::{TestLedger, commit};
use crate::*;

const CORES: u16 = 2;
const SESSIONS: u64 = 3;
const LIVES: u64 = 6;

/// What clients know: kept outside the node.
#[derive(Default)]
struct Clients {
    /// Every body that was ever given to a commit.
    tried: BTreeSet<Vec<u8>>,
    /// Those that were answered, by number.
    answered: BTreeMap<u64, Vec<u8>>,
}

/// What a run of lives found.
#[derive(Default, Debug, PartialEq)]
struct Found {
    lives: u64,
    answered: u64,
    recovered: u64,
    torn: u64,
    /// Answered commits that were missing or different after a recovery.
    lost: u64,
    /// Starts that were refused although nothing rotted.
    refused: u64,
    /// Commits that nobody asked for, or that are there twice.
    phantom: u64,
    /// The disk failed a write, and the log stopped for it.
    faults: u64,
}

fn log_options(mutant: Option<Mutant>, stopped: &Arc<AtomicU32>) -> LogOptions {
    let stopped = stopped.clone();
    LogOptions {
        segment_bytes: 96 << 10,
        faults: Arc::new(Faults::with_mutant(mutant)),
        on_fatal: Arc::new(move |_| {
            stopped.fetch_add(1, Ordering::Relaxed);
        }),
        ..LogOptions::new(PathBuf::from("/data/log"), CORES)
    }
}

async fn session(
    core: Rc<LogCore>,
    door: Arc<Door>,
    rt: Rt,
    clients: Rc<RefCell<Clients>>,
    seed: u64,
) {
    let mut rng = Rng::new(seed);
    loop {
        let mut body = rng.next_u64().to_le_bytes().to_vec();
        let len = if rng.one_in(20) {
            30_000
        } else {
            8 + rng.below(3000) as usize
        };
        body.resize(len, 7);
        clients.borrow_mut().tried.insert(body.clone());
        match commit(core.log(), &door, rt.core().0, &body) {
            Ok(seq) => {
                if core.durable(seq).await.is_err() {
                    return;
                }
                clients.borrow_mut().answered.insert(seq.0, body);
            }
            Err(ReserveError::Busy) if core.room(FRAME_HEADER + len).await.is_ok() => {}
            Err(_) => return,
        }
        if rng.one_in(4) {
            rt.sleep(Duration::from_millis(rng.below(25))).await;
        }
    }
}

/// One life: boots, recovers, checks what is there, commits until it dies.
fn live(
    sim: &mut Sim,
    node: NodeId,
    rng: &mut Rng,
    mutant: Option<Mutant>,
    clients: &Rc<RefCell<Clients>>,
    found: &mut Found,
) {
    let rts = sim.boot(node, CORES);
    let stopped = Arc::new(AtomicU32::new(0));
    let log = Log::new(log_options(mutant, &stopped));
    let door = Arc::new(Door::new(log.clone(), CORES));
    let ledger = TestLedger::with_door(door.clone());
    let recovered = {
        let (log, ledger, rt) = (log.clone(), ledger.clone(), rts[0].clone());
        sim.block_on(node, CoreId(0), async move {
            log.recover(&rt, &*ledger, RecoverAs::Main).await
        })
    };
    found.lives += 1;
    let report = match recovered.expect("recovery ends") {
        Ok(report) => report,
        Err(error) => {
            if mutant.is_none() {
                println!("refused: {error}");
            }
            found.refused += 1;
            sim.kill(node);
            return;
        }
    };
    let bodies = ledger.bodies();
    found.recovered += bodies.len() as u64;
    found.torn += u64::from(!report.cut.is_empty());
    {
        let known = clients.borrow();
        for (seq, body) in &known.answered {
            found.lost += u64::from(bodies.get(*seq as usize - 1) != Some(body));
        }
        let distinct: BTreeSet<_> = bodies.iter().collect();
        found.phantom += bodies
            .iter()
            .filter(|body| !known.tried.contains(*body))
            .count() as u64;
        found.phantom += (bodies.len() - distinct.len()) as u64;
    }
    // A mutant's losses are counted once.
    clients
        .borrow_mut()
        .answered
        .retain(|seq, body| bodies.get(*seq as usize - 1) == Some(body));

    let started = Rc::new(Cell::new(false));
    for rt in &rts {
        let core = LogCore::new(&log, TestLedger::with_door(door.clone()), rt);
        let (door, clients, rt, started) =
            (door.clone(), clients.clone(), rt.clone(), started.clone());
        let seeds: Vec<u64> = (0..SESSIONS).map(|_| rng.next_u64()).collect();
        rt.clone().spawn(Priority::Latency, async move {
            if rt.core() == CoreId(0) {
                // An error is the injected one, and has stopped the log.
                if core.start_as_main().await.is_err() {
                    return;
                }
                started.set(true);
            }
            while !started.get() {
                rt.sleep(Duration::from_millis(1)).await;
            }
            for seed in seeds {
                let session = session(
                    core.clone(),
                    door.clone(),
                    rt.clone(),
                    clients.clone(),
                    seed,
                );
                rt.spawn(Priority::Latency, session);
            }
        });
    }
    drop(rts);
    if rng.one_in(4) {
        let after = rng.below(60);
        let fault = DiskFault {
            path_contains: ".log".into(),
            after,
            times: 1,
            kind: FaultKind::Io,
        };
        sim.disk(node).inject(fault);
    }
    sim.run_for(Duration::from_millis(rng.below(300)));
    found.faults += u64::from(stopped.load(Ordering::Relaxed));
    sim.disk(node).clear_faults();
    if rng.one_in(4) {
        sim.kill(node);
    } else {
        sim.crash(node);
    }
}

/// Gives what was found and the trace of the run.
fn lives(seed: u64, mutant: Option<Mutant>) -> (Found, u64) {
    let mut sim = Sim::new(seed);
    let mut rng = Rng::new(seed ^ 0x6c6f_6721);
    let node = sim.add_node();
    let clients = Rc::new(RefCell::new(Clients::default()));
    let mut found = Found::default();
    for _ in 0..LIVES {
        live(&mut sim, node, &mut rng, mutant, &clients, &mut found);
    }
    found.answered = clients.borrow().answered.len() as u64;
    (found, sim.trace())
}

fn seeds() -> u64 {
    std::env::var("QUOIT_LOG_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(60)
}

fn sum(mutant: Option<Mutant>, seeds: u64) -> Found {
    let mut all = Found::default();
    for seed in 0..seeds {
        let (found, _) = lives(seed, mutant);
        if mutant.is_none() {
            assert_eq!(
                (found.lost, found.refused, found.phantom),
                (0, 0, 0),
                "seed {seed}: {found:?}"
            );
        }
        all.lives += found.lives;
        all.answered += found.answered;
        all.recovered += found.recovered;
        all.torn += found.torn;
        all.lost += found.lost;
        all.refused += found.refused;
        all.phantom += found.phantom;
        all.faults += found.faults;
    }
    println!("{seeds} seeds, mutant {mutant:?}: {all:?}");
    all
}

#[test]
fn lives_cut_at_random_keep_every_answered_commit() {
    let found = sum(None, seeds());
    assert!(
        found.answered > 1000 && found.torn > 10 && found.faults > 5,
        "{found:?}"
    );
}

#[test]
fn the_same_lives_catch_acknowledging_before_the_write_completes() {
    let found = sum(Some(Mutant::AcknowledgeEarly), 20);
    assert!(found.lost > 0, "{found:?}");
}

#[test]
fn the_same_lives_catch_a_log_that_is_not_synced() {
    let found = sum(Some(Mutant::SkipSync), 20);
    assert!(found.lost + found.refused > 0, "{found:?}");
}

#[test]
fn the_same_seed_gives_the_same_lives() {
    assert_eq!(lives(5, None), lives(5, None));
    assert_ne!(lives(5, None).1, lives(6, None).1);
}
