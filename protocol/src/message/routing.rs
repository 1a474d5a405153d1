//! The routing table that answers ROUTE.

use crate::packstream::MapWriter;
use crate::send::SendBuffer;

/// Who serves what, as clients should see it. The caller fills in addresses that clients can reach;
/// drivers reject a table without routers or readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutingTable<'a> {
    /// How long clients may keep it, in seconds.
    pub ttl_s: u32,
    /// The database it is for, by its resolved name (sent from 4.4 on).
    pub database: &'a str,
    /// Members that answer ROUTE, as `host:port`.
    pub routers: &'a [&'a str],
    /// Members that serve reads.
    pub readers: &'a [&'a str],
    /// Members that serve writes; none while there is no MAIN.
    pub writers: &'a [&'a str],
}

impl SendBuffer {
    /// Writes the answer to ROUTE.
    pub fn route_success(&mut self, table: &RoutingTable<'_>) {
        self.success(|map| {
            map.key("rt").map(|rt| {
                if rt.format().version().route_has_extra() {
                    rt.string("db", table.database);
                }
                table.write(rt);
            });
        });
    }
}

impl RoutingTable<'_> {
    /// The entries `ttl` and `servers`, which clients before 4.3 get as a row of a procedure.
    pub fn write(&self, map: &mut MapWriter<'_>) {
        map.int("ttl", i64::from(self.ttl_s));
        map.key("servers").list(|servers| {
            for (role, addresses) in [
                ("ROUTE", self.routers),
                ("READ", self.readers),
                ("WRITE", self.writers),
            ] {
                if !addresses.is_empty() {
                    servers.item().map(|server| {
                        server.string("role", role);
                        server.strings("addresses", addresses.iter().copied());
                    });
                }
            }
        });
    }
}
