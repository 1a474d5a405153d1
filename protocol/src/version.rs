//! Bolt versions and what each one changes on the wire.
//!
//! Owns the list of supported versions and the predicates named for what they gate, so that no other
//! module compares version numbers. Only a supported version can be held in a [`Version`]; 5.5 is
//! not among them and is never chosen (several drivers list it inside a range, none speaks it).

use std::fmt;

/// A Bolt version that Quoit speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u8,
    minor: u8,
}

impl Version {
    /// Bolt 4.0.
    pub const V4_0: Self = Self { major: 4, minor: 0 };
    /// Bolt 4.1: routing context in HELLO, NOOP chunks.
    pub const V4_1: Self = Self { major: 4, minor: 1 };
    /// Bolt 4.2: nothing new on the wire.
    pub const V4_2: Self = Self { major: 4, minor: 2 };
    /// Bolt 4.3: ROUTE, hints, the `utc` patch.
    pub const V4_3: Self = Self { major: 4, minor: 3 };
    /// Bolt 4.4: impersonation, ROUTE with an extra map.
    pub const V4_4: Self = Self { major: 4, minor: 4 };
    /// Bolt 5.0: element ids, UTC date-times only.
    pub const V5_0: Self = Self { major: 5, minor: 0 };
    /// Bolt 5.1: LOGON and LOGOFF.
    pub const V5_1: Self = Self { major: 5, minor: 1 };
    /// Bolt 5.2: notification filters.
    pub const V5_2: Self = Self { major: 5, minor: 2 };
    /// Bolt 5.3: `bolt_agent`.
    pub const V5_3: Self = Self { major: 5, minor: 3 };
    /// Bolt 5.4: TELEMETRY.
    pub const V5_4: Self = Self { major: 5, minor: 4 };
    /// Bolt 5.6: GQL statuses in place of notifications.
    pub const V5_6: Self = Self { major: 5, minor: 6 };
    /// Bolt 5.7: GQL errors, manifest handshake.
    pub const V5_7: Self = Self { major: 5, minor: 7 };
    /// Bolt 5.8: home database resolution.
    pub const V5_8: Self = Self { major: 5, minor: 8 };
    /// Bolt 6.0: vectors.
    pub const V6_0: Self = Self { major: 6, minor: 0 };
    /// Bolt 6.1: UUID.
    pub const V6_1: Self = Self { major: 6, minor: 1 };

    /// Every supported version, oldest first.
    pub const SUPPORTED: [Self; 15] = [
        Self::V4_0,
        Self::V4_1,
        Self::V4_2,
        Self::V4_3,
        Self::V4_4,
        Self::V5_0,
        Self::V5_1,
        Self::V5_2,
        Self::V5_3,
        Self::V5_4,
        Self::V5_6,
        Self::V5_7,
        Self::V5_8,
        Self::V6_0,
        Self::V6_1,
    ];

    /// The version with these numbers, if Quoit speaks it.
    pub fn supported(major: u8, minor: u8) -> Option<Self> {
        Self::SUPPORTED
            .into_iter()
            .find(|v| v.major == major && v.minor == minor)
    }

    /// The number before the dot.
    pub const fn major(self) -> u8 {
        self.major
    }

    /// The number after the dot.
    pub const fn minor(self) -> u8 {
        self.minor
    }

    const fn at_least(self, major: u8, minor: u8) -> bool {
        self.major > major || (self.major == major && self.minor >= minor)
    }

    /// HELLO may carry a routing context (4.1).
    pub const fn has_routing_context(self) -> bool {
        self.at_least(4, 1)
    }

    /// ROUTE exists (4.3). Before it, clients ask with a query on database `system`.
    pub const fn has_route(self) -> bool {
        self.at_least(4, 3)
    }

    /// ROUTE's third field is a map `{db, imp_user}` (4.4) rather than the database's name (4.3).
    pub const fn route_has_extra(self) -> bool {
        self.at_least(4, 4)
    }

    /// HELLO's SUCCESS may carry `hints` (4.3).
    pub const fn has_hints(self) -> bool {
        self.at_least(4, 3)
    }

    /// HELLO may offer `patch_bolt: ["utc"]` (4.3 and 4.4).
    pub const fn has_utc_patch(self) -> bool {
        self.major == 4 && self.minor >= 3
    }

    /// RUN, BEGIN and ROUTE may carry `imp_user` (4.4).
    pub const fn has_impersonation(self) -> bool {
        self.at_least(4, 4)
    }

    /// Vertices and edges carry element ids on the wire (5.0).
    pub const fn has_element_ids(self) -> bool {
        self.at_least(5, 0)
    }

    /// The server may send NOOP chunks (5.0). The protocol's text allows them from 4.1 on, but
    /// mgclient, which ends at 4.4, breaks on them.
    pub const fn server_may_send_noop(self) -> bool {
        self.at_least(5, 0)
    }

    /// Every client of this version can read byte arrays (5.0). mgclient, which ends at 4.4, cannot;
    /// a byte array for an older connection should fail its query instead of breaking the stream.
    pub const fn clients_read_bytes(self) -> bool {
        self.at_least(5, 0)
    }

