//! The typed contents of requests: the maps of HELLO, LOGON, RUN, BEGIN, PULL, DISCARD, ROUTE.
//!
//! Each is read in one walk over its map, so a key given twice counts as last given. A key that the
//! connection's version does not have yet is as unknown as any other, and ignored. No value is ever put
//! into an error or a `Debug` text where it could be a secret.

use super::notification::{CategorySet, MinimumSeverity, NotificationFilter};
use super::request::{FieldError, RequestKind};
use crate::packstream::{List, ListIter, Map, Value};
use crate::version::Version;
use std::fmt;

/// HELLO's extra map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hello<'a> {
    /// Name and version of the application or driver; for display only.
    pub user_agent: Option<&'a str>,
    /// The driver itself (5.3).
    pub bolt_agent: Option<BoltAgent<'a>>,
    /// Credentials, before 5.1.
    pub auth: Option<Auth<'a>>,
    /// The routing context: present for `neo4j://`, absent for `bolt://`.
    pub routing: Option<Map<'a>>,
    /// The client offers UTC date-times (4.3, 4.4).
    pub utc_patch: bool,
    /// What notifications this connection wants (5.2).
    pub notifications: NotificationFilter,
}

/// The driver's own identification (5.3). The protocol calls it mandatory; a client that leaves it out
/// harms nobody and is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoltAgent<'a> {
    /// Driver and version, `neo4j-python/5.28.0`.
    pub product: &'a str,
    /// Operating system.
    pub platform: Option<&'a str>,
    /// Language and version.
    pub language: Option<&'a str>,
    /// More about the language's runtime.
    pub language_details: Option<&'a str>,
}

/// An authentication token.
#[derive(Clone, Copy, PartialEq)]
pub struct Auth<'a> {
    /// The scheme's name; a missing one is `none`.
    pub scheme: &'a str,
    /// User name.
    pub principal: Option<&'a str>,
    /// Password, token or ticket; see [`Auth::credentials`].
    pub secret: Option<&'a str>,
    /// Where the user is known.
    pub realm: Option<&'a str>,
    /// Whatever a custom scheme needs.
    pub parameters: Option<Map<'a>>,
}

/// An authentication token by its scheme.
#[derive(Clone, Copy, PartialEq)]
pub enum Credentials<'a> {
    /// No credentials.
    None,
    /// Name and password.
    Basic {
        /// User name; may be empty.
        principal: &'a str,
        /// Password; may be empty.
        password: &'a str,
    },
    /// A token of a single sign-on service.
    Bearer {
        /// The token.
        token: &'a str,
    },
    /// A Kerberos ticket, base64.
    Kerberos {
        /// The ticket.
        ticket: &'a str,
    },
    /// A scheme for an authentication module, by name.
    Custom {
        /// The scheme.
        scheme: &'a str,
    },
}

/// Options of a transaction, from BEGIN or from RUN outside of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransactionExtra<'a> {
    /// Do not start before these are visible.
    pub bookmarks: Bookmarks<'a>,
    /// Time limit in milliseconds; absent: the server's default; 0: none.
    pub timeout_ms: Option<u64>,
    /// Shown with the transaction.
    pub metadata: Option<Map<'a>>,
    /// Whether writes are allowed.
    pub mode: AccessMode,
    /// The database; absent (also for null and the empty name): the home database.
    pub database: Option<&'a str>,
    /// Run as this user (4.4).
    pub impersonated_user: Option<&'a str>,
    /// What notifications this transaction wants (5.2); what is absent here is as in HELLO.
    pub notifications: NotificationFilter,
}

/// Whether a transaction may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessMode {
    /// Reads only; `"r"`.
    Read,
    /// Reads and writes; `"w"`, and the default.
    #[default]
    Write,
}

/// The contents of PULL and DISCARD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRequest {
    /// How many rows.
    pub rows: Rows,
    /// Which stream; absent (also for -1): that of the newest statement.
    pub qid: Option<u64>,
}

/// How many rows a PULL or DISCARD asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// All that are left; `-1`.
    All,
    /// So many at most, at least 1.
    AtMost(u64),
}

/// ROUTE's fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Route<'a> {
    /// The routing context; `address` in it is what the client dialled.
    pub routing: Map<'a>,
    /// Do not answer before these are visible.
    pub bookmarks: Bookmarks<'a>,
    /// The database; absent (also for null and the empty name): the home database.
    pub database: Option<&'a str>,
    /// Answer for this user (4.4).
    pub impersonated_user: Option<&'a str>,
}

