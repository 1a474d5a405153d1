//! The ring as the kernel knows it: submissions that own their memory, and what came of them.
//!
//! This is the one place that hands pointers to the kernel. Its rule: every operation in flight is an entry of
//! `in_flight` that owns all memory the kernel may touch on its behalf (buffers, vectors, addresses, the descriptor
//! itself); the entry is released only by the operation's last completion. Whatever the rest of the crate drops,
//! cancels or forgets meanwhile cannot free it. When the ring ends it cancels everything and waits; what the kernel
//! still holds after that is leaked, never freed.
//!
//! Its caller (`ring`) is safe code. It leaves to it what to do with an event.
//!
//! Sends carry MSG_WAITALL: the kernel retries short sends by itself, so an operation ends with all bytes taken or
//! with an error. They ask for a completion each, although the kernel could be told to keep quiet about successful
//! ones: quiet success leaves nobody to say when the memory is free again, and a completion that is reaped with
//! others costs about 1 % of a request (the ring's eventfd is off while the core is awake).

#![allow(unsafe_code)]

use crate::{
    buffer::{AlignedBuf, RecvBuf, SendBuf},
    disk::Payload,
    ring::provided::BufferPool,
};
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use slab::Slab;
use smallvec::SmallVec;
use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    rc::Rc,
    sync::atomic::{Ordering, fence},
    time::{Duration, Instant},
};

/// Submission entries: as many operations as one turn may queue before it must enter the kernel.
const SUBMISSIONS: u32 = 1024;
/// Completion entries: eight times as many, since multishot operations complete many times. Beyond it the kernel
/// keeps an overflow list (nothing is lost).
const COMPLETIONS: u32 = 8192;
/// The buffer group of this ring.
const GROUP: u16 = 0;
/// Completions of cancellations: of no interest, the cancelled operation reports for itself.
const NOBODY: u64 = u64::MAX;
/// The largest single transfer asked of the kernel: 1 GiB, below the kernel's own limit of 2 GiB less a page.
const TRANSFER_MAX: usize = 1 << 30;

/// Who is told of an event: chosen by the caller, opaque here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    Listener(usize),
    Recv(usize),
    Send(usize),
    Wait(usize),
}

/// An operation and everything the kernel needs for it.
pub(crate) enum Op {
    /// Accepts until cancelled or failed.
    Accept {
        socket: Rc<OwnedFd>,
    },
    /// Receives into provided buffers until cancelled, failed, ended or out of buffers.
    Recv {
        socket: Rc<OwnedFd>,
    },
    /// Sends `bufs` from byte `skip` on.
    Send {
        socket: Rc<OwnedFd>,
        bufs: SmallVec<[SendBuf; 2]>,
        skip: usize,
        wait: SendWait,
    },
    Connect {
        socket: Rc<OwnedFd>,
        to: Box<socket2::SockAddr>,
    },
    Write {
        file: Rc<OwnedFd>,
        payload: Payload,
        from: usize,
        offset: u64,
    },
    Read {
        file: Rc<OwnedFd>,
        buf: AlignedBuf,
        from: usize,
        offset: u64,
    },
    Sync {
        file: Rc<OwnedFd>,
    },
}

/// What a send does when the socket's buffer is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SendWait {
    /// Waits in the kernel until all is taken.
    UntilTaken,
    /// Takes what fits, and ends.
    Never,
}

/// Names an operation in flight, for cancelling. A stale one cancels nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpId(u64);

/// What the kernel reports.
pub(crate) enum Event {
    Accepted {
        token: Token,
        result: io::Result<OwnedFd>,
        more: bool,
    },
    Received {
        token: Token,
        result: io::Result<RecvBuf>,
        more: bool,
    },
    Done {
        token: Token,
        op: Op,
        result: i32,
    },
}

struct InFlight {
    op: Op,
    token: Token,
    generation: u32,
    /// What a gathered send points at; boxed, so that it stays where it is.
    gather: Option<Box<Gather>>,
}

struct Gather {
    vectors: Vec<libc::iovec>,
    message: libc::msghdr,
}

/// One core's ring. Used by the thread that made it only (SINGLE_ISSUER).
pub(crate) struct KernelRing {
    ring: IoUring,
    in_flight: Slab<InFlight>,
    pool: Rc<BufferPool>,
    generation: u32,
}

