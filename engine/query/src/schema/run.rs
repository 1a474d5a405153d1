//! Carrying out schema statements: what they change, and what their author is told.
//!
//! [`SchemaRun`] goes step by step, so that others have their turns while an index is filled or read. Called by [`crate::execution`].
//! What always holds: an index or constraint that is there already, or is not there to be dropped, is a notice and no error, as in
//! Memgraph, but for what is called by a name: who gives a name to what is there under another, or under none, is told so by an error,
//! as in Neo4j, since the name would be lost. Left to others: how an index is filled, what a constraint checks (`quoit-graph`).

use std::sync::Arc;

use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::ids::LabelId;
use quoit_graph::names::Names;
use quoit_graph::value::Value;
use quoit_graph::{
    Analysis, IndexDefinition, IndexStatistics, SchemaBuild, SchemaState, Txn, View,
};

use super::{Name, Named, Rule, SchemaPlan};
use crate::operator::write_error;

/// Vertices that are looked at between two looks at the clock while an index is filled or analysed.
const LOOKED_AT_ONCE: usize = 256;

/// What the author of a statement that succeeded should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// One word, as Memgraph's clients know it: `IndexAlreadyExists`.
    pub code: &'static str,
    /// One sentence.
    pub title: String,
}

/// A schema statement being carried out.
#[derive(Default)]
pub(crate) struct SchemaRun {
    build: Option<SchemaBuild>,
    analysis: Option<Analysis>,
    notices: Vec<Notice>,
    rows: Vec<Vec<Value>>,
}

impl SchemaRun {
    /// Makes the change, but for what is done step by step.
    ///
    /// # Errors
    /// The change cannot be made now; the transaction must be rolled back.
    pub(crate) fn begin(plan: &SchemaPlan, txn: &mut Txn) -> Result<SchemaRun, Error> {
        let mut run = SchemaRun::default();
        match plan {
            SchemaPlan::AlwaysThere => run.note(
                "IndexAlreadyExists",
                "Nodes are found by their labels and relationships by their types without an index.",
            ),
            SchemaPlan::Analyze(labels) => {
                let graph = txn.core().graph().clone();
                let labels = known_labels(labels, graph.names());
                run.analysis = Some(Analysis::new(&graph, labels.as_deref()));
            }
            SchemaPlan::DeleteStatistics(labels) => {
                let graph = txn.core().graph().clone();
                let names = graph.names();
                let labels = known_labels(labels, names);
                let deleted = graph.delete_statistics(labels.as_deref()).into_iter();
                run.rows = deleted.map(|index| index_row(&index, names)).collect();
            }
            SchemaPlan::CreateIndex {
                index,
                name,
                may_exist,
            } => {
                if run.is_free(name.as_ref(), *may_exist, txn)? {
                    let definition = index.define(txn)?;
                    let graph = txn.core().graph().clone();
                    let made = super::name::of_index(&definition, graph.names());
                    let name_text = match name {
                        Some(name) => name.text.to_string(),
                        None => super::name::unused(made.clone(), &graph),
                    };
                    run.build = txn
                        .create_index(definition.clone(), Some(&name_text))
                        .map_err(write_error)?;
                    match run.build {
                        Some(_) => {
                            run.note("CreateIndex", format!("Created index on {}.", index.text()))
                        }
                        None => {
                            let mut indexes = txn.core().graph().indexes().into_iter();
                            let known = indexes.find(|known| known.definition.is_same(&definition));
                            run.is_there_already(
                                ("IndexAlreadyExists", format!("Index on {}", index.text())),
                                known
                                    .and_then(|known| known.name)
                                    .filter(|known| name.is_some() || **known != *made),
                                name.as_ref().filter(|_| !may_exist),
                            )?;
                        }
                    }
                }
            }
            SchemaPlan::DropIndex { index, order } => {
                let graph = txn.core().graph().clone();
                let known = index.find(graph.names()).and_then(|definition| {
                    graph
                        .indexes()
                        .into_iter()
                        .map(|known| known.definition)
                        .find(|known| known.is_same(&definition))
                });
                let meant = known.filter(|known| order.is_none_or(|order| known.order() == order));
                let dropped = match meant {
                    Some(definition) => txn.drop_index(&definition).map_err(write_error)?,
                    None => false,
                };
                match dropped {
                    true => run.note("DropIndex", format!("Dropped index on {}.", index.text())),
                    false => run.note(
                        "IndexDoesNotExist",
                        format!("Index on {} doesn't exist.", index.text()),
                    ),
                }
            }
            SchemaPlan::CreateConstraint {
                constraint,
                name,
                may_exist,
            } => {
                if run.is_free(name.as_ref(), *may_exist, txn)? {
                    let definition = constraint.define(txn)?;
                    let graph = txn.core().graph().clone();
                    let made = super::name::of_constraint(&definition, graph.names());
                    let name_text = match name {
                        Some(name) => name.text.to_string(),
                        None => super::name::unused(made.clone(), &graph),
                    };
                    run.build = txn
                        .create_constraint(definition.clone(), Some(&name_text))
                        .map_err(write_error)?;
                    match (&run.build, constraint.rule) {
                        (Some(_), _) => run.note(
                            "CreateConstraint",
                            format!("Created {}.", constraint.text()),
                        ),
                        (None, Rule::Typed(_)) if !may_exist => {
                            return Err(Error::runtime(
                                ErrorKind::SchemaError,
                                Detail::AlreadyExists,
                                format!("Constraint {} already exists.", constraint.text()),
                            ));
                        }
                        (None, _) => {
                            let mut constraints = txn.core().graph().constraints().into_iter();
                            let known = constraints.find(|known| known.definition == definition);
                            let what = format!("Constraint {}", constraint.text());
                            run.is_there_already(
                                ("ConstraintAlreadyExists", what),
                                known
                                    .and_then(|known| known.name)
                                    .filter(|known| name.is_some() || **known != *made),
                                name.as_ref().filter(|_| !may_exist),
                            )?;
                        }
                    }
                }
            }
            SchemaPlan::DropConstraint(constraint) => {
                let graph = txn.core().graph().clone();
                let dropped = match constraint.find(graph.names()) {
                    Some(definition) => txn.drop_constraint(&definition).map_err(write_error)?,
                    None => false,
                };
                match dropped {
                    true => run.note("DropConstraint", format!("Dropped {}.", constraint.text())),
                    false => run.note(
                        "ConstraintDoesNotExist",
                        format!("Constraint {} doesn't exist.", constraint.text()),
                    ),
                }
            }
            SchemaPlan::DropNamed {
                name,
                what,
                if_exists,
            } => run.drop_named(name, *what, *if_exists, txn)?,
            SchemaPlan::DropAllIndexes => {
                for index in txn.core().graph().clone().indexes() {
                    if index.state == SchemaState::Online {
                        txn.drop_index(&index.definition).map_err(write_error)?;
                    }
                }
            }
            SchemaPlan::DropAllConstraints => {
                for constraint in txn.core().graph().clone().constraints() {
                    if constraint.state == SchemaState::Online {
                        txn.drop_constraint(&constraint.definition)
                            .map_err(write_error)?;
                    }
                }
            }
        }
        Ok(run)
    }

