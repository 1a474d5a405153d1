//! The process's allocator: what it holds, and giving back what it does not need.
//!
//! Owns the reading of jemalloc's statistics. Called by `housekeeping` and the admin statements. What always holds: where the process
//! runs on another allocator the figures are those of an unused one, near zero, and nothing fails.
//! Its background threads give freed pages back to the system by and by; [`give_back`] does so at once.

use tikv_jemalloc_ctl::{Access, AsName, Result, arenas, epoch, stats};

/// What the allocator holds, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Handed out.
    pub(crate) allocated: u64,
    /// Pages with something handed out on them.
    pub(crate) active: u64,
    /// Pages in physical memory.
    pub(crate) resident: u64,
    /// Address space kept for later, without memory behind it.
    pub(crate) retained: u64,
}

impl Figures {
    /// As of now.
    pub(crate) fn now() -> Figures {
        let read = || -> Result<Figures> {
            epoch::advance()?;
            Ok(Figures {
                allocated: stats::allocated::read()? as u64,
                active: stats::active::read()? as u64,
                resident: stats::resident::read()? as u64,
                retained: stats::retained::read()? as u64,
            })
        };
        read().unwrap_or_default()
    }
}

/// Gives every page that is free back to the system.
pub(crate) fn give_back() {
    // A decay time of zero means: at once, also what is free already.
    let release = |arena: u32| -> Result<()> {
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let usual: isize = name.as_str().name().read()?;
        name.as_str().name().write(0_isize)?;
        name.as_str().name().write(usual)
    };
    for arena in 0..arenas::narenas::read().unwrap_or(0) {
        // An arena that no thread has used yet does not exist.
        let _ = release(arena);
    }
}
