//! Replication: a MAIN feeds replicas with the groups of its log, and answers commits as each replica's mode says.
//!
//! Owns the two state machines, the links between nodes, the node record, and the statements about replication.
//! Called by the server, on every core, through [`ReplicationCore`]. What always holds: a replica's history is a prefix
//! of its MAIN's; what a replica acknowledges is on its disk; a commit that waits for a replica is answered as the mode
//! table says, whatever the replica does; and no replica ever holds up a core, a reader or another connection.
//! It leaves to others: groups and their disk (`log`), the meaning of their bytes (`graph`), the wording of the
//! grammar (`cypher`).
//!
//! # The interface
//!
//! ```text
//! let shared = Replication::open(ReplicationConfig { .. })? -> Arc<Replication>;      // once a process; reads or makes the node record
//! let core   = ReplicationCore::new(&shared, &rt, &log_core) -> Rc<ReplicationCore>;  // one per core, !Send; sets the log's sink
//! core.start().await? ;   // on core 0, after the log's recovery and after `new` ran on every core: starts the log in the recorded
//!                         // role, listens (replica) or connects (main). Until then writes are refused as `Changing`.
//!
//! core.role()     -> Role                       // one load
//! core.writable() -> Result<(), Refusal>        // one load; ask before a write and again before its commit
//! core.confirm(seq)  -> Confirming: Future<Output = Confirmation>   // called in the step of the commit (timeouts count from it),
//!                                               // awaited beside or after `log_core.durable(seq)`; never fails
//!
//! core.set_role_replica(port, Option<IpAddr>).await -> Result<Vec<Notice>, StatementError>
//! core.set_role_main().await                        -> Result<Vec<Notice>, StatementError>
//! core.register(Registration { name, mode, endpoint, fingerprint }).await -> Result<Vec<Notice>, StatementError>
//! core.drop_replica(name).await                     -> Result<Vec<Notice>, StatementError>
//! core.show_replicas() -> Result<Vec<ReplicaRow>, StatementError>   // no RPC, no wait
//! core.peers() -> Vec<Peer>                         // for ROUTE
//! shared.identity() -> Identity                     // node id, cluster, fingerprint: banner, SHOW STORAGE INFO
//! core.stop()                                       // shutdown, on core 0
//! ```
//!
//! Modules in reading order: [`statement`] (what clients read), [`endpoint`], [`identity`], [`durability`], [`node_record`],
//! [`message`] (the bytes of a link), [`machine`] (the decisions), `links` (rt and TLS), `core` (what the server calls).

mod codec;
mod core;
pub mod durability;
pub mod endpoint;
pub mod identity;
mod keys;
mod lag;
mod links;
pub mod machine;
pub mod message;
pub mod node_record;
mod shared;
pub mod statement;
mod words;

pub use self::core::{Confirming, Peer, ReplicationCore, Standing, StartError};
pub use endpoint::{DEFAULT_REPLICATION_PORT, Endpoint, EndpointError};
pub use identity::{ClusterId, Fingerprint, NodeId};
pub use shared::{Counters, Identity, OpenError, Replication, ReplicationConfig};
pub use statement::{
    Confirmation, DataInfo, Mode, ModeWord, Notice, REPLICAS_COLUMNS, ROLE_COLUMN, Reason, Receipt,
    Receipted, Refusal, RegisterFailure, Registration, ReplicaRow, ReplicaStatus, Role, Severity,
    StatementError, Warning,
};
