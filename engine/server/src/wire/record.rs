//! Rows: from the engine's values to records in the send buffer.
//!
//! Owns [`Records`], the sink of one stream. Called by the query engine, a row or a batch of columns at a time, within an epoch. What always
//! holds: nothing is gathered between storage and buffer; a record is whole or not there at all; what a client cannot
//! read (bytes before Bolt 5) is an error for its query, not a broken stream.

use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::View;
use quoit_graph::ids::{EdgeId, VertexId};
use quoit_graph::value::{Edge, Path, Value, ValueRef};
use quoit_protocol::SendBuffer;
use quoit_protocol::packstream::{MapWriter, Packer};
use quoit_protocol::structure;
use quoit_query::{RowSink, Vector};
use smallvec::SmallVec;
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

/// A buffer with this much is sent before more rows are produced, in bytes.
pub(crate) const SEND_BYTES: usize = 64 << 10;

/// Encodes rows into a connection's send buffer.
pub(crate) struct Records<'b> {
    /// Where records go.
    pub(crate) out: &'b mut SendBuffer,
    /// Set when the buffer has enough to be sent.
    pub(crate) full: &'b Cell<bool>,
    /// How many were written.
    pub(crate) rows: u64,
}

impl RowSink for Records<'_> {
    fn row(&mut self, row: &[Value], view: &View<'_>) -> Result<(), Error> {
        let mut message = self.out.record(row.len());
        for value in row {
            // An error drops the message, which takes it back out of the buffer.
            write(&mut message, value, view)?;
        }
        message.finish();
        self.rows += 1;
        if self.out.len() >= SEND_BYTES {
            self.full.set(true);
        }
        Ok(())
    }

    fn vectors(
        &mut self,
        columns: &[Vector],
        rows: Range<usize>,
        view: &View<'_>,
    ) -> Result<(), Error> {
        for at in rows {
            let mut message = self.out.record(columns.len());
            for column in columns {
                match column {
                    Vector::Ints(ints) => message.int(ints[at]),
                    Vector::Vertices(vertices) => write_vertex(&mut message, vertices[at], view)?,
                    Vector::Constant(value) => write(&mut message, value, view)?,
                    Vector::Values(values) => write(&mut message, &values[at], view)?,
                }
            }
            message.finish();
            self.rows += 1;
        }
        if self.out.len() >= SEND_BYTES {
            self.full.set(true);
        }
        Ok(())
    }
}

/// Writes rows that exist as values already (admin statements).
pub(crate) fn plain_row(out: &mut SendBuffer, row: &[Value]) -> Result<(), Error> {
    let mut message = out.record(row.len());
    for value in row {
        write_plain(&mut message, value)?;
    }
    message.finish();
    Ok(())
}

fn id(id: u64) -> i64 {
    // Ids fit 63 bits (design D3).
    id as i64
}

fn write(out: &mut Packer<'_>, value: &Value, view: &View<'_>) -> Result<(), Error> {
    match value {
        Value::Vertex(vertex) => write_vertex(out, *vertex, view),
        Value::Edge(edge) => write_edge(out, *edge, view),
        Value::Path(path) => write_path(out, path, view),
        Value::List(items) => {
            out.list_header(items.len());
            items.iter().try_for_each(|item| write(out, item, view))
        }
        Value::Map(map) => {
            out.map_header(map.len());
            for (key, item) in map.iter() {
                out.string(key);
                write(out, item, view)?;
            }
            Ok(())
        }
        plain => write_plain(out, plain),
    }
}

fn write_plain(out: &mut Packer<'_>, value: &Value) -> Result<(), Error> {
    match value {
        Value::Null => out.null(),
        Value::Bool(truth) => out.bool(*truth),
        Value::Int(int) => out.int(*int),
        Value::Float(float) => out.float(*float),
        Value::String(text) => out.string(text),
        Value::Bytes(bytes) => write_bytes(out, bytes)?,
        Value::List(items) => {
            out.list_header(items.len());
            items.iter().try_for_each(|item| write_plain(out, item))?;
        }
        Value::Map(map) => {
            out.map_header(map.len());
            for (key, item) in map.iter() {
                out.string(key);
                write_plain(out, item)?;
            }
        }
        Value::Date(date) => out.date(date.days),
        Value::Time(time) => out.time(time.nanoseconds, time.offset_seconds),
        Value::LocalTime(time) => out.local_time(time.nanoseconds),
        Value::LocalDateTime(at) => out.local_date_time(at.seconds, at.nanoseconds),
        Value::DateTime(at) => write_date_time(
            out,
            at.seconds,
            at.nanoseconds,
            at.offset_seconds,
            at.zone.as_deref(),
        ),
        Value::Duration(d) => out.duration(d.months, d.days, d.seconds, d.nanoseconds as i32),
        Value::Point(p) => write_point(out, p),
        Value::Vertex(_) | Value::Edge(_) | Value::Path(_) => {
            return Err(Error::internal(format!(
                "a {} stands in a row that has no graph",
                value.type_name()
            )));
        }
    }
    Ok(())
}

