//! `LOAD CSV`: a row for each record of a file.
//!
//! [`Load`] asks for the file block by block ([`Wait::Read`]): whoever runs the execution opens and reads it, and says where files may lie. What always holds: of a
//! file no more than a block and a record are held; a record that is longer than [`RECORD_BYTES_MAX`] is an error; a record that is no
//! text, or has not as many fields as the first, is an error with its line, or left out if the query says so (Memgraph's form). In Neo4j's
//! form an empty field is null, and what a record lacks is null too. A file whose name ends in `.gz` is unpacked.

use std::rc::Rc;
use std::sync::Arc;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

use super::gunzip::Gunzip;
use super::in_transactions::Wait;
use super::{Batch, Context, Operator, Pull, Running, next_rows};
use crate::expression::Expr;
use crate::expression::evaluate::evaluate;
use crate::plan;

/// A part of a file that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRead {
    /// The file as the query names it.
    pub name: Arc<str>,
    /// From which byte on.
    pub offset: u64,
}

/// The most bytes that a record may have.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// The bytes of a byte order mark.
const BOM_BYTES: u64 = 3;

/// The most fields that a record may have.
const FIELDS_MAX: usize = 1 << 16;

/// `LOAD CSV`.
pub struct Load {
    plan: Rc<plan::Load>,
    input: Running,
    rows: Batch,
    at: usize,
    file: Option<Open>,
}

/// A file that is being read.
struct Open {
    name: Arc<str>,
    /// Bytes that have been asked for and come.
    offset: u64,
    /// Its unpacking, if it is packed.
    packed: Option<Gunzip>,
    /// Bytes of text that have come.
    fed: u64,
    block: Vec<u8>,
    used: usize,
    is_over: bool,
    reader: Reader,
    /// The record at work: its bytes, where its fields end, how much of either there is.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    filled: (usize, usize),
    /// The line where it begins, and whether it has begun.
    line: u64,
    has_begun: bool,
    header: Option<Vec<Arc<str>>>,
    width: Option<usize>,
    null_if: Option<Arc<str>>,
}

/// What reading a record came to.
enum Record {
    Whole,
    /// The next block is needed.
    Needs,
    End,
}

impl Open {
    fn new(plan: &plan::Load, cx: &mut Context<'_>, row: &[Value]) -> Result<Open, Error> {
        let wrong = |what: &str, value: &Value| {
            Error::type_error(
                Detail::InvalidArgumentType,
                format!("{what} must be a string, not {}", value.type_phrase()),
            )
            .at(plan.place.0)
        };
        let name = match evaluate(&plan.source, cx, row)? {
            Value::String(name) => name,
            other => return Err(wrong("the file of LOAD CSV", &other)),
        };
        let mut byte = |expr: &Option<Expr>, what: &str, default: u8| match expr {
            None => Ok(default),
            Some(expr) => match evaluate(expr, cx, row)? {
                Value::String(text) if text.len() == 1 => Ok(text.as_bytes()[0]),
                Value::String(text) => Err(Error::argument(
                    Detail::InvalidArgumentValue,
                    format!("{what} must be one ASCII character, not `{text}`"),
                )
                .at(plan.place.0)),
                other => Err(wrong(what, &other)),
            },
        };
        let delimiter = byte(&plan.delimiter, "the delimiter", b',')?;
        let quote = byte(&plan.quote, "the quote", b'"')?;
        let null_if = match &plan.null_if {
            None => None,
            Some(expr) => match evaluate(expr, cx, row)? {
                Value::String(text) => Some(text),
                other => return Err(wrong("NULLIF", &other)),
            },
        };
        let is_packed =
            name.len() >= 3 && name.as_bytes()[name.len() - 3..].eq_ignore_ascii_case(b".gz");
        Ok(Open {
            packed: is_packed.then(Gunzip::new),
            name,
            offset: 0,
            fed: 0,
            block: Vec::new(),
            used: 0,
            is_over: false,
            reader: ReaderBuilder::new()
                .delimiter(delimiter)
                .quote(quote)
                .build(),
            bytes: vec![0; 4 << 10],
            ends: vec![0; 64],
            filled: (0, 0),
            line: 1,
            has_begun: false,
            header: None,
            width: None,
            null_if,
        })
    }

    /// Takes the next block of the file.
    fn take(&mut self, block: Vec<u8>) {
        self.offset += block.len() as u64;
        match &mut self.packed {
            Some(packed) => packed.give(block),
            None => self.feed(block),
        }
    }