impl KernelRing {
    /// Makes the ring on the calling thread, with its receive buffers and its doorbell.
    pub(crate) fn new(doorbell: BorrowedFd<'_>, recv_buffers: u16) -> io::Result<KernelRing> {
        let mut ring: IoUring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS)
            .dontfork()
            .build(SUBMISSIONS)?;
        if !ring.params().is_feature_nodrop() || !ring.params().is_feature_submit_stable() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // Saves the look-up of the descriptor at each entry; without it all still works.
        let _ = ring.submitter().register_ring_fd();
        ring.submitter().register_eventfd(doorbell.as_raw_fd())?;
        ring.completion().disable_eventfd();
        let pool = BufferPool::new(recv_buffers.clamp(16, 1 << 15).next_power_of_two());
        // SAFETY: the address is that of `count` zeroed, page-aligned entries, which live as long as the pool; this
        // struct holds the pool until the ring has been drained (`drop`).
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                pool.ring_address(),
                pool.count(),
                GROUP,
                0,
            )?;
        }
        Ok(KernelRing {
            ring,
            in_flight: Slab::with_capacity(1024),
            pool,
            generation: 0,
        })
    }

    pub(crate) fn pool(&self) -> &Rc<BufferPool> {
        &self.pool
    }

    /// Queues an operation for the next [`turn`](Self::turn).
    pub(crate) fn submit(&mut self, op: Op, token: Token) -> OpId {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let key = self.in_flight.insert(InFlight {
            op,
            token,
            generation,
            gather: None,
        });
        // 2^32 operations in flight would need more memory than there is; the top values are kept for NOBODY.
        let data = (u64::from(generation & 0x7fff_ffff) << 32) | key as u64;
        let entry = entry(&mut self.in_flight[key]).user_data(data);
        self.push(&entry);
        OpId(data)
    }

    /// Asks the kernel to end an operation. Its last event still comes.
    pub(crate) fn cancel(&mut self, id: OpId) {
        self.push(&opcode::AsyncCancel::new(id.0).build().user_data(NOBODY));
    }

    fn push(&mut self, entry: &squeue::Entry) {
        loop {
            // SAFETY: all memory the entry points at is owned by its `in_flight` entry, which is released by its
            // last completion only (module header). A cancellation points at none.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return;
            }
            // The queue is full: let the kernel take it. EBUSY and its kin pass as completions are reaped, which
            // the kernel does into its overflow list here.
            let _ = self.enter(false);
        }
    }

    /// Submits what is queued and runs what the kernel has deferred.
    fn enter(&mut self, wait: bool) -> io::Result<()> {
        const GETEVENTS: u32 = 1;
        let queued = self.ring.submission().len() as u32;
        // SAFETY: no signal mask is passed; the queued entries are valid (see `push`).
        let entered = unsafe {
            self.ring
                .submitter()
                .enter::<libc::sigset_t>(queued, u32::from(wait), GETEVENTS, None)
        };
        match entered {
            Ok(_) => Ok(()),
            // Interrupted, or short of memory or completion space for a moment: the next turn goes on.
            Err(e)
                if matches!(
                    e.raw_os_error(),
                    Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)
                ) =>
            {
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    /// True when a turn would find something: queued submissions, completions, or work the kernel has deferred.
    pub(crate) fn has_waiting(&mut self) -> bool {
        let submission = self.ring.submission();
        if !submission.is_empty() || submission.taskrun() || submission.cq_overflow() {
            return true;
        }
        drop(submission);
        !self.ring.completion().is_empty()
    }

    /// Submits everything queued and appends what has completed to `events`.
    pub(crate) fn turn(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        let submission = self.ring.submission();
        let enter = !submission.is_empty() || submission.taskrun() || submission.cq_overflow();
        drop(submission);
        if enter {
            self.enter(false)?;
        }
        self.reap(events);
        Ok(())
    }

    fn reap(&mut self, events: &mut Vec<Event>) {
        for completion in self.ring.completion() {
            if completion.user_data() == NOBODY {
                continue;
            }
            let key = (completion.user_data() & 0xffff_ffff) as usize;
            let result = completion.result();
            let more = cqueue::more(completion.flags());
            let flying = &self.in_flight[key];
            debug_assert_eq!(
                u64::from(flying.generation & 0x7fff_ffff),
                completion.user_data() >> 32
            );
            let token = flying.token;
            match flying.op {
                Op::Accept { .. } => {
                    let result = match result {
                        // SAFETY: the kernel has just opened this descriptor for us; nobody else knows it.
                        0.. => Ok(unsafe { OwnedFd::from_raw_fd(result) }),
                        _ => Err(io::Error::from_raw_os_error(-result)),
                    };
                    events.push(Event::Accepted {
                        token,
                        result,
                        more,
                    });
                }
                Op::Recv { .. } => {
                    let buffer = cqueue::buffer_select(completion.flags()).map(|id| {
                        // SAFETY: this completion names the buffer, and each completion is seen once.
                        unsafe { self.pool.filled(id, result.max(0) as usize) }
                    });
                    let result = match (result, buffer) {
                        (1.., Some(buffer)) if self.pool.is_low() => {
                            Ok(RecvBuf::heap(buffer.to_vec()))
                        }
                        (1.., Some(buffer)) => Ok(RecvBuf::provided(buffer)),
                        (0.., _) => Ok(RecvBuf::end_of_stream()),
                        _ => Err(io::Error::from_raw_os_error(-result)),
                    };
                    events.push(Event::Received {
                        token,
                        result,
                        more,
                    });
                }
                _ => {
                    let op = self.in_flight.remove(key).op;
                    events.push(Event::Done { token, op, result });
                    continue;
                }
            }
            if !more {
                self.in_flight.remove(key);
            }
        }
    }

    /// Lets the kernel ring the doorbell for the next completion. False: there is one already, do not sleep.
    pub(crate) fn arm_doorbell(&mut self) -> bool {
        self.ring.completion().enable_eventfd();
        // The kernel raises its flag and then looks at ours; we lower ours and then look at its.
        fence(Ordering::SeqCst);
        if self.has_waiting() {
            self.disarm_doorbell();
            return false;
        }
        true
    }

    /// Completions ring no more; a ring on its way arrives as a spurious wake-up.
    pub(crate) fn disarm_doorbell(&mut self) {
        self.ring.completion().disable_eventfd();
    }

    /// Cancels everything and waits up to `patience` for the kernel to let go.
    fn drain(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut events = Vec::new();
        self.push(
            &opcode::AsyncCancel2::new(types::CancelBuilder::any().all())
                .build()
                .user_data(NOBODY),
        );
        while !self.in_flight.is_empty() && Instant::now() < deadline {
            if self.enter(false).is_err() {
                return;
            }
            self.reap(&mut events);
            events.clear();
            if !self.in_flight.is_empty() {
                // File writes cannot be cancelled; they take as long as the device does.
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }
}

impl Drop for KernelRing {
    fn drop(&mut self) {
        /// A device that has not answered in five seconds may never.
        const PATIENCE: Duration = Duration::from_secs(5);
        self.drain(PATIENCE);
        if !self.in_flight.is_empty() {
            // The kernel may still write there: leak it.
            std::mem::forget(std::mem::take(&mut self.in_flight));
            std::mem::forget(self.pool.clone());
        }
    }
}

/// The submission for an operation. All pointers in it are to memory that `flying` owns on the heap.
fn entry(flying: &mut InFlight) -> squeue::Entry {
    let fd = |fd: &Rc<OwnedFd>| types::Fd(fd.as_raw_fd());
    match &mut flying.op {
        Op::Accept { socket } => opcode::AcceptMulti::new(fd(socket))
            .flags(libc::SOCK_CLOEXEC)
            .build(),
        Op::Recv { socket } => opcode::RecvMulti::new(fd(socket), GROUP).build(),
        Op::Send {
            socket,
            bufs,
            skip,
            wait,
        } => {
            let flags = libc::MSG_NOSIGNAL
                | match wait {
                    SendWait::UntilTaken => libc::MSG_WAITALL,
                    SendWait::Never => libc::MSG_DONTWAIT,
                };
            if let [only] = &bufs[..] {
                let rest = &only[*skip..];
                let len = rest.len().min(TRANSFER_MAX) as u32;
                return opcode::Send::new(fd(socket), rest.as_ptr(), len)
                    .flags(flags)
                    .build();
            }
            let mut skip = *skip;
            let mut vectors = Vec::with_capacity(bufs.len());
            for buf in bufs.iter() {
                let rest = &buf[skip.min(buf.len())..];
                skip = skip.saturating_sub(buf.len());
                if !rest.is_empty() {
                    vectors.push(libc::iovec {
                        iov_base: rest.as_ptr() as *mut _,
                        iov_len: rest.len(),
                    });
                }
            }
            // SAFETY: a msghdr of zeros is valid: no address, no control data, no vectors.
            let message: libc::msghdr = unsafe { std::mem::zeroed() };
            let gather = flying.gather.insert(Box::new(Gather { vectors, message }));
            gather.message.msg_iov = gather.vectors.as_mut_ptr();
            gather.message.msg_iovlen = gather.vectors.len() as _;
            opcode::SendMsg::new(fd(socket), &raw const gather.message)
                .flags(flags as u32)
                .build()
        }
        Op::Connect { socket, to } => {
            opcode::Connect::new(fd(socket), to.as_ptr().cast(), to.len()).build()
        }
        Op::Write {
            file,
            payload,
            from,
            offset,
        } => {
            let rest = &payload.as_ref()[*from..];
            let len = rest.len().min(TRANSFER_MAX) as u32;
            opcode::Write::new(fd(file), rest.as_ptr(), len)
                .offset(*offset + *from as u64)
                .build()
        }
        Op::Read {
            file,
            buf,
            from,
            offset,
        } => {
            let rest = &mut buf[*from..];
            let len = rest.len().min(TRANSFER_MAX) as u32;
            opcode::Read::new(fd(file), rest.as_mut_ptr(), len)
                .offset(*offset + *from as u64)
                .build()
        }
        Op::Sync { file } => opcode::Fsync::new(fd(file))
            .flags(types::FsyncFlags::DATASYNC)
            .build(),
    }
}
