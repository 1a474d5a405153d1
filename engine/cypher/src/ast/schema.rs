//! Statements about indexes and constraints, in Memgraph's and Neo4j's forms.
//!
//! Both dialects are brought to one shape; what only one of them has (a name, `IF NOT EXISTS`) is optional. What the engine does not
//! have yet is refused by the engine, not here.

use super::{Expr, Ident, PropertyPath};
use crate::span::Span;

/// A statement that changes or describes the schema.
#[derive(Clone, Debug, PartialEq)]
pub enum SchemaStatement {
    /// `CREATE ... INDEX`.
    CreateIndex(Box<CreateIndex>),
    /// `DROP INDEX ON ...` and its kin: by what is indexed.
    DropIndex(Box<DropIndex>),
    /// `DROP INDEX name [IF EXISTS]`: by name (also text and vector indexes).
    DropIndexByName {
        /// Which kind was named, if any: `DROP VECTOR INDEX name`.
        kind: Option<IndexKind>,
        /// The name.
        name: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `DROP ALL INDEXES`.
    DropAllIndexes,
    /// `CREATE CONSTRAINT`.
    CreateConstraint(Box<CreateConstraint>),
    /// `DROP CONSTRAINT ON ... ASSERT ...`.
    DropConstraint(Box<ConstraintTarget>),
    /// `DROP CONSTRAINT name [IF EXISTS]`.
    DropConstraintByName {
        /// The name.
        name: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `DROP ALL CONSTRAINTS`.
    DropAllConstraints,
    /// `DROP GRAPH`: all data, indexes, constraints.
    DropGraph,
    /// `ANALYZE GRAPH [ON LABELS :A, :B | *] [DELETE STATISTICS]`.
    AnalyzeGraph {
        /// The labels; `None` = all.
        labels: Option<Vec<Ident>>,
        /// `DELETE STATISTICS`.
        delete: bool,
    },
    /// `CREATE ENUM E VALUES {A, B}`.
    CreateEnum {
        /// The enum.
        name: Ident,
        /// Its values.
        values: Vec<Ident>,
    },
    /// `ALTER ENUM E ADD VALUE A`.
    AddEnumValue {
        /// The enum.
        name: Ident,
        /// The new value.
        value: Ident,
    },
    /// `ALTER ENUM E UPDATE VALUE A TO B`.
    UpdateEnumValue {
        /// The enum.
        name: Ident,
        /// The old value.
        from: Ident,
        /// The new value.
        to: Ident,
    },
    /// `ALTER ENUM E REMOVE VALUE A`.
    RemoveEnumValue {
        /// The enum.
        name: Ident,
        /// The value.
        value: Ident,
    },
    /// `DROP ENUM E`.
    DropEnum {
        /// The enum.
        name: Ident,
    },
}

/// What kind of index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// Ordered; also a plain label or type index.
    Range,
    /// `POINT`.
    Point,
    /// `TEXT`.
    Text,
    /// `FULLTEXT` (Neo4j).
    Fulltext,
    /// `VECTOR`.
    Vector,
    /// `LOOKUP` (Neo4j): all labels or all types.
    Lookup,
}

/// Nodes or relationships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// Nodes.
    Node,
    /// Relationships.
    Relationship,
}

/// `CREATE ... INDEX`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateIndex {
    /// The name, if given.
    pub name: Option<Ident>,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// What is indexed.
    pub target: IndexTarget,
    /// `WITH CONFIG {...}` or `OPTIONS {...}`: a map or a parameter.
    pub options: Option<Expr>,
    /// Where the statement stands.
    pub span: Span,
}

/// `DROP ... INDEX ON ...`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropIndex {
    /// What is indexed.
    pub target: IndexTarget,
    /// `WITH CONFIG {...}`: only the index made so.
    pub options: Option<Expr>,
    /// Where the statement stands.
    pub span: Span,
}

/// What an index is over.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexTarget {
    /// What kind.
    pub kind: IndexKind,
    /// Nodes or relationships.
    pub entity: EntityKind,
    /// Labels or types; empty for a global index, several only for full text.
    pub labels: Vec<Ident>,
    /// Property paths in order; empty for a label or type index.
    pub properties: Vec<PropertyPath>,
}

/// `CREATE CONSTRAINT`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateConstraint {
    /// The name, if given.
    pub name: Option<Ident>,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// What must hold.
    pub target: ConstraintTarget,
    /// `OPTIONS {...}`: a map or a parameter.
    pub options: Option<Expr>,
}

/// What a constraint asks.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstraintTarget {
    /// Nodes or relationships.
    pub entity: EntityKind,
    /// Label or type.
    pub label: Ident,
    /// The properties, at least one.
    pub properties: Vec<Ident>,
    /// The rule.
    pub rule: ConstraintRule,
    /// Where the statement stands.
    pub span: Span,
}

/// The rules a constraint can make.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstraintRule {
    /// The property must be there.
    Exists,
    /// The values must be unique together.
    Unique,
    /// `IS NODE KEY` / `IS KEY`: both.
    Key,
    /// The value must have a type; its words in upper case.
    Typed(Ident),
}
