//! Plans and execution of Cypher: from a checked syntax tree to rows in a sink.
//!
//! Owned here: the plan cache, the planner, the operators, the functions, the temporal arithmetic, the procedures. Called by the
//! server's sessions, one [`QueryCore`] a core. Always holds: nothing here waits, sleeps or spawns; between two calls of
//! [`Execution::step`] no reference into storage exists. Left to others: parsing and checking (`quoit-cypher`), storage,
//! visibility and commit (`quoit-graph`), admin statements, isolation choice, commit and retry (the server).
//!
//! The way of one query:
//!
//! ```text
//! let prepared = query_core.prepare(text, &core)?;                 // plan cache, or parse + check + plan
//! match prepared.kind() { Kind::Admin => ..server runs prepared.admin().., _ => {} }
//! let mut execution = Execution::new(prepared, &parameters)?;      // ParameterMissing is found here
//! execution.request(Demand::Rows(1000));                           // PULL n; Demand::All; Demand::Discard
//! loop {
//!     match execution.step(&mut txn, &core, &should_yield, &mut sink)? {
//!         Step::Yield => runtime yields, then step again,
//!         Step::Rows  => demand met and at least one more row waits: has_more = true; request() again later
//!         Step::Done  => all rows are out; execution.summary(&txn); commit
//!     }
//! }
//! ```

pub mod execution;
pub mod parallel;
pub mod prepared;
pub mod procedure;
pub mod query_core;
mod schema;

mod accumulator;
mod expression;
mod function;
mod operator;
mod plan;
mod planner;
pub mod temporal;

pub use execution::{Demand, Execution, RowSink, Step, Summary};
pub use operator::{Context, FileRead, Vector, Wait, write_error};
pub use plan::describe::{Measured, PlanTree};
pub use planner::{Advice, AdviceKind, Division};
pub use prepared::{Kind, Mode, Parameters, Prepared};
pub use procedure::{Field, FieldType, Procedure, Progress, Run};
pub use query_core::{QueryCore, QueryOptions};
pub use schema::{Notice, constraint_row, index_row};
