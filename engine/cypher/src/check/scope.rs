//! Which names can be seen where.
//!
//! A frame holds the names of one query, subquery or local construct. `WITH` replaces the names of its frame; names of
//! frames around it stay visible where the frame is open.

use std::collections::HashMap;

use super::types::ValueType;
use super::{Checker, VariableInfo};
use crate::ast::{Name, VarId, Variable};
use crate::error::{Detail, Error, Result};
use crate::span::Span;
use crate::suggest;

pub(super) struct Frame {
    pub(super) names: HashMap<Name, VarId>,
    pub(super) open: bool,
}

impl Frame {
    /// A frame that sees nothing around it.
    pub(super) fn closed() -> Self {
        Frame {
            names: HashMap::new(),
            open: false,
        }
    }

    /// A frame that sees what the frame around it sees.
    pub(super) fn open() -> Self {
        Frame {
            names: HashMap::new(),
            open: true,
        }
    }
}

impl Checker<'_> {
    /// Runs `body` with one more frame.
    pub(super) fn within<T>(
        &mut self,
        frame: Frame,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.frames.push(frame);
        let outcome = body(self);
        self.frames.pop();
        outcome
    }

    /// The names of the innermost frame.
    pub(super) fn names(&mut self) -> &mut HashMap<Name, VarId> {
        &mut self
            .frames
            .last_mut()
            .expect("there is always the root's frame")
            .names
    }

    pub(super) fn lookup(&self, name: &str) -> Option<VarId> {
        for frame in self.frames.iter().rev() {
            if let Some(&id) = frame.names.get(name) {
                return Some(id);
            }
            if !frame.open {
                return None;
            }
        }
        None
    }

    fn visible(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for frame in self.frames.iter().rev() {
            names.extend(frame.names.keys().map(|name| &**name));
            if !frame.open {
                break;
            }
        }
        names.sort_unstable();
        names
    }

    /// A new variable without a name in scope.
    pub(super) fn fresh(&mut self, name: Option<&Name>, kind: ValueType, span: Span) -> VarId {
        let id = VarId(self.variables.len() as u32);
        self.variables.push(VariableInfo {
            name: name.cloned(),
            kind,
            span,
        });
        id
    }

    /// Binds a new variable in the innermost frame; it may hide one of a frame around it.
    pub(super) fn bind(&mut self, variable: &mut Variable, kind: ValueType) -> VarId {
        let id = self.fresh(Some(&variable.name), kind, variable.span);
        self.names().insert(variable.name.clone(), id);
        variable.id = id;
        id
    }

    /// Binds a variable whose name must not be in use.
    pub(super) fn bind_new(&mut self, variable: &mut Variable, kind: ValueType) -> Result<VarId> {
        if self.lookup(&variable.name).is_some() {
            return Err(already_bound(variable));
        }
        Ok(self.bind(variable, kind))
    }

    /// Resolves the use of a variable.
    pub(super) fn resolve(&self, variable: &mut Variable) -> Result<ValueType> {
        match self.lookup(&variable.name) {
            Some(id) => {
                variable.id = id;
                Ok(self.kind(id))
            }
            None => Err(self.undefined(variable)),
        }
    }

    pub(super) fn undefined(&self, variable: &Variable) -> Error {
        let message = format!("variable `{}` is not defined", variable.name);
        Error::syntax(Detail::UndefinedVariable, variable.span, message)
            .hint_opt(suggest::did_you_mean(&variable.name, self.visible()))
    }

    pub(super) fn kind(&self, id: VarId) -> ValueType {
        self.variables[id.0 as usize].kind
    }
}

pub(super) fn already_bound(variable: &Variable) -> Error {
    let message = format!("variable `{}` is bound already", variable.name);
    Error::syntax(Detail::VariableAlreadyBound, variable.span, message)
}
