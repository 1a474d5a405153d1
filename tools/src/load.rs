//! `quoit load`: measures a server under load.
//!
//! One thread drives many connections in a closed or an open loop and reports rates, latency
//! percentiles and CPU per request. It speaks Bolt to Quoit, Neo4j and Memgraph, FalkorDB's own
//! protocol, and raw bytes to an echo server, with the same loop and the same clock for all: so
//! figures of one run can be compared. It knows no more of a server than its wire.

pub mod cpu;
pub mod driver;
pub mod measure;
pub mod random;
pub mod report;
pub mod schedule;
pub mod target;
mod template;
pub mod wire;
pub mod workload;

use crate::bolt::{ClientError, Credentials};
use crate::exit::{Exit, Failure, Outcome};
use crate::kernel;
use crate::server_args::positive_seconds;
use driver::{Edge, Pace, Plan};
use report::Circumstances;
use schedule::Schedule;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use target::{OpenOptions, Target, TargetError};
use workload::Workload;

/// The arguments of `quoit load`.
#[derive(Clone, Debug, clap::Args)]
pub struct LoadArgs {
    /// bolt://host:port, redis://host:port/graph (FalkorDB), resp://host:port (Redis' own commands) or echo://host:port
    #[arg(default_value = "bolt://127.0.0.1:7687")]
    pub target: String,

    /// Ask this one query; without it or a workload, `RETURN 1`
    #[arg(short = 'q', long, value_name = "TEXT", conflicts_with = "workload")]
    pub query: Option<String>,

    /// Ask the mix of queries that this file describes
    #[arg(short = 'w', long, value_name = "FILE")]
    pub workload: Option<PathBuf>,

    /// Run this statement first, once; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub setup: Vec<String>,

    /// Rows that every answer to --query must have
    #[arg(long, value_name = "N", requires = "query")]
    pub rows: Option<u64>,

    /// Number of connections
    #[arg(short = 'c', long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connections: u32,

    /// Requests in flight on each connection
    #[arg(short = 'p', long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub depth: u32,

    /// Open loop: so many requests a second over all connections; without it a closed loop
    #[arg(short = 'r', long, value_name = "PER_SECOND", value_parser = positive_rate)]
    pub rate: Option<f64>,

    /// Open loop: arrivals at random distances instead of even ones
    #[arg(long, requires = "rate")]
    pub poisson: bool,

    /// Seconds that are measured
    #[arg(short = 'd', long, value_name = "SECONDS", default_value = "10", value_parser = positive_seconds)]
    pub duration: Duration,

    /// Seconds of load before that
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub warmup: Duration,

    /// End after so many requests, measured without warm-up
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: Option<u64>,

    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Wait for answers awake: latencies hold no wake-up of this tool, which wants a CPU of its own
    #[arg(long)]
    pub spin: bool,

    /// Run on this CPU only
    #[arg(long, value_name = "CPU")]
    pub pin: Option<usize>,

    /// Process whose CPU time is counted; may be given several times
    #[arg(long, value_name = "PID")]
    pub server_pid: Vec<u32>,

    /// User name
    #[arg(short = 'u', long, value_name = "NAME", env = "NEO4J_USERNAME")]
    pub username: Option<String>,

    /// Password
    #[arg(
        long,
        value_name = "TEXT",
        env = "NEO4J_PASSWORD",
        hide_env_values = true
    )]
    pub password: Option<String>,

    /// Database that requests name
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,

    /// Size of echo requests; by default that of the Bolt requests of the same workload
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub echo_bytes: Option<u32>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// A run that ends by its number of requests ends after this time too.
const COUNTED_RUN_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long answers are waited for after the window.
const DRAIN: Duration = Duration::from_secs(30);

