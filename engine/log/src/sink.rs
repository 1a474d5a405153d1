//! Where formed groups go besides the disk.
//!
//! Owns the trait that the replication crate's lanes implement, one object a core.

use crate::group::Group;
use crate::position::LogPosition;

/// A core's replication lanes, as the log sees them. Calls come on the core that leads the group in
/// question, so consecutive groups may come on different cores: receivers put them in order by
/// [`Group::seq`]. Calls must not block and must not call the log back synchronously.
pub trait GroupSink {
    /// A group was formed; its disk write is submitted in the same step and not yet complete. The
    /// group's bytes are shared, never encoded again.
    fn group(&self, group: &Group);

    /// Everything up to `position` is durable here and published: the mark that travels to replicas.
    fn durable(&self, position: &LogPosition);
}
