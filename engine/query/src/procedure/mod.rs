//! Procedures: what `CALL` can call, and the built-in ones that tools ask for.
//!
//! The server may register more (each core has its own table); tests register theirs. Always holds: names are unique without regard to case, arguments have been
//! brought to the declared types before a procedure runs.

mod facts;

use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::ids::{LabelId, TypeId};
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

/// What a procedure runs: arguments in the order of the inputs, to rows in the order of the outputs.
pub type Body = dyn Fn(&[Value], &mut Context<'_>) -> Result<Vec<Vec<Value>>, Error>;

/// A procedure.
pub struct Procedure {
    /// Namespace and name, joined with `.`.
    pub name: Arc<str>,
    /// What it takes.
    pub inputs: Vec<Field>,
    /// What each of its rows holds; none: it lets the caller's row through.
    pub outputs: Vec<Field>,
    body: Box<Body>,
}

impl std::fmt::Debug for Procedure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Procedure({})", self.signature())
    }
}

impl Procedure {
    /// A procedure.
    pub fn new(
        name: &str,
        inputs: Vec<Field>,
        outputs: Vec<Field>,
        body: impl Fn(&[Value], &mut Context<'_>) -> Result<Vec<Vec<Value>>, Error> + 'static,
    ) -> Procedure {
        Procedure {
            name: Arc::from(name),
            inputs,
            outputs,
            body: Box::new(body),
        }
    }

    /// Runs it on arguments of the declared types.
    ///
    /// # Errors
    /// Its own.
    pub fn run(&self, args: &[Value], cx: &mut Context<'_>) -> Result<Vec<Vec<Value>>, Error> {
        (self.body)(args, cx)
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
        for procedure in built_in().into_iter().chain(crate::schema::procedures()) {
            procedures.add(procedure);
        }
        let mut signatures: Vec<Vec<Value>> = procedures
            .all
            .iter()
            // What has blanks in its name is a statement's own.
            .filter(|procedure| !procedure.name.contains(' '))
            .map(|procedure| listing(&procedure.name, &procedure.signature()))
            .collect();
        let outputs = vec![
            Field::new("is_editable", FieldType::Boolean),
            Field::new("is_write", FieldType::Boolean),
            Field::new("name", FieldType::String),
            Field::new("path", FieldType::String),
            Field::new("signature", FieldType::String),
        ];
        let own = Procedure::new("mg.procedures", Vec::new(), outputs.clone(), |_, _| {
            Ok(Vec::new())
        })
        .signature();
        signatures.push(listing("mg.procedures", &own));
        signatures.sort();
        procedures.add(Procedure::new(
            "mg.procedures",
            Vec::new(),
            outputs,
            move |_, _| Ok(signatures.clone()),
        ));
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

fn listing(name: &str, signature: &str) -> Vec<Value> {
    vec![
        Value::Bool(false),
        Value::Bool(false),
        Value::string(name),
        Value::string("builtin"),
        Value::string(signature),
    ]
}

fn built_in() -> Vec<Procedure> {
    let text = |name: &str| vec![Field::new(name, FieldType::String)];
    vec![
        Procedure::new("db.labels", Vec::new(), text("label"), |_, cx| {
            let names = cx.view.graph().names();
            let statistics = cx.view.graph().statistics();
            let used = statistics
                .vertices_by_label
                .iter()
                .filter(|(_, count)| *count > 0);
            Ok(sorted(
                used.filter_map(|(id, _)| names.label_name(LabelId(id.0)).cloned())
                    .collect(),
            ))
        }),
        Procedure::new(
            "db.relationshipTypes",
            Vec::new(),
            text("relationshipType"),
            |_, cx| {
                let names = cx.view.graph().names();
                let statistics = cx.view.graph().statistics();
                let used = statistics
                    .edges_by_type
                    .iter()
                    .filter(|(_, count)| *count > 0);
                Ok(sorted(
                    used.filter_map(|(id, _)| names.type_name(TypeId(id.0)).cloned())
                        .collect(),
                ))
            },
        ),
        Procedure::new(
            "db.propertyKeys",
            Vec::new(),
            text("propertyKey"),
            |_, cx| {
                use quoit_graph::delta::NameKind;
                let names = cx.view.graph().names();
                let all = 0..names.limit(NameKind::Key);
                Ok(sorted(
                    all.filter_map(|id| names.name(NameKind::Key, id).cloned())
                        .collect(),
                ))
            },
        ),
        Procedure::new(
            "db.ping",
            Vec::new(),
            vec![Field::new("success", FieldType::Boolean)],
            |_, _| Ok(vec![vec![Value::Bool(true)]]),
        ),
        Procedure::new(
            "dbms.components",
            Vec::new(),
            vec![
                Field::new("name", FieldType::String),
                Field::new("versions", FieldType::List),
                Field::new("edition", FieldType::String),
            ],
            |_, _| {
                let versions = Value::list(vec![Value::string(env!("CARGO_PKG_VERSION"))]);
                Ok(vec![vec![
                    Value::string("Quoit"),
                    versions,
                    Value::string("community"),
                ]])
            },
        ),
    ]
}

fn sorted(mut names: Vec<Arc<str>>) -> Vec<Vec<Value>> {
    names.sort();
    names
        .into_iter()
        .map(|name| vec![Value::String(name)])
        .collect()
}
