//! Cores, tasks, timers, the mesh and notifiers, on real threads.

use quoit_rt::{
    Config, CoreFailed, CoreId, Cpus, Priority, Rt, SocketBackend, StartError, mesh, start,
};
use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const BACKENDS: [SocketBackend; 2] = [SocketBackend::OwnRing, SocketBackend::Glommio];

#[test]
fn every_core_runs_and_ends_when_asked() {
    for backend in BACKENDS {
        let ran = Arc::new(AtomicU64::new(0));
        let running = start(
            Config {
                backend,
                ..Config::with_cores(5)
            },
            |core| {
                let ran = ran.clone();
                move |rt: Rt| async move {
                    assert_eq!(rt.core(), core);
                    assert_eq!(rt.cores(), 5);
                    ran.fetch_add(1 << (8 * core.0), Ordering::Relaxed);
                    // Several tasks wait for the same shutdown.
                    let other = rt.clone();
                    let waiting = rt.spawn(Priority::Background, async move {
                        other.shutdown_requested().await
                    });
                    rt.shutdown_requested().await;
                    waiting.await.expect("not cancelled");
                }
            },
        )
        .expect("more cores than CPUs are fine");
        let stopper = running.stopper();
        std::thread::sleep(Duration::from_millis(20));
        stopper.shut_down();
        running.join().expect("no core panics");
        assert_eq!(ran.load(Ordering::Relaxed), 0x01_0101_0101);
    }
}

#[test]
fn a_panic_on_one_core_stops_the_others_and_is_reported() {
    let running = start(Config::with_cores(2), |core| {
        move |rt: Rt| async move {
            if core == CoreId(1) {
                panic!("this core has a bug (expected in this test)");
            }
            rt.shutdown_requested().await;
        }
    })
    .expect("two cores");
    assert_eq!(running.join(), Err(CoreFailed(CoreId(1))));
}

#[test]
fn a_cpu_that_is_not_there_is_named() {
    let none = |_| |_rt: Rt| async {};
    let config = Config {
        cpus: Cpus::List(vec![100_000]),
        ..Config::default()
    };
    assert!(matches!(
        start(config, none),
        Err(StartError::NoSuchCpu(100_000))
    ));
    let config = Config {
        cpus: Cpus::Count(0),
        ..Config::default()
    };
    assert!(matches!(start(config, none), Err(StartError::NoCores)));
}

