//! CPU time of processes, from the kernel's books.

use crate::kernel;
use std::io;
use std::time::Duration;

/// User and system time that process `pid` has used so far, all its threads, in nanoseconds.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    kernel::cpu_time(pid)
}

/// CPU time of several processes together.
pub fn cpu_time_of_all(pids: &[u32]) -> io::Result<Duration> {
    pids.iter().map(|pid| cpu_time(*pid)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_on_another_thread_counts_even_when_the_thread_has_ended() {
        let before = cpu_time(std::process::id()).unwrap();
        let spent = std::thread::spawn(|| {
            let mut sum = 0_u64;
            for number in 0..2_000_000_u64 {
                sum = std::hint::black_box(sum ^ number);
            }
            sum
        });
        spent.join().unwrap();
        let after = cpu_time(std::process::id()).unwrap();
        assert!(after > before);
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        assert!(cpu_time(0).is_err());
        assert!(cpu_time(u32::MAX).is_err());
    }
}