/// The driver interface that TELEMETRY reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TelemetryApi {
    /// A managed (retried) transaction.
    ManagedTransaction,
    /// An explicit transaction.
    ExplicitTransaction,
    /// An auto-commit query.
    AutoCommit,
    /// The driver's `execute_query`.
    ExecuteQuery,
}

/// Bookmarks: opaque strings in no order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bookmarks<'a> {
    list: List<'a>,
}

impl<'a> Bookmarks<'a> {
    /// No bookmarks.
    pub const NONE: Bookmarks<'static> = Bookmarks { list: List::EMPTY };

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Each bookmark.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        self.list.iter().map(|bookmark| match bookmark {
            Value::String(text) => text,
            _ => unreachable!("bookmarks are made from lists of strings only"),
        })
    }

    fn read(request: RequestKind, list: List<'a>) -> Result<Self, FieldError> {
        all_strings(request, "bookmarks", list.iter())?;
        Ok(Self { list })
    }
}

/// A key's value, or the error that names it. `None` is null.
struct Entry<'a> {
    request: RequestKind,
    field: &'static str,
    value: Value<'a>,
}

impl<'a> Entry<'a> {
    fn optional<T>(
        self,
        expected: &'static str,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        if self.value.is_null() {
            return Ok(None);
        }
        match read(self.value) {
            Some(value) => Ok(Some(value)),
            None => Err(FieldError {
                request: self.request,
                field: self.field,
                expected,
            }),
        }
    }

    fn string(self) -> Result<Option<&'a str>, FieldError> {
        self.optional("a string", |value| value.as_str())
    }

    fn map(self) -> Result<Option<Map<'a>>, FieldError> {
        self.optional("a map", |value| value.as_map())
    }

    fn bookmarks(self) -> Result<Bookmarks<'a>, FieldError> {
        let request = self.request;
        match self.optional("a list of strings", |value| value.as_list())? {
            Some(list) => Bookmarks::read(request, list),
            None => Ok(Bookmarks::NONE),
        }
    }

    fn severity(self) -> Result<Option<MinimumSeverity>, FieldError> {
        self.optional("WARNING, INFORMATION or OFF", |value| {
            MinimumSeverity::from_name(value.as_str()?)
        })
    }

    fn categories(self) -> Result<Option<CategorySet>, FieldError> {
        let (request, field) = (self.request, self.field);
        let Some(list) = self.optional("a list of strings", |value| value.as_list())? else {
            return Ok(None);
        };
        all_strings(request, field, list.iter())?;
        // A category this server has not heard of has no notifications here.
        Ok(Some(
            list.iter()
                .filter_map(|name| CategorySet::of_name(name.as_str()?))
                .fold(CategorySet::NONE, CategorySet::union),
        ))
    }
}

fn all_strings(
    request: RequestKind,
    field: &'static str,
    mut values: ListIter<'_>,
) -> Result<(), FieldError> {
    match values.all(|value| matches!(value, Value::String(_))) {
        true => Ok(()),
        false => Err(FieldError {
            request,
            field,
            expected: "a list of strings",
        }),
    }
}

/// Takes the two filter keys of HELLO, RUN and BEGIN; tells whether `key` was one of them.
fn read_filter(
    filter: &mut NotificationFilter,
    request: RequestKind,
    key: &str,
    value: Value<'_>,
    version: Version,
) -> Result<(), FieldError> {
    let entry = |field| Entry {
        request,
        field,
        value,
    };
    match key {
        "notifications_minimum_severity" => {
            filter.minimum = entry("notifications_minimum_severity").severity()?;
        }
        "notifications_disabled_categories" if !version.names_classifications() => {
            filter.disabled = entry("notifications_disabled_categories").categories()?;
        }
        "notifications_disabled_classifications" if version.names_classifications() => {
            filter.disabled = entry("notifications_disabled_classifications").categories()?;
        }
        _ => {}
    }
    Ok(())
}

