//! The checker: what a history shows that its isolation level forbids.
//!
//! Owned here: [`check`], [`Class`], [`Level`]. First what can be seen without any order (values that were never written, aborted,
//! intermediate, lost); then the order of each list's elements is taken from its longest read, edges between transactions follow from it
//! (ww: wrote before, wr: read from, rw: read before it was overwritten), and cycles among them are sought. Snapshot isolation
//! forbids the cycles without two adjacent rw edges (Fekete et al. 2005): they are cycles of a graph of two layers, in which rw edges lead
//! up and all others down. Strong: the same with "completed before the other was invoked" as an order too.

use crate::cycles::Digraph;
use crate::history::{Element, History, Key, Operation, Outcome};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A kind of anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A transaction does not read what it has written itself.
    Internal,
    /// A transaction reads a list twice and finds it changed by others.
    NonRepeatable,
    /// An element stands twice in a list.
    Duplicate,
    /// An element that nobody appended.
    Garbage,
    /// G1a: read what was rolled back.
    AbortedRead,
    /// G1b: read what its writer had not finished.
    IntermediateRead,
    /// Two reads of a list of which none is the beginning of the other.
    IncompatibleOrder,
    /// A committed write stands on a rolled back one.
    DirtyUpdate,
    /// A committed element is not there at the end.
    Lost,
    /// A read misses what had committed before the reader began.
    Stale,
    /// Two ways through the same data disagreed.
    Torn,
    /// A cycle of ww.
    G0,
    /// A cycle of ww and wr.
    G1c,
    /// A cycle without two adjacent rw.
    GSnapshot,
    /// The same with real time.
    GStrongSnapshot,
}

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// No dirty writes, nothing lost.
    ReadUncommitted,
    /// And no dirty reads; each statement sees its own writes.
    ReadCommitted,
    /// And one snapshot a transaction, first updater wins.
    Snapshot,
    /// And snapshots that are never older than the transaction.
    StrongSnapshot,
}

impl Level {
    /// What it forbids.
    pub fn forbids(self, class: Class) -> bool {
        use Class as C;
        let weakest = match class {
            C::Duplicate | C::Garbage | C::Lost | C::G0 => Level::ReadUncommitted,
            // Whoever may read what is rolled back later may also write what rests on it.
            C::DirtyUpdate
            | C::Internal
            | C::AbortedRead
            | C::IntermediateRead
            | C::IncompatibleOrder
            | C::Torn
            | C::G1c => Level::ReadCommitted,
            C::NonRepeatable | C::GSnapshot => Level::Snapshot,
            C::Stale | C::GStrongSnapshot => Level::StrongSnapshot,
        };
        self as u8 >= weakest as u8
    }
}

/// The outcome of a check.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Transactions in the history.
    pub transactions: usize,
    /// Those of them that committed.
    pub committed: usize,
    /// Elements that were appended and committed.
    pub appended: usize,
    /// How often each class was met.
    pub anomalies: BTreeMap<Class, u64>,
    /// The first of each class, in words.
    pub examples: BTreeMap<Class, String>,
}

impl Report {
    fn found(&mut self, class: Class, example: impl FnOnce() -> String) {
        *self.anomalies.entry(class).or_default() += 1;
        self.examples.entry(class).or_insert_with(example);
    }

    /// Anomalies that `level` forbids.
    pub fn violations(&self, level: Level) -> Vec<Class> {
        let met = self.anomalies.keys().copied();
        met.filter(|&class| level.forbids(class)).collect()
    }

    /// Panics with examples if the history shows what `level` forbids, or is too poor to show anything.
    pub fn assert(&self, level: Level) {
        let violations = self.violations(level);
        let shown: Vec<_> = violations
            .iter()
            .map(|class| format!("{class:?}: {}", self.examples[class]))
            .collect();
        assert!(
            violations.is_empty(),
            "{level:?} is broken by {:?}:\n{}",
            self.anomalies,
            shown.join("\n")
        );
        assert!(
            self.committed * 10 >= self.transactions * 3 && self.appended > 0,
            "of {} transactions only {} committed, with {} elements: nothing was tried",
            self.transactions,
            self.committed,
            self.appended
        );
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    WriteWrite,
    WriteRead,
    ReadWrite,
    RealTime,
}

/// Looks at a history.
pub fn check(history: &History) -> Report {
    let mut checker = Checker::new(history);
    checker.look_within_transactions();
    checker.look_at_reads();
    checker.look_at_the_end();
    checker.look_for_stale_reads();
    checker.look_for_cycles();
    checker.report
}

struct Checker<'h> {
    history: &'h History,
    /// Who appended an element, where, and whether it was its last to that list.
    writers: HashMap<Element, Writer>,
    /// The longest read of each list: the order of its elements.
    orders: BTreeMap<Key, &'h [Element]>,
    report: Report,
}

