//! Whether a connection is alive: a question now and then, and a bound on silence.
//!
//! Owns one connection's two instants; each end of each lane has one. A half-open connection, whose peer has gone
//! without a word, is found by its silence, on every lane by itself.

use std::time::Duration;

use super::Time;

/// The instants and their bounds.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    asked: Time,
    heard: Time,
    every: Duration,
    silence_max: Duration,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Wait until then.
    Until(Time),
    /// Ask the peer.
    Ask,
    /// Silent for too long: close.
    Dead,
}

impl Pulse {
    /// Begins at `now`: asks after `every`, gives up after `silence_max`.
    pub fn new(every: Duration, silence_max: Duration, now: Time) -> Pulse {
        Pulse {
            asked: now,
            heard: now,
            every,
            silence_max,
        }
    }

    /// Something arrived.
    pub fn heard(&mut self, now: Time) {
        self.heard = now;
    }

    /// Something was sent that the peer answers.
    pub fn asked(&mut self, now: Time) {
        self.asked = now;
    }

    /// What is to be done.
    pub fn beat(&self, now: Time) -> Beat {
        let (ask_at, dead_at) = (self.asked + self.every, self.heard + self.silence_max);
        if dead_at <= now {
            Beat::Dead
        } else if ask_at <= now {
            Beat::Ask
        } else {
            Beat::Until(ask_at.min(dead_at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_peer_is_asked_and_then_given_up() {
        let s = Duration::from_secs(1);
        let mut pulse = Pulse::new(s, 5 * s, 10 * s);
        assert_eq!(pulse.beat(10 * s), Beat::Until(11 * s));
        assert_eq!(pulse.beat(11 * s), Beat::Ask);
        pulse.asked(11 * s);
        pulse.heard(11 * s);
        assert_eq!(pulse.beat(11 * s), Beat::Until(12 * s));
        pulse.asked(15 * s);
        assert_eq!(pulse.beat(15 * s), Beat::Until(16 * s));
        assert_eq!(pulse.beat(16 * s), Beat::Dead);
    }
}
