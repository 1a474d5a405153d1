//! The openCypher TCK, run in process on an empty graph a case, and judged as the kit's README says: columns, values, order, side effects,
//! error type, phase and detail.
//!
//! The kit is looked for in the folder that `QUOIT_TCK` names, else beside the repository; without it the test says so and passes,
//! since it is no part of the repository. `QUOIT_TCK_FAILURES=1` lists what fails and why; `QUOIT_TCK_ONLY=text` runs the cases whose names contain it.

#[path = "../../../cypher/tests/gherkin/reader.rs"]
mod gherkin;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gherkin::{Case, Step};
use quoit_cypher::error::Error;
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Direction, Graph, GraphConfig, Isolation, View};
use quoit_query::{
    Demand, Execution, Parameters, Procedure, QueryCore, QueryOptions, RowSink, Step as Stepped,
};
use value::{Expected, is_same_bag, of_result, parse, same, to_value};

/// Cases that pass today. A change that makes fewer pass fails this test; one that makes more pass raises the number.
const PASSING_MIN: usize = 3363;

fn kit() -> Option<PathBuf> {
    let folder = match std::env::var_os("QUOIT_TCK") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tck"),
    };
    folder.join("features").is_dir().then_some(folder)
}

#[test]
fn cases_of_the_tck_pass_as_the_kit_judges_them() {
    let Some(kit) = kit() else {
        eprintln!("the TCK is not here: nothing was run");
        return;
    };
    let show = std::env::var_os("QUOIT_TCK_FAILURES").is_some();
    let only = std::env::var("QUOIT_TCK_ONLY").unwrap_or_default();
    let mut folders: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    std::panic::set_hook(Box::new(|_| {}));
    for case in gherkin::cases(&kit.join("features")) {
        if !case.name.contains(&only) {
            continue;
        }
        let (passed, all) = folders.entry(case.folder.clone()).or_default();
        *all += 1;
        if show {
            eprintln!("{}", case.name);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| Bench::new(&kit).run(&case)))
            .unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                let text =
                    text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
                Err(format!("panic: {}", text.unwrap_or_default()))
            });
        match outcome {
            Ok(()) => *passed += 1,
            Err(reason) if show => println!("FAIL {}/{}: {reason}", case.folder, case.name),
            Err(_) => {}
        }
    }
    let _ = std::panic::take_hook();
    for (folder, (passed, all)) in &folders {
        println!("{passed:5} of {all:5}  {folder}");
    }
    let passed: usize = folders.values().map(|(passed, _)| passed).sum();
    let all: usize = folders.values().map(|(_, all)| all).sum();
    println!("{passed:5} of {all:5}  in all");
    assert!(
        !only.is_empty() || passed >= PASSING_MIN,
        "{passed} cases pass, {PASSING_MIN} did before"
    );
}

/// One case's graph and what its last query came to.
struct Bench<'k> {
    kit: &'k Path,
    core: Core,
    engine: QueryCore,
    parameters: Parameters,
    before: Snapshot,
    result: Result<Rows, Error>,
}

#[derive(Default)]
struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Expected>>,
}

impl RowSink for Rows {
    fn row(&mut self, row: &[Value], view: &View<'_>) -> Result<(), Error> {
        self.rows
            .push(row.iter().map(|value| of_result(value, view)).collect());
        Ok(())
    }
}

/// What a reader can see, as the kit counts it.
#[derive(Default)]
struct Snapshot {
    nodes: BTreeSet<u64>,
    relationships: BTreeSet<u64>,
    labels: BTreeSet<String>,
    properties: Vec<(bool, u64, String, Value)>,
}

impl<'k> Bench<'k> {
    fn new(kit: &'k Path) -> Self {
        let graph = Graph::new(GraphConfig {
            shards: 2,
            cores: 1,
            journal: Arc::new(quoit_graph::door::NullJournal::default()),
        });
        let core = graph.core(0);
        Bench {
            kit,
            core,
            engine: QueryCore::new(QueryOptions::default()),
            parameters: Parameters::new(),
            before: Snapshot::default(),
            result: Ok(Rows::default()),
        }
    }

