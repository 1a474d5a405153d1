//! A core's spare time: folding, pruning, freeing; and now and then a look at the process's memory.
//!
//! Owns the loop and the second line of the memory limit: what the graph does not count itself (buffers of sessions and of the log,
//! what the allocator rounds up) is looked up in the allocator's figures and told to the graph; where physical memory stands
//! above the limit all the same, free pages go back to the system at once. Called by `start`, one loop a core.
//! What always holds: no piece of work takes longer than a batch of requests may wait.

use crate::allocator::{self, Figures};
use crate::node::Node;
use std::rc::Rc;
use std::time::Duration;

/// Pieces of housekeeping that a core does in one turn.
const PIECES: usize = 64;

/// How long a core without housekeeping to do waits before it looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Keeps house for ever.
pub(crate) async fn keep(node: Rc<Node>) {
    let mut next_look = node.rt.now();
    let mut job_seen = 0;
    loop {
        job_seen = crate::snapshot::help(&node, job_seen);
        let more = node.core.maintain(PIECES);
        if node.rt.now() >= next_look {
            look(&node);
            next_look = node.rt.now() + LOOK_EVERY;
        }
        if more {
            node.rt.yield_now().await;
        } else {
            node.rt.sleep(PAUSE).await;
        }
    }
}

/// One look: old transactions for everyone to see; on the first core, memory too.
pub(crate) fn look(node: &Node) {
    let core = usize::from(node.core.number());
    let old = node.sessions.old(node.rt.now());
    node.shared.board.tell(core, old);
    let graph = node.core.graph();
    if core != 0 || graph.memory().limit.is_none() {
        return;
    }
    let figures = Figures::now();
    graph.observe_active_memory(figures.active);
    if graph
        .memory()
        .limit
        .is_some_and(|limit| figures.resident > limit)
    {
        allocator::give_back();
    }
}
