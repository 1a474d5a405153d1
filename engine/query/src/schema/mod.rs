//! Schema statements: what they ask, checked.
//!
//! [`SchemaPlan`] is made when a statement is prepared and refuses what cannot be had or meant, by its place. Called by
//! [`crate::query_core`]; carried out by [`run`]. What always holds: a plan names labels, types and properties by their names, so that
//! nothing is made of a statement that is only prepared.

pub(crate) mod name;
mod run;
mod show;

pub use run::Notice;
pub(crate) use run::SchemaRun;
pub(crate) use show::procedures;
pub use show::{constraint_row, index_row};

use std::sync::Arc;

use quoit_cypher::ast::schema::{
    ConstraintRule, ConstraintTarget, CreateConstraint, CreateIndex, DropIndex, EntityKind,
    IndexKind, IndexTarget,
};
use quoit_cypher::ast::{Expr, ExprKind, Ident, LiteralValue, SchemaStatement};
use quoit_cypher::error::{Detail, Error};
use quoit_cypher::span::Span;
use quoit_graph::ids::{KeyId, LabelId, TypeId};
use quoit_graph::names::Names;
use quoit_graph::{ConstraintDefinition, IndexDefinition, Order, PropertyType, Txn};
use smallvec::SmallVec;

use crate::operator::write_error;

/// Properties of one index or constraint.
const KEYS_MAX: usize = 16;

/// A schema statement that can be carried out.
#[derive(Clone, Debug)]
pub(crate) enum SchemaPlan {
    CreateIndex {
        index: IndexPlan,
        name: Option<Name>,
        /// `IF NOT EXISTS`.
        may_exist: bool,
    },
    /// The order, if given, is that of the index to drop.
    DropIndex {
        index: IndexPlan,
        order: Option<Order>,
    },
    CreateConstraint {
        constraint: ConstraintPlan,
        name: Option<Name>,
        /// `IF NOT EXISTS`.
        may_exist: bool,
    },
    DropConstraint(ConstraintPlan),
    DropNamed {
        name: Name,
        what: Named,
        if_exists: bool,
    },
    DropAllIndexes,
    DropAllConstraints,
    /// What Neo4j has and here is always there: look-ups by label.
    AlwaysThere,
    /// `ANALYZE GRAPH`, of some labels or all.
    Analyze(Option<Vec<Arc<str>>>),
    /// `ANALYZE GRAPH DELETE STATISTICS`.
    DeleteStatistics(Option<Vec<Arc<str>>>),
}

/// What a `DROP` by name drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Index,
    Constraint,
}

/// A name that was given, and where.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    text: Arc<str>,
    span: Span,
}

#[derive(Clone, Debug)]
pub(crate) struct IndexPlan {
    entity: EntityKind,
    /// Label or type.
    owner: Arc<str>,
    keys: Vec<Arc<str>>,
    order: Order,
}

#[derive(Clone, Debug)]
pub(crate) struct ConstraintPlan {
    label: Arc<str>,
    keys: Vec<Arc<str>>,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Exists,
    Unique,
    Key,
    Typed(PropertyType),
}

fn unsupported(what: &str, span: Span) -> Error {
    Error::unsupported(format!("{what} is not available yet")).at(span)
}

fn refused(span: Span, message: impl Into<String>) -> Error {
    Error::syntax(Detail::UnexpectedSyntax, span, message)
}

impl SchemaPlan {
    /// Checks a statement that stands at `span`.
    ///
    /// # Errors
    /// What cannot be had, or cannot be meant, at its place.
    pub(crate) fn of(statement: &SchemaStatement, span: Span) -> Result<SchemaPlan, Error> {
        Ok(match statement {
            SchemaStatement::CreateIndex(create) => return create_index(create),
            SchemaStatement::DropIndex(drop) => return drop_index(drop),
            SchemaStatement::DropIndexByName {
                kind,
                name,
                if_exists,
            } => {
                if let Some(kind) = kind.filter(|kind| !is_ordinary(*kind)) {
                    return Err(unsupported(kind_text(kind), span));
                }
                SchemaPlan::DropNamed {
                    name: named(name),
                    what: Named::Index,
                    if_exists: *if_exists,
                }
            }
            SchemaStatement::DropAllIndexes => SchemaPlan::DropAllIndexes,
            SchemaStatement::CreateConstraint(create) => return create_constraint(create),
            SchemaStatement::DropConstraint(target) => {
                SchemaPlan::DropConstraint(constraint_plan(target)?)
            }
            SchemaStatement::DropConstraintByName { name, if_exists } => SchemaPlan::DropNamed {
                name: named(name),
                what: Named::Constraint,
                if_exists: *if_exists,
            },
            SchemaStatement::DropAllConstraints => SchemaPlan::DropAllConstraints,
            SchemaStatement::DropGraph => return Err(unsupported("DROP GRAPH", span)),
            SchemaStatement::AnalyzeGraph { labels, delete } => {
                let labels = labels.as_ref().map(|labels| {
                    let names = labels.iter().map(|label| Arc::from(&*label.name));
                    names.collect()
                });
                match delete {
                    true => SchemaPlan::DeleteStatistics(labels),
                    false => SchemaPlan::Analyze(labels),
                }
            }
            SchemaStatement::CreateEnum { .. }
            | SchemaStatement::AddEnumValue { .. }
            | SchemaStatement::UpdateEnumValue { .. }
            | SchemaStatement::RemoveEnumValue { .. }
            | SchemaStatement::DropEnum { .. } => return Err(unsupported("an enum", span)),
        })
    }

