//! What is known of a value before it exists.

use std::fmt;

use crate::functions::Function;

/// The innermost type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// Nothing is known.
    Any,
    /// Certainly null.
    Null,
    /// A boolean, or null.
    Boolean,
    /// An integer, or null.
    Integer,
    /// A float, or null.
    Float,
    /// An integer or a float, or null.
    Number,
    /// A string, or null.
    String,
    /// A map, or null.
    Map,
    /// A node, or null.
    Node,
    /// A relationship, or null.
    Relationship,
    /// A path, or null.
    Path,
}

/// A static type: a base, within so many lists. Any value may also be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValueType {
    /// The innermost type.
    pub base: Base,
    /// How many lists are around it.
    pub lists: u8,
}

impl ValueType {
    /// Nothing is known.
    pub const ANY: ValueType = ValueType::of(Base::Any);
    /// Certainly null.
    pub const NULL: ValueType = ValueType::of(Base::Null);
    /// A boolean.
    pub const BOOLEAN: ValueType = ValueType::of(Base::Boolean);
    /// An integer.
    pub const INTEGER: ValueType = ValueType::of(Base::Integer);
    /// A float.
    pub const FLOAT: ValueType = ValueType::of(Base::Float);
    /// An integer or a float.
    pub const NUMBER: ValueType = ValueType::of(Base::Number);
    /// A string.
    pub const STRING: ValueType = ValueType::of(Base::String);
    /// A map.
    pub const MAP: ValueType = ValueType::of(Base::Map);
    /// A node.
    pub const NODE: ValueType = ValueType::of(Base::Node);
    /// A relationship.
    pub const RELATIONSHIP: ValueType = ValueType::of(Base::Relationship);
    /// A path.
    pub const PATH: ValueType = ValueType::of(Base::Path);

    const fn of(base: Base) -> Self {
        ValueType { base, lists: 0 }
    }

    /// A list of this.
    pub const fn list(self) -> Self {
        ValueType {
            base: self.base,
            lists: self.lists.saturating_add(1),
        }
    }

    /// The type of this list's elements; `ANY` if this may be no list.
    pub const fn element(self) -> Self {
        match self.lists {
            0 => ValueType::ANY,
            lists => ValueType {
                base: self.base,
                lists: lists - 1,
            },
        }
    }

    /// True if nothing is known, or only that it is null.
    pub const fn is_open(self) -> bool {
        self.lists == 0 && matches!(self.base, Base::Any | Base::Null)
    }

    /// True if this is certainly a list.
    pub const fn is_list(self) -> bool {
        self.lists > 0
    }

    /// True if this is a list or may be one.
    pub const fn may_be_list(self) -> bool {
        self.lists > 0 || self.is_open()
    }

    /// True if this may be `base` itself, not in a list.
    pub fn may_be(self, base: Base) -> bool {
        self.is_open()
            || (self.lists == 0
                && (self.base == base
                    || (self.base == Base::Number && matches!(base, Base::Integer | Base::Float))
                    || (base == Base::Number && matches!(self.base, Base::Integer | Base::Float))))
    }

    /// The type of a value that is one or the other.
    pub fn or(self, other: ValueType) -> ValueType {
        match (self, other) {
            (a, b) if a == b => a,
            (ValueType::NULL, other) | (other, ValueType::NULL) => other,
            (a, b) if a.lists == b.lists && a.is_number() && b.is_number() => ValueType {
                base: Base::Number,
                lists: a.lists,
            },
            (a, b) if a.lists > 0 && b.lists > 0 => a.element().or(b.element()).list(),
            _ => ValueType::ANY,
        }
    }

    fn is_number(self) -> bool {
        matches!(self.base, Base::Integer | Base::Float | Base::Number)
    }
}

/// `{}`: its name; `{:#}`: with its article, as a sentence has it: `an integer`.
impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            f.write_str(match self.base {
                _ if self.lists > 0 => "a ",
                Base::Any | Base::Null => "",
                Base::Integer => "an ",
                _ => "a ",
            })?;
        }
        for _ in 0..self.lists {
            f.write_str("list of ")?;
        }
        f.write_str(match self.base {
            Base::Any => "anything",
            Base::Null => "null",
            Base::Boolean => "boolean",
            Base::Integer => "integer",
            Base::Float => "float",
            Base::Number => "number",
            Base::String => "string",
            Base::Map => "map",
            Base::Node => "node",
            Base::Relationship => "relationship",
            Base::Path => "path",
        })
    }
}

/// What a function's first argument must be able to be, where that can be said without running it; the words name it.
pub(super) fn first_argument(function: Function, given: ValueType) -> Result<(), &'static str> {
    use Base::*;
    let one_of = |bases: &[Base]| bases.iter().any(|&base| given.may_be(base));
    let (fits, wanted) = match function {
        Function::Properties | Function::Keys => (
            one_of(&[Node, Relationship, Map]),
            "a node, relationship or map",
        ),
        Function::Type => (one_of(&[Relationship]), "a relationship"),
        Function::Labels => (one_of(&[Node]), "a node"),
        Function::StartNode | Function::EndNode => (one_of(&[Relationship]), "a relationship"),
        Function::Id | Function::ElementId => {
            (one_of(&[Node, Relationship]), "a node or relationship")
        }
        Function::Nodes | Function::Relationships | Function::Rels => (one_of(&[Path]), "a path"),
        Function::Length => (one_of(&[Path]), "a path"),
        Function::Size => (
            given.is_list() || one_of(&[String, Map]),
            "a list, string or map",
        ),
        Function::Degree | Function::InDegree | Function::OutDegree => (one_of(&[Node]), "a node"),
        Function::Head | Function::Last | Function::Tail => (given.may_be_list(), "a list"),
        _ => (true, ""),
    };
    if fits { Ok(()) } else { Err(wanted) }
}

/// The type of a function's value.
pub(super) fn result(function: Function, args: &[ValueType]) -> ValueType {
    let first = args.first().copied().unwrap_or(ValueType::ANY);
    match function {
        Function::Count | Function::Id | Function::Length | Function::Size => ValueType::INTEGER,
        Function::Degree | Function::InDegree | Function::OutDegree | Function::ToInteger => {
            ValueType::INTEGER
        }
        Function::Collect if args.len() == 1 => first.list(),
        Function::Collect => ValueType::MAP,
        Function::Min | Function::Max | Function::Reverse if args.len() == 1 => first,
        Function::StDev | Function::StDevP | Function::PercentileCont => ValueType::FLOAT,
        Function::Type | Function::ToString | Function::ElementId => ValueType::STRING,
        Function::ToLower | Function::ToUpper | Function::Substring | Function::Trim => {
            ValueType::STRING
        }
        Function::Labels | Function::Keys | Function::Split => ValueType::STRING.list(),
        Function::Properties => ValueType::MAP,
        Function::StartNode | Function::EndNode => ValueType::NODE,
        Function::Nodes => ValueType::NODE.list(),
        Function::Relationships | Function::Rels => ValueType::RELATIONSHIP.list(),
        Function::Head | Function::Last => first.element(),
        Function::Tail if first.is_list() => first,
        Function::Range => ValueType::INTEGER.list(),
        Function::ToBoolean | Function::IsEmpty | Function::Exists => ValueType::BOOLEAN,
        Function::ToFloat | Function::Rand | Function::Sqrt | Function::Pi | Function::E => {
            ValueType::FLOAT
        }
        Function::Coalesce => args
            .iter()
            .copied()
            .reduce(ValueType::or)
            .unwrap_or(ValueType::ANY),
        _ => ValueType::ANY,
    }
}