    /// Goes on with what is done step by step; whether all is done.
    ///
    /// # Errors
    /// What is there does not fulfil the new constraint, or there is no memory for the index.
    pub(crate) fn step(
        &mut self,
        view: &View<'_>,
        should_yield: &dyn Fn() -> bool,
    ) -> Result<bool, Error> {
        if let Some(build) = &mut self.build {
            while build.step(LOOKED_AT_ONCE).map_err(write_error)? {
                if should_yield() {
                    return Ok(false);
                }
            }
            self.build = None;
        }
        if let Some(mut analysis) = self.analysis.take() {
            while analysis.step(view, LOOKED_AT_ONCE) {
                if should_yield() {
                    self.analysis = Some(analysis);
                    return Ok(false);
                }
            }
            let names = view.graph().names();
            let found = analysis.into_found().into_iter();
            self.rows = found.map(|index| analysed_row(&index, names)).collect();
        }
        Ok(true)
    }

    /// Rows that it answers, when all is done; given once.
    pub(crate) fn take_rows(&mut self) -> Vec<Vec<Value>> {
        std::mem::take(&mut self.rows)
    }

    /// What its author is told.
    pub(crate) fn notices(&self) -> &[Notice] {
        &self.notices
    }

    fn note(&mut self, code: &'static str, title: impl Into<String>) {
        self.notices.push(Notice {
            code,
            title: title.into(),
        });
    }

