//! Requests of other terminals to the supervisor, over a Unix socket.
//!
//! One line each way: `kill r1` → `ok r1 is killed` or `error: there is no node 'r9'`. Only the
//! supervisor touches processes: it knows which are still its children, so a signal never goes to
//! somebody else's process that got an old number.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a supervisor can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// SIGKILL, nothing in user space runs after it.
    Kill(String),
    /// SIGSTOP.
    Pause(String),
    /// SIGCONT.
    Resume(String),
    /// Starts a node that has ended, or ends and starts one that runs.
    Restart(String),
    /// Ends one node as SIGTERM does.
    Stop(String),
    /// Ends the cluster.
    Down,
}

impl Request {
    fn line(&self) -> String {
        match self {
            Request::Kill(name) => format!("kill {name}\n"),
            Request::Pause(name) => format!("pause {name}\n"),
            Request::Resume(name) => format!("resume {name}\n"),
            Request::Restart(name) => format!("restart {name}\n"),
            Request::Stop(name) => format!("stop {name}\n"),
            Request::Down => "down\n".to_owned(),
        }
    }

    fn parse(line: &str) -> Option<Request> {
        let line = line.trim();
        if line == "down" {
            return Some(Request::Down);
        }
        let (word, name) = line.split_once(' ')?;
        let name = name.to_owned();
        match word {
            "kill" => Some(Request::Kill(name)),
            "pause" => Some(Request::Pause(name)),
            "resume" => Some(Request::Resume(name)),
            "restart" => Some(Request::Restart(name)),
            "stop" => Some(Request::Stop(name)),
            _ => None,
        }
    }
}

/// The supervisor's end. The socket's file goes with it.
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

/// A request that waits for its answer.
pub struct Asked {
    pub request: Request,
    stream: UnixStream,
}

/// How long a client may take to say what it wants.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a supervisor may take; a restart waits for readiness.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
const LINE_BYTES_MAX: u64 = 256;
/// sun_path has 108 bytes with its closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

impl Listener {
    /// Listens in `directory`, or in the system's directory for temporary files where the path would
    /// be too long for a socket. Only this user may connect.
    pub fn bind(directory: &Path) -> io::Result<Listener> {
        let mut path = directory.join("control.sock");
        if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            path = std::env::temp_dir().join(format!("quoit-cluster-{}.sock", std::process::id()));
        }
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let socket = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        socket.set_nonblocking(true)?;
        Ok(Listener { socket, path })
    }

    /// The socket's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A request, if one has come. What is no request is answered here.
    pub fn next(&self) -> Option<Asked> {
        let (stream, _) = self.socket.accept().ok()?;
        stream.set_nonblocking(false).ok()?;
        stream.set_read_timeout(Some(REQUEST_TIMEOUT)).ok()?;
        stream.set_write_timeout(Some(REQUEST_TIMEOUT)).ok()?;
        let mut line = String::new();
        let mut reader = BufReader::new((&stream).take(LINE_BYTES_MAX));
        reader.read_line(&mut line).ok()?;
        match Request::parse(&line) {
            Some(request) => Some(Asked { request, stream }),
            None => {
                let _ = (&stream).write_all(b"error: not a request\n");
                None
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Asked {
    /// Answers with what was done, or why not. The asker may be gone.
    pub fn answer(mut self, outcome: &Result<String, String>) {
        let line = match outcome {
            Ok(done) => format!("ok {done}\n"),
            Err(reason) => format!("error: {reason}\n"),
        };
        let _ = self.stream.write_all(line.as_bytes());
    }
}

/// Asks the supervisor that listens at `path` and gives its answer. An I/O error means that none
/// listens.
pub fn ask(path: &Path, request: &Request) -> io::Result<Result<String, String>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(request.line().as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream.take(64 << 10)).read_line(&mut answer)?;
    let answer = answer.trim();
    if let Some(done) = answer.strip_prefix("ok ") {
        return Ok(Ok(done.to_owned()));
    }
    match answer.strip_prefix("error: ") {
        Some(reason) => Ok(Err(reason.to_owned())),
        None => Ok(Err("the supervisor ended without an answer".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn every_request_reads_as_it_was_written() {
        for request in [
            Request::Kill("r1".into()),
            Request::Pause("r1".into()),
            Request::Resume("r1".into()),
            Request::Restart("main".into()),
            Request::Stop("r2".into()),
            Request::Down,
        ] {
            assert_eq!(Request::parse(&request.line()), Some(request));
        }
        assert_eq!(Request::parse("explode r1"), None);
        assert_eq!(Request::parse(""), None);
    }

    #[test]
    fn a_request_is_answered_over_the_socket() {
        let directory = std::env::temp_dir().join(format!("quoit-control-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let listener = Listener::bind(&directory).unwrap();
        let path = listener.path().to_owned();
        assert!(listener.next().is_none());
        let asker = {
            let path = path.clone();
            thread::spawn(move || ask(&path, &Request::Kill("r1".into())))
        };
        let asked = loop {
            match listener.next() {
                Some(asked) => break asked,
                None => thread::yield_now(),
            }
        };
        assert_eq!(asked.request, Request::Kill("r1".into()));
        asked.answer(&Err("no".to_owned()));
        assert_eq!(asker.join().unwrap().unwrap(), Err("no".to_owned()));
        drop(listener);
        assert!(ask(&path, &Request::Down).is_err());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