#[derive(Clone, Copy)]
struct Writer {
    transaction: usize,
    key: Key,
    last: bool,
}

impl<'h> Checker<'h> {
    fn new(history: &'h History) -> Checker<'h> {
        let mut report = Report {
            transactions: history.transactions.len(),
            ..Report::default()
        };
        let mut writers = HashMap::new();
        let mut orders: BTreeMap<Key, &'h [Element]> = BTreeMap::new();
        for (&key, list) in &history.last {
            orders.insert(key, list);
        }
        for (number, transaction) in history.transactions.iter().enumerate() {
            let ok = transaction.outcome == Outcome::Ok;
            report.committed += usize::from(ok);
            let mut last = HashMap::new();
            for operation in &transaction.operations {
                match operation {
                    Operation::Append(key, element) => {
                        report.appended += usize::from(ok);
                        let writer = Writer {
                            transaction: number,
                            key: *key,
                            last: true,
                        };
                        writers.insert(*element, writer);
                        if let Some(before) = last.insert(*key, *element) {
                            writers.entry(before).and_modify(|w| w.last = false);
                        }
                    }
                    Operation::Read(key, list) if ok => {
                        let order = orders.entry(*key).or_default();
                        if list.len() > order.len() {
                            *order = list;
                        }
                    }
                    Operation::Read(..) => {}
                }
            }
        }
        if history.torn > 0 {
            report.anomalies.insert(Class::Torn, history.torn);
            let words = format!("{} reads by two ways disagreed", history.torn);
            report.examples.insert(Class::Torn, words);
        }
        Checker {
            history,
            writers,
            orders,
            report,
        }
    }

    /// What each transaction sees of itself. Those that failed later have read too.
    fn look_within_transactions(&mut self) {
        for (number, transaction) in self.history.transactions.iter().enumerate() {
            let mut own: HashMap<Key, Vec<Element>> = HashMap::new();
            let mut foreign: HashMap<Key, &[Element]> = HashMap::new();
            for operation in &transaction.operations {
                match operation {
                    Operation::Append(key, element) => own.entry(*key).or_default().push(*element),
                    Operation::Read(key, list) => {
                        let tail = own.get(key).map_or(&[][..], Vec::as_slice);
                        let Some(others) = list.strip_suffix(tail) else {
                            self.report.found(Class::Internal, || {
                                format!(
                                    "T{number} has appended {tail:?} to {key} and reads {list:?}"
                                )
                            });
                            continue;
                        };
                        if let Some(before) = foreign.insert(*key, others)
                            && before != others
                        {
                            self.report.found(Class::NonRepeatable, || {
                                format!(
                                    "T{number} reads {key} as {before:?} and then as {others:?}"
                                )
                            });
                        }
                    }
                }
            }
        }
    }

    /// The part of a read that others have written.
    fn others<'l>(&self, reader: usize, list: &'l [Element]) -> &'l [Element] {
        let own = |element: &Element| {
            self.writers
                .get(element)
                .is_some_and(|writer| writer.transaction == reader)
        };
        let tail = list.iter().rev().take_while(|&element| own(element));
        &list[..list.len() - tail.count()]
    }

    fn look_at_reads(&mut self) {
        let history = self.history;
        for (number, transaction) in history.transactions.iter().enumerate() {
            if transaction.outcome != Outcome::Ok {
                continue;
            }
            for operation in &transaction.operations {
                if let Operation::Read(key, list) = operation {
                    self.look_at_list(&format!("T{number}"), *key, list, self.others(number, list));
                }
            }
        }
        for (key, list) in &history.last {
            self.look_at_list("the last look", *key, list, list);
        }
    }

    fn look_at_list(&mut self, reader: &str, key: Key, list: &[Element], others: &[Element]) {
        let mut seen = HashSet::new();
        for &element in list {
            if !seen.insert(element) {
                self.report.found(Class::Duplicate, || {
                    format!("{reader} reads {element} twice in {key}: {list:?}")
                });
            }
            match self.writers.get(&element) {
                Some(writer) if writer.key == key => {
                    let writer = writer.transaction;
                    if self.history.transactions[writer].outcome == Outcome::Failed {
                        self.report.found(Class::AbortedRead, || {
                            format!("{reader} reads {element} of T{writer}, which failed, in {key}")
                        });
                    }
                }
                _ => self.report.found(Class::Garbage, || {
                    format!("{reader} reads {element} in {key}, which nobody appended")
                }),
            }
        }
        if let Some(last) = others.last()
            && let Some(writer) = self.writers.get(last).filter(|writer| !writer.last)
        {
            let writer = writer.transaction;
            self.report.found(Class::IntermediateRead, || {
                format!("{reader} reads {key} up to {last}, which T{writer} followed by more")
            });
        }
        let order = self.orders[&key];
        if !order.starts_with(list) {
            self.report.found(Class::IncompatibleOrder, || {
                format!("{reader} reads {key} as {list:?}, others as {order:?}")
            });
        }
    }

    fn look_at_the_end(&mut self) {
        let outcome = |element: &Element| {
            let writer = self.writers.get(element)?;
            Some(self.history.transactions[writer.transaction].outcome)
        };
        let mut found = Vec::new();
        for (&key, order) in &self.orders {
            let failed = order
                .iter()
                .position(|e| outcome(e) == Some(Outcome::Failed));
            let later =
                failed.and_then(|at| order[at..].iter().find(|e| outcome(e) == Some(Outcome::Ok)));
            if let (Some(at), Some(later)) = (failed, later) {
                let (failed, later) = (order[at], *later);
                found.push((
                    Class::DirtyUpdate,
                    format!("{later} in {key} stands on {failed}, which was rolled back"),
                ));
            }
        }
        let there: HashSet<Element> = self.history.last.values().flatten().copied().collect();
        for (&element, writer) in &self.writers {
            let transaction = writer.transaction;
            if self.history.transactions[transaction].outcome == Outcome::Ok
                && !there.contains(&element)
            {
                let key = writer.key;
                found.push((
                    Class::Lost,
                    format!("{element} of T{transaction} is not in {key} at the end"),
                ));
            }
        }
        for (class, words) in found {
            self.report.found(class, || words);
        }
    }

    /// A read that is too short for what had committed when its reader began.
    fn look_for_stale_reads(&mut self) {
        // For each list: when it was known to be how long at least.
        let mut known: HashMap<Key, Vec<(u64, usize)>> = HashMap::new();
        for (&key, order) in &self.orders {
            let lengths = known.entry(key).or_default();
            for (at, element) in order.iter().enumerate() {
                if let Some(writer) = self.writers.get(element) {
                    let writer = &self.history.transactions[writer.transaction];
                    if writer.outcome == Outcome::Ok {
                        lengths.push((writer.completed, at + 1));
                    }
                }
            }
            lengths.sort_unstable();
            let mut longest = 0;
            for (_, length) in lengths {
                longest = longest.max(*length);
                *length = longest;
            }
        }
        let history = self.history;
        for (number, transaction) in history.transactions.iter().enumerate() {
            if transaction.outcome != Outcome::Ok {
                continue;
            }
            for operation in &transaction.operations {
                let Operation::Read(key, list) = operation else {
                    continue;
                };
                let lengths = &known[key];
                let before = lengths.partition_point(|&(at, _)| at < transaction.invoked);
                let least = before.checked_sub(1).map_or(0, |at| lengths[at].1);
                if list.len() < least {
                    self.report.found(Class::Stale, || {
                        format!("T{number} reads {} elements of {key}, which had {least} before it began", list.len())
                    });
                }
            }
        }
    }

    fn edges(&self) -> Vec<(usize, usize, Edge)> {
        let mut edges = Vec::new();
        let writer = |element: &Element| self.writers.get(element).map(|writer| writer.transaction);
        let mut add = |from: Option<usize>, to: Option<usize>, edge| {
            if let (Some(from), Some(to)) = (from, to)
                && from != to
            {
                edges.push((from, to, edge));
            }
        };
        let mut unread: HashMap<Key, Vec<usize>> = HashMap::new();
        let read: HashSet<Element> = self.orders.values().copied().flatten().copied().collect();
        for (element, writer) in &self.writers {
            let ok = self.history.transactions[writer.transaction].outcome == Outcome::Ok;
            if ok && !read.contains(element) {
                unread
                    .entry(writer.key)
                    .or_default()
                    .push(writer.transaction);
            }
        }
        for order in self.orders.values() {
            for pair in order.windows(2) {
                add(writer(&pair[0]), writer(&pair[1]), Edge::WriteWrite);
            }
        }
        for (number, transaction) in self.history.transactions.iter().enumerate() {
            if transaction.outcome != Outcome::Ok {
                continue;
            }
            for operation in &transaction.operations {
                let Operation::Read(key, list) = operation else {
                    continue;
                };
                let order = self.orders[key];
                let others = self.others(number, list);
                add(
                    others.last().and_then(writer),
                    Some(number),
                    Edge::WriteRead,
                );
                match order.get(others.len()) {
                    Some(next) => add(Some(number), writer(next), Edge::ReadWrite),
                    None => {
                        for &appender in unread.get(key).into_iter().flatten() {
                            add(Some(number), Some(appender), Edge::ReadWrite);
                        }
                    }
                }
            }
        }
        edges
    }

    fn look_for_cycles(&mut self) {
        let edges = self.edges();
        let nodes = self.history.transactions.len();
        for (class, wanted) in [
            (Class::G0, &[Edge::WriteWrite][..]),
            (Class::G1c, &[Edge::WriteWrite, Edge::WriteRead]),
        ] {
            let mut graph = Digraph::new(nodes);
            for &(from, to, edge) in edges.iter().filter(|(_, _, edge)| wanted.contains(edge)) {
                graph.edge(from, to, edge);
            }
            self.note_cycles(class, &graph, |node| node as usize);
        }
        for (class, real_time) in [(Class::GSnapshot, false), (Class::GStrongSnapshot, true)] {
            // Two layers: node 2t is reached by a dependency, 2t + 1 by an rw edge; barriers of real time stand behind.
            let barriers = if real_time { nodes } else { 0 };
            let mut graph = Digraph::new(2 * nodes + barriers);
            for &(from, to, edge) in &edges {
                if edge == Edge::ReadWrite {
                    graph.edge(2 * from, 2 * to + 1, edge);
                } else {
                    graph.edge(2 * from, 2 * to, edge);
                    graph.edge(2 * from + 1, 2 * to, edge);
                }
            }
            if real_time {
                self.add_real_time(&mut graph);
            }
            self.note_cycles(class, &graph, |node| node as usize / 2);
        }
    }

    /// Whoever was invoked after another had completed comes after it: a chain of barriers, one for each completion.
    fn add_real_time(&self, graph: &mut Digraph<Edge>) {
        let transactions = &self.history.transactions;
        let nodes = transactions.len();
        let mut events: Vec<(u64, usize, bool)> = Vec::with_capacity(2 * nodes);
        for (number, transaction) in transactions.iter().enumerate() {
            if transaction.outcome == Outcome::Ok {
                events.push((transaction.invoked, number, false));
                events.push((transaction.completed, number, true));
            }
        }
        events.sort_unstable();
        let mut barriers = 0;
        for (_, number, completes) in events {
            if completes {
                let barrier = 2 * nodes + barriers;
                if barriers > 0 {
                    graph.edge(barrier - 1, barrier, Edge::RealTime);
                }
                graph.edge(2 * number, barrier, Edge::RealTime);
                graph.edge(2 * number + 1, barrier, Edge::RealTime);
                barriers += 1;
            } else if barriers > 0 {
                graph.edge(2 * nodes + barriers - 1, 2 * number, Edge::RealTime);
            }
        }
    }

    fn note_cycles(
        &mut self,
        class: Class,
        graph: &Digraph<Edge>,
        transaction: impl Fn(u32) -> usize,
    ) {
        let nodes = self.history.transactions.len();
        for knot in graph.knots() {
            let history = self.history;
            self.report.found(class, || {
                let cycle = graph.cycle(&knot);
                let steps = cycle.iter().filter(|(node, _)| transaction(*node) < nodes);
                let words: Vec<String> = steps
                    .map(|&(node, edge)| {
                        let number = transaction(node);
                        format!(
                            "T{number} {:?} -{edge:?}->",
                            history.transactions[number].operations
                        )
                    })
                    .collect();
                words.join("\n  ")
            });
        }
    }
}
