//! Histories of transactions on lists, run on threads, one a core.

use super::lists::{Layout, Lists};
use quoit_graph::{Access, Core, Isolation, WriteError};
use quoit_histories::history::{Clock, History, Operation, Outcome, Transaction};
use quoit_histories::workload::{Plan, Random, Step, Workload};

/// One run.
#[derive(Clone, Copy)]
pub struct Run {
    pub layout: Layout,
    pub isolation: Isolation,
    pub cores: u16,
    /// Transactions of each core.
    pub transactions: u64,
    pub seed: u64,
}

/// Runs it and reads every list at the end.
pub fn history(run: Run) -> History {
    let all = run.transactions * u64::from(run.cores);
    let lists = Lists::new(run.layout, run.cores, Workload::keys(all));
    // Of every second seed, transactions are settled bit by bit after they have ended.
    if run.seed.is_multiple_of(2) {
        lists.graph.set_slices(1, 1);
    }
    let (clock, workload) = (Clock::default(), Workload::default());
    let mut history = History::default();
    std::thread::scope(|scope| {
        let process = |n: u16| {
            let (lists, clock, workload) = (&lists, &clock, &workload);
            scope.spawn(move || {
                let core = lists.graph.core(n);
                let mut random = Random::new(run.seed * 1_000 + u64::from(n) + 1);
                let mut own = History::default();
                for _ in 0..run.transactions {
                    let plan = workload.next(&mut random);
                    let one = transaction(
                        lists,
                        &core,
                        &plan,
                        run.isolation,
                        clock,
                        &mut random,
                        &mut own.torn,
                    );
                    own.transactions.push(Transaction {
                        process: n.into(),
                        ..one
                    });
                    core.maintain(16);
                }
                own
            })
        };
        let processes: Vec<_> = (0..run.cores).map(process).collect();
        for process in processes {
            history.extend(
                process
                    .join()
                    .expect("a process of a history ended in a panic"),
            );
        }
    });
    let core = lists.graph.core(0);
    let mut txn = core.begin(Access::Read, Isolation::Snapshot);
    for key in lists.keys() {
        let (list, agree) = lists.read(&core, &mut txn, key);
        history.torn += u64::from(!agree);
        history.last.insert(key, list);
    }
    history
}

fn transaction(
    lists: &Lists,
    core: &Core,
    plan: &Plan,
    isolation: Isolation,
    clock: &Clock,
    random: &mut Random,
    torn: &mut u64,
) -> Transaction {
    let invoked = clock.tick();
    let mut txn = core.begin(Access::Write, isolation);
    let mut operations = Vec::new();
    let mut result = Ok(());
    for &step in &plan.steps {
        // Others get in between, also where threads are many and cores are few.
        for _ in 0..random.below(if plan.lingers { 12 } else { 3 }) {
            std::thread::yield_now();
        }
        match step {
            Step::Read(key) => {
                let (list, agree) = lists.read(core, &mut txn, key);
                *torn += u64::from(!agree);
                operations.push(Operation::Read(key, list));
            }
            Step::Append(key, element) => {
                operations.push(Operation::Append(key, element));
                result = lists.append(core, &mut txn, key, element);
                if result.is_err() {
                    break;
                }
            }
        }
    }
    let outcome = match result {
        Ok(()) if !plan.rolls_back => match txn.commit() {
            Ok(committed) => {
                // As a client, who is answered when the commit is visible.
                while committed.wrote && lists.graph.door().visible() < committed.seq {
                    std::thread::yield_now();
                }
                Outcome::Ok
            }
            Err(error) => panic!("a commit is refused: {error}"),
        },
        Ok(()) => {
            txn.rollback();
            Outcome::Failed
        }
        Err(WriteError::Conflict { .. }) => {
            txn.rollback();
            Outcome::Failed
        }
        // What a dirty reader has found may be undone before it writes there.
        Err(WriteError::VertexDeleted(_) | WriteError::EdgeDeleted(_))
            if isolation == Isolation::ReadUncommitted || cfg!(feature = "mutants") =>
        {
            txn.rollback();
            Outcome::Failed
        }
        Err(error) => panic!("an append is refused: {error}"),
    };
    Transaction {
        process: 0,
        operations,
        outcome,
        invoked,
        completed: clock.tick(),
    }
}
