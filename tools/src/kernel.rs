//! The few things the tools ask of the kernel that the standard library has no words for.
//!
//! Called by the load tool (pinning, CPU clocks) and the cluster tool (signals, children that end
//! with their parent). All `unsafe` of this crate is here; each function is a thin, checked wrapper.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Pins the calling thread to one CPU. Fails if the CPU does not exist or is not allowed.
pub fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: an all-zero cpu_set_t is the empty set; CPU_SET writes inside of it because `cpu` is
    // below CPU_SETSIZE; the kernel reads `size_of` bytes of a live local. Thread 0 is the caller.
    let failed = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &set) != 0
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// User and system time that a process has used so far, all its threads, also those that have ended; in nanoseconds.
/// Source: clock_getcpuclockid(3). Fails if there is no such process.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let missing = || io::Error::from_raw_os_error(libc::ESRCH);
    // Process 0 would be the caller.
    let pid = libc::pid_t::try_from(pid).map_err(|_| missing())?;
    if pid == 0 {
        return Err(missing());
    }
    // SAFETY: the calls write one clock id and one timespec into live locals.
    let time = unsafe {
        let mut clock: libc::clockid_t = 0;
        match libc::clock_getcpuclockid(pid, &mut clock) {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        let mut time: libc::timespec = std::mem::zeroed();
        if libc::clock_gettime(clock, &mut time) != 0 {
            return Err(io::Error::last_os_error());
        }
        time
    };
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Ok(Duration::new(seconds, nanoseconds))
}

/// The user this process runs as.
pub fn user_id() -> u32 {
    // SAFETY: getuid takes nothing and cannot fail.
    unsafe { libc::getuid() }
}

/// Whether this process may make files in a directory.
pub fn check_writable(directory: &Path) -> io::Result<()> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    // SAFETY: `path` is a C string that lives through the call; access only reads it.
    match unsafe { libc::access(path.as_ptr(), libc::W_OK | libc::X_OK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets the process end quietly when whoever reads its output is gone (`quoit load | head`), as other
/// tools do. Sockets are not concerned: the standard library sends with MSG_NOSIGNAL.
pub fn end_on_broken_pipe() {
    // SAFETY: SIG_DFL runs no code of ours; no other thread has been started yet that could mind.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// A signal the cluster tool sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Terminate,
    Kill,
    Stop,
    Continue,
}

/// Sends a signal to a child that has not been waited for, so that its number is still its own.
/// After [`Signal::Stop`] it returns when every thread of the child stands.
pub fn signal_child(child: &std::process::Child, signal: Signal) -> io::Result<()> {
    let number = match signal {
        Signal::Terminate => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
        Signal::Stop => libc::SIGSTOP,
        Signal::Continue => libc::SIGCONT,
    };
    let pid =
        libc::pid_t::try_from(child.id()).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    // SAFETY: kill takes no pointers; `pid` is positive, so it names one process.
    if unsafe { libc::kill(pid, number) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if signal == Signal::Stop {
        // A thread on another core runs on for a moment after the signal is sent; the child counts as
        // stopped when the last one stands. WNOWAIT leaves the news there, so asking twice is fine.
        let id = libc::id_t::from(child.id());
        let options = libc::WSTOPPED | libc::WNOWAIT;
        // SAFETY: zeroes are a valid siginfo_t, a plain structure of integers and pointers.
        let mut news: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `news` is valid for writes of one siginfo_t, which is all that waitid writes.
        while unsafe { libc::waitid(libc::P_PID, id, &raw mut news, options) } != 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Makes the child that `command` will start end with SIGKILL when the thread that starts it ends,
/// however that comes about, and puts it into a process group of its own, so that the terminal's
/// Ctrl-C reaches only the parent.
pub fn end_with_parent(command: &mut Command) {
    let parent = std::process::id();
    command.process_group(0);
    // SAFETY: between fork and exec the closure calls only prctl and getppid, which are
    // async-signal-safe, and allocates nothing; it captures a copied integer.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have ended before prctl; then nobody would send the signal.
            if u32::try_from(libc::getppid()).ok() != Some(parent) {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// Columns of the terminal that standard output is, if it is one.
pub fn terminal_columns() -> Option<usize> {
    // SAFETY: an all-zero winsize is a valid value, and TIOCGWINSZ writes one into a live local.
    let columns = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        match libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size) {
            0 => usize::from(size.ws_col),
            _ => 0,
        }
    };
    (columns > 0).then_some(columns)
}

/// While it lives, the terminal that standard input is shows nothing of what is typed.
pub struct EchoOff {
    before: libc::termios,
}

impl EchoOff {
    /// Turns the echo off. Fails if standard input is no terminal.
    pub fn new() -> io::Result<Self> {
        // SAFETY: termios is plain data for which zeros are valid; tcgetattr fills a live local.
        let before = unsafe {
            let mut before: libc::termios = std::mem::zeroed();
            match libc::tcgetattr(libc::STDIN_FILENO, &mut before) {
                0 => before,
                _ => return Err(io::Error::last_os_error()),
            }
        };
        let mut silent = before;
        silent.c_lflag &= !libc::ECHO;
        // SAFETY: tcsetattr only reads the settings, which came from tcgetattr.
        match unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &silent) } {
            0 => Ok(EchoOff { before }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // SAFETY: as in `new`; the settings are those found there. A failure leaves a terminal
        // that is gone, and nothing could be done about it here.
        unsafe {
            libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &self.before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_cpu_that_does_not_exist_is_an_error() {
        assert!(pin_to_cpu(usize::MAX).is_err());
        assert!(pin_to_cpu(1023).is_err());
    }

    #[test]
    fn a_child_receives_the_signal_that_is_sent() {
        let mut command = Command::new("sleep");
        command.arg("60");
        end_with_parent(&mut command);
        let mut child = command.spawn().unwrap();
        signal_child(&child, Signal::Kill).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn a_child_ends_when_the_thread_that_started_it_does() {
        let mut child = std::thread::spawn(|| {
            let mut command = Command::new("sleep");
            command.arg("60");
            end_with_parent(&mut command);
            command.spawn().unwrap()
        })
        .join()
        .unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}