impl<'a> Hello<'a> {
    pub(super) fn read(extra: Map<'a>, version: Version) -> Result<Self, FieldError> {
        let request = RequestKind::Hello;
        let mut hello = Self {
            user_agent: None,
            bolt_agent: None,
            auth: None,
            routing: None,
            utc_patch: false,
            notifications: NotificationFilter::default(),
        };
        for (key, value) in extra {
            let entry = |field| Entry {
                request,
                field,
                value,
            };
            match key {
                "user_agent" => hello.user_agent = entry("user_agent").string()?,
                "routing" if version.has_routing_context() => {
                    hello.routing = entry("routing").map()?;
                }
                "bolt_agent" if version.has_bolt_agent() => {
                    hello.bolt_agent = match entry("bolt_agent").map()? {
                        Some(map) => Some(BoltAgent::read(map)?),
                        None => None,
                    };
                }
                "patch_bolt" if version.has_utc_patch() => {
                    let patches =
                        entry("patch_bolt").optional("a list of strings", |v| v.as_list())?;
                    let patches = patches.unwrap_or(List::EMPTY);
                    all_strings(request, "patch_bolt", patches.iter())?;
                    hello.utc_patch = patches.iter().any(|patch| patch.as_str() == Some("utc"));
                }
                _ if version.has_notification_filters() => {
                    read_filter(&mut hello.notifications, request, key, value, version)?;
                }
                _ => {}
            }
        }
        if !version.has_logon() {
            hello.auth = Some(Auth::read(request, extra)?);
        }
        Ok(hello)
    }
}

impl<'a> BoltAgent<'a> {
    fn read(map: Map<'a>) -> Result<Self, FieldError> {
        let request = RequestKind::Hello;
        let mut product = None;
        let mut agent = Self {
            product: "",
            platform: None,
            language: None,
            language_details: None,
        };
        for (key, value) in map {
            let entry = |field| Entry {
                request,
                field,
                value,
            };
            match key {
                "product" => product = entry("bolt_agent.product").string()?,
                "platform" => agent.platform = entry("bolt_agent.platform").string()?,
                "language" => agent.language = entry("bolt_agent.language").string()?,
                "language_details" => {
                    agent.language_details = entry("bolt_agent.language_details").string()?;
                }
                _ => {}
            }
        }
        agent.product = product.ok_or(FieldError {
            request,
            field: "bolt_agent.product",
            expected: "a string",
        })?;
        Ok(agent)
    }
}

impl<'a> Auth<'a> {
    pub(super) fn read(request: RequestKind, map: Map<'a>) -> Result<Self, FieldError> {
        let mut scheme = None;
        let mut auth = Self {
            scheme: "none",
            principal: None,
            secret: None,
            realm: None,
            parameters: None,
        };
        for (key, value) in map {
            let entry = |field| Entry {
                request,
                field,
                value,
            };
            match key {
                "scheme" => scheme = entry("scheme").string()?,
                "principal" => auth.principal = entry("principal").string()?,
                "credentials" => auth.secret = entry("credentials").string()?,
                "realm" => auth.realm = entry("realm").string()?,
                "parameters" => auth.parameters = entry("parameters").map()?,
                _ => {}
            }
        }
        auth.scheme = scheme.unwrap_or("none");
        Ok(auth)
    }

    /// The token by its scheme. `None` if the scheme lacks what it needs: such a login is refused like
    /// a wrong password.
    pub fn credentials(&self) -> Option<Credentials<'a>> {
        Some(match self.scheme {
            "none" => Credentials::None,
            // Drivers leave out what is empty.
            "basic" => Credentials::Basic {
                principal: self.principal.unwrap_or_default(),
                password: self.secret.unwrap_or_default(),
            },
            "bearer" => Credentials::Bearer {
                token: self.secret?,
            },
            "kerberos" => Credentials::Kerberos {
                ticket: self.secret?,
            },
            scheme => Credentials::Custom { scheme },
        })
    }
}

/// Shows no secret.
impl fmt::Debug for Auth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("scheme", &self.scheme)
            .field("principal", &self.principal)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// Shows no secret.
impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Basic { principal, .. } => f
                .debug_struct("Basic")
                .field("principal", principal)
                .finish_non_exhaustive(),
            Self::Bearer { .. } => f.write_str("Bearer"),
            Self::Kerberos { .. } => f.write_str("Kerberos"),
            Self::Custom { scheme } => f.debug_tuple("Custom").field(scheme).finish(),
        }
    }
}

