//! The only place with `unsafe`: what is shared between cores without locks, and how it is freed.
//!
//! Owned here, one file a subject: [`ring`] (sealed slots), [`token`] (the right to write a shard), [`epoch`] (when a retired
//! block may be freed), [`heap`] (allocation and retire lists of a core), [`account`] (bytes by owner), [`budget`] (the limit, dealt
//! in slices), [`block`] (a header and an array in one allocation, behind one atomic pointer), [`fork`] (a pointer to either of two kinds),
//! [`slab`] (many blocks in one allocation), [`prefetch`]. Called by the rest of the crate, which is safe Rust over it.
//! Always holds: a reference out of shared storage lives no longer than the epoch guard it was loaded under; what is unlinked is
//! freed only through a retire list; what is published is immutable or atomic.
#![allow(unsafe_code)]

pub(crate) mod account;
pub(crate) mod block;
pub(crate) mod budget;
pub(crate) mod epoch;
pub(crate) mod fork;
pub(crate) mod heap;
pub(crate) mod prefetch;
pub(crate) mod ring;
pub(crate) mod slab;
pub(crate) mod token;

pub(crate) use account::Account;
pub use account::{MemoryOwner, MemoryReport};
pub(crate) use block::{Alone, BlockRef, Charged, Link, Owned, Published, Unlinked};
pub use budget::MemoryLimitExceeded;
pub(crate) use fork::{Either, Fork, Unforked};
pub(crate) use heap::{Guard, Heap};
pub(crate) use prefetch::{Hint, prefetch};
pub(crate) use slab::{SLAB_ROOM, Slab};
pub(crate) use token::{Token, TokenGuard};
