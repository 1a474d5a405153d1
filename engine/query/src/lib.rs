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
//!
//! ```text
//! impl QueryCore {
//!     pub fn new(options: QueryOptions) -> QueryCore;
//!     pub fn register(&mut self, procedure: Procedure) -> Result<(), Error>;
//!     pub fn prepare(&self, text: &str, core: &Core) -> Result<Prepared, Error>;
//! }
//! pub enum Kind { Read, Write, ReadWrite, Schema, Admin }
//! impl Prepared {                                   // cheap to clone (Rc)
//!     pub fn kind(&self) -> Kind;
//!     pub fn writes(&self) -> bool;                 // needs a write transaction
//!     pub fn query_type(&self) -> &'static str;     // "r" | "w" | "rw" | "s" of the Bolt summary
//!     pub fn mode(&self) -> Mode;                   // Run | Explain | Profile
//!     pub fn columns(&self) -> &[Arc<str>];
//!     pub fn admin(&self) -> Option<&AdminStatement>;   // the cypher crate's node; only for Kind::Admin
//!     pub fn plan(&self) -> &PlanDescription;       // tree that really runs
//! }
//! impl Parameters { pub fn new() -> Self; pub fn insert(&mut self, name: &str, value: Value); pub fn get(&self, name: &str) -> Option<&Value>; }
//! pub enum Demand { Rows(u64), Discard(u64), All, DiscardAll }
//! pub enum Step { Rows, Yield, Done }
//! impl Execution {
//!     pub fn new(prepared: Prepared, parameters: &Parameters) -> Result<Execution, Error>;
//!     pub fn request(&mut self, demand: Demand);
//!     pub fn step(&mut self, txn: &mut Txn, core: &Core, should_yield: &dyn Fn() -> bool, sink: &mut dyn RowSink) -> Result<Step, Error>;
//!     pub fn summary(&self, txn: &Txn) -> Summary;
//! }
//! pub trait RowSink { fn row(&mut self, row: &[Value], view: &View<'_>) -> Result<(), Error>; }
//! pub struct Summary { pub kind: Kind, pub rows: u64, pub stats: Stats /* graph's counters */, pub plan: Option<PlanDescription> }
//! ```