    /// Names of the columns of what it answers.
    pub(crate) fn columns(&self) -> &'static [&'static str] {
        match self {
            SchemaPlan::Analyze(_) => &[
                "label",
                "property",
                "num estimation nodes",
                "num groups",
                "avg group size",
                "chi-squared value",
                "avg degree",
            ],
            SchemaPlan::DeleteStatistics(_) => &["label", "property"],
            _ => &[],
        }
    }

    /// What it does, as an operator of a plan: a word, and what it is done to.
    pub(crate) fn describe(&self) -> String {
        let named = |what: &Named| match what {
            Named::Index => "DropIndex",
            Named::Constraint => "DropConstraint",
        };
        let of_labels = |word: &str, labels: &Option<Vec<Arc<str>>>| match labels {
            None => word.to_owned(),
            Some(labels) => format!("{word} {}", labels.join(", ")),
        };
        match self {
            SchemaPlan::CreateIndex { index, .. } => format!("CreateIndex {}", index.text()),
            SchemaPlan::DropIndex { index, .. } => format!("DropIndex {}", index.text()),
            SchemaPlan::CreateConstraint { constraint, .. } => {
                format!("CreateConstraint {}", constraint.text())
            }
            SchemaPlan::DropConstraint(constraint) => {
                format!("DropConstraint {}", constraint.text())
            }
            SchemaPlan::DropNamed { name, what, .. } => format!("{} {}", named(what), name.text),
            SchemaPlan::DropAllIndexes => "DropAllIndexes".to_owned(),
            SchemaPlan::DropAllConstraints => "DropAllConstraints".to_owned(),
            SchemaPlan::AlwaysThere => "DoNothing".to_owned(),
            SchemaPlan::Analyze(labels) => of_labels("AnalyzeGraph", labels),
            SchemaPlan::DeleteStatistics(labels) => of_labels("DeleteStatistics", labels),
        }
    }

    /// Whether it leaves the schema as it is.
    pub(crate) fn only_looks(&self) -> bool {
        matches!(
            self,
            SchemaPlan::Analyze(_) | SchemaPlan::DeleteStatistics(_)
        )
    }

    /// Whether it is about constraints, not indexes.
    pub(crate) fn is_about_constraints(&self) -> bool {
        matches!(
            self,
            SchemaPlan::CreateConstraint { .. }
                | SchemaPlan::DropConstraint(_)
                | SchemaPlan::DropAllConstraints
                | SchemaPlan::DropNamed {
                    what: Named::Constraint,
                    ..
                }
        )
    }
}

fn named(name: &Ident) -> Name {
    Name {
        text: Arc::from(&*name.name),
        span: name.span,
    }
}

fn is_ordinary(kind: IndexKind) -> bool {
    matches!(kind, IndexKind::Range | IndexKind::Lookup)
}

fn kind_text(kind: IndexKind) -> &'static str {
    match kind {
        IndexKind::Range => "an ordered index",
        IndexKind::Point => "a point index",
        IndexKind::Text | IndexKind::Fulltext => "a text index",
        IndexKind::Vector => "a vector index",
        IndexKind::Lookup => "a look-up index",
    }
}

fn create_index(create: &CreateIndex) -> Result<SchemaPlan, Error> {
    if create.target.kind == IndexKind::Lookup {
        return Ok(SchemaPlan::AlwaysThere);
    }
    let mut index = index_plan(&create.target, create.span)?;
    if let Some(options) = &create.options {
        index.order = order_of(options, &index)?.unwrap_or_default();
    }
    Ok(SchemaPlan::CreateIndex {
        index,
        name: create.name.as_ref().map(named),
        may_exist: create.if_not_exists,
    })
}

