//! Operators that change the graph.
//!
//! Each takes in all its rows before it writes the first change, ends the clause when it has written the last, and only then gives rows out.
//! So no scan feeds on what its own statement writes, and a `LIMIT` above cuts no effect. Within a clause expressions see the changes
//! made so far. Left to others: conflicts, counters and undo (`quoit-graph`).

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashSet;
use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::ids::{EdgeId, KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::{Edge, Value};
use smallvec::SmallVec;

use super::context::write_error;
use super::{Batch, Context, Operator, Pull, Running, pull_rows};
use crate::expression::evaluate::evaluate;
use crate::expression::{NameRef, Place};
use crate::function::graph::properties_of;
use crate::plan::{self, CreateItem, NameSource, PropertySource, SetItem};

/// Estimated bytes of a value in a buffer, what it points to not counted.
const VALUE_BYTES: u64 = 24;

/// Takes in all rows of an input, then gives them out again.
struct Gather {
    input: Running,
    pulled: Batch,
    rows: Batch,
    next: usize,
    gathered: bool,
    held: u64,
}

impl Gather {
    fn new(input: Running) -> Self {
        Gather {
            input,
            pulled: Batch::new(),
            rows: Batch::new(),
            next: 0,
            gathered: false,
            held: 0,
        }
    }

    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        (self.next, self.gathered) = (0, false);
    }

    /// Pulls until the end. `Rows`: all are here now, for the first time; `End`: they were before.
    fn take_in(&mut self, cx: &mut Context<'_>) -> Result<Pull, Error> {
        if self.gathered {
            return Ok(Pull::End);
        }
        while pull_rows!(self.input, cx, &mut self.pulled) {
            let bytes = self.pulled.len() as u64 * (self.pulled.width() as u64 * VALUE_BYTES + 8);
            cx.hold(bytes)?;
            self.held += bytes;
            for row in self.pulled.rows() {
                self.rows.push(row);
            }
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
        self.gathered = true;
        Ok(Pull::Rows)
    }

    /// Gives rows out in order.
    fn give_out(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Pull {
        out.clear();
        while self.next < self.rows.len() && !out.is_full() {
            out.push(self.rows.row(self.next));
            self.next += 1;
        }
        if out.is_empty() {
            self.rows.clear();
            self.next = 0;
            cx.release(std::mem::take(&mut self.held));
            return Pull::End;
        }
        Pull::Rows
    }
}

/// The whole of an updating operator's `next`: take in, change row by row, end the clause, give out.
macro_rules! eager_next {
    ($self:ident, $cx:ident, $out:ident, |$at:ident| $change:expr) => {{
        match $self.gather.take_in($cx)? {
            Pull::Yield => {
                $out.clear();
                return Ok(Pull::Yield);
            }
            Pull::Rows => {
                for $at in 0..$self.gather.rows.len() {
                    $change?;
                }
                $cx.next_clause();
            }
            Pull::End => {}
        }
        Ok($self.gather.give_out($cx, $out))
    }};
}

/// Takes in all rows before it gives the first.
pub struct Eager {
    gather: Gather,
}

impl Eager {
    pub fn new(input: Running) -> Self {
        Eager {
            gather: Gather::new(input),
        }
    }
}

impl Operator for Eager {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        if self.gather.take_in(cx)? == Pull::Yield {
            out.clear();
            return Ok(Pull::Yield);
        }
        Ok(self.gather.give_out(cx, out))
    }
}

/// `CREATE`.
pub struct Create {
    plan: Rc<plan::Create>,
    gather: Gather,
}

impl Create {
    pub fn new(plan: Rc<plan::Create>, input: Running) -> Self {
        Create {
            plan,
            gather: Gather::new(input),
        }
    }
}

impl Operator for Create {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        eager_next!(self, cx, out, |at| create(
            &self.plan,
            cx,
            self.gather.rows.row_mut(at)
        ))
    }
}

/// `MERGE`.
pub struct Merge {
    plan: Rc<plan::Merge>,
    gather: Gather,
    matching: Running,
    matched: Batch,
    results: Batch,
    next: usize,
}

