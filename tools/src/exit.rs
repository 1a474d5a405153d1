//! The exit codes of the `quoit` binary, and the failure that carries one.
//!
//! Called by every subcommand: `main` turns a [`Failure`] into one line on standard error and a
//! process status, nothing else in the crate ends the process. Codes 12 and 13 are Memgraph's own;
//! scripts of its users test for them.

use std::fmt;
use std::process::ExitCode;

/// How the process ended. The numbers are part of the operational interface and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Ok = 0,
    /// A query failed, a check failed, or anything without a code of its own.
    Failed = 1,
    /// The command line could not be understood.
    Usage = 2,
    /// No Bolt (or Redis) server answered.
    CannotConnect = 3,
    /// The server refused the credentials.
    Authentication = 4,
    /// The data directory belongs to another user.
    DataDirectoryOwner = 12,
    /// The log file cannot be written.
    LogFile = 13,
    /// Another process holds the data directory.
    DataDirectoryLocked = 14,
    /// The kernel or a container profile refuses io_uring.
    IoUringDenied = 15,
    /// RLIMIT_MEMLOCK is too low for the rings.
    MemlockTooLow = 16,
    /// A port is taken.
    AddressInUse = 17,
    /// Recovery found rot, or a directory that is not ours to open.
    Recovery = 18,
    /// A certificate or key file is unusable.
    TlsFile = 19,
    /// The kernel lacks an operation that is needed.
    KernelTooOld = 20,
    /// A write or sync of the log failed.
    LogWrite = 21,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    const ALL: [Exit; 16] = [
        Exit::Ok,
        Exit::Failed,
        Exit::Usage,
        Exit::CannotConnect,
        Exit::Authentication,
        Exit::DataDirectoryOwner,
        Exit::LogFile,
        Exit::DataDirectoryLocked,
        Exit::IoUringDenied,
        Exit::MemlockTooLow,
        Exit::AddressInUse,
        Exit::Recovery,
        Exit::TlsFile,
        Exit::KernelTooOld,
        Exit::LogWrite,
        Exit::Interrupted,
    ];

    /// The meaning of a status that another room chose; [`Exit::Failed`] for one that has none.
    pub fn of_status(status: u8) -> Exit {
        Exit::ALL
            .into_iter()
            .find(|exit| *exit as u8 == status)
            .unwrap_or(Exit::Failed)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a subcommand ended early: the sentence for the user and the status for scripts.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// One or more lines, lower case first word, no full stop. Empty if all was said already.
    pub message: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure {
            exit,
            message: message.into(),
        }
    }

    /// [`Exit::Failed`] with this message.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// [`Exit::Usage`] with this message.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Everything was printed where it happened; only the status is left to give.
    pub fn silent(exit: Exit) -> Self {
        Self::new(exit, String::new())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What every subcommand returns.
pub type Outcome = Result<(), Failure>;