fn drop_index(drop: &DropIndex) -> Result<SchemaPlan, Error> {
    let index = index_plan(&drop.target, drop.span)?;
    let order = match &drop.options {
        Some(options) => order_of(options, &index)?,
        None => None,
    };
    Ok(SchemaPlan::DropIndex { index, order })
}

fn index_plan(target: &IndexTarget, span: Span) -> Result<IndexPlan, Error> {
    if !is_ordinary(target.kind) {
        return Err(unsupported(kind_text(target.kind), span));
    }
    let owner = match target.labels.as_slice() {
        [label] => Arc::from(&*label.name),
        [] => return Err(unsupported("an index on no label or type", span)),
        [_, second, ..] => return Err(unsupported("an index on several labels", second.span)),
    };
    let mut keys: Vec<&Ident> = Vec::with_capacity(target.properties.len());
    for path in &target.properties {
        match path.as_slice() {
            [key] => keys.push(key),
            [first, .., last] => {
                return Err(unsupported(
                    "an index on a property within a map",
                    first.span.to(last.span),
                ));
            }
            [] => {}
        }
    }
    Ok(IndexPlan {
        entity: target.entity,
        owner,
        keys: distinct(&keys)?,
        order: Order::Ascending,
    })
}

/// Names of properties, of which each may stand once.
fn distinct(keys: &[&Ident]) -> Result<Vec<Arc<str>>, Error> {
    for (at, key) in keys.iter().enumerate() {
        if keys[..at].iter().any(|known| known.name == key.name) {
            return Err(refused(
                key.span,
                format!("property `{}` stands here twice", key.name),
            )
            .hint("name each property once"));
        }
        if at == KEYS_MAX {
            return Err(refused(
                key.span,
                format!("an index or a constraint has at most {KEYS_MAX} properties"),
            )
            .hint("leave out those that narrow the search least"));
        }
    }
    Ok(keys.iter().map(|key| Arc::from(&*key.name)).collect())
}

/// The order in `WITH CONFIG {"order": "DESC"}`. Neo4j's options name a provider and its configuration, of which there is one here.
fn order_of(options: &Expr, index: &IndexPlan) -> Result<Option<Order>, Error> {
    let ExprKind::Map(entries) = &options.kind else {
        return Err(unsupported("options that are no map literal", options.span));
    };
    let mut order = None;
    for (key, value) in entries {
        let text = match &value.kind {
            ExprKind::Literal(literal) => match &literal.value {
                LiteralValue::String(text) => Some(&**text),
                _ => None,
            },
            _ => None,
        };
        if key.name.eq_ignore_ascii_case("order") {
            if index.keys.is_empty() {
                return Err(refused(
                    key.span,
                    "an index on a label or a type alone has no order",
                ));
            }
            order = Some(match text {
                Some(text) if text.eq_ignore_ascii_case("ASC") => Order::Ascending,
                Some(text) if text.eq_ignore_ascii_case("DESC") => Order::Descending,
                _ => {
                    return Err(refused(
                        value.span,
                        "the order of an index is \"ASC\" or \"DESC\"",
                    ));
                }
            });
        } else if !["indexProvider", "indexConfig"].contains(&&*key.name) {
            return Err(
                refused(key.span, format!("an index has no option `{}`", key.name))
                    .hint("its one option is \"order\""),
            );
        }
    }
    Ok(order)
}

fn create_constraint(create: &CreateConstraint) -> Result<SchemaPlan, Error> {
    Ok(SchemaPlan::CreateConstraint {
        constraint: constraint_plan(&create.target)?,
        name: create.name.as_ref().map(named),
        may_exist: create.if_not_exists,
    })
}

