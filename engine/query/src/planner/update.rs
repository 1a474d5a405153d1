//! `CREATE`, `MERGE`, `SET`, `REMOVE`, `DELETE`, `FOREACH`.

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashSet;
use quoit_cypher::ast::{
    self, Direction, Expansion, ExprKind, LabelExpr, LabelName, PathPattern, PathSelector, Step,
    VarId,
};
use quoit_cypher::error::{Detail, Error};

use super::pattern::Asked;
use super::scope::Scope;
use super::{Planner, unsupported, used};
use crate::expression::{Expr, NameRef, Place};
use crate::plan::{
    Create, CreateItem, Delete, Merge, NameSource, Op, Plan, PropertySource, SetItem, Sought,
    Unwind,
};

impl Planner<'_> {
    pub(super) fn create_clause(
        &mut self,
        plan: Plan,
        patterns: &[PathPattern],
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let mut plan = plan;
        let mut items = Vec::new();
        // A CREATE behind a CREATE that computes with no variable is the same clause: scripts of hundreds of them stay flat.
        let behind = match &mut plan.op {
            Op::Create(before) => Rc::get_mut(before).filter(|_| !patterns.iter().any(computes)),
            _ => None,
        };
        if let Some(before) = behind {
            items = std::mem::take(&mut before.items);
            plan = plan.inputs.remove(0);
        }
        let mut paths = Vec::new();
        for pattern in patterns {
            for node in pattern.nodes() {
                plan = self.slot_of(plan, node.id, scope);
            }
            let bound = |scope: &Scope, id: VarId| scope.has(id);
            self.create_pattern(pattern, &mut items, scope, &bound)?;
            paths.extend(self.named_path(pattern, scope));
        }
        plan = Plan::over(Op::Create(Rc::new(Create::new(items))), plan);
        if !paths.is_empty() {
            plan = Plan::over(Op::Extend(Rc::new(paths)), plan);
        }
        Ok(plan)
    }

    /// What a pattern creates, given which of its variables have values already.
    fn create_pattern(
        &mut self,
        pattern: &PathPattern,
        items: &mut Vec<CreateItem>,
        scope: &mut Scope,
        bound: &dyn Fn(&Scope, VarId) -> bool,
    ) -> Result<(), Error> {
        if pattern.selector != PathSelector::All {
            return Err(unsupported(
                "a path selector in a pattern to create",
                pattern.span,
            ));
        }
        let mut made = HashSet::new();
        let mut vertices = Vec::new();
        let mut edges = Vec::new();
        for node in pattern.nodes() {
            if bound(scope, node.id) || !made.insert(node.id) {
                continue;
            }
            let labels = node
                .labels
                .as_ref()
                .map(|labels| self.names_to_write(labels, scope))
                .transpose()?;
            let properties = self.properties_to_write(node.properties.as_ref(), scope)?;
            vertices.push((node.id, labels.unwrap_or_default(), properties));
        }
        let mut before = pattern.start.id;
        for hop in &pattern.hops {
            let Step::Relationship(relationship) = &hop.step else {
                return Err(unsupported(
                    "a repeated group in a pattern to create",
                    hop.node.span,
                ));
            };
            if !matches!(relationship.expansion, Expansion::Single) {
                return Err(Error::syntax(
                    Detail::CreatingVarLength,
                    relationship.span,
                    "a variable length cannot be created",
                ));
            }
            let ends = match relationship.direction {
                Direction::Incoming => (hop.node.id, before),
                Direction::Outgoing | Direction::Either => (before, hop.node.id),
            };
            let types = match &relationship.types {
                Some(types) => self.names_to_write(types, scope)?,
                None => Vec::new(),
            };
            let [type_] = <[NameSource; 1]>::try_from(types).map_err(|_| {
                Error::syntax(
                    Detail::NoSingleRelationshipType,
                    relationship.span,
                    "a new relationship needs exactly one type",
                )
            })?;
            let properties = self.properties_to_write(relationship.properties.as_ref(), scope)?;
            edges.push((
                relationship.id,
                ends,
                type_,
                properties,
                Place(relationship.span),
            ));
            before = hop.node.id;
        }
        for (id, labels, properties) in vertices {
            let slot = scope.bind(id);
            items.push(CreateItem::Vertex {
                slot,
                labels,
                properties,
            });
        }
        for (id, (source, target), type_, properties, place) in edges {
            let (source, target, slot) = (scope.bind(source), scope.bind(target), scope.bind(id));
            items.push(CreateItem::Edge {
                slot,
                source,
                target,
                type_,
                properties,
                place,
            });
        }
        Ok(())
    }

    fn names_to_write(
        &mut self,
        labels: &LabelExpr,
        scope: &mut Scope,
    ) -> Result<Vec<NameSource>, Error> {
        let place = match labels {
            LabelExpr::Name(name) => name.span(),
            LabelExpr::Wildcard(span) => *span,
            _ => Default::default(),
        };
        let names = labels.conjunction().ok_or_else(|| {
            Error::syntax(
                Detail::UnexpectedSyntax,
                place,
                "only names can be written here, not a label expression",
            )
        })?;
        names
            .into_iter()
            .map(|name| self.name_to_write(name, scope))
            .collect()
    }

    fn name_to_write(&mut self, name: &LabelName, scope: &mut Scope) -> Result<NameSource, Error> {
        Ok(match name {
            LabelName::Static(name) => NameSource::Static(NameRef::new(&name.name)),
            LabelName::Dynamic(expr, ast::HowMany::Any) => {
                return Err(Error::syntax(
                    Detail::UnexpectedSyntax,
                    expr.span,
                    "`$any(...)` can be matched, not written",
                )
                .hint("write `$(...)`: all names of the list"));
            }
            LabelName::Dynamic(expr, ast::HowMany::All) => {
                NameSource::Dynamic(self.expr(expr, scope)?, Place(expr.span))
            }
        })
    }

    fn properties_to_write(
        &mut self,
        properties: Option<&ast::Expr>,
        scope: &mut Scope,
    ) -> Result<PropertySource, Error> {
        Ok(match properties {
            None => PropertySource::Entries(Vec::new()),
            Some(ast::Expr {
                kind: ExprKind::Map(entries),
                ..
            }) => {
                let mut planned: Vec<(NameRef, Expr, Place)> = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let name = NameRef::new(&key.name);
                    let place = Place(value.span);
                    let value = self.expr(value, scope)?;
                    planned.retain(|(known, ..)| *known != name);
                    planned.push((name, value, place));
                }
                PropertySource::Entries(planned)
            }
            Some(expr) => PropertySource::Map(self.expr(expr, scope)?, Place(expr.span)),
        })
    }

    pub(super) fn merge_clause(
        &mut self,
        plan: Plan,
        merge: &ast::Merge,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let mut plan = plan;
        let pattern = &merge.pattern;
        for node in pattern.nodes() {
            plan = self.slot_of(plan, node.id, scope);
        }
        let known: HashSet<VarId> = pattern
            .nodes()
            .map(|node| node.id)
            .filter(|id| scope.has(*id))
            .collect();
        let mut sought = Vec::new();
        let mut pattern = pattern.clone();
        let nodes = std::iter::once(&mut pattern.start);
        let hops = pattern.hops.iter_mut().flat_map(|hop| {
            let relationship = match &mut hop.step {
                Step::Relationship(relationship) => relationship.properties.as_mut(),
                Step::Group(_) => None,
            };
            [relationship, hop.node.properties.as_mut()]
        });
        for properties in nodes
            .map(|node| node.properties.as_mut())
            .chain(hops)
            .flatten()
        {
            match &mut properties.kind {
                ExprKind::Map(entries) => {
                    for (key, value) in entries {
                        sought.push(self.sought(key, value, scope)?);
                    }
                }
                _ => {
                    return Err(unsupported(
                        "MERGE with properties that are no map literal",
                        properties.span,
                    ));
                }
            }
        }
        let pattern = &pattern;
        let argument = Plan::leaf(Op::Argument(scope.width()));
        let mut created = Vec::new();
        let matching = self.match_patterns(argument, Asked::pattern(pattern, None), scope)?;
        self.create_pattern(pattern, &mut created, scope, &|_, id| known.contains(&id))?;
        let on_create = self.set_items(&merge.on_create, scope)?;
        let on_match = self.set_items(&merge.on_match, scope)?;
        let extend = self.named_path(pattern, scope).into_iter().collect();
        let estimate = plan.estimate;
        let node = Merge {
            create: Create::new(created),
            sought,
            on_create,
            on_match,
            extend,
        };
        Ok(Plan::joining(
            Op::Merge(Rc::new(node)),
            vec![plan, matching],
            estimate,
        ))
    }

    /// A value that `MERGE` looks for. One that is computed from variables is computed once, in the state that the statement sees, and taken
    /// from a slot by everything that looks for it or creates it.
    fn sought(
        &mut self,
        key: &ast::Ident,
        value: &mut ast::Expr,
        scope: &mut Scope,
    ) -> Result<Sought, Error> {
        let mut mentioned = used::Variables::new();
        used::in_expr(value, &mut mentioned);
        let planned = Sought {
            value: self.expr(value, scope)?,
            name: Arc::from(&*key.name),
            place: Place(value.span),
            slot: None,
        };
        if mentioned.is_empty() {
            return Ok(planned);
        }
        let id = self.new_variable();
        value.kind = ExprKind::Variable(ast::Variable {
            name: key.name.clone(),
            id,
            span: value.span,
        });
        Ok(Sought {
            slot: Some(scope.bind(id)),
            ..planned
        })
    }

    pub(super) fn set_items(
        &mut self,
        items: &[ast::SetItem],
        scope: &mut Scope,
    ) -> Result<Vec<SetItem>, Error> {
        let mut planned = Vec::with_capacity(items.len());
        for item in items {
            planned.push(match item {
                ast::SetItem::Property { target, value } => {
                    let value = self.expr(value, scope)?;
                    self.property_target(target, value, scope)?
                }
                ast::SetItem::Replace { variable, value } => SetItem::Replace {
                    target: self.named(variable, scope)?,
                    value: self.expr(value, scope)?,
                    place: Place(variable.span),
                },
                ast::SetItem::Merge { target, value } => SetItem::Merge {
                    target: self.expr(target, scope)?,
                    value: self.expr(value, scope)?,
                    place: Place(target.span),
                },
                ast::SetItem::Labels { variable, labels } => {
                    self.label_target(variable, labels, false, scope)?
                }
            });
        }
        Ok(planned)
    }

    pub(super) fn remove_items(
        &mut self,
        items: &[ast::RemoveItem],
        scope: &mut Scope,
    ) -> Result<Vec<SetItem>, Error> {
        let mut planned = Vec::with_capacity(items.len());
        for item in items {
            planned.push(match item {
                ast::RemoveItem::Property(target) => self.property_target(
                    target,
                    Expr::constant(quoit_graph::value::Value::Null),
                    scope,
                )?,
                ast::RemoveItem::Labels { variable, labels } => {
                    self.label_target(variable, labels, true, scope)?
                }
            });
        }
        Ok(planned)
    }

    fn named(&mut self, variable: &ast::Variable, scope: &Scope) -> Result<Expr, Error> {
        scope.resolve(variable.id).ok_or_else(|| {
            Error::syntax(
                Detail::UndefinedVariable,
                variable.span,
                format!("variable `{}` is not defined here", variable.name),
            )
        })
    }

    fn property_target(
        &mut self,
        target: &ast::Expr,
        value: Expr,
        scope: &mut Scope,
    ) -> Result<SetItem, Error> {
        let place = Place(target.span);
        match &target.kind {
            ExprKind::Property(property) => {
                if matches!(property.object.kind, ExprKind::Property(_)) {
                    return Err(unsupported("setting a property within a map", target.span));
                }
                let object = self.expr(&property.object, scope)?;
                Ok(SetItem::Property {
                    target: object,
                    key: NameRef::new(&property.key.name),
                    value,
                    place,
                })
            }
            ExprKind::Index(pair) => {
                let object = self.expr(&pair.0, scope)?;
                let key = self.expr(&pair.1, scope)?;
                Ok(SetItem::DynamicProperty {
                    target: object,
                    key,
                    value,
                    place,
                })
            }
            _ => Err(Error::syntax(
                Detail::UnexpectedSyntax,
                target.span,
                "this is not a property",
            )),
        }
    }

    fn label_target(
        &mut self,
        variable: &ast::Variable,
        labels: &[LabelName],
        remove: bool,
        scope: &mut Scope,
    ) -> Result<SetItem, Error> {
        let target = self.named(variable, scope)?;
        let labels = labels
            .iter()
            .map(|label| self.name_to_write(label, scope))
            .collect::<Result<_, _>>()?;
        Ok(SetItem::Labels {
            target,
            labels,
            remove,
            place: Place(variable.span),
        })
    }

    pub(super) fn delete_clause(
        &mut self,
        plan: Plan,
        detach: bool,
        targets: &[ast::Expr],
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let mut planned = Vec::with_capacity(targets.len());
        for target in targets {
            planned.push((self.expr(target, scope)?, Place(target.span)));
        }
        Ok(Plan::over(
            Op::Delete(Rc::new(Delete {
                detach,
                targets: planned,
            })),
            plan,
        ))
    }

    pub(super) fn foreach_clause(
        &mut self,
        plan: Plan,
        foreach: &ast::Foreach,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let list = self.expr(&foreach.list, scope)?;
        let slot = scope.bind(foreach.variable.id);
        let mut body = Plan::leaf(Op::Argument(scope.width()));
        for clause in &foreach.body {
            body = self.clause(body, clause, scope)?;
        }
        let estimate = plan.estimate;
        let node = Unwind {
            slot,
            list,
            place: Place(foreach.list.span),
        };
        Ok(Plan::joining(
            Op::Foreach(Rc::new(node)),
            vec![plan, body],
            estimate,
        ))
    }
}

/// Whether what a pattern creates is computed from variables (or subqueries, which have variables of their own).
fn computes(pattern: &PathPattern) -> bool {
    let mut mentioned = used::Variables::new();
    let in_labels = |labels: &Option<LabelExpr>, mentioned: &mut used::Variables| {
        labels
            .iter()
            .for_each(|labels| used::in_labels(labels, mentioned));
    };
    for node in pattern.nodes() {
        in_labels(&node.labels, &mut mentioned);
        node.properties
            .iter()
            .for_each(|properties| used::in_expr(properties, &mut mentioned));
    }
    for (relationship, _) in pattern.relationships() {
        in_labels(&relationship.types, &mut mentioned);
        relationship
            .properties
            .iter()
            .for_each(|properties| used::in_expr(properties, &mut mentioned));
    }
    !mentioned.is_empty()
}
