//! A small engine in memory with known faults, for the checker's own test.
//!
//! Owned here: [`run`]: a history of interleaved transactions from a seed, by an engine of one [`Fault`] or none.

use crate::history::{Clock, Element, History, Key, Operation, Outcome, Transaction};
use crate::workload::{Plan, Random, Step, Workload};
use std::collections::BTreeMap;

/// What the engine does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: snapshot isolation, first updater wins.
    None,
    /// Each operation sees what is committed by then, and writes on top of it.
    ReadCommitted,
    /// No conflicts: the last to commit a list puts its own in place.
    LostUpdate,
    /// Snapshots are some commits old.
    Stale,
    /// What is in flight is seen.
    Dirty,
}

struct Running {
    plan: Plan,
    at: usize,
    snapshot: usize,
    record: Transaction,
    own: BTreeMap<Key, Vec<Element>>,
}

#[derive(Default)]
struct Engine {
    /// After each commit.
    states: Vec<BTreeMap<Key, Vec<Element>>>,
    /// The commit that changed a list last.
    changed: BTreeMap<Key, usize>,
}

/// Runs `transactions` on `processes` at a time.
pub fn run(fault: Fault, seed: u64, processes: u32, transactions: u64) -> History {
    let (clock, workload) = (Clock::default(), Workload::default());
    let mut random = Random::new(seed);
    let mut engine = Engine::default();
    engine.states.push(BTreeMap::new());
    let mut running: Vec<Option<Running>> = (0..processes).map(|_| None).collect();
    let mut history = History::default();
    let mut begun = 0;
    loop {
        let process = random.below(u64::from(processes)) as usize;
        match running[process].take() {
            None if begun < transactions => {
                begun += 1;
                let newest = engine.states.len() - 1;
                let age = match fault {
                    Fault::Stale => random.below(12) as usize,
                    _ => 0,
                };
                running[process] = Some(Running {
                    plan: workload.next(&mut random),
                    at: 0,
                    snapshot: newest.saturating_sub(age),
                    record: Transaction {
                        process: process as u32,
                        operations: Vec::new(),
                        outcome: Outcome::Failed,
                        invoked: clock.tick(),
                        completed: 0,
                    },
                    own: BTreeMap::new(),
                });
            }
            None if running.iter().all(Option::is_none) => break,
            None => {}
            Some(mut one) => {
                let step = one.plan.steps.get(one.at).copied();
                let goes_on = match step {
                    Some(step) => engine.operate(fault, &mut one, step, &running),
                    None => {
                        if !one.plan.rolls_back {
                            engine.commit(&mut one);
                        }
                        false
                    }
                };
                one.at += 1;
                if goes_on {
                    running[process] = Some(one);
                } else {
                    one.record.completed = clock.tick();
                    history.transactions.push(one.record);
                }
            }
        }
    }
    history.last = engine.states.pop().expect("there is always a state");
    history
}

impl Engine {
    fn seen(
        &self,
        fault: Fault,
        one: &Running,
        key: Key,
        others: &[Option<Running>],
    ) -> Vec<Element> {
        let dirty = || {
            others
                .iter()
                .flatten()
                .find_map(|other| other.own.get(&key))
        };
        if let Some(own) = one.own.get(&key) {
            return own.clone();
        }
        if fault == Fault::Dirty
            && let Some(list) = dirty()
        {
            return list.clone();
        }
        let state = match fault {
            Fault::ReadCommitted => self.states.len() - 1,
            _ => one.snapshot,
        };
        self.states[state].get(&key).cloned().unwrap_or_default()
    }

    /// Whether the transaction goes on.
    fn operate(
        &self,
        fault: Fault,
        one: &mut Running,
        step: Step,
        others: &[Option<Running>],
    ) -> bool {
        match step {
            Step::Read(key) => {
                let list = self.seen(fault, one, key, others);
                one.record.operations.push(Operation::Read(key, list));
            }
            Step::Append(key, element) => {
                let in_flight = others
                    .iter()
                    .flatten()
                    .any(|other| other.own.contains_key(&key));
                let newer = self.changed.get(&key).is_some_and(|&at| at > one.snapshot);
                let refused = match fault {
                    Fault::LostUpdate => false,
                    Fault::ReadCommitted => in_flight,
                    _ => in_flight || newer,
                };
                one.record.operations.push(Operation::Append(key, element));
                if refused {
                    return false;
                }
                let mut list = self.seen(fault, one, key, others);
                list.push(element);
                one.own.insert(key, list);
            }
        }
        true
    }

    fn commit(&mut self, one: &mut Running) {
        one.record.outcome = Outcome::Ok;
        if one.own.is_empty() {
            return;
        }
        let mut next = self.states.last().expect("there is always a state").clone();
        for (&key, list) in &one.own {
            next.insert(key, list.clone());
            self.changed.insert(key, self.states.len());
        }
        self.states.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Class, Level, check};

    #[test]
    fn a_faultless_engine_is_never_accused() {
        for seed in 1..=20 {
            let report = check(&run(Fault::None, seed, 8, 800));
            assert!(
                report.anomalies.is_empty(),
                "seed {seed}: {:?}",
                report.examples
            );
            report.assert(Level::StrongSnapshot);
        }
    }

    #[test]
    fn every_fault_is_found_at_every_seed_and_as_what_it_is() {
        for seed in 1..=20 {
            let report = |fault| check(&run(fault, seed, 8, 800));
            let committed = report(Fault::ReadCommitted);
            assert_eq!(
                committed.violations(Level::ReadCommitted),
                [],
                "seed {seed}: {:?}",
                committed.examples
            );
            assert!(
                committed
                    .violations(Level::Snapshot)
                    .contains(&Class::GSnapshot)
            );
            let lost = report(Fault::LostUpdate);
            assert!(
                lost.violations(Level::ReadUncommitted)
                    .contains(&Class::Lost)
            );
            let stale = report(Fault::Stale);
            assert_eq!(
                stale.violations(Level::Snapshot),
                [],
                "seed {seed}: {:?}",
                stale.examples
            );
            let strong = stale.violations(Level::StrongSnapshot);
            assert!(strong.contains(&Class::GStrongSnapshot) && strong.contains(&Class::Stale));
            let dirty = report(Fault::Dirty);
            assert!(
                dirty
                    .violations(Level::ReadCommitted)
                    .contains(&Class::AbortedRead)
            );
        }
    }
}