/// A stored property, encoded where it lies.
fn write_stored(out: &mut Packer<'_>, value: ValueRef<'_>) -> Result<(), Error> {
    match value {
        ValueRef::Null => out.null(),
        ValueRef::Bool(truth) => out.bool(truth),
        ValueRef::Int(int) => out.int(int),
        ValueRef::Float(float) => out.float(float),
        ValueRef::String(text) => out.string(text),
        ValueRef::Bytes(bytes) => write_bytes(out, bytes)?,
        ValueRef::List(items) => {
            out.list_header(items.count());
            for item in items.iter() {
                write_stored(out, item)?;
            }
        }
        ValueRef::Map(map) => {
            out.map_header(map.count());
            for (key, item) in map.iter() {
                out.string(key);
                write_stored(out, item)?;
            }
        }
        ValueRef::Date(date) => out.date(date.days),
        ValueRef::Time(time) => out.time(time.nanoseconds, time.offset_seconds),
        ValueRef::LocalTime(time) => out.local_time(time.nanoseconds),
        ValueRef::LocalDateTime(at) => out.local_date_time(at.seconds, at.nanoseconds),
        ValueRef::DateTime {
            seconds,
            nanoseconds,
            offset_seconds,
            zone,
        } => {
            write_date_time(out, seconds, nanoseconds, offset_seconds, zone);
        }
        ValueRef::Duration(d) => out.duration(d.months, d.days, d.seconds, d.nanoseconds as i32),
        ValueRef::Point(p) => write_point(out, &p),
    }
    Ok(())
}

fn write_bytes(out: &mut Packer<'_>, bytes: &[u8]) -> Result<(), Error> {
    if !out.format().version().clients_read_bytes() {
        return Err(Error::of(
            ErrorKind::TypeError,
            "a byte array cannot be sent to clients of Bolt 4.4 and older; convert it in the query or use a newer driver",
        ));
    }
    out.bytes(bytes);
    Ok(())
}

fn write_date_time(out: &mut Packer<'_>, seconds: i64, ns: u32, offset_s: i32, zone: Option<&str>) {
    match zone {
        Some(zone) => out.zoned_date_time(seconds, ns, offset_s, zone),
        None => out.date_time(seconds, ns, offset_s),
    }
}

fn write_point(out: &mut Packer<'_>, point: &quoit_graph::value::Point) {
    if point.is_3d() {
        out.point_3d(point.srid, point.x, point.y, point.z);
    } else {
        out.point_2d(point.srid, point.x, point.y);
    }
}

/// The text of a name. Every id in storage has one.
fn name(text: Option<&Arc<str>>) -> &str {
    text.map_or("", |text| text)
}

type Stored<'e> = quoit_graph::PropertiesRef<'e>;

fn write_properties(
    map: &mut MapWriter<'_>,
    properties: Stored<'_>,
    view: &View<'_>,
) -> Result<(), Error> {
    let names = view.graph().names();
    for (key, value) in properties.iter() {
        let mut at = map.key(name(names.key_name(key)));
        write_stored(&mut at, value)?;
    }
    Ok(())
}

/// A vertex; one that this transaction has deleted meanwhile has its id and nothing else.
fn write_vertex(out: &mut Packer<'_>, vertex: VertexId, view: &View<'_>) -> Result<(), Error> {
    let found = view.vertex(vertex);
    let names = view.graph().names();
    let labels = found
        .iter()
        .flat_map(|v| v.labels().iter())
        .map(|label| name(names.label_name(*label)));
    out.vertex(id(vertex.0), labels, |map| {
        found.map_or(Ok(()), |v| write_properties(map, v.properties(), view))
    })
}

fn write_edge(out: &mut Packer<'_>, edge: Edge, view: &View<'_>) -> Result<(), Error> {
    let found = view.edge_at(edge);
    let wire = structure::Edge {
        id: id(edge.id.0),
        source: id(edge.source().0),
        target: id(edge.target.0),
        edge_type: name(view.graph().names().type_name(edge.type_)),
    };
    out.edge(wire, |map| {
        found.map_or(Ok(()), |e| write_properties(map, e.properties(), view))
    })
}

fn write_unbound_edge(out: &mut Packer<'_>, edge: Edge, view: &View<'_>) -> Result<(), Error> {
    let found = view.edge_at(edge);
    let edge_type = name(view.graph().names().type_name(edge.type_));
    out.unbound_edge(id(edge.id.0), edge_type, |map| {
        found.map_or(Ok(()), |e| write_properties(map, e.properties(), view))
    })
}

fn write_path(out: &mut Packer<'_>, path: &Path, view: &View<'_>) -> Result<(), Error> {
    // Distinct vertices and edges in the order of first appearance; paths are short, so a scan finds them.
    let mut vertices: SmallVec<[VertexId; 16]> = SmallVec::new();
    let mut edges: SmallVec<[Edge; 16]> = SmallVec::new();
    let mut steps: SmallVec<[structure::PathStep; 16]> = SmallVec::new();
    let mut vertex_at: hashbrown::HashMap<VertexId, u32> = hashbrown::HashMap::new();
    let mut edge_at: hashbrown::HashMap<EdgeId, u32> = hashbrown::HashMap::new();
    let mut place = |vertex: VertexId, vertices: &mut SmallVec<[VertexId; 16]>| {
        *vertex_at.entry(vertex).or_insert_with(|| {
            vertices.push(vertex);
            vertices.len() as u32 - 1
        })
    };
    place(path.vertices[0], &mut vertices);
    for (i, edge) in path.edges.iter().enumerate() {
        let at = *edge_at.entry(edge.id).or_insert_with(|| {
            edges.push(*edge);
            edges.len() as u32 - 1
        });
        let (from, to) = (path.vertices[i], path.vertices[i + 1]);
        steps.push(structure::PathStep {
            edge: at,
            against: edge.source() != from,
            vertex: place(to, &mut vertices),
        });
    }
    let mut failed = Ok(());
    let failure = std::cell::RefCell::new(&mut failed);
    let note = |outcome: Result<(), Error>| {
        if let Err(error) = outcome {
            let mut first = failure.borrow_mut();
            if first.is_ok() {
                **first = Err(error);
            }
        }
    };
    out.path(
        vertices.iter(),
        |out, vertex| note(write_vertex(out, *vertex, view)),
        edges.iter(),
        |out, edge| note(write_unbound_edge(out, *edge, view)),
        steps.iter().copied(),
    );
    failed
}
