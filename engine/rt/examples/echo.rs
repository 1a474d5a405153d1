//! The echo floor: what a request costs before any database is in it.
//!
//! `echo server <cpu> <port> <own|glommio> [spin-us]` echoes; `echo client <port> <connections> <seconds> [cpu]`
//! asks 64 bytes at a time on each connection with plain blocking-free epoll, and prints requests a second.
//! CPU a request is the server process's CPU time (`/proc/<pid>/stat`, or `perf stat -p`) over the requests;
//! `echo measure <connections> <seconds> <own|glommio> [spin-us]` runs both in one process tree and prints it.

use quoit_rt::{Config, Cpus, ListenOptions, Priority, Rt, SocketBackend, start};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

const REQUEST_BYTES: usize = 64;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["server", cpu, port, backend, ..] => {
            server(
                number(cpu),
                number(port) as u16,
                backend,
                words.get(4).map_or(0, |us| number(us) as u64),
            );
        }
        ["client", port, connections, seconds, ..] => {
            let done = client(
                number(port) as u16,
                number(connections),
                number(seconds) as u64,
            );
            println!("{done}");
        }
        ["measure", connections, seconds, backend, ..] => {
            measure(
                connections,
                seconds,
                backend,
                words.get(4).copied().unwrap_or("0"),
            );
        }
        _ => {
            eprintln!("usage: echo server <cpu> <port> <own|glommio> [spin-us]");
            eprintln!("       echo client <port> <connections> <seconds>");
            eprintln!("       echo measure <connections> <seconds> <own|glommio> [spin-us]");
            std::process::exit(2);
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| {
        eprintln!("not a number: {text}");
        std::process::exit(2);
    })
}

fn server(cpu: usize, port: u16, backend: &str, spin_us: u64) {
    let backend = if backend == "glommio" {
        SocketBackend::Glommio
    } else {
        SocketBackend::OwnRing
    };
    let config = Config {
        cpus: Cpus::List(vec![cpu]),
        backend,
        spin_max: Duration::from_micros(spin_us),
        ..Config::default()
    };
    let running = start(config, move |_| {
        move |rt: Rt| async move {
            let listener = rt
                .listen(
                    SocketAddr::from(([127, 0, 0, 1], port)),
                    ListenOptions::default(),
                )
                .expect("a free port");
            loop {
                let stream = rt
                    .adopt(listener.accept().await.expect("a connection"))
                    .expect("a live socket");
                let of_core = rt.clone();
                rt.spawn(Priority::Latency, async move {
                    while let Ok(request) = stream.recv().await {
                        if request.is_eof() {
                            break;
                        }
                        let mut reply = of_core.send_vec();
                        reply.extend_from_slice(&request);
                        drop(request);
                        if stream.send(reply).is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    match running {
        Ok(running) => running.join().expect("no core panics"),
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(e.exit_code().into());
        }
    }
}

/// One request in flight a connection; a round of writes, then a round of reads as replies come.
fn client(port: u16, connections: usize, seconds: u64) -> u64 {
    use rustix::event::epoll;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
    let mut sockets: Vec<TcpStream> = (0..connections)
        .map(|_| {
            let socket = TcpStream::connect(("127.0.0.1", port)).expect("a server");
            socket.set_nodelay(true).expect("a TCP socket");
            socket
        })
        .collect();
    for (i, socket) in sockets.iter_mut().enumerate() {
        let data = epoll::EventData::new_u64(i as u64);
        epoll::add(&poll, &*socket, data, epoll::EventFlags::IN).expect("an open socket");
        socket
            .write_all(&[7; REQUEST_BYTES])
            .expect("a live server");
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut done = 0;
    let mut buf = [0; REQUEST_BYTES];
    let mut events = Vec::with_capacity(1024);
    while Instant::now() < end {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)
            .expect("an open epoll");
        for event in &events {
            let socket = &mut sockets[event.data.u64() as usize];
            socket.read_exact(&mut buf).expect("a whole reply");
            socket.write_all(&buf).expect("a live server");
            done += 1;
        }
    }
    done
}

fn measure(connections: &str, seconds: &str, backend: &str, spin_us: &str) {
    let me = std::env::current_exe().expect("this program");
    let port = (20_000 + std::process::id() % 20_000).to_string();
    let mut server = Command::new(&me)
        .args(["server", "0", &port, backend, spin_us])
        .spawn()
        .expect("a server process");
    std::thread::sleep(Duration::from_millis(500));
    // Warm up, then measure between two looks at the server's CPU time.
    client(number(&port) as u16, number(connections), 1);
    let before = cpu_ticks(server.id());
    let began = Instant::now();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut asking = if cpus > 1 {
        Command::new("taskset")
    } else {
        Command::new(&me)
    };
    if cpus > 1 {
        asking.args(["-c", "1"]).arg(&me);
    }
    let output = asking
        .args(["client", &port, connections, seconds])
        .output()
        .expect("a client process");
    let wall = began.elapsed();
    let ticks = cpu_ticks(server.id()) - before;
    let _ = server.kill();
    let _ = server.wait();
    let done: f64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a count");
    println!(
        "{backend} {connections} connections: {:.0} requests/s, {:.2} us of server CPU a request",
        done / wall.as_secs_f64(),
        ticks as f64 * 10_000.0 / done
    );
}

/// User and system time of a process, in hundredths of a second (proc(5), fields 14 and 15).
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a live process");
    let after_name = stat.rsplit(')').next().unwrap_or("");
    after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|t| t.parse::<u64>().ok())
        .sum()
}