impl Merge {
    pub fn new(plan: Rc<plan::Merge>, input: Running, matching: Running) -> Self {
        let gather = Gather::new(input);
        Merge {
            plan,
            gather,
            matching,
            matched: Batch::new(),
            results: Batch::new(),
            next: 0,
        }
    }

    fn merge(&mut self, at: usize, cx: &mut Context<'_>) -> Result<(), Error> {
        let plan = self.plan.clone();
        let row = self.gather.rows.row(at);
        for (value, name, place) in &plan.required {
            if evaluate(value, cx, row)?.is_null() {
                return Err(Error::runtime(
                    ErrorKind::SemanticError,
                    Detail::MergeReadOwnWrites,
                    format!("MERGE cannot look for a null property `{name}`"),
                )
                .at(place.0));
            }
        }
        let first = self.results.len();
        self.matching.reset(row);
        cx.without_yield(|cx| {
            cx.seeing_own_writes(|cx| {
                while self.matching.next(cx, &mut self.matched)? == Pull::Rows {
                    for row in self.matched.rows() {
                        self.results.push(row);
                    }
                }
                Ok::<(), Error>(())
            })
        })?;
        let items = if self.results.len() == first {
            let new = self.results.push(self.gather.rows.row(at));
            create(&plan.create, cx, new)?;
            &plan.on_create
        } else {
            &plan.on_match
        };
        for result in first..self.results.len() {
            let row = self.results.row_mut(result);
            set(items, cx, row)?;
            for (slot, expr) in &plan.extend {
                row[*slot as usize] = evaluate(expr, cx, row)?;
            }
        }
        Ok(())
    }
}

impl Operator for Merge {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
        self.results.clear();
        self.next = 0;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        match self.gather.take_in(cx)? {
            Pull::Yield => return Ok(Pull::Yield),
            Pull::Rows => {
                for at in 0..self.gather.rows.len() {
                    self.merge(at, cx)?;
                }
                cx.next_clause();
            }
            Pull::End => {}
        }
        while self.next < self.results.len() && !out.is_full() {
            out.push(self.results.row(self.next));
            self.next += 1;
        }
        Ok(if out.is_empty() {
            Pull::End
        } else {
            Pull::Rows
        })
    }
}

/// `SET` and `REMOVE`.
pub struct Set {
    items: Rc<Vec<SetItem>>,
    gather: Gather,
}

impl Set {
    pub fn new(items: Rc<Vec<SetItem>>, input: Running) -> Self {
        Set {
            items,
            gather: Gather::new(input),
        }
    }
}

impl Operator for Set {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        eager_next!(self, cx, out, |at| set(
            &self.items,
            cx,
            self.gather.rows.row(at)
        ))
    }
}

/// `DELETE`: all edges named go first, then all vertices, so their order in the text does not matter.
pub struct Delete {
    plan: Rc<plan::Delete>,
    gather: Gather,
}

#[derive(Default)]
struct Doomed {
    vertices: Vec<VertexId>,
    edges: Vec<Edge>,
    seen_vertices: HashSet<VertexId>,
    seen_edges: HashSet<EdgeId>,
}

impl Doomed {
    fn vertex(&mut self, vertex: VertexId) {
        if self.seen_vertices.insert(vertex) {
            self.vertices.push(vertex);
        }
    }

    fn edge(&mut self, edge: Edge) {
        if self.seen_edges.insert(edge.id) {
            self.edges.push(edge);
        }
    }

    fn add(&mut self, value: &Value) -> Result<(), Error> {
        match value {
            Value::Null => {}
            Value::Vertex(vertex) => self.vertex(*vertex),
            Value::Edge(edge) => self.edge(*edge),
            Value::Path(path) => {
                path.vertices.iter().for_each(|vertex| self.vertex(*vertex));
                path.edges.iter().for_each(|edge| self.edge(*edge));
            }
            other => {
                return Err(Error::type_error(
                    Detail::InvalidArgumentType,
                    format!("a {} cannot be deleted", other.type_name()),
                ));
            }
        }
        Ok(())
    }
}

impl Delete {
    pub fn new(plan: Rc<plan::Delete>, input: Running) -> Self {
        Delete {
            plan,
            gather: Gather::new(input),
        }
    }