    /// What was to be made is there, called `known`: a notice, or an error for whoever wants it to have another name.
    fn is_there_already(
        &mut self,
        (code, what): (&'static str, String),
        known: Option<Arc<str>>,
        wanted: Option<&Name>,
    ) -> Result<(), Error> {
        let Some(wanted) = wanted else {
            let title = match known {
                None => format!("{what} already exists."),
                Some(name) => format!("{what} already exists, as `{name}`."),
            };
            self.note(code, title);
            return Ok(());
        };
        let known = known.map_or("without a name".to_owned(), |name| format!("as `{name}`"));
        let message = format!(
            "{what} already exists, {known}: it is not named `{}` too",
            wanted.text
        );
        Err(
            Error::runtime(ErrorKind::SchemaError, Detail::AlreadyExists, message)
                .at(wanted.span)
                .hint("drop it first, or add IF NOT EXISTS"),
        )
    }

    /// Whether something new may be called so. A name that is taken is an error, or a notice where the statement allows for it.
    fn is_free(&mut self, name: Option<&Name>, may_exist: bool, txn: &Txn) -> Result<bool, Error> {
        let Some(name) = name else { return Ok(true) };
        let graph = txn.core().graph();
        let is_index = graph
            .indexes()
            .iter()
            .any(|index| index.name.as_deref() == Some(&*name.text));
        let is_constraint = graph
            .constraints()
            .iter()
            .any(|constraint| constraint.name.as_deref() == Some(&*name.text));
        let (code, what) = match (is_index, is_constraint) {
            (false, false) => return Ok(true),
            (true, _) => ("IndexAlreadyExists", "an index"),
            (false, true) => ("ConstraintAlreadyExists", "a constraint"),
        };
        let message = format!("{what} named `{}` already exists", name.text);
        if may_exist {
            self.note(code, message);
            return Ok(false);
        }
        Err(Error::runtime(ErrorKind::SchemaError, Detail::AlreadyExists, message).at(name.span))
    }

    fn drop_named(
        &mut self,
        name: &Name,
        what: Named,
        if_exists: bool,
        txn: &mut Txn,
    ) -> Result<(), Error> {
        let graph = txn.core().graph().clone();
        let is_called = |known: &Option<Arc<str>>| known.as_deref() == Some(&*name.text);
        let (word, dropped) = match what {
            Named::Index => {
                let mut indexes = graph.indexes().into_iter();
                let dropped = match indexes.find(|index| is_called(&index.name)) {
                    Some(index) => txn.drop_index(&index.definition).map_err(write_error)?,
                    None => false,
                };
                ("index", dropped)
            }
            Named::Constraint => {
                let mut constraints = graph.constraints().into_iter();
                let dropped = match constraints.find(|constraint| is_called(&constraint.name)) {
                    Some(constraint) => txn
                        .drop_constraint(&constraint.definition)
                        .map_err(write_error)?,
                    None => false,
                };
                ("constraint", dropped)
            }
        };
        match (dropped, what) {
            (true, Named::Index) => {
                self.note("DropIndex", format!("Dropped index {}.", name.text));
            }
            (true, Named::Constraint) => {
                self.note(
                    "DropConstraint",
                    format!("Dropped constraint {}.", name.text),
                );
            }
            (false, _) => {
                let message = format!("there is no {word} named `{}`", name.text);
                if !if_exists {
                    return Err(Error::runtime(
                        ErrorKind::SchemaError,
                        match what {
                            Named::Index => Detail::DoesNotExist,
                            Named::Constraint => Detail::ConstraintDoesNotExist,
                        },
                        message,
                    )
                    .at(name.span)
                    .hint(match what {
                        Named::Index => "SHOW INDEXES lists them",
                        Named::Constraint => "SHOW CONSTRAINTS lists them",
                    }));
                }
                let code = match what {
                    Named::Index => "IndexDoesNotExist",
                    Named::Constraint => "ConstraintDoesNotExist",
                };
                self.note(code, message);
            }
        }
        Ok(())
    }
}

/// Labels that are known, of those that are named.
fn known_labels(labels: &Option<Vec<Arc<str>>>, names: &Names) -> Option<Vec<LabelId>> {
    let labels = labels.as_ref()?.iter();
    Some(labels.filter_map(|label| names.label(label)).collect())
}

/// Label and properties of an index.
fn index_row(index: &IndexDefinition, names: &Names) -> Vec<Value> {
    let text =
        |name: Option<&Arc<str>>| name.map_or(Value::Null, |name| Value::String(name.clone()));
    let keys = index.keys().iter().map(|key| text(names.key_name(*key)));
    let label = index.label().and_then(|label| names.label_name(label));
    vec![
        text(label),
        match index.keys() {
            [] => Value::Null,
            _ => Value::list(keys.collect()),
        },
    ]
}

/// What is known of an index, in Memgraph's columns.
fn analysed_row(index: &IndexStatistics, names: &Names) -> Vec<Value> {
    let mut row = index_row(&index.definition, names);
    row.push(Value::Int(index.vertices as i64));
    match &index.groups {
        Some(groups) => row.extend([
            Value::Int(groups.count as i64),
            Value::Float(groups.average_size),
            Value::Float(groups.chi_squared),
        ]),
        None => row.extend([Value::Null, Value::Null, Value::Null]),
    }
    row.push(Value::Float(index.average_degree));
    row
}
