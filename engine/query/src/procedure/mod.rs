//! Procedures: what `CALL` can call, and the built-in ones that tools ask for.
//!
//! Owned here: what a procedure is, and a core's table of them. The server registers more (each core has its own table); tests register
//! theirs. Always holds: names are unique without regard to case; arguments have been brought to the declared types before a procedure
//! runs; a procedure that reads the graph goes step by step ([`Run`]), so that others have their turns. A name with blanks is that of a
//! statement which is a query over a procedure (`SHOW FUNCTIONS`, `DUMP DATABASE`); it is listed nowhere.

mod catalogue;
mod dump;
mod facts;
mod literal;
mod meta;
mod overview;
mod schema_info;
mod shape;

use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

use crate::operator::Context;

/// A type that inputs and outputs are declared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Anything.
    Any,
    /// `BOOLEAN`.
    Boolean,
    /// `STRING`.
    String,
    /// `INTEGER`.
    Integer,
    /// `FLOAT`; integers are taken as floats.
    Float,
    /// `NUMBER`: integer or float.
    Number,
    /// `LIST`.
    List,
    /// `MAP`.
    Map,
}

impl FieldType {
    /// Its word in a signature.
    pub fn name(self) -> &'static str {
        match self {
            FieldType::Any => "ANY",
            FieldType::Boolean => "BOOLEAN",
            FieldType::String => "STRING",
            FieldType::Integer => "INTEGER",
            FieldType::Float => "FLOAT",
            FieldType::Number => "NUMBER",
            FieldType::List => "LIST",
            FieldType::Map => "MAP",
        }
    }
}

/// An input or output.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub field_type: FieldType,
    /// Null is taken.
    pub nullable: bool,
}

impl Field {
    /// A field that may be null.
    pub fn new(name: &str, field_type: FieldType) -> Field {
        Field {
            name: Arc::from(name),
            field_type,
            nullable: true,
        }
    }

    /// Brings an argument to the declared type.
    ///
    /// # Errors
    /// A value of another type.
    pub fn accept(&self, value: Value) -> Result<Value, Error> {
        match (self.field_type, value) {
            (_, Value::Null) if self.nullable => Ok(Value::Null),
            (FieldType::Any, value)
            | (FieldType::Boolean, value @ Value::Bool(_))
            | (FieldType::String, value @ Value::String(_))
            | (FieldType::Integer, value @ Value::Int(_))
            | (FieldType::Float, value @ Value::Float(_))
            | (FieldType::Number, value @ (Value::Int(_) | Value::Float(_)))
            | (FieldType::List, value @ Value::List(_))
            | (FieldType::Map, value @ Value::Map(_)) => Ok(value),
            (FieldType::Float, Value::Int(number)) => Ok(Value::Float(number as f64)),
            (field_type, value) => Err(Error::type_error(
                Detail::InvalidArgumentType,
                format!(
                    "`{}` takes a {}, not a {}",
                    self.name,
                    field_type.name(),
                    value.type_name()
                ),
            )),
        }
    }
}

/// A call that goes step by step.
pub trait Run {
    /// Appends rows, a few or none. Comes back soon when `cx.should_yield()`.
    ///
    /// # Errors
    /// The procedure's own; it is not called again then.
    fn next(&mut self, cx: &mut Context<'_>, rows: &mut Vec<Vec<Value>>)
    -> Result<Progress, Error>;
}

/// How far a step of a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    More,
    /// Nothing can be done before others have had their turns.
    Waits,
    /// All rows are out.
    Done,
}

/// What a call has come to.
pub(crate) enum Called {
    /// All its rows.
    Rows(Vec<Vec<Value>>),
    /// It goes on.
    Run(Box<dyn Run>),
}

