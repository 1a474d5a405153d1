//! Histories of transactions that clients run in Cypher, checked for what each isolation level forbids.
//!
//! A list lies in a property, or in edges that are read from both their ends; the checker is that of the engine's own histories.

use crate::client::{Answer, Client, TestServer};
use quoit_histories::check::{Level, check};
use quoit_histories::history::{Clock, Element, History, Key, Operation, Outcome, Transaction};
use quoit_histories::workload::{Plan, Random, Step, Workload};
use quoit_protocol::SendBuffer;
use quoit_protocol::message::ask::TransactionOptions;

const CLIENTS: u64 = 4;
const TRANSACTIONS: u64 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Property,
    Edges,
}

/// What a client says to append and to read.
struct Lists {
    layout: Layout,
    /// Keeps lists of one test apart from those of another.
    label: String,
}

impl Lists {
    fn setup(&self, client: &mut Client, keys: Key) {
        let label = &self.label;
        client.rows(&format!("CREATE INDEX ON :{label}(key)"));
        client.rows(&format!("CREATE (:{label}Hub)"));
        client.rows(&format!(
            "UNWIND range(0, {keys}) AS i CREATE (:{label} {{key: i, list: [], length: 0}})"
        ));
    }

    fn append(&self, key: Key, element: Element) -> String {
        let label = &self.label;
        match self.layout {
            Layout::Property => {
                format!("MATCH (k:{label} {{key: {key}}}) SET k.list = k.list + [{element}]")
            }
            Layout::Edges => format!(
                "MATCH (k:{label} {{key: {key}}}), (hub:{label}Hub) SET k.length = k.length + 1 \
                 CREATE (k)-[:HOLDS {{element: {element}, place: k.length}}]->(hub)"
            ),
        }
    }

    /// Ways to read a list in one statement: all have to come to the same.
    fn read(&self, key: Key) -> String {
        let label = &self.label;
        match self.layout {
            Layout::Property => {
                format!("MATCH (k:{label} {{key: {key}}}) RETURN k.list AS one, k.list AS other")
            }
            Layout::Edges => format!(
                "OPTIONAL MATCH (:{label} {{key: {key}}})-[out:HOLDS]->() WITH out ORDER BY out.place \
                 WITH collect(out.element) AS forth \
                 OPTIONAL MATCH (:{label}Hub)<-[back:HOLDS]-(:{label} {{key: {key}}}) \
                 WITH forth, back ORDER BY back.place RETURN forth, collect(back.element) AS back"
            ),
        }
    }
}

/// The rows of a statement within a transaction; nothing if it conflicts.
fn run(client: &mut Client, query: &str) -> Option<Vec<Vec<crate::client::Value>>> {
    let fetched = client.fetch(query);
    match fetched.summary {
        Answer::Success(_) => Some(fetched.rows),
        failure => {
            assert_eq!(
                failure.code(),
                "Neo.TransientError.Transaction.Outdated",
                "{query}"
            );
            client.reset();
            None
        }
    }
}

fn transaction(
    client: &mut Client,
    lists: &Lists,
    plan: &Plan,
    clock: &Clock,
    torn: &mut u64,
) -> Transaction {
    let invoked = clock.tick();
    client
        .ask(|send| send.ask_begin(&TransactionOptions::default()))
        .go();
    assert!(client.answer().is_success());
    let (mut operations, mut stands) = (Vec::new(), true);
    for &step in &plan.steps {
        match step {
            Step::Append(key, element) => {
                operations.push(Operation::Append(key, element));
                stands = run(client, &lists.append(key, element)).is_some();
            }
            Step::Read(key) => match run(client, &lists.read(key)) {
                Some(rows) => {
                    let list =
                        |at: usize| rows[0][at].as_list().iter().map(|e| e.as_int() as Element);
                    *torn += u64::from(!list(0).eq(list(1)));
                    operations.push(Operation::Read(key, list(0).collect()));
                }
                None => stands = false,
            },
        }
        if !stands {
            break;
        }
    }
    if stands {
        let end = if plan.rolls_back {
            SendBuffer::ask_rollback
        } else {
            SendBuffer::ask_commit
        };
        client.ask(end).go();
        assert!(client.answer().is_success());
    }
    Transaction {
        process: 0,
        operations,
        outcome: if stands && !plan.rolls_back {
            Outcome::Ok
        } else {
            Outcome::Failed
        },
        invoked,
        completed: clock.tick(),
    }
}

fn histories_keep(isolation: &str, level: Level) {
    let server = TestServer::shared();
    for layout in [Layout::Property, Layout::Edges] {
        let label = format!("{layout:?}{}", isolation.replace(' ', ""));
        let lists = Lists { layout, label };
        let keys = Workload::keys(CLIENTS * TRANSACTIONS);
        let mut client = server.client();
        lists.setup(&mut client, keys);
        let (clock, workload) = (Clock::default(), Workload::default());
        let mut history = History::default();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|n| {
                    let (server, lists, clock, workload) = (&server, &lists, &clock, &workload);
                    scope.spawn(move || {
                        let mut client = server.client();
                        client.rows(&format!(
                            "SET SESSION TRANSACTION ISOLATION LEVEL {isolation}"
                        ));
                        let (mut random, mut own) = (Random::new(n + 1), History::default());
                        for _ in 0..TRANSACTIONS {
                            let plan = workload.next(&mut random);
                            let one = transaction(&mut client, lists, &plan, clock, &mut own.torn);
                            own.transactions.push(Transaction {
                                process: n as u32,
                                ..one
                            });
                        }
                        own
                    })
                })
                .collect();
            for client in clients {
                history.extend(client.join().expect("a client of a history failed"));
            }
        });
        for key in 0..keys {
            let rows = client.rows(&lists.read(key));
            let list = rows[0][0].as_list().iter().map(|e| e.as_int() as Element);
            history.last.insert(key, list.collect());
        }
        let report = check(&history);
        println!(
            "{isolation} {layout:?}: {} of {} committed, {} elements, {:?}",
            report.committed, report.transactions, report.appended, report.anomalies
        );
        report.assert(level);
    }
}

#[test]
fn snapshots_over_bolt_are_whole_and_never_older_than_their_transaction() {
    histories_keep("SNAPSHOT ISOLATION", Level::StrongSnapshot);
}

#[test]
fn read_committed_over_bolt_reads_nothing_that_may_vanish_and_loses_nothing() {
    histories_keep("READ COMMITTED", Level::ReadCommitted);
}

#[test]
fn read_uncommitted_over_bolt_loses_nothing_either() {
    histories_keep("READ UNCOMMITTED", Level::ReadUncommitted);
}
