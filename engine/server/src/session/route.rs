//! ROUTE: who serves what, as this server knows it.
//!
//! Owns the routing table. Called by the session. What always holds: every table has a router and a reader, since
//! drivers reject it otherwise; addresses are such as the client can reach: what was configured, else for this server
//! the address that the client itself dialled.

use super::{Next, Session};
use crate::node::{DATABASE, is_database};
use quoit_protocol::message::Route;
use quoit_protocol::message::routing::RoutingTable;

/// How long a client may keep a table, in seconds.
const TTL_S: u32 = 300;

impl Session {
    /// ROUTE.
    pub(super) fn route(&mut self, route: Route<'_>) -> Next {
        if let Some(name) = route.database
            && !is_database(name)
        {
            self.refuse_database(name);
            return Next::Go;
        }
        if let Some(next) = self.await_bookmarks(route.bookmarks, None) {
            return next;
        }
        let dialled = route
            .routing
            .get("address")
            .and_then(|value| value.as_str());
        let said = self
            .node
            .options
            .advertised_address
            .as_deref()
            .or(dialled)
            .or(self.dialled.as_deref());
        // A client that does not say what it dialled has reached this address, whatever it called it.
        let own = said
            .filter(|address| !address.is_empty())
            .map_or_else(|| self.local.to_string(), str::to_owned);
        let peers = self.node.replication.peers();
        // A replica tells its Bolt port; the host is the one that the main itself reaches it by.
        let in_step: Vec<String> = peers
            .iter()
            .filter(|peer| peer.in_step && peer.bolt_port != 0)
            .map(|peer| match peer.host.contains(':') {
                true => format!("[{}]:{}", peer.host, peer.bolt_port),
                false => format!("{}:{}", peer.host, peer.bolt_port),
            })
            .collect();
        let in_step: Vec<&str> = in_step.iter().map(String::as_str).collect();
        let own = own.as_str();
        let readers = if in_step.is_empty() {
            vec![own]
        } else {
            in_step
        };
        // A replica does not know where its main speaks Bolt; a main that was replaced knows that it is none.
        let writers = if self.node.replication.writable().is_ok() {
            vec![own]
        } else {
            Vec::new()
        };
        let mut routers = vec![own];
        routers.extend(
            readers
                .iter()
                .chain(&writers)
                .copied()
                .filter(|address| *address != own),
        );
        self.out.route_success(&RoutingTable {
            ttl_s: TTL_S,
            database: DATABASE,
            routers: &routers,
            readers: &readers,
            writers: &writers,
        });
        Next::Go
    }
}
