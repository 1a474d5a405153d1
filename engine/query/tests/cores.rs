//! Statements that several cores work on give what one core gives: the same bag of rows, the same error, at the same snapshot, whatever others
//! write meanwhile; and leave nothing behind when they are given up.

mod db;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use db::Rows;
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::door::NullJournal;
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Graph, GraphConfig, Isolation, Txn};
use quoit_query::parallel::{Crew, Helper, Offer, Turn};
use quoit_query::{Demand, Division, Execution, Parameters, QueryCore, QueryOptions, Step};

/// Whatever takes longer than this has hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Divides everything that can be.
fn eager(cores: u16) -> QueryOptions {
    QueryOptions {
        division: Division {
            cores,
            rows_min: 0.0,
        },
        ..QueryOptions::default()
    }
}

/// The way from the leading thread to the others.
struct Channels {
    cores: u16,
    offers: Vec<Sender<Offer>>,
    /// Offers made.
    made: std::cell::Cell<usize>,
}

impl Crew for Channels {
    fn core(&self) -> u16 {
        0
    }

    fn cores(&self) -> u16 {
        self.cores
    }

    fn offer(&self, core: u16, offer: Offer) {
        self.made.set(self.made.get() + 1);
        let _ = self.offers[usize::from(core) - 1].send(offer);
    }

    // All threads here look again by themselves.
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }
}