    fn run(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut doomed = Doomed::default();
        for at in 0..self.gather.rows.len() {
            for (target, place) in &self.plan.targets {
                let value = evaluate(target, cx, self.gather.rows.row(at))?;
                doomed.add(&value).map_err(|error| error.at(place.0))?;
            }
        }
        // What an earlier clause deleted is gone already; naming it again is no error.
        for edge in doomed.edges {
            if cx.view.edge_at(edge).is_some() {
                cx.txn.delete_edge(edge).map_err(write_error)?;
            }
        }
        for vertex in doomed.vertices {
            if cx.view.vertex(vertex).is_none() {
                continue;
            }
            if self.plan.detach {
                cx.txn.detach_delete_vertex(vertex).map_err(write_error)?;
            } else {
                cx.txn.delete_vertex(vertex).map_err(write_error)?;
            }
        }
        Ok(())
    }
}

impl Operator for Delete {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        match self.gather.take_in(cx)? {
            Pull::Yield => {
                out.clear();
                return Ok(Pull::Yield);
            }
            Pull::Rows => {
                self.run(cx)?;
                cx.next_clause();
            }
            Pull::End => {}
        }
        Ok(self.gather.give_out(cx, out))
    }
}

/// `FOREACH`: runs its body for each element; each body's clauses end by themselves.
pub struct Foreach {
    plan: Rc<plan::Unwind>,
    gather: Gather,
    body: Running,
    scratch: Batch,
}

impl Foreach {
    pub fn new(plan: Rc<plan::Unwind>, input: Running, body: Running) -> Self {
        Foreach {
            plan,
            gather: Gather::new(input),
            body,
            scratch: Batch::new(),
        }
    }

    fn run(&mut self, at: usize, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut row = self.gather.rows.row(at).to_vec();
        let items = match evaluate(&self.plan.list, cx, &row)? {
            Value::Null => return Ok(()),
            Value::List(items) => items,
            other => {
                return Err(Error::type_error(
                    Detail::InvalidArgumentType,
                    format!("FOREACH needs a list, not a {}", other.type_name()),
                )
                .at(self.plan.place.0));
            }
        };
        for item in items.iter() {
            row[self.plan.slot as usize] = item.clone();
            self.body.reset(&row);
            cx.without_yield(|cx| {
                while self.body.next(cx, &mut self.scratch)? == Pull::Rows {}
                Ok::<(), Error>(())
            })?;
        }
        Ok(())
    }
}

impl Operator for Foreach {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        eager_next!(self, cx, out, |at| self.run(at, cx))
    }
}

/// Creates what a row asks for. Later items may read what earlier ones made.
fn create(plan: &plan::Create, cx: &mut Context<'_>, row: &mut [Value]) -> Result<(), Error> {
    plan.items
        .iter()
        .try_for_each(|item| cx.seeing_own_writes(|cx| create_item(item, cx, row)))
}

fn create_item(item: &CreateItem, cx: &mut Context<'_>, row: &mut [Value]) -> Result<(), Error> {
    match item {
        CreateItem::Vertex {
            slot,
            labels,
            properties,
        } => {
            let properties = create_properties(properties, cx, row)?;
            let labels = label_ids(labels, cx, row)?;
            let vertex = cx
                .txn
                .create_vertex(&labels, &properties)
                .map_err(write_error)?;
            row[*slot as usize] = Value::Vertex(vertex);
        }
        CreateItem::Edge {
            slot,
            source,
            target,
            type_,
            properties,
            place,
        } => {
            let end = |slot: u32| match &row[slot as usize] {
                Value::Vertex(vertex) => Ok(*vertex),
                other => Err(Error::type_error(
                    Detail::InvalidArgumentType,
                    format!(
                        "a relationship cannot be created at a {}",
                        other.type_name()
                    ),
                )
                .at(place.0)),
            };
            let (source, target) = (end(*source)?, end(*target)?);
            let properties = create_properties(properties, cx, row)?;
            let type_ = type_id(type_, cx, row)?;
            let edge = cx
                .txn
                .create_edge(source, target, type_, &properties)
                .map_err(write_error)?;
            row[*slot as usize] = Value::Edge(edge);
        }
    }
    Ok(())
}

