//! `quoit doctor`: would a server start here, and if not, what mends it?
//!
//! Takes the arguments of `quoit server`, makes the checks that its start makes, changes nothing. One
//! line a check; the status is that with which the server would end, 0 if it would start. What the
//! machine can do is the runtime's knowledge ([`quoit_rt::probe`]); here are the directory and the port.

use crate::exit::{Exit, Failure, Outcome};
use crate::kernel;
use crate::server_args::{ServerArgs, SocketBackend};
use quoit_rt::probe::{Finding, probe};
use std::fs::{File, TryLockError};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

/// The outcome of one check.
#[derive(Debug, PartialEq, Eq)]
struct Check {
    /// What was found, and how to mend it.
    line: String,
    /// The status a server would end with, if it would not start.
    problem: Option<Exit>,
}

impl Check {
    fn fine(line: impl Into<String>) -> Self {
        Check {
            line: line.into(),
            problem: None,
        }
    }

    fn problem(exit: Exit, line: impl Into<String>) -> Self {
        Check {
            line: line.into(),
            problem: Some(exit),
        }
    }
}

/// Runs `quoit doctor`.
pub fn run(args: &ServerArgs) -> Outcome {
    let cores = args.cores.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    let mut checks: Vec<Check> = probe(cores)
        .iter()
        .map(|finding| of_machine(finding, args.socket_backend))
        .collect();
    checks.push(data_directory(&args.data_directory));
    let address = args.bolt_address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    checks.push(bolt_port(SocketAddr::new(address, args.bolt_port)));

    for check in &checks {
        let verdict = match check.problem {
            None => "ok     ",
            Some(_) => "PROBLEM",
        };
        println!("{verdict}  {}", check.line);
    }
    match checks.iter().find_map(|check| check.problem) {
        None => {
            println!("A server would start here.");
            Ok(())
        }
        Some(exit) => Err(Failure::silent(exit)),
    }
}

fn of_machine(finding: &Finding, backend: SocketBackend) -> Check {
    let line = finding.to_string();
    match finding {
        Finding::IoUringDenied => Check::problem(Exit::IoUringDenied, line),
        Finding::MemlockTooLow { .. } => Check::problem(Exit::MemlockTooLow, line),
        // Older kernels serve with glommio's sockets.
        Finding::KernelTooOld { .. } if backend == SocketBackend::Ring => {
            Check::problem(Exit::KernelTooOld, line)
        }
        _ => Check::fine(line),
    }
}

fn data_directory(path: &Path) -> Check {
    let shown = path.display();
    let refused = |error: &dyn std::fmt::Display| {
        Check::problem(
            Exit::DataDirectoryOwner,
            format!(
                "data directory: {shown} cannot be written ({error}); choose another with --data-directory, or mend \
                 its permissions"
            ),
        )
    };
    if !path.exists() {
        let absolute = match std::path::absolute(path) {
            Ok(absolute) => absolute,
            Err(error) => return refused(&error),
        };
        let parent = absolute.ancestors().find(|ancestor| ancestor.exists());
        return match parent.map(kernel::check_writable) {
            Some(Ok(())) => Check::fine(format!("data directory: {shown} will be made")),
            Some(Err(error)) => refused(&error),
            None => refused(&"no part of its path exists"),
        };
    }
    if let Err(error) = kernel::check_writable(path) {
        return refused(&error);
    }
    let locked = match File::open(path.join(".lock")) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return refused(&error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return refused(&error),
    };
    match locked {
        false => Check::fine(format!("data directory: {shown} can be used")),
        true => Check::problem(
            Exit::DataDirectoryLocked,
            format!(
                "data directory: {shown} is in use by another server; stop that one, or choose another with \
                 --data-directory"
            ),
        ),
    }
}

fn bolt_port(address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::fine(format!("Bolt: {address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Check::problem(
            Exit::AddressInUse,
            format!("Bolt: {address} is in use; choose another with --bolt-port"),
        ),
        Err(error) => Check::problem(
            Exit::Failed,
            format!(
                "Bolt: {address} cannot be listened on ({error}); choose another with --bolt-address"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_taken_port_is_a_problem_with_its_own_status() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let check = bolt_port(address);
        assert_eq!(check.problem, Some(Exit::AddressInUse));
        assert!(check.line.contains(&address.to_string()));
        drop(taken);
        assert_eq!(bolt_port(address).problem, None);
    }

    #[test]
    fn a_data_directory_is_checked_without_being_made() {
        let base = std::env::temp_dir().join(format!("quoit-doctor-{}", std::process::id()));
        let path = base.join("a/b");
        assert_eq!(data_directory(&path).problem, None);
        assert!(!base.exists());

        fs::create_dir_all(&path).unwrap();
        let lock = File::create(path.join(".lock")).unwrap();
        assert_eq!(data_directory(&path).problem, None);
        lock.try_lock().unwrap();
        let check = data_directory(&path);
        assert_eq!(check.problem, Some(Exit::DataDirectoryLocked));
        drop(lock);
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn an_old_kernel_is_a_problem_for_the_ring_only() {
        let old = Finding::KernelTooOld {
            kernel: "5.15".into(),
        };
        let problem = |backend| of_machine(&old, backend).problem;
        assert_eq!(problem(SocketBackend::Ring), Some(Exit::KernelTooOld));
        assert_eq!(problem(SocketBackend::Glommio), None);
        assert_eq!(
            of_machine(&Finding::IoUringDenied, SocketBackend::Glommio).problem,
            Some(Exit::IoUringDenied)
        );
    }
}