/// What makes all rows of a call, in the order of the outputs, from arguments in the order of the inputs.
type AtOnce = dyn Fn(&[Value], &mut Context<'_>) -> Result<Vec<Vec<Value>>, Error>;

/// What begins a call that goes step by step.
type Begin = dyn Fn(&[Value]) -> Box<dyn Run>;

enum Body {
    AtOnce(Box<AtOnce>),
    Stepwise(Box<Begin>),
}

/// A procedure.
pub struct Procedure {
    /// Namespace and name, joined with `.`.
    pub name: Arc<str>,
    /// What it takes.
    pub inputs: Vec<Field>,
    /// So many of the last inputs may be left out; they are null then.
    pub optional: usize,
    /// What each of its rows holds; none: it lets the caller's row through.
    pub outputs: Vec<Field>,
    /// What it does, in a sentence; empty if nobody said.
    pub description: &'static str,
    body: Body,
}

impl std::fmt::Debug for Procedure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Procedure({})", self.signature())
    }
}

impl Procedure {
    /// A procedure that is done at once.
    pub fn new(
        name: &str,
        inputs: Vec<Field>,
        outputs: Vec<Field>,
        body: impl Fn(&[Value], &mut Context<'_>) -> Result<Vec<Vec<Value>>, Error> + 'static,
    ) -> Procedure {
        Procedure {
            name: Arc::from(name),
            inputs,
            optional: 0,
            outputs,
            description: "",
            body: Body::AtOnce(Box::new(body)),
        }
    }

    /// A procedure that takes longer than a batch may; `begin` gets the arguments.
    pub fn stepwise(
        name: &str,
        inputs: Vec<Field>,
        outputs: Vec<Field>,
        begin: impl Fn(&[Value]) -> Box<dyn Run> + 'static,
    ) -> Procedure {
        Procedure {
            name: Arc::from(name),
            inputs,
            optional: 0,
            outputs,
            description: "",
            body: Body::Stepwise(Box::new(begin)),
        }
    }

    /// The same with inputs that may be left out, behind those it has; its body gets null for them.
    pub fn taking_at_most(mut self, more: Vec<Field>) -> Procedure {
        self.optional += more.len();
        self.inputs.extend(more);
        self
    }

    /// The same with a sentence on what it does.
    pub fn described(self, description: &'static str) -> Procedure {
        Procedure {
            description,
            ..self
        }
    }

    /// Calls it with arguments of the declared types.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn call(&self, args: &[Value], cx: &mut Context<'_>) -> Result<Called, Error> {
        match &self.body {
            Body::AtOnce(body) => body(args, cx).map(Called::Rows),
            Body::Stepwise(begin) => Ok(Called::Run(begin(args))),
        }
    }

    /// `name(a :: T?) :: (b :: U?)`.
    pub fn signature(&self) -> String {
        let fields = |fields: &[Field]| {
            let texts: Vec<String> = fields
                .iter()
                .map(|field| {
                    format!(
                        "{} :: {}{}",
                        field.name,
                        field.field_type.name(),
                        if field.nullable { "?" } else { "" }
                    )
                })
                .collect();
            texts.join(", ")
        };
        format!(
            "{}({}) :: ({})",
            self.name,
            fields(&self.inputs),
            fields(&self.outputs)
        )
    }
}

/// The procedures that one core can call.
#[derive(Default)]
pub struct Procedures {
    all: Vec<Rc<Procedure>>,
}

impl Procedures {
    /// The built-in ones.
    pub fn built_in() -> Procedures {
        let mut procedures = Procedures::default();
        let built_in = catalogue::procedures()
            .into_iter()
            .chain(meta::procedures())
            .chain(overview::procedures())
            .chain([schema_info::procedure(), dump::procedure()])
            .chain(crate::schema::procedures());
        for procedure in built_in {
            procedures.add(procedure);
        }
        for procedure in catalogue::listings(&procedures.all) {
            procedures.add(procedure);
        }
        procedures
    }

    /// Adds a procedure in place of one of the same name.
    pub fn add(&mut self, procedure: Procedure) {
        self.all
            .retain(|known| !known.name.eq_ignore_ascii_case(&procedure.name));
        self.all.push(Rc::new(procedure));
    }

    /// The procedure of a name, in any case.
    pub fn find(&self, name: &str) -> Option<&Rc<Procedure>> {
        self.all
            .iter()
            .find(|procedure| procedure.name.eq_ignore_ascii_case(name))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<Procedure>> {
        self.all.iter()
    }
}
