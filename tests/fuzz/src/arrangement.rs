//! One graph in several arrangements: what differs between them must not be seen in an answer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use quoit_cypher::error::Error;
use quoit_graph::door::NullJournal;
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Graph, GraphConfig, Isolation, Txn, View};
use quoit_query::parallel::{Crew, Helper, Offer, Turn};
use quoit_query::{
    Demand, Division, Execution, Parameters, QueryCore, QueryOptions, RowSink, Step,
};

use crate::graph::{KEYS, LABELS};

/// How a query is driven.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// All rows at once, without a pause.
    Through,
    /// A row at a time, and others have their turn whenever that is asked.
    Bit,
}

/// A graph with an engine on it.
pub struct Arrangement {
    pub name: &'static str,
    core: Core,
    engine: QueryCore,
    drive: Drive,
    mates: Option<Mates>,
}

/// Turns that helpers whose leader has gone may take until they have ended.
const LAST_TURNS: usize = 100;

/// The cores that help the one that answers. All take their turns on one thread, so that a seed shows the same again.
struct Mates {
    cores: Vec<(Core, QueryCore)>,
    offers: Rc<Offers>,
    crew: Rc<dyn Crew>,
    /// Helpers that have begun.
    begun: Cell<usize>,
}

/// What has been offered and not been taken up.
struct Offers {
    cores: u16,
    made: RefCell<Vec<(u16, Offer)>>,
}

impl Crew for Offers {
    fn core(&self) -> u16 {
        0
    }

    fn cores(&self) -> u16 {
        self.cores
    }

    fn offer(&self, core: u16, offer: Offer) {
        self.made.borrow_mut().push((core, offer));
    }

    // Whoever waits is looked at in every round.
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }
}

impl Mates {
    fn new(graph: &Arc<Graph>, cores: u16, options: QueryOptions) -> Mates {
        let offers = Rc::new(Offers {
            cores,
            made: RefCell::default(),
        });
        Mates {
            cores: (1..cores)
                .map(|core| (graph.core(core), QueryCore::new(options)))
                .collect(),
            crew: offers.clone(),
            offers,
            begun: Cell::new(0),
        }
    }

    /// A turn of each helper, as short as can be; those that are offered work begin first.
    fn turns(&self, helpers: &mut Vec<(u16, Helper)>) {
        for (number, offer) in self.offers.made.take() {
            let (core, engine) = &self.cores[usize::from(number) - 1];
            let helper = Helper::begin(offer, engine, core, Waker::noop().clone());
            self.begun
                .set(self.begun.get() + usize::from(helper.is_some()));
            helpers.extend(helper.map(|helper| (number, helper)));
        }
        helpers.retain_mut(|(number, helper)| {
            let (core, _) = &self.cores[usize::from(*number) - 1];
            !helper.may_go_on() || helper.turn(core, &|| true) != Turn::Done
        });
    }
}

#[derive(Default)]
struct Rows(Vec<Vec<Value>>);

impl RowSink for Rows {
    fn row(&mut self, row: &[Value], _: &View<'_>) -> Result<(), Error> {
        self.0.push(row.to_vec());
        Ok(())
    }
}

impl Arrangement {
    fn new(name: &'static str, shards: u16, drive: Drive, options: QueryOptions) -> Arrangement {
        let cores = options.division.cores;
        let graph = Graph::new(GraphConfig {
            shards,
            cores,
            journal: Arc::new(NullJournal::default()),
        });
        Arrangement {
            name,
            core: graph.core(0),
            engine: QueryCore::new(options),
            drive,
            mates: (cores > 1).then(|| Mates::new(&graph, cores, options)),
        }
    }