fn constraint_plan(target: &ConstraintTarget) -> Result<ConstraintPlan, Error> {
    if target.entity != EntityKind::Node {
        return Err(unsupported("a constraint on relationships", target.span));
    }
    let keys: Vec<&Ident> = target.properties.iter().collect();
    let keys = distinct(&keys)?;
    let single = |what: &str| match target.properties.as_slice() {
        [] | [_] => Ok(()),
        [_, second, ..] => Err(refused(
            second.span,
            format!("Exactly one property must be used for {what} constraints."),
        )
        .hint("make one constraint for each property")),
    };
    let rule = match &target.rule {
        ConstraintRule::Unique => Rule::Unique,
        ConstraintRule::Exists => {
            single("existence")?;
            Rule::Exists
        }
        ConstraintRule::Typed(name) => {
            single("IS TYPED")?;
            Rule::Typed(PropertyType::from_name(&name.name).ok_or_else(|| {
                refused(
                    name.span,
                    format!("properties cannot be held to the type {}", name.name),
                )
                .hint("the types are BOOLEAN, STRING, INTEGER, FLOAT, LIST, MAP, DATE, LOCALTIME, LOCALDATETIME, ZONEDTIME, ZONEDDATETIME, DURATION, POINT")
            })?)
        }
        ConstraintRule::Key => Rule::Key,
    };
    Ok(ConstraintPlan {
        label: Arc::from(&*target.label.name),
        keys,
        rule,
    })
}

impl IndexPlan {
    /// Its definition, if all its names are known.
    fn find(&self, names: &Names) -> Option<IndexDefinition> {
        let keys = self
            .keys
            .iter()
            .map(|key| names.key(key))
            .collect::<Option<SmallVec<[KeyId; 4]>>>()?;
        Some(match self.entity {
            EntityKind::Node => self.on_label(names.label(&self.owner)?, &keys),
            EntityKind::Relationship => self.on_type(names.edge_type(&self.owner)?, &keys),
        })
    }

    /// Its definition; names are made as need be.
    fn define(&self, txn: &mut Txn) -> Result<IndexDefinition, Error> {
        let mut keys: SmallVec<[KeyId; 4]> = SmallVec::new();
        for key in &self.keys {
            keys.push(txn.key(key).map_err(write_error)?);
        }
        Ok(match self.entity {
            EntityKind::Node => {
                let label = txn.label(&self.owner).map_err(write_error)?;
                self.on_label(label, &keys)
            }
            EntityKind::Relationship => {
                let type_ = txn.edge_type(&self.owner).map_err(write_error)?;
                self.on_type(type_, &keys)
            }
        })
    }

    fn on_label(&self, label: LabelId, keys: &[KeyId]) -> IndexDefinition {
        IndexDefinition::on_label(label, keys).ordered(self.order)
    }

    fn on_type(&self, type_: TypeId, keys: &[KeyId]) -> IndexDefinition {
        IndexDefinition::on_type(type_, keys).ordered(self.order)
    }

    /// As Memgraph writes it.
    fn text(&self) -> String {
        let owner = match self.entity {
            EntityKind::Node => format!("label {}", self.owner),
            EntityKind::Relationship => format!("edge-type {}", self.owner),
        };
        match self.keys.as_slice() {
            [] => owner,
            keys => format!("{owner} on properties {}", keys.join(", ")),
        }
    }
}

impl ConstraintPlan {
    fn definition(&self, label: LabelId, keys: &[KeyId]) -> ConstraintDefinition {
        match (self.rule, keys) {
            (Rule::Exists, [key, ..]) => ConstraintDefinition::Exists { label, key: *key },
            (Rule::Typed(type_), [key, ..]) => ConstraintDefinition::Type {
                label,
                key: *key,
                type_,
            },
            (Rule::Key, _) => ConstraintDefinition::Key {
                label,
                keys: keys.iter().copied().collect(),
            },
            _ => ConstraintDefinition::Unique {
                label,
                keys: keys.iter().copied().collect(),
            },
        }
    }

    fn find(&self, names: &Names) -> Option<ConstraintDefinition> {
        let keys = self
            .keys
            .iter()
            .map(|key| names.key(key))
            .collect::<Option<SmallVec<[KeyId; 4]>>>()?;
        Some(self.definition(names.label(&self.label)?, &keys))
    }

    fn define(&self, txn: &mut Txn) -> Result<ConstraintDefinition, Error> {
        let label = txn.label(&self.label).map_err(write_error)?;
        let mut keys: SmallVec<[KeyId; 4]> = SmallVec::new();
        for key in &self.keys {
            keys.push(txn.key(key).map_err(write_error)?);
        }
        Ok(self.definition(label, &keys))
    }

    fn text(&self) -> String {
        let rule = match self.rule {
            Rule::Exists => "EXISTS".to_owned(),
            Rule::Unique => "UNIQUE".to_owned(),
            Rule::Key => "NODE KEY".to_owned(),
            Rule::Typed(type_) => format!("IS TYPED {type_}"),
        };
        format!(
            "{rule} constraint on label {} on properties {}",
            self.label,
            self.keys.join(", ")
        )
    }
}
