//! A transaction's changes of the schema and of settings.
//!
//! Owned here: making and dropping indexes and constraints within a transaction, putting settings into the log. Called by `query` and `server`.
//! Always holds: a transaction that changes the schema changes nothing else.
//! Left to others: the change itself and filling (`schema`), what a setting means (`server`).

use super::{TXN_BYTES_MAX, Txn};
use crate::constraint::ConstraintDefinition;
use crate::delta::{DeltaWriter, INDEX_KEYS_MAX, NAME_BYTES_MAX, NameKind};
use crate::error::WriteError;
use crate::ids::{KeyId, LabelId, TypeId};
use crate::index::IndexDefinition;
use crate::schema::{Filling, Item, SchemaBuild, SchemaChange};
use std::cell::RefCell;
use std::rc::Rc;

pub(super) const SCHEMA_ALONE: &str =
    "indexes and constraints are made and dropped in a transaction that changes nothing else";

impl Txn {
    /// Begins to make an index; nothing if there is one. From now on writers feed it; the caller fills it step by step, or leaves that to
    /// the commit, after which it can be read. A transaction that changes the schema changes nothing else.
    pub fn create_index(
        &mut self,
        definition: IndexDefinition,
        name: Option<&str>,
    ) -> Result<Option<SchemaBuild>, WriteError> {
        self.begin_schema_change(definition.keys(), name)?;
        self.define_target(
            definition.label(),
            definition.edge_type(),
            definition.keys(),
        )?;
        if self.is_made_already(|item| {
            item.index()
                .is_some_and(|index| index.definition.is_same(&definition))
        })? {
            return Ok(None);
        }
        let core = self.core.clone();
        let made = SchemaChange::create_index(&core, definition.clone(), name)?;
        Ok(made.map(|filling| {
            DeltaWriter::new(&mut self.frame).create_index(&definition, name);
            self.stats.indexes_added += 1;
            self.note_filling(filling)
        }))
    }

    /// Drops an index when the transaction commits; `false` if there is none; a conflict if another transaction is going to. See [`Txn::create_index`].
    pub fn drop_index(&mut self, definition: &IndexDefinition) -> Result<bool, WriteError> {
        self.begin_schema_change(definition.keys(), None)?;
        self.define_target(
            definition.label(),
            definition.edge_type(),
            definition.keys(),
        )?;
        let change = SchemaChange::drop_index(&self.core, definition, &self.schema);
        self.doomed |= change.is_err();
        let Some(change) = change? else {
            return Ok(false);
        };
        self.schema.push(change);
        DeltaWriter::new(&mut self.frame).drop_index(definition);
        self.stats.indexes_removed += 1;
        Ok(true)
    }

    /// Begins to make a constraint; nothing if there is one. From now on writers obey it; the caller has what is there checked step by
    /// step, or leaves that to the commit. See [`Txn::create_index`].
    pub fn create_constraint(
        &mut self,
        definition: ConstraintDefinition,
        name: Option<&str>,
    ) -> Result<Option<SchemaBuild>, WriteError> {
        self.begin_schema_change(definition.keys(), name)?;
        if definition.keys().is_empty() {
            return Err(WriteError::Schema("a constraint has 1 to 16 keys"));
        }
        self.define_target(Some(definition.label()), None, definition.keys())?;
        if self.is_made_already(|item| {
            let known = item.constraint();
            known.is_some_and(|known| known.definition.is_same(&definition))
        })? {
            return Ok(None);
        }
        let core = self.core.clone();
        let made = SchemaChange::create_constraint(&core, definition.clone(), name)?;
        Ok(made.map(|filling| {
            DeltaWriter::new(&mut self.frame).create_constraint(&definition, name);
            self.stats.constraints_added += 1;
            self.note_filling(filling)
        }))
    }

    /// Drops a constraint when the transaction commits; `false` if there is none; a conflict if another transaction is going to. See
    /// [`Txn::create_index`].
    pub fn drop_constraint(
        &mut self,
        definition: &ConstraintDefinition,
    ) -> Result<bool, WriteError> {
        self.begin_schema_change(definition.keys(), None)?;
        self.define_target(Some(definition.label()), None, definition.keys())?;
        let change = SchemaChange::drop_constraint(&self.core, definition, &self.schema);
        self.doomed |= change.is_err();
        let Some(change) = change? else {
            return Ok(false);
        };
        self.schema.push(change);
        DeltaWriter::new(&mut self.frame).drop_constraint(definition);
        self.stats.constraints_removed += 1;
        Ok(true)
    }

    /// Puts a setting into the log; the graph keeps nothing of it.
    pub fn set_setting(&mut self, name: &str, value: &[u8]) -> Result<(), WriteError> {
        self.begin_write()?;
        if name.len() > NAME_BYTES_MAX || value.len() > TXN_BYTES_MAX {
            return Err(WriteError::LimitExceeded("bytes of a setting"));
        }
        DeltaWriter::new(&mut self.frame).setting(name, value);
        Ok(())
    }

    fn begin_schema_change(
        &mut self,
        keys: &[KeyId],
        name: Option<&str>,
    ) -> Result<(), WriteError> {
        if self.wrote() && self.schema.is_empty() {
            return Err(WriteError::Schema(SCHEMA_ALONE));
        }
        self.begin_any_write()?;
        if keys.len() > INDEX_KEYS_MAX {
            return Err(WriteError::Schema(
                "an index or a constraint has at most 16 keys",
            ));
        }
        if keys
            .iter()
            .enumerate()
            .any(|(i, key)| keys[..i].contains(key))
        {
            return Err(WriteError::Schema(
                "an index or a constraint has each key once",
            ));
        }
        match name {
            Some(name) if name.is_empty() || name.len() > NAME_BYTES_MAX => Err(
                WriteError::Schema("the name of an index or a constraint has 1 to 65,536 bytes"),
            ),
            _ => Ok(()),
        }
    }

    /// Whether this transaction makes what is meant already; an error if it drops it.
    fn is_made_already(&self, is_meant: impl Fn(&Item) -> bool) -> Result<bool, WriteError> {
        for change in &self.schema {
            match change {
                SchemaChange::Create(filling) if is_meant(filling.borrow().item()) => {
                    return Ok(true);
                }
                SchemaChange::Drop(item) if is_meant(item) => {
                    return Err(WriteError::Schema(
                        "an index or a constraint that a transaction drops is made again in the next one",
                    ));
                }
                _ => {}
            }
        }
        Ok(false)
    }

    fn define_target(
        &mut self,
        label: Option<LabelId>,
        type_: Option<TypeId>,
        keys: &[KeyId],
    ) -> Result<(), WriteError> {
        label.map_or(Ok(()), |label| self.define(NameKind::Label, label.0))?;
        type_.map_or(Ok(()), |type_| self.define(NameKind::Type, type_.0))?;
        keys.iter()
            .try_for_each(|key| self.define(NameKind::Key, key.0))
    }

    fn note_filling(&mut self, filling: Rc<RefCell<Filling>>) -> SchemaBuild {
        self.schema.push(SchemaChange::Create(filling.clone()));
        SchemaBuild::new(self.core.clone(), filling)
    }
}