    /// Unpacks what has come, as far as there is room; whether there was anything to unpack, or that is over.
    fn unpack(&mut self) -> Result<bool, Error> {
        let Some(packed) = &mut self.packed else {
            return Ok(false);
        };
        match packed.take() {
            Ok(Some(part)) => {
                self.feed(part);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => Err(Error::argument(
                Detail::InvalidArgumentValue,
                format!("`{}` is no whole gzip file: {error}", self.name),
            )),
        }
    }

    /// Takes the next part of the text; none at its end.
    fn feed(&mut self, block: Vec<u8>) {
        self.is_over = block.is_empty();
        self.fed += block.len() as u64;
        self.block.drain(..self.used);
        self.used = 0;
        match self.block.is_empty() {
            true => self.block = block,
            false => self.block.extend(block),
        }
    }

    /// Goes on with the record at work.
    fn read(&mut self) -> Result<Record, Error> {
        loop {
            let is_used = self.used == self.block.len();
            // The reader looks for a byte order mark in what it gets first, and takes a mark alone for a whole file.
            let is_short = self.used == 0 && self.fed <= BOM_BYTES;
            if (is_used || is_short) && !self.is_over {
                return Ok(Record::Needs);
            }
            let mut rest = &self.block[self.used..];
            if !self.has_begun {
                // The end of the line before, and lines without anything: where the record begins is known behind them.
                let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
                match rest.iter().take_while(is_end).count() {
                    0 => (self.has_begun, self.line) = (true, self.reader.line()),
                    ends => rest = &rest[..ends],
                }
            }
            let (bytes, ends) = self.filled;
            let (result, used, written, ended) =
                self.reader
                    .read_record(rest, &mut self.bytes[bytes..], &mut self.ends[ends..]);
            self.used += used;
            self.filled = (bytes + written, ends + ended);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.bytes.len() < RECORD_BYTES_MAX => {
                    self.bytes.resize(self.bytes.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < FIELDS_MAX => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err(self.bad("is too long"));
                }
                ReadRecordResult::Record => return Ok(Record::Whole),
                ReadRecordResult::End => return Ok(Record::End),
            }
        }
    }

    /// The record at work is done with.
    fn next_record(&mut self) {
        self.filled = (0, 0);
        self.has_begun = false;
    }

    fn bad(&self, what: &str) -> Error {
        Error::argument(
            Detail::InvalidArgumentValue,
            format!("the record at line {} of `{}` {what}", self.line, self.name),
        )
    }

    /// The fields of the record, as text.
    fn fields(&self) -> Result<Vec<&str>, Error> {
        let mut fields = Vec::with_capacity(self.filled.1);
        let mut start = 0;
        for end in &self.ends[..self.filled.1] {
            let text = std::str::from_utf8(&self.bytes[start..*end]);
            fields.push(text.map_err(|_| self.bad("is not UTF-8"))?);
            start = *end;
        }
        Ok(fields)
    }

    /// The value of a record; `None` for the one that names the columns.
    fn value(&mut self, plan: &plan::Load) -> Result<Option<Value>, Error> {
        let fields = self.fields()?;
        if plan.header && self.header.is_none() {
            self.header = Some(fields.into_iter().map(Arc::from).collect());
            return Ok(None);
        }
        let (count, header) = (fields.len(), self.header.as_ref());
        let width = header.map(Vec::len).or(self.width);
        if let Some(width) = width.filter(|width| *width != count && !plan.empty_is_null) {
            return Err(self.bad(&format!("has {count} fields, not {width}")));
        }
        let field = |text: &str| match text {
            "" if plan.empty_is_null => Value::Null,
            text if self.null_if.as_deref() == Some(text) => Value::Null,
            text => Value::from(text),
        };
        let value = match header {
            Some(header) => {
                let values = fields.iter().map(|text| field(text));
                let values = values.chain(std::iter::repeat(Value::Null));
                Value::map(header.iter().cloned().zip(values).collect())
            }
            None => Value::list(fields.into_iter().map(field).collect()),
        };
        self.width = Some(count);
        Ok(Some(value))
    }
}

impl Load {
    pub fn new(plan: Rc<plan::Load>, input: Running) -> Self {
        Load {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            file: None,
        }
    }
}

impl Operator for Load {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        (self.at, self.file) = (0, None);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        let plan = self.plan.clone();
        let placed = |error: Error| error.at(plan.place.0);
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            let row = self.rows.row(self.at);
            if self.file.is_none() {
                self.file = Some(Open::new(&plan, cx, row)?);
            }
            let Some(file) = &mut self.file else {
                continue;
            };
            let is_over = loop {
                if out.is_full() {
                    return Ok(Pull::Rows);
                }
                match file.read().map_err(placed)? {
                    Record::End => break true,
                    Record::Needs => {
                        if !out.is_empty() {
                            return Ok(Pull::Rows);
                        }
                        if file.unpack().map_err(placed)? {
                            // There may be much in it that gives no row.
                            match cx.should_yield() {
                                true => return Ok(Pull::Yield),
                                false => continue,
                            }
                        }
                        let Some(block) = cx.take_block() else {
                            cx.wait_for(Wait::Read(FileRead {
                                name: file.name.clone(),
                                offset: file.offset,
                            }));
                            return Ok(Pull::Yield);
                        };
                        file.take(block.map_err(placed)?);
                    }
                    Record::Whole => {
                        match file.value(&plan) {
                            Ok(Some(value)) => {
                                let new = out.push(row);
                                new[plan.slot as usize] = value;
                                new[plan.line as usize] = Value::Int(file.line as i64);
                                new[plan.file as usize] = Value::String(file.name.clone());
                            }
                            Ok(None) => {}
                            Err(_) if plan.ignore_bad => {}
                            Err(error) => return Err(placed(error)),
                        }
                        file.next_record();
                    }
                }
                if out.is_empty() && cx.should_yield() {
                    break false;
                }
            };
            if !is_over {
                return Ok(Pull::Yield);
            }
            self.file = None;
            self.at += 1;
        }
    }
}
