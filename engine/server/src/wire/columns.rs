//! Column names as they go out, encoded once for a statement that runs again and again.
//!
//! Owns [`ColumnCache`], one a core. Called by RUN. What always holds: an entry belongs to the very plan it is found by,
//! which it keeps alive; there are never more than [`PLACES`]. Which plans are kept is the query engine's.

use quoit_protocol::message::answer::EncodedFields;
use quoit_query::Prepared;
use std::rc::Rc;

/// Statements whose columns are kept: few are hot at once, and each keeps a plan alive.
const PLACES: usize = 64;

/// The encoded columns of statements that ran lately.
pub(crate) struct ColumnCache {
    places: [Option<(Prepared, Rc<EncodedFields>)>; PLACES],
}

impl ColumnCache {
    /// Without entries.
    pub(crate) fn new() -> ColumnCache {
        ColumnCache {
            places: [const { None }; PLACES],
        }
    }

    /// The columns of a statement.
    pub(crate) fn of(&mut self, prepared: &Prepared) -> Rc<EncodedFields> {
        // A plan's columns stay where they are while it lives, so their address tells plans apart.
        let address = prepared.columns().as_ptr();
        let place = &mut self.places[(address as usize / size_of::<usize>()) % PLACES];
        if let Some((known, fields)) = place
            && known.columns().as_ptr() == address
            && known.columns().len() == prepared.columns().len()
        {
            return fields.clone();
        }
        let fields = Rc::new(EncodedFields::new(
            prepared.columns().iter().map(|name| &**name),
        ));
        *place = Some((prepared.clone(), fields.clone()));
        fields
    }
}
