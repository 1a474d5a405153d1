//! Connections: accepted on every core, dealt round-robin, each served by a task of its own.
//!
//! Owns the Bolt listener of a core and what stands between a socket and a session: the bound on connections, the time
//! limit of the greeting, and the wall behind which a session's panic stays. Called at start, once a core. What always holds:
//! whatever happens in one connection, the listener and all other connections go on.

use crate::node::Node;
use crate::report;
use crate::session::{self, greeting};
use quoit_rt::mesh::{Dealer, MeshReceiver};
use quoit_rt::{Accepted, Listener, Priority, Rt};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

/// How long a peer may take from being accepted until it has logged in.
const LOGIN_TIME: Duration = Duration::from_secs(30);

/// Accepts until shutdown and deals what comes over all cores.
pub(crate) async fn accept(node: Rc<Node>, listener: Listener, dealer: Dealer) {
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                if dealer.deal(accepted).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // Out of descriptors, as a rule: the next close mends it.
                report::warning(format_args!("a connection could not be accepted: {error}"));
                node.rt.sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves what is dealt to this core.
pub(crate) async fn serve_dealt(node: Rc<Node>, mut dealt: MeshReceiver<Accepted>) {
    loop {
        let (_, accepted) = dealt.recv().await;
        let open = &node.shared.connections;
        if open.fetch_add(1, Ordering::Relaxed) >= node.options.connections_max {
            open.fetch_sub(1, Ordering::Relaxed);
            report::warning(format_args!(
                "{} was turned away: {} connections are open already",
                accepted.peer_addr(),
                node.options.connections_max
            ));
            continue;
        }
        let node = node.clone();
        let rt = node.rt.clone();
        rt.spawn(Priority::Latency, async move {
            let counted = Counted(node.clone());
            serve(node, accepted).await;
            drop(counted);
        });
    }
}

/// A connection that counts as open.
struct Counted(Rc<Node>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(node: Rc<Node>, accepted: Accepted) {
    let peer = accepted.peer_addr();
    let Ok(stream) = node.rt.adopt(accepted) else {
        return;
    };
    let deadline = node.rt.now() + LOGIN_TIME;
    let conversation = {
        let node = node.clone();
        async move {
            let greeted = node.rt.timeout(deadline, greeting::greet(stream));
            if let Some(Ok(Some((transport, agreement)))) = unless_stopping(&node.rt, greeted).await
            {
                session::serve(node, transport, agreement, deadline).await;
            }
        }
    };
    if ends_in_a_panic(conversation).await {
        node.shared.panics.fetch_add(1, Ordering::Relaxed);
        report::error(format_args!(
            "the session of {peer} ended in a defect of the server; please report what is printed above"
        ));
    }
}

/// Runs `work`, of which nothing is lost when it is dropped, to its end or until the server is to stop; `None` then.
pub(crate) async fn unless_stopping<F: Future>(rt: &Rt, work: F) -> Option<F::Output> {
    let (mut work, mut stop) = (pin!(work), pin!(rt.shutdown_requested()));
    poll_fn(|cx| match stop.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}

/// Runs a connection to its end and drops it. A connection that panics is a defect of ours, and its own only: its
/// transaction is rolled back as it is dropped. (A panic with a shard's token or a commit number in hand aborts the process
/// before it comes here.)
async fn ends_in_a_panic(conversation: impl Future<Output = ()>) -> bool {
    let mut conversation = Some(Box::pin(conversation));
    let panicked = poll_fn(|cx| {
        let Some(running) = &mut conversation else {
            return Poll::Ready(false);
        };
        match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(false),
            Err(_) => Poll::Ready(true),
        }
    })
    .await;
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(conversation.take())));
    panicked || dropped.is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    fn run(conversation: impl Future<Output = ()>) -> Poll<bool> {
        pin!(ends_in_a_panic(conversation)).poll(&mut Context::from_waker(Waker::noop()))
    }

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("while being dropped");
        }
    }

    #[test]
    fn a_panic_stays_within_its_connection() {
        assert_eq!(run(async {}), Poll::Ready(false));
        assert_eq!(run(async { panic!("while running") }), Poll::Ready(true));
        assert_eq!(
            run(async { std::mem::forget(Box::new(PanicsWhenDropped)) }),
            Poll::Ready(false)
        );
        assert_eq!(run(async { drop(PanicsWhenDropped) }), Poll::Ready(true));
    }
}
