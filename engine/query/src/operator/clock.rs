//! How often a walk looks at the clock: every so many steps, since a look costs more than a step.
//!
//! Used by the operators that walk over edges (`search`, `automaton`, `var_expand`). What always holds: between two looks are at most
//! [`STEPS_PER_LOOK`] steps, also where a walk is left and gone on with.

use super::Context;

/// Steps between two looks at the clock.
const STEPS_PER_LOOK: u32 = 256;

/// Steps taken since the clock was last looked at.
#[derive(Default)]
pub(super) struct Clock(u32);

impl Clock {
    /// Whether the time slice is over, asked once a step.
    pub(super) fn ticks_out(&mut self, cx: &Context<'_>) -> bool {
        self.0 += 1;
        if self.0 < STEPS_PER_LOOK {
            return false;
        }
        self.0 = 0;
        cx.should_yield()
    }
}
