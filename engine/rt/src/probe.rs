//! What this machine lets the runtime do: for `quoit doctor`, and for a clear error before the cores start.

use crate::{SocketBackend, StartError, doorbell::Doorbell, ring::kernel::KernelRing};
use std::{fmt, io};

/// Something about this machine that matters to the runtime. `Display` gives one line: what, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The hot ring works here.
    HotRingWorks {
        /// The running kernel's release.
        kernel: String,
    },
    /// io_uring is forbidden (sysctl, seccomp, or a missing capability).
    IoUringDenied,
    /// io_uring is there, but not all that the hot ring needs.
    KernelTooOld {
        /// The running kernel's release.
        kernel: String,
    },
    /// Locked memory is limited below what the cores need.
    MemlockTooLow {
        /// The limit found.
        limit_bytes: u64,
        /// What the cores need.
        needed_bytes: u64,
    },
    /// CPUs this process may use.
    Cpus {
        /// How many.
        usable: usize,
    },
    /// The affinity mask cannot be read or set: cores run unpinned.
    PinningDenied,
}

impl Finding {
    /// True when the server cannot start, or only with another backend, as long as this holds.
    pub fn is_problem(&self) -> bool {
        match self {
            Finding::HotRingWorks { .. } | Finding::Cpus { .. } | Finding::PinningDenied => false,
            Finding::IoUringDenied
            | Finding::KernelTooOld { .. }
            | Finding::MemlockTooLow { .. } => true,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::HotRingWorks { kernel } => {
                write!(f, "io_uring: the hot ring works (kernel {kernel})")
            }
            Finding::IoUringDenied => write!(
                f,
                "io_uring: denied; set sysctl kernel.io_uring_disabled=0, or permit the io_uring system calls in the \
                 container's seccomp profile"
            ),
            Finding::KernelTooOld { kernel } => write!(
                f,
                "io_uring: kernel {kernel} lacks what the hot ring needs; use 6.1 or newer, or the glommio socket \
                 backend"
            ),
            Finding::MemlockTooLow {
                limit_bytes,
                needed_bytes,
            } => write!(
                f,
                "locked memory: {limit_bytes} bytes allowed, {needed_bytes} needed; raise `ulimit -l` or set \
                 LimitMEMLOCK=infinity in the service"
            ),
            Finding::Cpus { usable } => write!(f, "CPUs: {usable} usable"),
            Finding::PinningDenied => {
                write!(
                    f,
                    "CPUs: pinning is denied; cores run where the kernel puts them, which costs latency"
                )
            }
        }
    }
}

/// Looks at this machine on behalf of `cores` cores. Opens and closes a ring.
pub fn probe(cores: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let usable = usable_cpus().len();
    findings.push(if usable == 0 {
        Finding::PinningDenied
    } else {
        Finding::Cpus { usable }
    });
    if let Some((limit_bytes, needed_bytes)) = memlock_shortage(cores) {
        findings.push(Finding::MemlockTooLow {
            limit_bytes,
            needed_bytes,
        });
    }
    findings.push(match hot_ring() {
        Ok(()) => Finding::HotRingWorks {
            kernel: kernel_release(),
        },
        Err(e) if is_denied(&e) => Finding::IoUringDenied,
        Err(_) => Finding::KernelTooOld {
            kernel: kernel_release(),
        },
    });
    findings
}

/// The running kernel's release, such as `6.12.3`.
pub fn kernel_release() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

/// The CPUs this process may run on, ascending; empty when that cannot be told.
pub(crate) fn usable_cpus() -> Vec<usize> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..rustix::thread::CpuSet::MAX_CPU)
            .filter(|&cpu| set.is_set(cpu))
            .collect(),
        Err(_) => Vec::new(),
    }
}

/// How many CPUs the machine has, whoever may use them; `None` when that cannot be told.
pub(crate) fn machine_cpus() -> Option<usize> {
    count_of_ranges(&std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?)
}

/// How many numbers a list such as `0-3,8` names.
fn count_of_ranges(list: &str) -> Option<usize> {
    list.trim()
        .split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
            last.checked_sub(first)?.checked_add(1)
        })
        .sum()
}

/// glommio asks for 512 KiB an executor and checks the limit, which is the user's in all processes together only
/// where the kernel still charges rings to it (before 5.12).
fn memlock_shortage(cores: usize) -> Option<(u64, u64)> {
    const PER_CORE_BYTES: u64 = 512 << 10;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).current?;
    let needed = if before_5_12() {
        PER_CORE_BYTES * cores.max(1) as u64
    } else {
        PER_CORE_BYTES
    };
    (limit < needed).then_some((limit, needed))
}

fn before_5_12() -> bool {
    let release = kernel_release();
    let mut parts = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|p| p.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < (5, 12)
}

fn hot_ring() -> io::Result<()> {
    let bell = Doorbell::eventfd()?;
    let fd = bell.fd().ok_or(io::ErrorKind::Unsupported)?;
    KernelRing::new(fd, 16).map(drop)
}

fn is_denied(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS)
    )
}

/// Says clearly and early what would fail later.
pub(crate) fn check_before_start(backend: SocketBackend, cores: usize) -> Result<(), StartError> {
    if let Some((limit_bytes, needed_bytes)) = memlock_shortage(cores) {
        return Err(StartError::MemlockTooLow {
            limit_bytes,
            needed_bytes,
        });
    }
    let too_old = |needs| StartError::KernelTooOld {
        found: kernel_release(),
        needs,
    };
    let made = match backend {
        SocketBackend::OwnRing => {
            hot_ring().map_err(|e| (e, "the hot ring (deferred task work, buffer rings)"))
        }
        SocketBackend::Glommio => io_uring::IoUring::new(8)
            .map(drop)
            .map_err(|e| (e, "io_uring as glommio uses it")),
    };
    match made {
        Ok(()) => Ok(()),
        Err((e, _)) if is_denied(&e) => Err(StartError::IoUringDenied(e)),
        Err((e, needs))
            if matches!(e.raw_os_error(), Some(libc::EINVAL))
                || e.kind() == io::ErrorKind::Unsupported =>
        {
            Err(too_old(needs))
        }
        Err((source, _)) => Err(StartError::System {
            core: 0,
            what: "make a trial ring",
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_counted_from_the_kernels_list() {
        assert_eq!(count_of_ranges("0\n"), Some(1));
        assert_eq!(count_of_ranges("0-3,8,10-11\n"), Some(7));
        assert_eq!(count_of_ranges("3-1"), None);
        assert_eq!(count_of_ranges(""), None);
        assert!(machine_cpus().is_none_or(|machine| machine >= usable_cpus().len()));
    }
}
