//! Nodes in one process: each with its own cores, log, door and replication, and a ledger that remembers what was
//! applied. The test's thread gives a node's cores work and waits for the results; every wait is bounded.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use quoit_graph::door::Door;
use quoit_log::{CommitSeq, Durability, Ledger, Log, LogCore, LogOptions, RecoverAs};
use quoit_replication::{
    Confirmation, Notice, Registration, ReplicaRow, Replication, ReplicationConfig,
    ReplicationCore, Role, StatementError,
};
use quoit_rt::{Config, Notifier, Rt, Running};

/// The longest that anything here may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

type Work = Box<dyn FnOnce(Rc<NodeCore>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// What was applied, in order of commits; shared with the test.
type Applied = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

/// One core of a node.
pub struct NodeCore {
    pub rt: Rt,
    pub log: Rc<LogCore>,
    pub replication: Rc<ReplicationCore>,
    door: Arc<Door>,
}

struct TestLedger {
    door: Arc<Door>,
    applied: Applied,
}

impl Ledger for TestLedger {
    fn door(&self) -> &Door {
        &self.door
    }

    fn apply(&self, seq: CommitSeq, deltas: &[u8]) -> Result<(), String> {
        self.applied.lock().unwrap().push((seq.0, deltas.to_vec()));
        Ok(())
    }
}

/// A directory that goes with its test.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Directory {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("quoit-replication-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Clone, Copy)]
pub struct NodeOptions {
    pub cores: u16,
    pub replica_timeout: Duration,
    pub queue_bytes: usize,
    pub durability: Durability,
}

impl Default for NodeOptions {
    fn default() -> Self {
        NodeOptions {
            cores: 1,
            replica_timeout: Duration::from_secs(5),
            queue_bytes: 32 << 20,
            durability: Durability::Commit,
        }
    }
}

/// A running node. Dropping it ends its cores without closing its log, as a kill would.
pub struct Node {
    running: Option<Running>,
    seats: Vec<(mpsc::Sender<Work>, Notifier)>,
    pub shared: Arc<Replication>,
    applied: Applied,
}

impl Node {
    pub fn start(directory: &Directory) -> Node {
        Node::start_with(directory, NodeOptions::default())
    }

    pub fn start_with(directory: &Directory, options: NodeOptions) -> Node {
        let bolt_port = 1;
        let config = ReplicationConfig {
            replica_timeout: options.replica_timeout,
            queue_bytes: options.queue_bytes,
            ..ReplicationConfig::new(
                directory.path().to_owned(),
                options.cores,
                bolt_port,
                options.durability,
            )
        };
        let shared = Replication::open(config).unwrap();
        let log = Log::new(LogOptions {
            segment_bytes: 4 << 20,
            durability: options.durability,
            ..LogOptions::new(directory.path().join("log"), options.cores)
        });
        let door = Arc::new(Door::new(log.clone(), options.cores));
        let applied = Applied::default();
        let recovered = Arc::new((AtomicBool::new(false), AtomicU32::new(0)));
        let (seats_out, seats_in) = mpsc::channel();
        let (ready_out, ready) = mpsc::channel();
        let running = quoit_rt::start(Config::with_cores(options.cores), |core| {
            let (shared, log, door, applied) =
                (shared.clone(), log.clone(), door.clone(), applied.clone());
            let (recovered, seats_out, ready_out) =
                (recovered.clone(), seats_out.clone(), ready_out.clone());
            move |rt: Rt| async move {
                let ledger = Rc::new(TestLedger {
                    door: door.clone(),
                    applied,
                });
                if core.0 == 0 {
                    let role = match shared.role() {
                        Role::Main => RecoverAs::Main,
                        Role::Replica => RecoverAs::Replica,
                    };
                    log.recover(&rt, &*ledger, role).await.unwrap();
                    recovered.0.store(true, Ordering::SeqCst);
                }
                while !recovered.0.load(Ordering::SeqCst) {
                    rt.sleep(Duration::from_millis(1)).await;
                }
                let log_core = LogCore::new(&log, ledger, &rt);
                let replication = ReplicationCore::new(&shared, &rt, &log_core);
                recovered.1.fetch_add(1, Ordering::SeqCst);
                while recovered.1.load(Ordering::SeqCst) < u32::from(rt.cores()) {
                    rt.sleep(Duration::from_millis(1)).await;
                }
                if core.0 == 0 {
                    replication.start().await.unwrap();
                }
                let node = Rc::new(NodeCore {
                    rt: rt.clone(),
                    log: log_core,
                    replication,
                    door,
                });
                let (send, work) = mpsc::channel::<Work>();
                let (bell, notified) = rt.notifier();
                seats_out.send((core.0, send, bell)).unwrap();
                ready_out.send(()).unwrap();
                while !rt.shutting_down() {
                    while let Ok(work) = work.try_recv() {
                        rt.spawn(quoit_rt::Priority::Latency, work(node.clone()));
                    }
                    let _ = rt
                        .timeout(rt.now() + Duration::from_millis(20), notified.notified())
                        .await;
                }
            }
        })
        .unwrap();
        for _ in 0..options.cores {
            ready.recv_timeout(PATIENCE).expect("every core starts");
        }
        let mut seats: Vec<_> = seats_in.try_iter().collect();
        seats.sort_by_key(|(core, ..)| *core);
        let seats = seats
            .into_iter()
            .map(|(_, send, bell)| (send, bell))
            .collect();
        Node {
            running: Some(running),
            seats,
            shared,
            applied,
        }
    }

    /// Runs something on a core without waiting for it.
    pub fn begin<T, F, Fut>(&self, core: usize, work: F) -> mpsc::Receiver<T>
    where
        T: Send + 'static,
        F: FnOnce(Rc<NodeCore>) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let (result, receive) = mpsc::channel();
        let work: Work = Box::new(move |node| {
            Box::pin(async move {
                let _ = result.send(work(node).await);
            })
        });
        self.seats[core].0.send(work).unwrap();
        self.seats[core].1.notify();
        receive
    }

    /// Runs something on a core and waits for it.
    pub fn run<T, F, Fut>(&self, core: usize, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Rc<NodeCore>) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        self.begin(core, work)
            .recv_timeout(PATIENCE)
            .expect("the node answers in time")
    }

    /// Makes it a replica on a free port; its endpoint.
    pub fn become_replica(&self) -> String {
        let port = free_port();
        self.run(0, move |n| async move {
            n.replication.set_role_replica(port, None).await
        })
        .unwrap();
        format!("127.0.0.1:{port}")
    }

    pub fn become_main(&self) -> Result<Vec<Notice>, StatementError> {
        self.run(0, |n| async move { n.replication.set_role_main().await })
    }

    pub fn register(
        &self,
        name: &str,
        mode: quoit_replication::Mode,
        endpoint: &str,
    ) -> Result<Vec<Notice>, StatementError> {
        let registration = Registration {
            name: name.into(),
            mode,
            endpoint: endpoint.into(),
            fingerprint: None,
        };
        // From the last core: statements go to core 0 by themselves.
        self.run(self.seats.len() - 1, move |n| async move {
            n.replication.register(registration).await
        })
    }

    pub fn drop_replica(&self, name: &str) -> Result<Vec<Notice>, StatementError> {
        let name = name.to_owned();
        self.run(0, move |n| async move {
            n.replication.drop_replica(&name).await
        })
    }

    pub fn show(&self) -> Vec<ReplicaRow> {
        self.run(0, |n| async move { n.replication.show_replicas() })
            .unwrap()
    }

    pub fn row(&self, name: &str) -> ReplicaRow {
        self.show()
            .into_iter()
            .find(|row| row.name == name)
            .expect("it is registered")
    }

    /// Commits on a core and waits as a session does; what the client is told.
    pub fn commit(&self, core: usize, payload: &str) -> Confirmation {
        self.begin_commit(core, payload)
            .recv_timeout(PATIENCE)
            .expect("the commit is answered")
    }

    pub fn begin_commit(&self, core: usize, payload: &str) -> mpsc::Receiver<Confirmation> {
        let payload = payload.to_owned();
        self.begin(core, move |n| async move {
            n.commit(payload.as_bytes()).await.1
        })
    }

    /// What readers of a replica see.
    pub fn applied(&self) -> Vec<String> {
        let applied = self.applied.lock().unwrap();
        applied
            .iter()
            .map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap())
            .collect()
    }

    /// Numbers of what was applied: must be dense.
    pub fn applied_numbers(&self) -> Vec<u64> {
        self.applied
            .lock()
            .unwrap()
            .iter()
            .map(|(seq, _)| *seq)
            .collect()
    }
}

