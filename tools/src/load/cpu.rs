//! CPU time of processes, from the kernel's books.

use crate::kernel;
use std::fs;
use std::io;
use std::time::Duration;

/// User and system time that process `pid` has used so far, all its threads, in steps of one clock
/// tick (10 ms). Source: proc(5), /proc/PID/stat, fields 14 and 15.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks_of(&stat)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unexpected /proc/PID/stat"))?;
    let seconds = ticks as f64 / kernel::clock_ticks_per_second() as f64;
    Ok(Duration::from_secs_f64(seconds))
}

/// CPU time of several processes together.
pub fn cpu_time_of_all(pids: &[u32]) -> io::Result<Duration> {
    pids.iter().map(|pid| cpu_time(*pid)).sum()
}

/// utime + stime. The name in field 2 may hold blanks and parentheses, so counting starts after the
/// last closing one.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_ticks_are_found_behind_an_odd_name() {
        let stat = "42 (a ) (b) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 100 1 1";
        assert_eq!(ticks_of(stat), Some(300));
        assert_eq!(ticks_of("42 (a"), None);
        assert_eq!(ticks_of("42 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_a_cpu_time_and_process_zero_has_none() {
        assert!(cpu_time(std::process::id()).is_ok());
        assert!(cpu_time(0).is_err());
    }
}
