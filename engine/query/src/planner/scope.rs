//! What a piece of a query can name: variables and where their values are.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;
use quoit_cypher::ast::VarId;

use crate::expression::{Expr, Slot};
use crate::plan::{AggregateCall, Width};

/// The variables of one frame, and the locals from outside.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    slots: HashMap<VarId, Slot>,
    locals: HashMap<VarId, u32>,
    /// Columns of the projection whose `ORDER BY` is being planned.
    pub columns: HashMap<VarId, u32>,
    width: Width,
    /// What locals are called, in all frames of the plan.
    called: Rc<RefCell<Vec<(u32, VarId)>>>,
    /// Where aggregates go while a projection is planned.
    pub aggregates: Option<Vec<AggregateCall>>,
}

impl Scope {
    /// A frame without variables.
    pub fn new() -> Scope {
        Scope::default()
    }

    /// A new frame that sees the same locals.
    pub fn next_frame(&self) -> Scope {
        Scope {
            locals: self.locals.clone(),
            called: self.called.clone(),
            ..Scope::default()
        }
    }

    /// The width of the frame's rows, final when planning is done.
    pub fn width(&self) -> Width {
        self.width.clone()
    }

    /// A slot without a name.
    pub fn hidden_slot(&mut self) -> Slot {
        let slot = self.width.get();
        self.width.set(slot + 1);
        slot
    }

    /// The slot of a variable, made if it has none.
    pub fn bind(&mut self, id: VarId) -> Slot {
        if let Some(slot) = self.slots.get(&id) {
            return *slot;
        }
        let slot = self.hidden_slot();
        self.slots.insert(id, slot);
        self.width.call(slot, id);
        slot
    }

    /// Names a slot that there is.
    pub fn bind_to(&mut self, id: VarId, slot: Slot) {
        self.slots.insert(id, slot);
        self.width.call(slot, id);
    }

    /// Names a local.
    pub fn bind_local(&mut self, id: VarId, local: u32) {
        self.locals.insert(id, local);
        self.called.borrow_mut().push((local, id));
    }

    /// What locals are called, in all frames of the plan.
    pub fn called(&self) -> Vec<(u32, VarId)> {
        self.called.borrow().clone()
    }

    /// The slot of a variable that is in this frame.
    pub fn slot(&self, id: VarId) -> Option<Slot> {
        self.slots.get(&id).copied()
    }

    /// The local of a variable from outside or of a comprehension.
    pub fn local(&self, id: VarId) -> Option<u32> {
        self.locals.get(&id).copied()
    }

    /// How to get at a variable's value.
    pub fn resolve(&self, id: VarId) -> Option<Expr> {
        if let Some(column) = self.columns.get(&id) {
            return Some(Expr::Column(*column));
        }
        self.slot(id)
            .map(Expr::Slot)
            .or_else(|| self.local(id).map(Expr::Local))
    }

    /// Whether the variable has a value here.
    pub fn has(&self, id: VarId) -> bool {
        self.slots.contains_key(&id) || self.locals.contains_key(&id)
    }

    /// The same frame without its variables.
    pub fn apart(&self) -> Scope {
        Scope {
            locals: self.locals.clone(),
            called: self.called.clone(),
            width: self.width.clone(),
            ..Scope::default()
        }
    }

    /// The scope of a subquery: the locals of this one.
    pub fn subquery(&self) -> Scope {
        Scope {
            locals: self.locals.clone(),
            called: self.called.clone(),
            width: Width::default(),
            ..Scope::default()
        }
    }
}