impl NodeCore {
    /// Writes, seals, waits for the disk and for the replicas.
    pub async fn commit(&self, payload: &[u8]) -> (CommitSeq, Confirmation) {
        self.replication.writable().expect("a main takes writes");
        let door = &self.door;
        let header = door.journal().header_bytes();
        let room = loop {
            match door.reserve(header + payload.len(), self.rt.core().0) {
                Ok(room) => break room,
                Err(_) => self.rt.sleep(Duration::from_millis(1)).await,
            }
        };
        let mut buffer = vec![0; header];
        buffer.extend_from_slice(payload);
        let frame = door.journal().finish_frame(buffer);
        let seq = door.seal(room, frame, |_| {});
        let seq = CommitSeq(seq.0);
        let confirming = self.replication.confirm(seq);
        self.log.durable(seq).await.expect("the log goes on");
        (seq, confirming.await)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shut_down();
            let _ = running.join();
        }
    }
}

/// Looks until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Stands between a main and a replica: passes bytes on, keeps them back while paused, cuts when told.
pub struct Proxy {
    pub endpoint: String,
    state: Arc<ProxyState>,
}

struct ProxyState {
    paused: AtomicBool,
    over: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub fn to(target: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let target: SocketAddr = target.parse().unwrap();
        let state = Arc::new(ProxyState {
            paused: AtomicBool::new(false),
            over: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if shared.over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(far) = TcpStream::connect(target) else {
                    continue;
                };
                for (from, to) in [
                    (near.try_clone(), far.try_clone()),
                    (far.try_clone(), near.try_clone()),
                ] {
                    let (Ok(from), Ok(to)) = (from, to) else {
                        continue;
                    };
                    let shared = shared.clone();
                    std::thread::spawn(move || pump(from, to, &shared));
                }
                shared.streams.lock().unwrap().extend([near, far]);
            }
        });
        Proxy { endpoint, state }
    }

    pub fn pause(&self) {
        self.state.paused.store(true, Ordering::SeqCst);
    }

    pub fn resume(&self) {
        self.state.paused.store(false, Ordering::SeqCst);
    }

    /// Cuts every connection that there is.
    pub fn cut(&self) {
        for stream in self.state.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.cut();
        let _ = TcpStream::connect(&self.endpoint);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, state: &ProxyState) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        while state.paused.load(Ordering::SeqCst) && !state.over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