    /// Every arrangement of the graph that `statements` make; the first is the plainest.
    pub fn all(statements: &[String]) -> Vec<Arrangement> {
        let plain = QueryOptions {
            plain: true,
            ..QueryOptions::default()
        };
        // Whatever can be divided is.
        let divided = |cores| QueryOptions {
            division: Division {
                cores,
                rows_min: 0.0,
            },
            ..QueryOptions::default()
        };
        let arrangements = vec![
            Arrangement::new("plain operators", 1, Drive::Through, plain),
            Arrangement::new("one shard", 1, Drive::Through, QueryOptions::default()),
            Arrangement::new("indexes", 1, Drive::Through, QueryOptions::default()),
            Arrangement::new(
                "three shards and indexes, bit by bit",
                3,
                Drive::Bit,
                QueryOptions::default(),
            ),
            Arrangement::new(
                "two shards, bit by bit",
                2,
                Drive::Bit,
                QueryOptions::default(),
            ),
            Arrangement::new("two cores, bit by bit", 2, Drive::Bit, divided(2)),
            Arrangement::new(
                "four cores, five shards and indexes, bit by bit",
                5,
                Drive::Bit,
                divided(4),
            ),
        ];
        for arrangement in &arrangements {
            for statement in statements {
                arrangement.must(statement);
            }
            if arrangement.name.contains("indexes") {
                arrangement.index();
            }
        }
        arrangements
    }

    /// How often another core has helped.
    pub fn helped(&self) -> usize {
        self.mates.as_ref().map_or(0, |mates| mates.begun.get())
    }

    fn index(&self) {
        for label in LABELS {
            self.must(&format!("CREATE INDEX ON :{label}"));
            self.must(&format!("CREATE INDEX ON :{label}(id)"));
            for (key, _) in KEYS {
                self.must(&format!("CREATE INDEX ON :{label}({key})"));
            }
        }
        self.must("ANALYZE GRAPH");
    }

    fn must(&self, text: &str) {
        if let Err(error) = self.run(text) {
            panic!("{}: {text}: {error:?}", self.name);
        }
    }

    /// The rows of a statement, or its error. A text that was seen before is answered with the plan that was made then.
    pub fn run(&self, text: &str) -> Result<Vec<Vec<Value>>, Error> {
        let (rows, txn) = self.steps(text, usize::MAX)?;
        txn.commit().expect("the null journal takes everything");
        Ok(rows)
    }

    /// Begins a statement, leaves it after so many steps, and undoes it.
    ///
    /// # Errors
    /// Those of the statement, as far as it came.
    pub fn undo(&self, text: &str, steps: usize) -> Result<(), Error> {
        let (_, txn) = self.steps(text, steps)?;
        txn.rollback();
        Ok(())
    }

    fn steps(&self, text: &str, steps: usize) -> Result<(Vec<Vec<Value>>, Txn), Error> {
        let prepared = self.engine.prepare(text, &self.core)?;
        let mut txn = match prepared.writes() {
            true => self.core.begin_auto_commit_write(Isolation::Snapshot),
            false => self.core.begin(Access::Read, Isolation::Snapshot),
        };
        let mut execution = Execution::new(prepared, &Parameters::new())?;
        if let Some(mates) = &self.mates {
            execution.on_all_cores(text, &mates.crew);
        }
        let mut helpers = Vec::new();
        let (mut rows, asked) = (Rows::default(), Cell::new(0_u32));
        let should_yield = || {
            asked.set(asked.get() + 1);
            self.drive == Drive::Bit && asked.get() % 2 == 1
        };
        let demand = || match self.drive {
            Drive::Through => Demand::All,
            Drive::Bit => Demand::Rows(1),
        };
        execution.request(demand());
        for _ in 0..steps {
            match execution.step(&mut txn, &self.core, &should_yield, &mut rows)? {
                Step::Done => break,
                Step::Rows => execution.request(demand()),
                Step::Yield => {}
                Step::Waits(wait) => panic!("{text}: no inner transaction is generated: {wait:?}"),
            }
            if let Some(mates) = &self.mates {
                mates.turns(&mut helpers);
            }
        }
        drop(execution);
        if let Some(mates) = &self.mates {
            for _ in 0..LAST_TURNS {
                mates.turns(&mut helpers);
            }
            assert!(helpers.is_empty(), "{text}: a helper does not end");
        }
        Ok((rows.0, txn))
    }
}
