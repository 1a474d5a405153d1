//! When requests are meant to be sent.
//!
//! In an open loop requests arrive at their own times, whatever the server does: a server that stalls
//! for a second keeps a second's worth of arrivals waiting, and each of them has waited. So latency is
//! counted from the *intended* start that this schedule gives, not from the moment a connection was
//! free (no coordinated omission). Times are nanoseconds since the run's start; the clock is the
//! caller's.

use super::random::Random;

/// The arrivals of an open loop, in order.
#[derive(Clone, Debug)]
pub struct Schedule {
    gap: Gap,
    /// Number of the next arrival.
    index: u64,
    /// Intended start of the next arrival, in nanoseconds.
    next_ns: f64,
}

/// What lies between two arrivals.
#[derive(Clone, Debug)]
enum Gap {
    /// Always the same time: arrival i is at i / rate, without drift.
    Even { rate: f64 },
    /// Exponentially distributed, as of many independent clients.
    Poisson { rate: f64, random: Random },
}

const SECOND_NS: f64 = 1e9;

impl Schedule {
    /// Arrivals at even distances; `rate` a second, above 0.
    pub fn even(rate: f64) -> Self {
        assert!(rate > 0.0, "a rate is above zero");
        Schedule {
            gap: Gap::Even { rate },
            index: 0,
            next_ns: 0.0,
        }
    }

    /// Arrivals of a Poisson process; `rate` a second on average, above 0.
    pub fn poisson(rate: f64, seed: u64) -> Self {
        assert!(rate > 0.0, "a rate is above zero");
        let random = Random::new(seed);
        let mut schedule = Schedule {
            gap: Gap::Poisson { rate, random },
            index: 0,
            next_ns: 0.0,
        };
        schedule.advance();
        schedule
    }

    /// When the next request is meant to start.
    pub fn next_ns(&self) -> u64 {
        self.next_ns as u64
    }

    /// The intended start of the next request if that is not after `now_ns`. The one after it
    /// becomes the next; the caller sends it now or as soon as it can.
    pub fn due(&mut self, now_ns: u64) -> Option<u64> {
        let intended = self.next_ns();
        if intended > now_ns {
            return None;
        }
        self.index += 1;
        self.advance();
        Some(intended)
    }

    /// How many requests were meant to start up to `until_ns` and have not been taken.
    pub fn overdue(&self, until_ns: u64) -> u64 {
        let mut rest = self.clone();
        let mut count = 0;
        while rest.due(until_ns).is_some() {
            count += 1;
        }
        count
    }

    fn advance(&mut self) {
        match &mut self.gap {
            Gap::Even { rate } => self.next_ns = self.index as f64 / *rate * SECOND_NS,
            Gap::Poisson { rate, random } => {
                // 1 - unit() is in (0, 1], so the logarithm is finite.
                self.next_ns += -(1.0 - random.unit()).ln() / *rate * SECOND_NS;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that only moves when told.
    struct Clock(u64);

    impl Clock {
        fn advance_us(&mut self, us: u64) -> u64 {
            self.0 += us * 1000;
            self.0
        }
    }

    #[test]
    fn even_arrivals_do_not_drift() {
        let mut schedule = Schedule::even(3.0);
        let arrivals: Vec<u64> = (0..7).map(|_| schedule.due(u64::MAX).unwrap()).collect();
        assert_eq!(arrivals[3], 1_000_000_000);
        assert_eq!(arrivals[6], 2_000_000_000);
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut clock = Clock(0);
        let mut schedule = Schedule::even(1000.0);
        assert_eq!(schedule.due(clock.0), Some(0));
        assert_eq!(schedule.due(clock.advance_us(999)), None);
        assert_eq!(schedule.due(clock.advance_us(1)), Some(1_000_000));
        assert_eq!(schedule.due(clock.0), None);
    }

    #[test]
    fn a_server_that_stalls_makes_every_waiting_request_late_by_its_own_wait() {
        // One connection, 1,000 requests a second, each answered in 100 µs, but the third answer
        // takes 10 ms. A closed loop would report one slow request; here all that came meanwhile
        // have waited too.
        let mut clock = Clock(0);
        let mut schedule = Schedule::even(1000.0);
        let mut latencies_us = Vec::new();
        for request in 0..20 {
            let intended = loop {
                match schedule.due(clock.0) {
                    Some(intended) => break intended,
                    None => clock.advance_us(10),
                };
            };
            clock.advance_us(if request == 2 { 10_000 } else { 100 });
            latencies_us.push((clock.0 - intended) / 1000);
        }
        assert_eq!(latencies_us[..3], [100, 100, 10_000]);
        assert_eq!(latencies_us[3..6], [9_100, 8_200, 7_300]);
        assert_eq!(latencies_us[12], 1_000);
        assert_eq!(latencies_us[14..], [100; 6]);
    }

    #[test]
    fn arrivals_that_nobody_could_take_are_counted() {
        let mut schedule = Schedule::even(1000.0);
        schedule.due(0);
        assert_eq!(schedule.overdue(5_000_000), 5);
    }

    #[test]
    fn poisson_arrivals_keep_the_rate_on_average_and_repeat_by_seed() {
        let run = |seed| {
            let mut schedule = Schedule::poisson(1000.0, seed);
            (0..20_000)
                .map(|_| schedule.due(u64::MAX).unwrap())
                .collect::<Vec<_>>()
        };
        let arrivals = run(7);
        assert_eq!(arrivals, run(7));
        assert_ne!(arrivals, run(8));
        assert!(arrivals.windows(2).all(|pair| pair[0] <= pair[1]));
        let seconds = *arrivals.last().unwrap() as f64 / 1e9;
        assert!((19.0..21.0).contains(&seconds), "{seconds}");
    }
}