    fn execute(&self, text: &str) -> Result<Rows, Error> {
        let prepared = self.engine.prepare(text, &self.core)?;
        let mut rows = Rows {
            columns: prepared
                .columns()
                .iter()
                .map(|column| column.to_string())
                .collect(),
            rows: Vec::new(),
        };
        let mut txn = if prepared.writes() {
            self.core.begin_auto_commit_write(Isolation::Snapshot)
        } else {
            self.core.begin(Access::Read, Isolation::Snapshot)
        };
        let mut execution = Execution::new(prepared, &self.parameters)?;
        execution.request(Demand::All);
        // Every look at the clock says "over": whatever can be left and gone on with is.
        while execution.step(&mut txn, &self.core, &|| true, &mut rows)? != Stepped::Done {}
        txn.commit().expect("the null journal takes everything");
        Ok(rows)
    }

    fn run(mut self, case: &Case) -> Result<(), String> {
        for step in &case.steps {
            self.step(step)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let doc = step.doc.as_deref().unwrap_or_default();
        let text = step.text.as_str();
        match text {
            "an empty graph" | "any graph" => Ok(()),
            "having executed:" => self
                .execute(doc)
                .map(|_| ())
                .map_err(|error| format!("set-up: {error:?}")),
            "parameters are:" => {
                for row in &step.table {
                    self.parameters
                        .insert(row[0].as_str(), to_value(&parse(&row[1])));
                }
                Ok(())
            }
            "executing query:" => {
                self.before = self.snapshot();
                self.result = self.execute(doc);
                Ok(())
            }
            "executing control query:" => {
                self.result = self.execute(doc);
                Ok(())
            }
            "the result should be empty" => match &self.result {
                Ok(rows) if rows.columns.is_empty() && rows.rows.is_empty() => Ok(()),
                Ok(rows) => Err(format!(
                    "nothing expected, {:?} {:?} found",
                    rows.columns, rows.rows
                )),
                Err(error) => Err(format!("{error:?}")),
            },
            "the result should be, in any order:" => self.judge(step, false, false),
            "the result should be, in order:" => self.judge(step, true, false),
            "the result should be (ignoring element order for lists):" => {
                self.judge(step, false, true)
            }
            "the result should be, in order (ignoring element order for lists):" => {
                self.judge(step, true, true)
            }
            "no side effects" => self.side_effects(&[]),
            "the side effects should be:" => self.side_effects(&step.table),
            _ => {
                if let Some(name) = text
                    .strip_prefix("the ")
                    .and_then(|rest| rest.strip_suffix(" graph"))
                {
                    let folder = self.kit.join("graphs").join(name);
                    let script = std::fs::read_to_string(folder.join(format!("{name}.cypher")))
                        .map_err(|e| e.to_string())?;
                    for statement in script
                        .split(';')
                        .filter(|statement| !statement.trim().is_empty())
                    {
                        self.execute(statement)
                            .map_err(|error| format!("graph: {error:?}"))?;
                    }
                    return Ok(());
                }
                if let Some(signature) = text.strip_prefix("there exists a procedure ") {
                    let facts = step.table.iter().skip(1);
                    let facts =
                        facts.map(|row| row.iter().map(|cell| to_value(&parse(cell))).collect());
                    let signature = signature.trim_end_matches(':');
                    let procedure = Procedure::of_facts(signature, facts.collect());
                    self.engine
                        .register(procedure.map_err(|error| format!("{error:?}"))?);
                    return Ok(());
                }
                let (kind, rest) = text
                    .split_once(" should be raised at ")
                    .ok_or_else(|| format!("unknown step `{text}`"))?;
                self.error(
                    kind.trim_start_matches("an ").trim_start_matches("a "),
                    rest,
                )
            }
        }
    }

    fn judge(&self, step: &Step, ordered: bool, as_bags: bool) -> Result<(), String> {
        let found = self.result.as_ref().map_err(|error| format!("{error:?}"))?;
        let (header, rows) = step.table.split_first().ok_or("a result has a header")?;
        if *header != found.columns {
            return Err(format!(
                "columns {header:?} expected, {:?} found",
                found.columns
            ));
        }
        let wanted: Vec<Vec<Expected>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| parse(cell)).collect())
            .collect();
        let same_row = |a: &Vec<Expected>, b: &Vec<Expected>| {
            a.iter().zip(b).all(|(a, b)| same(a, b, as_bags))
        };
        let equal = if ordered {
            wanted.len() == found.rows.len()
                && wanted.iter().zip(&found.rows).all(|(a, b)| same_row(a, b))
        } else {
            is_same_bag(&wanted, &found.rows, same_row)
        };
        if equal {
            Ok(())
        } else {
            Err(format!("{wanted:?} expected, {:?} found", found.rows))
        }
    }

    fn error(&self, kind: &str, rest: &str) -> Result<(), String> {
        let (phase, detail) = rest.split_once(':').ok_or("an error step names a detail")?;
        let (phase, detail) = (phase.trim(), detail.trim());
        let Err(error) = &self.result else {
            return Err(format!("{kind} {detail} expected, no error came"));
        };
        let fits = error.kind().as_str() == kind
            && (phase == "any time" || error.phase().as_str() == phase)
            && (detail == "*" || error.detail().as_str() == detail);
        if !fits {
            return Err(format!(
                "{kind} at {phase}: {detail} expected, {error:?} came"
            ));
        }
        self.side_effects(&[])
    }

    fn snapshot(&self) -> Snapshot {
        let txn = self.core.begin(Access::Read, Isolation::Snapshot);
        let epoch = self.core.enter();
        let view = txn.view(&epoch);
        let names = view.graph().names();
        let mut snapshot = Snapshot::default();
        let mut vertices = Vec::new();
        for page in view.pages(None) {
            view.scan_page(page, None, &mut vertices);
        }
        let note = |snapshot: &mut Snapshot,
                    edge: bool,
                    id: u64,
                    properties: quoit_graph::PropertiesRef<'_>| {
            for (key, value) in properties.iter() {
                let name = names
                    .key_name(key)
                    .expect("a key in use has a name")
                    .to_string();
                snapshot.properties.push((edge, id, name, value.to_value()));
            }
        };
        for id in vertices {
            let vertex = view.vertex(id).expect("it was just found");
            snapshot.nodes.insert(id.0);
            for label in vertex.labels() {
                snapshot.labels.insert(
                    names
                        .label_name(*label)
                        .expect("a label in use has a name")
                        .to_string(),
                );
            }
            note(&mut snapshot, false, id.0, vertex.properties());
            for incidence in view.edges(id, Direction::Out, &[]) {
                snapshot.relationships.insert(incidence.edge.id.0);
                let edge = view.edge_at(incidence.edge).expect("it was just found");
                note(&mut snapshot, true, incidence.edge.id.0, edge.properties());
            }
        }
        snapshot
    }

    fn side_effects(&self, table: &[Vec<String>]) -> Result<(), String> {
        let after = self.snapshot();
        let before = &self.before;
        let lost = |a: &Vec<(bool, u64, String, Value)>, b: &Vec<(bool, u64, String, Value)>| {
            a.iter()
                .filter(|entry| !b.iter().any(|other| is_same_entry(entry, other)))
                .count()
        };
        let found = [
            ("+nodes", after.nodes.difference(&before.nodes).count()),
            ("-nodes", before.nodes.difference(&after.nodes).count()),
            (
                "+relationships",
                after
                    .relationships
                    .difference(&before.relationships)
                    .count(),
            ),
            (
                "-relationships",
                before
                    .relationships
                    .difference(&after.relationships)
                    .count(),
            ),
            ("+labels", after.labels.difference(&before.labels).count()),
            ("-labels", before.labels.difference(&after.labels).count()),
            ("+properties", lost(&after.properties, &before.properties)),
            ("-properties", lost(&before.properties, &after.properties)),
        ];
        for (name, count) in found {
            let wanted = table
                .iter()
                .find(|row| row[0] == name)
                .map_or(0, |row| row[1].parse().expect("a count"));
            if wanted != count {
                return Err(format!("{name} {wanted} expected, {count} found"));
            }
        }
        Ok(())
    }
}

/// The same value of the same type at the same place: 1 and 1.0 are two values.
fn is_same_entry(a: &(bool, u64, String, Value), b: &(bool, u64, String, Value)) -> bool {
    (a.0, a.1, &a.2) == (b.0, b.1, &b.2)
        && std::mem::discriminant(&a.3) == std::mem::discriminant(&b.3)
        && a.3 == b.3
}
