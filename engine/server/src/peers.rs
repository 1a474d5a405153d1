//! What the cores of a server ask each other about their sessions.
//!
//! Owns the questions, their answers, and who waits for them: [`Peers`], one a core, over a mesh of queues. Called by admin statements
//! (which transactions are open, who is logged in, stop this one). What always holds: a core answers for its own sessions only and without
//! waiting; a question waits [`PATIENCE`] at most, so a core that has ended is left out and nobody hangs.

use crate::node::Node;
use crate::open::{ListedTransaction, ListedUser};
use quoit_rt::mesh::{MeshReceiver, MeshSender};
use quoit_rt::{CoreId, Rt};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// How long a core waits for another's answer. Every core takes its turn within milliseconds unless it has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one core says to another.
#[derive(Debug)]
pub(crate) enum Message {
    /// The question and the number that its answer is to carry.
    Ask(u64, Question),
    /// See [`Message::Ask`].
    Tell(u64, Told),
}

/// What a core can be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    /// Which transactions are open?
    Transactions,
    /// Who is logged in?
    Users,
    /// Tell the transaction of this number to stop.
    Stop(u64),
}

/// What a core answers.
#[derive(Debug)]
pub(crate) enum Told {
    Transactions(Vec<ListedTransaction>),
    Users(Vec<ListedUser>),
    /// Whether there was such a transaction, and it can still be stopped.
    Stopped(bool),
}

/// One core's side.
pub(crate) struct Peers {
    sender: MeshSender<Message>,
    cores: u16,
    last: Cell<u64>,
    /// Questions that wait for answers.
    waiting: RefCell<HashMap<u64, Waiting>>,
}

struct Waiting {
    missing: usize,
    told: Vec<Told>,
    waker: Option<Waker>,
}

impl Peers {
    /// Of a core among `cores`.
    pub(crate) fn new(sender: MeshSender<Message>, cores: u16) -> Peers {
        Peers {
            sender,
            cores,
            last: Cell::new(0),
            waiting: RefCell::default(),
        }
    }

    /// What the cores answer; those that have ended are left out.
    async fn ask(
        &self,
        rt: &Rt,
        cores: impl Iterator<Item = CoreId>,
        question: Question,
    ) -> Vec<Told> {
        let number = self.last.get() + 1;
        self.last.set(number);
        // Answers may come while later cores are still being asked.
        let waiting = Waiting {
            missing: 0,
            told: Vec::new(),
            waker: None,
        };
        self.waiting.borrow_mut().insert(number, waiting);
        let forget = Forget(self, number);
        let answered = async {
            for core in cores {
                if self
                    .sender
                    .send(core, Message::Ask(number, question))
                    .await
                    .is_ok()
                {
                    self.with(number, |waiting| waiting.missing += 1);
                }
            }
            poll_fn(|cx| {
                self.with(number, |waiting| {
                    if waiting.missing == waiting.told.len() {
                        return Poll::Ready(());
                    }
                    waiting.waker = Some(cx.waker().clone());
                    Poll::Pending
                })
            })
            .await
        };
        let _ = rt.timeout(rt.now() + PATIENCE, answered).await;
        let told = self.with(number, |waiting| std::mem::take(&mut waiting.told));
        drop(forget);
        told
    }

    fn with<R>(&self, number: u64, f: impl FnOnce(&mut Waiting) -> R) -> R {
        let mut waiting = self.waiting.borrow_mut();
        f(waiting
            .get_mut(&number)
            .expect("a question waits until it is forgotten"))
    }

    /// An answer has come. One that came too late is nobody's.
    fn told(&self, number: u64, told: Told) {
        if let Some(waiting) = self.waiting.borrow_mut().get_mut(&number) {
            waiting.told.push(told);
            if let Some(waker) = waiting.waker.take() {
                waker.wake();
            }
        }
    }
}

/// Takes a question back when its asker goes on, or is dropped while it waits.
struct Forget<'p>(&'p Peers, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.waiting.borrow_mut().remove(&self.1);
    }
}

/// Answers what other cores ask, and takes in what they answer, for ever.
pub(crate) async fn answer(node: Rc<Node>, mut received: MeshReceiver<Message>) {
    loop {
        match received.recv().await {
            (core, Message::Ask(number, question)) => {
                let told = Message::Tell(number, look(&node, question));
                // Whoever has ended needs no answer.
                let _ = node.peers.sender.send(core, told).await;
            }
            (_, Message::Tell(number, told)) => node.peers.told(number, told),
        }
    }
}

/// This core's own answer.
fn look(node: &Node, question: Question) -> Told {
    match question {
        Question::Transactions => Told::Transactions({
            let rt = &node.rt;
            node.sessions.transactions(rt.now(), rt.wall_clock_us())
        }),
        Question::Users => Told::Users(node.sessions.users()),
        Question::Stop(number) => Told::Stopped(node.sessions.stop(number)),
    }
}

async fn ask_all(node: &Node, question: Question) -> Vec<Told> {
    let own = node.rt.core();
    let others = (0..node.peers.cores)
        .map(CoreId)
        .filter(|core| *core != own);
    let mut told = node.peers.ask(&node.rt, others, question).await;
    told.push(look(node, question));
    told
}

/// The open transactions of all cores, the oldest first.
pub(crate) async fn transactions(node: &Node) -> Vec<ListedTransaction> {
    let mut all = Vec::new();
    for told in ask_all(node, Question::Transactions).await {
        if let Told::Transactions(transactions) = told {
            all.extend(transactions);
        }
    }
    all.sort_by_key(|transaction| std::cmp::Reverse(transaction.age));
    all
}

/// The clients of all cores that are logged in, the first to come first.
pub(crate) async fn users(node: &Node) -> Vec<ListedUser> {
    let mut all = Vec::new();
    for told in ask_all(node, Question::Users).await {
        if let Told::Users(users) = told {
            all.extend(users);
        }
    }
    all.sort_by_key(|user| user.connection);
    all
}

/// Tells the transaction of this number to stop, whichever core it is on; false if there is none, or it is past stopping.
pub(crate) async fn stop(node: &Node, number: u64) -> bool {
    let core = CoreId(node.sessions.core_of(number) as u16);
    if core == node.rt.core() {
        return node.sessions.stop(number);
    }
    let told = node
        .peers
        .ask(&node.rt, std::iter::once(core), Question::Stop(number))
        .await;
    matches!(told[..], [Told::Stopped(true)])
}