type Properties = SmallVec<[(KeyId, Value); 4]>;

fn create_properties(
    source: &PropertySource,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Properties, Error> {
    let mut properties = Properties::new();
    match source {
        PropertySource::Entries(entries) => {
            for (name, expr) in entries {
                let value = evaluate(expr, cx, row)?;
                if !value.is_null() {
                    properties.push((key(name, cx)?, storable(value)?));
                }
            }
        }
        PropertySource::Map(expr, place) => match evaluate(expr, cx, row)? {
            Value::Null => {}
            value => {
                properties = entries_of(&value, cx, false).map_err(|error| error.at(place.0))?
            }
        },
    }
    Ok(properties)
}

/// Properties of a map, vertex or edge as they are written; nulls are left out unless they are to remove something.
fn entries_of(value: &Value, cx: &mut Context<'_>, keep_nulls: bool) -> Result<Properties, Error> {
    let Value::Map(map) = properties_of(value, cx)? else {
        return Ok(Properties::new());
    };
    let mut properties = Properties::new();
    for (name, value) in map.iter() {
        if keep_nulls || !value.is_null() {
            let key = cx.txn.key(name).map_err(write_error)?;
            properties.push((key, storable(value.clone())?));
        }
    }
    Ok(properties)
}

/// Refuses what openCypher does not store: maps, and lists that hold one.
fn storable(value: Value) -> Result<Value, Error> {
    fn check(value: &Value) -> Result<(), Error> {
        match value {
            Value::List(items) => items.iter().try_for_each(check),
            Value::Map(_) | Value::Vertex(_) | Value::Edge(_) | Value::Path(_) => {
                Err(Error::type_error(
                    Detail::InvalidPropertyType,
                    format!("a {} cannot be stored as a property", value.type_name()),
                ))
            }
            _ => Ok(()),
        }
    }
    check(&value)?;
    Ok(value)
}

fn key(name: &NameRef, cx: &mut Context<'_>) -> Result<KeyId, Error> {
    cx.txn.key(&name.name).map_err(write_error)
}

fn names_of(
    source: &NameSource,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<SmallVec<[Arc<str>; 2]>, Error> {
    let (expr, place) = match source {
        NameSource::Static(name) => return Ok(SmallVec::from_elem(name.name.clone(), 1)),
        NameSource::Dynamic(expr, place) => (expr, place),
    };
    let wrong = |value: &Value| {
        Error::type_error(
            Detail::InvalidArgumentType,
            format!("a name needs a string, not a {}", value.type_name()),
        )
        .at(place.0)
    };
    match evaluate(expr, cx, row)? {
        Value::String(name) => Ok(SmallVec::from_elem(name, 1)),
        Value::List(items) => items
            .iter()
            .map(|item| match item {
                Value::String(name) => Ok(name.clone()),
                other => Err(wrong(other)),
            })
            .collect(),
        other => Err(wrong(&other)),
    }
}

fn label_ids(
    sources: &[NameSource],
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<SmallVec<[LabelId; 4]>, Error> {
    let mut labels = SmallVec::new();
    for source in sources {
        for name in names_of(source, cx, row)? {
            let label = cx.txn.label(&name).map_err(write_error)?;
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    Ok(labels)
}

fn type_id(source: &NameSource, cx: &mut Context<'_>, row: &[Value]) -> Result<TypeId, Error> {
    let names = names_of(source, cx, row)?;
    match names.as_slice() {
        [name] => cx.txn.edge_type(name).map_err(write_error),
        names => Err(Error::argument(
            Detail::InvalidArgumentValue,
            format!("a relationship needs one type, not {}", names.len()),
        )),
    }
}

/// What a change is made to.
enum Target {
    Nothing,
    Vertex(VertexId),
    Edge(Edge),
}

fn target_of(value: &Value, place: Place) -> Result<Target, Error> {
    match value {
        Value::Null => Ok(Target::Nothing),
        Value::Vertex(vertex) => Ok(Target::Vertex(*vertex)),
        Value::Edge(edge) => Ok(Target::Edge(*edge)),
        other => Err(Error::type_error(
            Detail::InvalidArgumentType,
            format!("a {} has no properties that can be set", other.type_name()),
        )
        .at(place.0)),
    }
}

fn set(items: &[SetItem], cx: &mut Context<'_>, row: &[Value]) -> Result<(), Error> {
    for item in items {
        cx.seeing_own_writes(|cx| set_item(item, cx, row))?;
    }
    Ok(())
}

fn set_item(item: &SetItem, cx: &mut Context<'_>, row: &[Value]) -> Result<(), Error> {
    match item {
        SetItem::Property {
            target,
            key: name,
            value,
            place,
        } => {
            let target = target_of(&evaluate(target, cx, row)?, *place)?;
            let value = storable(evaluate(value, cx, row)?).map_err(|error| error.at(place.0))?;
            let key = key(name, cx)?;
            set_property(target, key, &value, cx).map_err(|error| error.at(place.0))
        }
        SetItem::DynamicProperty {
            target,
            key,
            value,
            place,
        } => {
            let target = target_of(&evaluate(target, cx, row)?, *place)?;
            let key = match evaluate(key, cx, row)? {
                Value::String(name) => cx.txn.key(&name).map_err(write_error)?,
                other => {
                    return Err(Error::type_error(
                        Detail::MapElementAccessByNonString,
                        format!(
                            "a property is named by a string, not by a {}",
                            other.type_name()
                        ),
                    )
                    .at(place.0));
                }
            };
            let value = storable(evaluate(value, cx, row)?).map_err(|error| error.at(place.0))?;
            set_property(target, key, &value, cx).map_err(|error| error.at(place.0))
        }
        SetItem::Replace {
            target,
            value,
            place,
        } => {
            let target = target_of(&evaluate(target, cx, row)?, *place)?;
            let value = evaluate(value, cx, row)?;
            let properties = entries_of(&value, cx, false).map_err(|error| error.at(place.0))?;
            match target {
                Target::Nothing => Ok(()),
                Target::Vertex(vertex) => cx
                    .txn
                    .replace_vertex_properties(vertex, &properties)
                    .map_err(write_error),
                Target::Edge(edge) => cx
                    .txn
                    .replace_edge_properties(edge, &properties)
                    .map_err(write_error),
            }
        }
        SetItem::Merge {
            target,
            value,
            place,
        } => {
            let target = target_of(&evaluate(target, cx, row)?, *place)?;
            let value = evaluate(value, cx, row)?;
            let changes = entries_of(&value, cx, true).map_err(|error| error.at(place.0))?;
            match target {
                Target::Nothing => Ok(()),
                Target::Vertex(vertex) => cx
                    .txn
                    .set_vertex_properties(vertex, &changes)
                    .map_err(write_error),
                Target::Edge(edge) => cx
                    .txn
                    .set_edge_properties(edge, &changes)
                    .map_err(write_error),
            }
        }
        SetItem::Labels {
            target,
            labels,
            remove,
            place,
        } => match evaluate(target, cx, row)? {
            Value::Null => Ok(()),
            Value::Vertex(vertex) if *remove => {
                for source in labels {
                    for name in names_of(source, cx, row)? {
                        if let Some(label) = cx.label_id(&name) {
                            cx.txn
                                .remove_label(vertex, LabelId(label))
                                .map_err(write_error)?;
                        }
                    }
                }
                Ok(())
            }
            Value::Vertex(vertex) => {
                for label in label_ids(labels, cx, row)? {
                    cx.txn.add_label(vertex, label).map_err(write_error)?;
                }
                Ok(())
            }
            other => Err(Error::type_error(
                Detail::InvalidArgumentType,
                format!("a {} has no labels that can be set", other.type_name()),
            )
            .at(place.0)),
        },
    }
}

fn set_property(
    target: Target,
    key: KeyId,
    value: &Value,
    cx: &mut Context<'_>,
) -> Result<(), Error> {
    match target {
        Target::Nothing => Ok(()),
        Target::Vertex(vertex) => cx
            .txn
            .set_vertex_property(vertex, key, value)
            .map_err(write_error),
        Target::Edge(edge) => cx
            .txn
            .set_edge_property(edge, key, value)
            .map_err(write_error),
    }
}