#[test]
fn tasks_are_awaited_cancelled_and_let_go() {
    let running = start(Config::with_cores(1), |_| {
        |rt: Rt| async move {
            assert_eq!(rt.spawn(Priority::Latency, async { 7 }).await, Some(7));

            let dropped = Rc::new(Cell::new(false));
            struct OnDrop(Rc<Cell<bool>>);
            impl Drop for OnDrop {
                fn drop(&mut self) {
                    self.0.set(true);
                }
            }
            let guard = OnDrop(dropped.clone());
            let waiting = rt.spawn(Priority::Latency, async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            rt.yield_now().await;
            waiting.cancel();
            assert_eq!(waiting.await, None);
            assert!(dropped.get());

            let count = Rc::new(Cell::new(0));
            for _ in 0..10 {
                let (count, rt2) = (count.clone(), rt.clone());
                rt.spawn(Priority::Background, async move {
                    rt2.sleep(Duration::from_millis(1)).await;
                    count.set(count.get() + 1);
                })
                .detach();
            }
            while count.get() < 10 {
                rt.yield_now().await;
            }
        }
    })
    .expect("a core");
    running.join().expect("the scene holds");
}

#[test]
fn a_ready_future_wins_over_a_past_deadline_and_a_pending_one_does_not() {
    let running = start(Config::with_cores(1), |_| {
        |rt: Rt| async move {
            let past = rt.now();
            assert_eq!(rt.timeout(past, async { 1 }).await, Ok(1));
            assert!(
                rt.timeout(past, std::future::pending::<()>())
                    .await
                    .is_err()
            );
            let before = rt.now();
            rt.sleep(Duration::from_millis(3)).await;
            assert!(rt.now() - before >= Duration::from_millis(3));
            assert_eq!(rt.block_on_helper(|| 6 * 7).await, 42);
            let found = rt
                .resolve("localhost", 7687)
                .await
                .expect("localhost is known");
            assert!(
                found
                    .iter()
                    .all(|a| a.ip().is_loopback() && a.port() == 7687)
            );
        }
    })
    .expect("a core");
    running.join().expect("the scene holds");
}

#[test]
fn long_background_work_gives_way_to_latency_work_when_it_looks() {
    let running = start(Config::with_cores(1), |_| {
        |rt: Rt| async move {
            let (scanner, stop) = (rt.clone(), Rc::new(Cell::new(false)));
            let seen = stop.clone();
            let scan = rt.spawn(Priority::Background, async move {
                let mut looks = 0u64;
                while !seen.get() {
                    scanner.yield_if_needed().await;
                    looks += 1;
                }
                looks
            });
            for _ in 0..20 {
                rt.sleep(Duration::from_millis(1)).await;
            }
            stop.set(true);
            assert!(scan.await.expect("not cancelled") > 0);
        }
    })
    .expect("a core");
    running.join().expect("the scene holds");
}

#[test]
fn the_mesh_keeps_order_and_loses_nothing_under_load() {
    const MESSAGES: u64 = 5_000;
    for (backend, capacity) in [
        (SocketBackend::OwnRing, 1024),
        (SocketBackend::OwnRing, 1),
        (SocketBackend::Glommio, 8),
    ] {
        let mut ends: Vec<_> = mesh::mesh_with_capacity::<u64>(3, capacity)
            .into_iter()
            .map(Some)
            .collect();
        let running = start(
            Config {
                backend,
                ..Config::with_cores(3)
            },
            |core| {
                let end = ends[core.index()].take().expect("once a core");
                move |rt: Rt| async move {
                    let (sender, mut receiver) = end.bind(&rt);
                    let senders: Vec<_> = (0..3)
                        .map(|to| {
                            let sender = sender.clone();
                            rt.spawn(Priority::Latency, async move {
                                for i in 0..MESSAGES {
                                    sender.send(CoreId(to), i).await.expect("everyone lives");
                                }
                            })
                        })
                        .collect();
                    let mut next = [0; 3];
                    while next.iter().sum::<u64>() < 3 * MESSAGES {
                        let (from, i) = receiver.recv().await;
                        assert_eq!(i, next[from.index()], "in order from {from:?}");
                        next[from.index()] += 1;
                    }
                    for sent in senders {
                        sent.await.expect("not cancelled");
                    }
                    // The receivers of the others may still be needed: they have all they wait for.
                    assert!(receiver.try_recv().is_none());
                }
            },
        )
        .expect("three cores");
        running.join().expect("the scene holds");
    }
}

#[test]
fn a_sender_learns_that_the_receiving_core_has_ended() {
    let mut ends: Vec<_> = mesh::mesh_with_capacity::<u64>(2, 4)
        .into_iter()
        .map(Some)
        .collect();
    let running = start(Config::with_cores(2), |core| {
        let end = ends[core.index()].take().expect("once a core");
        move |rt: Rt| async move {
            let (sender, receiver) = end.bind(&rt);
            if core == CoreId(0) {
                while sender.send(CoreId(1), 1).await.is_ok() {}
            } else {
                rt.sleep(Duration::from_millis(10)).await;
                drop(receiver);
            }
        }
    })
    .expect("two cores");
    running.join().expect("the scene holds");
}

#[test]
fn every_notification_is_seen_by_a_core_that_sleeps_between() {
    for backend in BACKENDS {
        // Two cores count in turns through one shared number: a lost wake-up would stop them for ever.
        let count = Arc::new(AtomicU64::new(0));
        let (to_first, from_first) = std::sync::mpsc::channel();
        let (to_second, from_second) = std::sync::mpsc::channel();
        let mut channels = [Some((to_second, from_first)), Some((to_first, from_second))];
        let running = start(
            Config {
                backend,
                ..Config::with_cores(2)
            },
            |core| {
                let count = count.clone();
                let (give, take) = channels[core.index()].take().expect("once a core");
                move |rt: Rt| async move {
                    let (notifier, notified) = rt.notifier();
                    give.send(notifier).expect("the other core takes it");
                    let other: quoit_rt::Notifier = take.recv().expect("the other core gives it");
                    let mine = u64::from(core.0);
                    loop {
                        let now = count.load(Ordering::Acquire);
                        if now >= 3_000 {
                            other.notify();
                            return;
                        }
                        if now % 2 == mine {
                            count.store(now + 1, Ordering::Release);
                            other.notify();
                        } else {
                            notified.notified().await;
                        }
                    }
                }
            },
        )
        .expect("two cores");
        running.join().expect("the scene holds");
        assert_eq!(count.load(Ordering::Relaxed), 3_000);
    }
}

#[test]
fn notifications_coalesce_and_are_not_forgotten() {
    let running = start(Config::with_cores(1), |_| {
        |rt: Rt| async move {
            let (notifier, notified) = rt.notifier();
            let from_thread = notifier.clone();
            std::thread::spawn(move || (0..1000).for_each(|_| from_thread.notify()))
                .join()
                .expect("no panic");
            notified.notified().await;
            rt.timeout(rt.now() + Duration::from_millis(20), notified.notified())
                .await
                .expect_err("a thousand before one look are one");
            // Many notifiers share slots and still all arrive.
            let pairs: Vec<_> = (0..5000).map(|_| rt.notifier()).collect();
            pairs.iter().for_each(|(notifier, _)| notifier.notify());
            for (_, notified) in &pairs {
                notified.notified().await;
            }
        }
    })
    .expect("a core");
    running.join().expect("the scene holds");
}