/// What the helping threads have done.
#[derive(Default)]
struct Told {
    stop: AtomicBool,
    /// They take up nothing while it is set.
    asleep: AtomicBool,
    /// They take no turn while it is set.
    held_up: AtomicBool,
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// A graph whose first core leads and whose others help.
struct Crewed {
    graph: Arc<Graph>,
    core: Core,
    engine: QueryCore,
    channels: Rc<Channels>,
    crew: Rc<dyn Crew>,
    told: Arc<Told>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Crewed {
    /// Of so many cores that may help, and one more that does not.
    fn new(cores: u16) -> Crewed {
        Crewed::planning(cores, eager(cores))
    }

    /// As [`Crewed::new`]; the helpers plan by `theirs`.
    fn planning(cores: u16, theirs: QueryOptions) -> Crewed {
        let graph = Graph::new(GraphConfig {
            shards: cores,
            cores: cores + 1,
            journal: Arc::new(NullJournal::default()),
        });
        let told = Arc::new(Told::default());
        let mut offers = Vec::new();
        let mut threads = Vec::new();
        for number in 1..cores {
            let (sender, received) = channel();
            offers.push(sender);
            let (graph, told) = (graph.clone(), told.clone());
            threads.push(thread::spawn(move || {
                let core = graph.core(number);
                help(&core, &QueryCore::new(theirs), &received, &told);
            }));
        }
        let channels = Rc::new(Channels {
            cores,
            offers,
            made: std::cell::Cell::new(0),
        });
        Crewed {
            core: graph.core(0),
            graph,
            engine: QueryCore::new(eager(cores)),
            crew: channels.clone(),
            channels,
            told,
            threads,
        }
    }

    fn execution(&self, text: &str, limit: u64) -> Result<Execution, Error> {
        let prepared = self.engine.prepare(text, &self.core)?;
        let mut execution = Execution::with_limit(prepared, &parameters(), limit)?;
        execution.on_all_cores(text, &self.crew);
        execution.request(Demand::All);
        Ok(execution)
    }

    /// Runs a statement in a transaction. Each core that is asked begins before the statement goes on.
    fn run_in(&self, txn: &mut Txn, text: &str, limit: u64) -> Result<Vec<Vec<Value>>, Error> {
        let before = (
            self.channels.made.get(),
            self.told.begun.load(Ordering::SeqCst),
        );
        let mut execution = self.execution(text, limit)?;
        let mut rows = Rows::default();
        let mut has_begun = false;
        let until = Instant::now() + PATIENCE;
        while execution.step(txn, &self.core, &|| true, &mut rows)? != Step::Done {
            let asked = self.channels.made.get() - before.0;
            let begun = || self.told.begun.load(Ordering::SeqCst) - before.1;
            while !has_begun && begun() < asked && !self.told.asleep.load(Ordering::SeqCst) {
                assert!(Instant::now() < until, "{text}: nobody begins");
                thread::yield_now();
            }
            has_begun |= asked > 0;
            assert!(Instant::now() < until, "{text}: it does not end");
        }
        Ok(rows.0)
    }

    fn run(&self, text: &str) -> Vec<Vec<Value>> {
        let mut txn = self.core.begin(Access::Write, Isolation::Snapshot);
        let rows = self.run_in(&mut txn, text, u64::MAX);
        let rows = rows.unwrap_or_else(|error| panic!("{text}: {error:?}"));
        txn.commit().unwrap();
        rows
    }

    fn reading(&self) -> Txn {
        self.core.begin(Access::Read, Isolation::Snapshot)
    }

    fn asked(&self) -> usize {
        self.channels.made.get()
    }

    /// Waits until every helper that has begun is gone.
    fn wait_for_helpers(&self) {
        let until = Instant::now() + PATIENCE;
        while self.told.ended.load(Ordering::SeqCst) < self.told.begun.load(Ordering::SeqCst) {
            assert!(Instant::now() < until, "a helper does not end");
            thread::yield_now();
        }
    }
}

impl Drop for Crewed {
    fn drop(&mut self) {
        self.told.stop.store(true, Ordering::SeqCst);
        self.told.held_up.store(false, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            if !thread::panicking() {
                ended.expect("a helper's thread panicked");
            }
        }
    }
}

/// A helping core: one turn of each of its helpers after the other, each as short as can be.
fn help(core: &Core, engine: &QueryCore, offers: &Receiver<Offer>, told: &Told) {
    let mut helpers: Vec<Helper> = Vec::new();
    while !told.stop.load(Ordering::SeqCst) {
        if !told.asleep.load(Ordering::SeqCst)
            && let Ok(offer) = offers.try_recv()
        {
            let helper = Helper::begin(offer, engine, core, Waker::noop().clone());
            told.begun.fetch_add(1, Ordering::SeqCst);
            match helper {
                Some(helper) => helpers.push(helper),
                None => {
                    told.ended.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        if !told.held_up.load(Ordering::SeqCst) {
            helpers.retain_mut(|helper| {
                if !helper.may_go_on() {
                    return true;
                }
                let goes_on = helper.turn(core, &|| true) != Turn::Done;
                if !goes_on {
                    told.ended.fetch_add(1, Ordering::SeqCst);
                }
                goes_on
            });
        }
        core.maintain(64);
        thread::yield_now();
    }
}

fn parameters() -> Parameters {
    [(Arc::from("least"), Value::Int(3))].into_iter().collect()
}

/// Vertices over several pages with values of several types, and edges with loops and parallels.
fn fill(db: &Crewed) {
    db.run(
        "UNWIND range(0, 4999) AS i CREATE (n:User {i: i, age: CASE WHEN i % 5 = 0 THEN null ELSE i % 37 END, half: i * 0.5, name: 'n' + toString(i % 11)})
         FOREACH (x IN CASE WHEN i % 3 = 0 THEN [1] ELSE [] END | SET n:Third)",
    );
    db.run("UNWIND range(0, 299) AS i CREATE (:Mixed {v: CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i * 1.0 WHEN 2 THEN toString(i) ELSE null END})");
    db.run("CREATE INDEX ON :User(i)");
    db.run(
        "MATCH (a:User) UNWIND [1, 7, a.i % 13, 0] AS step MATCH (b:User {i: (a.i + step) % 5000}) CREATE (a)-[:KNOWS {w: step}]->(b)",
    );
}

/// Statements that can be divided.
const DIVIDED: &[&str] = &[
    "MATCH (n:User) WHERE n.i % 7 > $least RETURN n.age AS age, count(*) AS c, sum(n.i) AS s, min(n.i) AS least, max(n.name) AS most",
    "MATCH (n:User) RETURN n.i % 3 AS k, avg(n.half) AS a, sum(n.half) AS s, count(n.age) AS c",
    "MATCH (n:User) RETURN n.i % 10 AS k, count(DISTINCT n.age) AS c, sum(DISTINCT n.age) AS s, avg(DISTINCT n.age) AS a",
    "MATCH (n:User) RETURN n.i % 2 AS k, percentileDisc(n.i, 0.25) AS p, percentileCont(n.i, 0.5) AS q",
    "MATCH (n:User) WITH n.i % 6 AS k, collect(n.i) AS l RETURN k, size(l) AS c, reduce(s = 0, x IN l | s + x) AS s",
    "MATCH (n:User) RETURN round(stDev(n.i + 0) * 1000) AS d, round(stDevP(n.age + 0) * 1000) AS p",
    "MATCH (n:User)-->(m) RETURN m.age AS age, count(*) AS c",
    "MATCH (n:Third)-[r:KNOWS]->(m:User)-[q]->(o) WHERE o.i > n.i RETURN r.w AS w, q.w AS v, count(*) AS c",
    "MATCH (n:User)-[:KNOWS*1..2]->(m:Third) RETURN count(*) AS c, sum(m.i) AS s",
    "MATCH (n:User) OPTIONAL MATCH (n)-[:KNOWS]->(m:Third) WHERE m.i > 4000 RETURN m.i % 100 AS k, count(n) AS c",
    "MATCH (n) WHERE n.i IS NOT NULL AND n.i + 0 >= 0 RETURN count(n) + 0 AS c",
    "MATCH (n:Mixed) RETURN max([n.v]) AS most, min([n.v]) AS least, count(DISTINCT [n.v]) AS c",
    "MATCH (n:User) UNWIND [n.i, n.age] AS x RETURN DISTINCT x % 50 AS y",
    "MATCH (n:User)-->(m) RETURN DISTINCT m.name AS name, n.i % 2 AS k",
    "MATCH (n:User) RETURN n.i % 1000 AS k, n.name AS name ORDER BY k DESC, name LIMIT 40",
    "MATCH (n:User) WHERE n.i % 3 = 1 RETURN n.i AS i ORDER BY n.half",
    "MATCH (n:User) WITH n.age + 0 AS age, count(*) AS c WHERE c > 10 MATCH (m:Third {age: age}) RETURN age, c, count(m) AS m",
    "MATCH (n:User) CALL { WITH n MATCH (n)-->(m) RETURN max(m.i) AS best } RETURN best % 20 AS k, count(*) AS c",
    "MATCH (n:User) WHERE EXISTS { (n)-->(m:Third) WHERE m.i > n.i } RETURN n.name AS name, sum(COUNT { (n)-->() }) AS s",
    "MATCH (n:User) RETURN n.i % 2 AS k, count(n.age + 1) AS c UNION ALL MATCH (n:Third) RETURN n.i % 5 AS k, count(n.age + 1) AS c",
    "MATCH (n:NoSuchLabel) RETURN count(n.x + 1) AS c, sum(n.x + 1) AS s",
    // What is read by columns.
    "MATCH (n:User) RETURN count(*) AS c, count(n.age) AS a, sum(n.i) AS s, avg(n.half) AS h, min(n.age) AS l, max(n.half) AS m",
    "MATCH (n:User) WHERE n.age > $least RETURN count(DISTINCT n.name) AS c, count(DISTINCT n.age) AS a, count(DISTINCT n.half) AS h",
    "MATCH (n:User) RETURN n.name AS name, count(*) AS c",
    "MATCH (n:User) RETURN n.age AS age, n.name AS name, count(*) AS c, sum(n.i) AS s, min(n.half) AS l, count(DISTINCT n.i) AS d",
    "MATCH (n:User) RETURN n.i AS i, n.half AS half, n.name AS name, n.none AS none, max(n.i) AS m",
    "MATCH (n) RETURN DISTINCT n.name AS name, n.age AS age",
    "MATCH (n:Mixed) RETURN n.v AS v, count(*) AS c",
    "MATCH (n:Mixed) RETURN max(n.v) AS most, min(n.v) AS least, count(DISTINCT n.v) AS c",
    "MATCH (n:Mixed) RETURN n.none AS none, max(n.v) AS most, count(n.v) AS c",
    // Conditions that the scan itself asks, of columns or (the parameter is no list) of rows.
    "MATCH (n:User) WHERE n.age > $least AND n.name <> 'n7' MATCH (n)-->(m) RETURN m.age AS age, count(*) AS c",
    "MATCH (n:User) WHERE n.age >= 30 OR n.age IS NULL RETURN n.i + 0 AS i ORDER BY i",
    "MATCH (n:Third) WHERE NOT n.i < 4000 RETURN DISTINCT n.i % 10 AS k, n.age AS age",
    "MATCH (n:User) WHERE n.i + 0 < 0 RETURN count(*) AS c, sum(n.i) AS s, collect(n.i) AS l, min(n.i) AS m",
];

fn sorted(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    rows.sort();
    rows
}

#[test]
fn several_cores_give_the_rows_of_one_while_others_write() {
    for cores in [2, 4] {
        let db = Crewed::new(cores);
        fill(&db);
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (graph, stop) = (db.graph.clone(), stop.clone());
            thread::spawn(move || {
                let core = graph.core(cores);
                let engine = QueryCore::new(QueryOptions::default());
                let write = "UNWIND range(0, 20) AS j MATCH (n:User {i: ($at * 31 + j * 7) % 5000}) SET n.age = $at % 40, n.half = -1.5, n.i = n.i WITH n CREATE (n)-[:KNOWS {w: 3}]->(:User {i: $at, age: 1, half: 0.5, name: 'new'}) WITH n MATCH (n)-[r:KNOWS {w: 7}]->() DELETE r";
                let mut at = 0;
                while !stop.load(Ordering::SeqCst) {
                    at += 1;
                    let parameters: Parameters =
                        [(Arc::from("at"), Value::Int(at))].into_iter().collect();
                    let prepared = engine.prepare(write, &core).unwrap();
                    let mut txn = core.begin_auto_commit_write(Isolation::Snapshot);
                    let mut execution = Execution::new(prepared, &parameters).unwrap();
                    execution.request(Demand::DiscardAll);
                    while execution
                        .step(&mut txn, &core, &|| false, &mut Rows::default())
                        .unwrap()
                        != Step::Done
                    {}
                    txn.commit().unwrap();
                    core.maintain(64);
                }
                at
            })
        };
        let alone = QueryCore::new(QueryOptions::default());
        let sequential = |txn: &mut Txn, text: &str| {
            let prepared = alone.prepare(text, &db.core).unwrap();
            let mut execution = Execution::new(prepared, &parameters()).unwrap();
            execution.request(Demand::All);
            let mut rows = Rows::default();
            while execution.step(txn, &db.core, &|| false, &mut rows).unwrap() != Step::Done {}
            rows.0
        };
        let mut divided = 0;
        for text in DIVIDED {
            let before = db.asked();
            let mut txn = db.reading();
            let rows = db.run_in(&mut txn, text, u64::MAX);
            let rows = rows.unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let expected = sequential(&mut txn, text);
            if text.contains("ORDER BY k") {
                assert_eq!(rows, expected, "{text}");
            }
            assert_eq!(sorted(rows), sorted(expected), "{text}, {cores} cores");
            let prepared = db.engine.prepare(&format!("EXPLAIN {text}"), &db.core);
            let plan = prepared.unwrap().plan_lines();
            let is_divided = plan.iter().any(|line| line.contains("Gather"));
            let is_empty = text.contains("NoSuchLabel");
            assert_eq!(db.asked() > before, is_divided && !is_empty, "{text}");
            divided += usize::from(is_divided);
        }
        assert_eq!(divided, DIVIDED.len());
        stop.store(true, Ordering::SeqCst);
        assert!(writer.join().unwrap() > 0);
        db.wait_for_helpers();
    }
}

#[test]
fn what_cannot_be_divided_runs_on_its_own_core() {
    let db = Crewed::new(2);
    fill(&db);
    let before = db.asked();
    for text in [
        "MATCH (n:User) SET n.seen = true RETURN count(n)",
        "MATCH (n:User) WHERE rand() >= 0 RETURN count(n.i + 0)",
        "MATCH (n:User) CALL db.labels() YIELD label RETURN count(label)",
        "MATCH (n:User) WITH n LIMIT 100 RETURN sum(n.i)",
        "MATCH (n:User) WITH DISTINCT n.i % 5 AS i LIMIT 3 RETURN i",
        "MATCH (n:User {i: 3})-->(m) RETURN count(m)",
        "UNWIND range(1, 100) AS x RETURN sum(x)",
    ] {
        let explained = db.run(&format!("EXPLAIN {text}"));
        assert!(
            !format!("{explained:?}").contains("Gather"),
            "{text}: {explained:?}"
        );
    }
    // Nor what has written: its writes are its own.
    let mut txn = db.core.begin(Access::Write, Isolation::Snapshot);
    let count = "MATCH (n:User) RETURN count(n.i + 0) AS c";
    let rows = |rows: Result<Vec<Vec<Value>>, Error>| rows.unwrap();
    assert_eq!(
        rows(db.run_in(&mut txn, count, u64::MAX)),
        [[Value::Int(5000)]]
    );
    assert_eq!(db.asked(), before + 1, "nothing is written yet");
    rows(db.run_in(&mut txn, "CREATE (:User {i: -1})", u64::MAX));
    assert_eq!(
        rows(db.run_in(&mut txn, count, u64::MAX)),
        [[Value::Int(5001)]]
    );
    drop(txn);
    let mut dirty = db.core.begin(Access::Read, Isolation::ReadUncommitted);
    rows(db.run_in(&mut dirty, count, u64::MAX));
    assert_eq!(db.asked(), before + 1);
    // What takes no time is not worth it.
    let engine = QueryCore::new(QueryOptions {
        division: Division {
            cores: 2,
            ..Division::default()
        },
        ..QueryOptions::default()
    });
    let gathers = |text: &str| {
        let prepared = engine
            .prepare(&format!("EXPLAIN {text}"), &db.core)
            .unwrap();
        prepared
            .plan_lines()
            .iter()
            .any(|line| line.contains("Gather (over 2 cores)"))
    };
    assert!(!gathers("MATCH (n:Mixed) RETURN count(n.v + 1)"));
    assert!(!gathers("MATCH (n:User) RETURN n.name, sum(n.i)"));
    assert!(gathers(
        "MATCH (n:User)-->()-->()-->(m) RETURN m.age + 0, count(*)"
    ));
    assert!(gathers(
        "USING PARALLEL EXECUTION MATCH (n:Mixed) RETURN count(n.v + 1)"
    ));
    assert!(gathers(
        "USING PARALLEL EXECUTION 7 MATCH (n:Mixed) RETURN count(n.v + 1)"
    ));
    assert!(!gathers(
        "USING PARALLEL EXECUTION 1 MATCH (n:User)-->()-->()-->(m) RETURN m.age + 0, count(*)"
    ));
}

#[test]
fn a_core_that_has_no_time_is_not_waited_for() {
    let db = Crewed::new(2);
    fill(&db);
    db.told.asleep.store(true, Ordering::SeqCst);
    let rows = db.run("MATCH (n:User) RETURN count(n.i + 0)");
    assert_eq!(rows, [[Value::Int(5000)]]);
    assert!(db.asked() > 0);
    assert_eq!(db.told.begun.load(Ordering::SeqCst), 0);
    // It looks at the offer when nobody needs it any more.
    db.told.asleep.store(false, Ordering::SeqCst);
    let rows = db.run("MATCH (n:User) RETURN count(n.i + 1)");
    assert_eq!(rows, [[Value::Int(5000)]]);
    db.wait_for_helpers();
}

#[test]
fn a_core_with_another_plan_does_not_help() {
    let db = Crewed::planning(2, eager(5));
    fill(&db);
    let rows = db.run("MATCH (n:User) RETURN count(n.i + 0)");
    assert_eq!(rows, [[Value::Int(5000)]]);
    assert!(db.asked() > 0);
    db.wait_for_helpers();
}

#[test]
fn an_error_on_any_core_is_the_statements_error() {
    let db = Crewed::new(3);
    fill(&db);
    let alone = QueryCore::new(QueryOptions::default());
    for text in [
        "MATCH (n:User) RETURN sum(n.i / (n.i - 4321))",
        "MATCH (n:User) WHERE n.i + 0 > $least RETURN n.i % 4, count(9223372036854775807 + n.i)",
        "MATCH (n:User) RETURN sum(n.i + 9223372036854770000)",
        "MATCH (n:User) RETURN sum(CASE WHEN n.i > 4998 THEN n.name ELSE n.i END)",
        "MATCH (n:User) RETURN DISTINCT 1 / (n.i - 17) AS x",
        "MATCH (n:User) WHERE n.age > $least RETURN sum(n.name)",
        "MATCH (n:Mixed) RETURN avg(n.v)",
        "MATCH (n:User) WHERE n.half > $least AND n.name IN $least RETURN count(*)",
    ] {
        let prepared = alone.prepare(text, &db.core).unwrap();
        let mut execution = Execution::new(prepared, &parameters()).unwrap();
        execution.request(Demand::All);
        let mut txn = db.reading();
        let expected = execution
            .step(&mut txn, &db.core, &|| false, &mut Rows::default())
            .unwrap_err();
        for _ in 0..5 {
            let before = db.asked();
            let error = db.run_in(&mut txn, text, u64::MAX).unwrap_err();
            assert_eq!(error.kind(), expected.kind(), "{text}");
            assert_eq!(error.detail(), expected.detail(), "{text}");
            assert!(db.asked() > before, "{text} is divided");
            db.wait_for_helpers();
        }
    }
}

#[test]
fn all_cores_share_the_statements_memory_limit() {
    let db = Crewed::new(2);
    fill(&db);
    let text = "MATCH (n:User) RETURN n.i AS i, collect(n.name) AS names";
    let held_by_one = {
        // What one core holds is enough for all of them.
        let mut limit = 1 << 12;
        loop {
            let mut txn = db.reading();
            match db.run_in(&mut txn, text, limit) {
                Ok(rows) => break (limit, rows.len()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::MemoryLimitExceeded),
            }
            db.wait_for_helpers();
            limit *= 2;
        }
    };
    assert_eq!(held_by_one.1, 5000);
    // 5,000 groups of two values, each counted at 40 bytes at least.
    assert!(held_by_one.0 >= 5000 * 2 * 40, "{} bytes", held_by_one.0);
}

#[test]
fn helpers_end_when_their_leader_goes() {
    let db = Crewed::new(3);
    fill(&db);
    let text = "MATCH (n:User)-->()-->(m) RETURN DISTINCT n.i AS i, m.i AS j";
    for steps in [1, 2, 5] {
        let begun = db.told.begun.load(Ordering::SeqCst);
        let mut txn = db.reading();
        let mut execution = db.execution(text, u64::MAX).unwrap();
        execution.request(Demand::Rows(10));
        for _ in 0..steps {
            let step = execution.step(&mut txn, &db.core, &|| true, &mut Rows::default());
            assert_ne!(step.unwrap(), Step::Done);
        }
        let until = Instant::now() + PATIENCE;
        while db.told.begun.load(Ordering::SeqCst) < begun + 2 {
            assert!(
                Instant::now() < until,
                "nobody begins after {steps} steps: {} asked, {} begun, {} ended",
                db.asked(),
                db.told.begun.load(Ordering::SeqCst),
                db.told.ended.load(Ordering::SeqCst)
            );
            thread::yield_now();
        }
        if steps == 2 {
            db.told.held_up.store(true, Ordering::SeqCst);
        }
        drop(execution);
        txn.rollback();
        db.told.held_up.store(false, Ordering::SeqCst);
        // None of them can have come to its end: what it would say does not go into its queue.
        db.wait_for_helpers();
    }
}

#[test]
fn rows_are_made_no_faster_than_they_are_taken() {
    let db = Crewed::new(2);
    fill(&db);
    let text = "MATCH (n:User)-->()-->()-->(m) RETURN DISTINCT n.i AS i, m.i AS j, m.name AS name, n.half AS half";
    let mut txn = db.reading();
    let mut execution = db.execution(text, u64::MAX).unwrap();
    execution.request(Demand::Rows(5));
    let mut sink = Rows::default();
    while execution
        .step(&mut txn, &db.core, &|| true, &mut sink)
        .unwrap()
        != Step::Rows
    {}
    assert_eq!(sink.0.len(), 5);
    // The helper fills its queue and waits; it goes on when rows are taken, and all of them come.
    execution.request(Demand::All);
    let until = Instant::now() + PATIENCE;
    while execution
        .step(&mut txn, &db.core, &|| true, &mut sink)
        .unwrap()
        != Step::Done
    {
        assert!(Instant::now() < until, "it does not end");
    }
    let alone = QueryCore::new(QueryOptions::default());
    let prepared = alone.prepare(text, &db.core).unwrap();
    let mut execution = Execution::new(prepared, &parameters()).unwrap();
    execution.request(Demand::All);
    let mut expected = Rows::default();
    while execution
        .step(&mut txn, &db.core, &|| false, &mut expected)
        .unwrap()
        != Step::Done
    {}
    assert_eq!(sink.0.len(), expected.0.len());
    assert_eq!(sorted(sink.0), sorted(expected.0));
    db.wait_for_helpers();
}

#[test]
fn profile_counts_the_rows_of_all_cores() {
    let db = Crewed::new(2);
    fill(&db);
    let rows =
        db.run("PROFILE MATCH (n:User) WHERE n.i % 2 = 0 RETURN n.age + 0 AS age, count(*) AS c");
    assert!(db.asked() > 0);
    let hits = |operator: &str| {
        let row = rows
            .iter()
            .find(|row| matches!(&row[0], Value::String(text) if text.contains(operator)));
        row.map(|row| row[1].clone())
    };
    assert_eq!(
        hits("ScanParallelByLabel"),
        Some(Value::Int(5000)),
        "{rows:?}"
    );
    assert_eq!(hits("Filter"), Some(Value::Int(2500)), "{rows:?}");
    let groups = hits("Gather");
    assert_eq!(groups, hits("Aggregate"), "{rows:?}");
    assert_eq!(groups, Some(Value::Int(38)), "{rows:?}");
    db.wait_for_helpers();
}