/// Runs `quoit load`. Ends with [`Exit::Failed`] if any request failed.
pub fn run(args: &LoadArgs) -> Outcome {
    let mut workload = workload_of(args)?;
    let credentials = args.username.clone().map(|user| Credentials {
        user,
        password: args.password.clone().unwrap_or_default(),
    });
    let target = args
        .target
        .parse::<Target>()
        .map_err(Failure::usage)?
        .with_credentials(credentials);
    if let Target::Echo(_) = target {
        // What comes back holds no rows, whatever the workload expects of a database.
        for query in &mut workload.queries {
            query.rows = None;
        }
    }
    let options = OpenOptions {
        database: args.database.clone(),
        echo_bytes: args.echo_bytes.map(|bytes| bytes as usize),
    };
    if let Some(cpu) = args.pin {
        kernel::pin_to_cpu(cpu)
            .map_err(|error| Failure::usage(format!("cannot run on CPU {cpu}: {error}")))?;
    }

    let setup = [workload.setup.as_slice(), args.setup.as_slice()].concat();
    target.set_up(&setup, &options).map_err(failure)?;
    let mut connections = Vec::with_capacity(args.connections as usize);
    for _ in 0..args.connections {
        connections.push(target.open(&options).map_err(failure)?);
    }

    let plan = Plan {
        pace: match args.rate {
            None => Pace::Closed,
            Some(rate) if args.poisson => Pace::Open(Schedule::poisson(rate, args.seed)),
            Some(rate) => Pace::Open(Schedule::even(rate)),
        },
        depth: args.depth as usize,
        warmup: match args.requests {
            Some(_) => Duration::ZERO,
            None => args.warmup,
        },
        window: match args.requests {
            Some(_) => COUNTED_RUN_MAX,
            None => args.duration,
        },
        requests_max: args.requests,
        drain: DRAIN,
        spin: args.spin,
    };
    let mut clocks = CpuClocks::new(&args.server_pid);
    let measured = driver::drive(connections, &mut workload, args.seed, plan, &mut |edge| {
        clocks.read(edge);
    })
    .map_err(|error| Failure::failed(error.to_string()))?;

    let about = Circumstances {
        target: args.target.clone(),
        connections: args.connections as usize,
        depth: args.depth as usize,
        rate: args.rate,
        server_cpu: clocks.server()?,
        client_cpu: clocks.client(),
    };
    if args.json {
        println!("{:#}", report::json(&measured, &about));
    } else {
        print!("{}", report::text(&measured, &about));
    }
    let total = measured.total();
    if total.failed > 0 || measured.unanswered > 0 || measured.connections_lost > 0 {
        return Err(Failure::silent(Exit::Failed));
    }
    Ok(())
}

fn workload_of(args: &LoadArgs) -> Result<Workload, Failure> {
    let Some(path) = &args.workload else {
        let mut workload = Workload::single(args.query.as_deref().unwrap_or("RETURN 1"));
        workload.queries[0].rows = args.rows;
        return Ok(workload);
    };
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("workload '{shown}': {error}")))?;
    Workload::parse(&text).map_err(|error| Failure::usage(format!("workload '{shown}': {error}")))
}

fn failure(error: TargetError) -> Failure {
    let exit = match &error {
        TargetError::Bolt(ClientError::Login { .. }) => Exit::Authentication,
        TargetError::Bolt(ClientError::Encryption) => Exit::Usage,
        TargetError::Bolt(_) | TargetError::Connect { .. } => Exit::CannotConnect,
        TargetError::Setup(_) => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

fn positive_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1e9 => Ok(rate),
        _ => Err("must be a number above 0 and at most 1e9".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        text => positive_seconds(text),
    }
}

/// CPU times at the window's edges.
struct CpuClocks<'a> {
    pids: &'a [u32],
    server: [std::io::Result<Duration>; 2],
    client: [Duration; 2],
}

impl<'a> CpuClocks<'a> {
    fn new(pids: &'a [u32]) -> Self {
        CpuClocks {
            pids,
            server: [Ok(Duration::ZERO), Ok(Duration::ZERO)],
            client: [Duration::ZERO; 2],
        }
    }

    fn read(&mut self, edge: Edge) {
        let slot = match edge {
            Edge::Begin => 0,
            Edge::End => 1,
        };
        self.server[slot] = cpu::cpu_time_of_all(self.pids);
        self.client[slot] = cpu::cpu_time(std::process::id()).unwrap_or_default();
    }

    /// The server's CPU time in the window, if processes were named.
    fn server(&self) -> Result<Option<Duration>, Failure> {
        match &self.server {
            _ if self.pids.is_empty() => Ok(None),
            [Ok(begin), Ok(end)] => Ok(Some(end.saturating_sub(*begin))),
            [Err(error), _] | [_, Err(error)] => Err(Failure::failed(format!(
                "cannot read the CPU time of --server-pid: {error}"
            ))),
        }
    }

    fn client(&self) -> Duration {
        self.client[1].saturating_sub(self.client[0])
    }
}