impl<'a> TransactionExtra<'a> {
    pub(super) fn read(
        request: RequestKind,
        extra: Map<'a>,
        version: Version,
    ) -> Result<Self, FieldError> {
        let mut options = Self {
            bookmarks: Bookmarks::NONE,
            timeout_ms: None,
            metadata: None,
            mode: AccessMode::Write,
            database: None,
            impersonated_user: None,
            notifications: NotificationFilter::default(),
        };
        for (key, value) in extra {
            let entry = |field| Entry {
                request,
                field,
                value,
            };
            match key {
                "bookmarks" => options.bookmarks = entry("bookmarks").bookmarks()?,
                "tx_timeout" => {
                    options.timeout_ms = entry("tx_timeout")
                        .optional("a number of milliseconds, 0 or more", |value| {
                            u64::try_from(value.as_int()?).ok()
                        })?;
                }
                "tx_metadata" => options.metadata = entry("tx_metadata").map()?,
                "mode" => {
                    options.mode = entry("mode")
                        .optional("\"r\" or \"w\"", |value| match value.as_str()? {
                            "r" => Some(AccessMode::Read),
                            "w" => Some(AccessMode::Write),
                            _ => None,
                        })?
                        .unwrap_or_default();
                }
                "db" => options.database = database(entry("db"))?,
                "imp_user" if version.has_impersonation() => {
                    options.impersonated_user = entry("imp_user").string()?;
                }
                _ if version.has_notification_filters() => {
                    read_filter(&mut options.notifications, request, key, value, version)?;
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

fn database(entry: Entry<'_>) -> Result<Option<&str>, FieldError> {
    Ok(entry.string()?.filter(|name| !name.is_empty()))
}

impl StreamRequest {
    pub(super) fn read(request: RequestKind, extra: Map<'_>) -> Result<Self, FieldError> {
        let mut rows = None;
        let mut qid = None;
        for (key, value) in extra {
            let entry = |field| Entry {
                request,
                field,
                value,
            };
            match key {
                "n" => {
                    rows = entry("n").optional("-1 or a number of rows, 1 or more", |value| {
                        match value.as_int()? {
                            -1 => Some(Rows::All),
                            n @ 1.. => Some(Rows::AtMost(n as u64)),
                            _ => None,
                        }
                    })?;
                }
                "qid" => {
                    qid = entry("qid")
                        .optional("-1 or the id of a statement", |value| {
                            match value.as_int()? {
                                -1 => Some(None),
                                id => u64::try_from(id).ok().map(Some),
                            }
                        })?
                        .flatten();
                }
                _ => {}
            }
        }
        let rows = rows.ok_or(FieldError {
            request,
            field: "n",
            expected: "-1 or a number of rows, 1 or more",
        })?;
        Ok(Self { rows, qid })
    }
}

impl<'a> Route<'a> {
    /// `last` is the database's name in 4.3 and a map from 4.4 on.
    pub(super) fn read(
        routing: Map<'a>,
        bookmarks: List<'a>,
        last: Value<'a>,
        version: Version,
    ) -> Result<Self, FieldError> {
        let request = RequestKind::Route;
        let mut route = Self {
            routing,
            bookmarks: Bookmarks::read(request, bookmarks)?,
            database: None,
            impersonated_user: None,
        };
        let entry = |field, value| Entry {
            request,
            field,
            value,
        };
        if !version.route_has_extra() {
            route.database = database(entry("db", last))?;
            return Ok(route);
        }
        for (key, value) in entry("extra", last).map()?.unwrap_or(Map::EMPTY) {
            match key {
                "db" => route.database = database(entry("db", value))?,
                "imp_user" => route.impersonated_user = entry("imp_user", value).string()?,
                _ => {}
            }
        }
        Ok(route)
    }
}

impl TelemetryApi {
    pub(super) fn read(value: Value<'_>) -> Result<Self, FieldError> {
        match value {
            Value::Int(0) => Ok(Self::ManagedTransaction),
            Value::Int(1) => Ok(Self::ExplicitTransaction),
            Value::Int(2) => Ok(Self::AutoCommit),
            Value::Int(3) => Ok(Self::ExecuteQuery),
            _ => Err(FieldError {
                request: RequestKind::Telemetry,
                field: "api",
                expected: "an integer from 0 to 3",
            }),
        }
    }
}
