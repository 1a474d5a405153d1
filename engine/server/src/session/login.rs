//! HELLO and LOGON: who the client is, and how it wants to be spoken to.
//!
//! Owns the checking of credentials and what a connection takes over from its client: dialect, filter, the address it
//! dialled. Called by the session. What always holds: a login that fails ends the connection; no credential is repeated in
//! an answer. Limits before and after the login are the session's.

use super::{Next, RECV_TIMEOUT_S, Session};
use crate::dialect::Dialect;
use quoit_cypher::error::{Error, ErrorKind};
use quoit_protocol::message::answer::{HelloAnswer, Hints};
use quoit_protocol::message::{Auth, Credentials, Hello};
use std::sync::atomic::Ordering;

/// A longer name of a user is shown up to here, in bytes.
const NAME_BYTES_SHOWN: usize = 256;

impl Session {
    /// HELLO.
    pub(super) fn hello(&mut self, hello: Hello<'_>) -> Next {
        if hello.utc_patch {
            self.out.set_format(self.out.format().with_utc_patch());
        }
        self.filter = hello.notifications;
        if let Some(routing) = hello.routing {
            let address = routing
                .get("address")
                .and_then(|value| value.as_str())
                .unwrap_or_default();
            self.dialled = Some(address.to_owned());
            match routing.get("errors").and_then(|value| value.as_str()) {
                Some("memgraph") => self.dialect = Dialect::Memgraph,
                Some("neo4j") => self.dialect = Dialect::Neo4j,
                _ => {}
            }
        }
        // Its code compares error codes with Memgraph's.
        if hello
            .user_agent
            .is_some_and(|agent| agent.starts_with("langchain-memgraph"))
        {
            self.dialect = Dialect::Memgraph;
        }
        if let Some(auth) = hello.auth
            && let Err(error) = authenticate(auth)
        {
            return self.refuse_login(&error);
        }
        if let Some(auth) = hello.auth {
            self.logged_in(auth);
        }
        let number = self
            .node
            .shared
            .connection_id
            .fetch_add(1, Ordering::Relaxed)
            + 1;
        self.open.connection.set(number);
        self.out.hello_success(&HelloAnswer {
            server: &self.node.options.server_name,
            connection_id: &format!("bolt-{number}"),
            hints: Hints {
                recv_timeout_s: Some(RECV_TIMEOUT_S),
                telemetry: false,
                server_side_routing: false,
            },
            utc_patch: hello.utc_patch,
            manifest: self.manifest,
        });
        self.state.hello_succeeded();
        Next::Go
    }

    /// LOGON.
    pub(super) fn logon(&mut self, auth: Auth<'_>) -> Next {
        if let Err(error) = authenticate(auth) {
            return self.refuse_login(&error);
        }
        self.logged_in(auth);
        self.out
            .logon_success(self.node.options.advertised_address.as_deref());
        self.state.logon_succeeded();
        Next::Go
    }

    /// Notes who is there, for those who list users.
    fn logged_in(&self, auth: Auth<'_>) {
        let name = match auth.credentials() {
            Some(Credentials::Basic { principal, .. }) => principal,
            _ => "",
        };
        let name = &name[..name.floor_char_boundary(NAME_BYTES_SHOWN)];
        self.open.logged_in(name, self.node.rt.wall_clock_us());
    }

    fn refuse_login(&mut self, error: &Error) -> Next {
        self.fail(error, None);
        Next::Close
    }
}

/// Whether these credentials open the server. There are no users yet, so any name does; a scheme that would need a
/// module to check it is refused rather than waved through.
fn authenticate(auth: Auth<'_>) -> Result<(), Error> {
    match auth.credentials() {
        Some(Credentials::None | Credentials::Basic { .. }) => Ok(()),
        Some(_) => Err(Error::of(
            ErrorKind::Unauthenticated,
            format!(
                "authentication scheme `{}` is not available here; use `basic` or `none`",
                auth.scheme
            ),
        )),
        None => Err(Error::of(
            ErrorKind::Unauthenticated,
            format!("credentials of scheme `{}` are incomplete", auth.scheme),
        )),
    }
}
