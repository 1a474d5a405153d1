//! A frame: the slots that the rows of some operators have, and what the query calls them.
//!
//! Made by [`crate::planner`], which gives out slots; read by operators (how wide a row is) and by [`super::describe`] (names). Always holds: all
//! operators of a frame share one of these, and it is final when planning is done. What slots are called never makes two plans differ.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use quoit_cypher::ast::VarId;

use crate::expression::Slot;

/// Slots in the rows of a frame; final when planning is done.
pub type Width = Rc<Frame>;

/// See the module.
#[derive(Default)]
pub struct Frame {
    width: Cell<u32>,
    variables: RefCell<Vec<(Slot, VarId)>>,
}

impl Frame {
    /// Slots.
    pub fn get(&self) -> u32 {
        self.width.get()
    }

    /// Makes it so wide.
    pub fn set(&self, width: u32) {
        self.width.set(width);
    }

    /// Notes which variable a slot holds.
    pub fn call(&self, slot: Slot, variable: VarId) {
        self.variables.borrow_mut().push((slot, variable));
    }

    /// The variables that a slot holds, the first one first.
    pub fn variables_of(&self, slot: Slot) -> Vec<VarId> {
        let variables = self.variables.borrow();
        let here = variables.iter().filter(|(known, _)| *known == slot);
        here.map(|(_, variable)| *variable).collect()
    }
}

/// Not by its names: plans that do the same look the same.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.width.get().fmt(f)
    }
}