    /// Credentials come in LOGON (5.1) rather than in HELLO.
    pub const fn has_logon(self) -> bool {
        self.at_least(5, 1)
    }

    /// HELLO, RUN and BEGIN may carry notification filters (5.2).
    pub const fn has_notification_filters(self) -> bool {
        self.at_least(5, 2)
    }

    /// A notification carries its `category` (5.2).
    pub const fn has_notification_category(self) -> bool {
        self.at_least(5, 2)
    }

    /// Filters are called `notifications_disabled_classifications` (5.6) rather than `..._categories`.
    pub const fn names_classifications(self) -> bool {
        self.at_least(5, 6)
    }

    /// HELLO carries `bolt_agent` (5.3).
    pub const fn has_bolt_agent(self) -> bool {
        self.at_least(5, 3)
    }

    /// TELEMETRY exists (5.4).
    pub const fn has_telemetry(self) -> bool {
        self.at_least(5, 4)
    }

    /// Summaries carry `statuses` (5.6) rather than `notifications`.
    pub const fn has_statuses(self) -> bool {
        self.at_least(5, 6)
    }

    /// FAILURE carries `neo4j_code` and GQL fields (5.7) rather than `code`.
    pub const fn has_gql_errors(self) -> bool {
        self.at_least(5, 7)
    }

    /// HELLO's SUCCESS carries `protocol_version` after a manifest handshake (5.7).
    pub const fn reports_protocol_version(self) -> bool {
        self.at_least(5, 7)
    }

    /// RUN, BEGIN name the resolved home database; LOGON the advertised address (5.8).
    pub const fn has_home_database(self) -> bool {
        self.at_least(5, 8)
    }

    /// Vector and UnsupportedType structures exist (6.0).
    pub const fn has_vectors(self) -> bool {
        self.at_least(6, 0)
    }

    /// PackStream has a UUID form (6.1).
    pub const fn has_uuid(self) -> bool {
        self.at_least(6, 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bolt {self}")
    }
}

/// How values look on one connection: its version, and whether date-times are UTC based there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireFormat {
    version: Version,
    utc: bool,
}

impl WireFormat {
    /// The format of a version without patches.
    pub const fn new(version: Version) -> Self {
        Self {
            version,
            utc: version.at_least(5, 0),
        }
    }

    /// The same after the `utc` patch was offered and accepted in HELLO (4.3 and 4.4; elsewhere
    /// nothing changes).
    pub const fn with_utc_patch(self) -> Self {
        Self {
            version: self.version,
            utc: self.utc || self.version.has_utc_patch(),
        }
    }

    /// The version of the connection.
    pub const fn version(self) -> Version {
        self.version
    }

    /// Date-times count the seconds of the instant (tags `I`, `i`) rather than those of the wall
    /// clock (tags `F`, `f`).
    pub const fn utc_datetime(self) -> bool {
        self.utc
    }

    /// See [`Version::has_element_ids`].
    pub const fn element_ids(self) -> bool {
        self.version.has_element_ids()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_dot_five_does_not_exist() {
        assert_eq!(Version::supported(5, 5), None);
        assert_eq!(Version::supported(5, 6), Some(Version::V5_6));
        assert_eq!(Version::supported(3, 0), None);
        assert_eq!(Version::supported(6, 2), None);
    }

    #[test]
    fn features_begin_with_the_version_that_brought_them() {
        let first = |has: fn(Version) -> bool| {
            Version::SUPPORTED
                .into_iter()
                .find(|v| has(*v))
                .map(|v| v.to_string())
        };
        assert_eq!(first(Version::has_routing_context).as_deref(), Some("4.1"));
        assert_eq!(first(Version::has_route).as_deref(), Some("4.3"));
        assert_eq!(first(Version::route_has_extra).as_deref(), Some("4.4"));
        assert_eq!(first(Version::has_element_ids).as_deref(), Some("5.0"));
        assert_eq!(first(Version::server_may_send_noop).as_deref(), Some("5.0"));
        assert_eq!(first(Version::has_logon).as_deref(), Some("5.1"));
        assert_eq!(
            first(Version::has_notification_filters).as_deref(),
            Some("5.2")
        );
        assert_eq!(first(Version::has_bolt_agent).as_deref(), Some("5.3"));
        assert_eq!(first(Version::has_telemetry).as_deref(), Some("5.4"));
        assert_eq!(first(Version::has_statuses).as_deref(), Some("5.6"));
        assert_eq!(first(Version::has_gql_errors).as_deref(), Some("5.7"));
        assert_eq!(first(Version::has_home_database).as_deref(), Some("5.8"));
        assert_eq!(first(Version::has_vectors).as_deref(), Some("6.0"));
        assert_eq!(first(Version::has_uuid).as_deref(), Some("6.1"));
    }

    #[test]
    fn the_utc_patch_changes_only_4_3_and_4_4() {
        for version in Version::SUPPORTED {
            let plain = WireFormat::new(version);
            let patched = plain.with_utc_patch();
            let changes = plain.utc_datetime() != patched.utc_datetime();
            assert_eq!(
                changes,
                version == Version::V4_3 || version == Version::V4_4
            );
            assert_eq!(plain.utc_datetime(), version >= Version::V5_0);
        }
    }
}
