//! One core's runtime: everything above runs on a core, and sees of it only this crate.
//!
//! It owns the executor of each core (glommio), the *hot ring* beside it (an io_uring of our own that carries
//! sockets and log writes), timers, files, the mesh between cores, and the deterministic twin of all that (`sim`,
//! feature `sim`). Bolt sessions, the log, replication links and the query engine call it through [`Rt`], a cheap
//! handle that never leaves its core. glommio and io-uring appear nowhere else.
//!
//! What always holds: a future given to [`Rt::spawn`] runs on that core only; every queue has a bound; memory given
//! to the kernel lives until the kernel has said it is done with it, whatever is dropped or cancelled meanwhile.
//!
//! What it leaves to others: what the bytes mean.
//!
//! Reading order: [`start`] and [`Rt`], then `driver` (how a core waits), `ring` (what the kernel does for us),
//! `wake` and `notify` (how cores wake each other), `net`, `disk`, [`mesh`], [`tls`], `sim`.

mod buffer;
mod disk;
mod doorbell;
mod driver;
mod live;
mod machine;
pub mod mesh;
mod net;
mod notify;
pub mod probe;
mod random;
mod ring;
mod runtime;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod start;
mod task;
mod time;
pub mod tls;
mod wake;

pub use buffer::{AlignedBuf, BUFFER_ALIGN, RecvBuf, SendBuf};
pub use disk::{Access, Create, DirLock, Disk, File, FileTraits, OpenMode, WriteBuf};
pub use net::{Accepted, ListenOptions, Listener, Stream};
pub use notify::{Notified, Notifier};
pub use random::Rng;
pub use runtime::{CoreId, Priority, Rt, TimedOut};
pub use start::{Config, CoreFailed, Cpus, Running, SocketBackend, StartError, start};
pub use task::Task;
pub use time::Instant;
