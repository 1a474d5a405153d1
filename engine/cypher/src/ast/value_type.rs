//! Types of values as a query writes them: `value IS :: LIST<INTEGER NOT NULL> | STRING`.

use std::fmt;

/// A type, or several of which a value may have any.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeUnion {
    /// At least one.
    pub members: Vec<TypeMember>,
}

/// One type of a union.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeMember {
    /// Which.
    pub name: TypeName,
    /// Null belongs to it: `NOT NULL` and `!` were not written.
    pub nullable: bool,
}

/// The types that can be named.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeName {
    /// `ANY [VALUE]`.
    Any,
    /// `NOTHING`: no value at all, null neither.
    Nothing,
    /// `NULL`: nothing but null.
    Null,
    /// `PROPERTY VALUE`: what a property can hold.
    PropertyValue,
    /// `BOOLEAN`, `BOOL`.
    Boolean,
    /// `INTEGER`, `INT`, `SIGNED INTEGER`.
    Integer,
    /// `FLOAT`.
    Float,
    /// `STRING`, `VARCHAR`.
    String,
    /// `DATE`.
    Date,
    /// `LOCAL TIME`, `TIME WITHOUT TIMEZONE`.
    LocalTime,
    /// `ZONED TIME`, `TIME WITH TIMEZONE`.
    ZonedTime,
    /// `LOCAL DATETIME`, `TIMESTAMP WITHOUT TIMEZONE`.
    LocalDateTime,
    /// `ZONED DATETIME`, `TIMESTAMP WITH TIMEZONE`.
    ZonedDateTime,
    /// `DURATION`.
    Duration,
    /// `POINT`.
    Point,
    /// `[ANY] MAP`.
    Map,
    /// `[ANY] NODE`, `[ANY] VERTEX`.
    Node,
    /// `[ANY] RELATIONSHIP`, `[ANY] EDGE`.
    Relationship,
    /// `PATH`.
    Path,
    /// `LIST<type>`, `ARRAY<type>`, `type LIST`, `type ARRAY`.
    List(Box<TypeUnion>),
}

impl fmt::Display for TypeUnion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, member) in self.members.iter().enumerate() {
            let between = if at > 0 { " | " } else { "" };
            let null = if member.nullable { "" } else { " NOT NULL" };
            write!(f, "{between}{}{null}", member.name)?;
        }
        Ok(())
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TypeName::Any => "ANY",
            TypeName::Nothing => "NOTHING",
            TypeName::Null => "NULL",
            TypeName::PropertyValue => "PROPERTY VALUE",
            TypeName::Boolean => "BOOLEAN",
            TypeName::Integer => "INTEGER",
            TypeName::Float => "FLOAT",
            TypeName::String => "STRING",
            TypeName::Date => "DATE",
            TypeName::LocalTime => "LOCAL TIME",
            TypeName::ZonedTime => "ZONED TIME",
            TypeName::LocalDateTime => "LOCAL DATETIME",
            TypeName::ZonedDateTime => "ZONED DATETIME",
            TypeName::Duration => "DURATION",
            TypeName::Point => "POINT",
            TypeName::Map => "MAP",
            TypeName::Node => "NODE",
            TypeName::Relationship => "RELATIONSHIP",
            TypeName::Path => "PATH",
            TypeName::List(inner) => return write!(f, "LIST<{inner}>"),
        })
    }
}
