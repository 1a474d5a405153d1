//! The flags of Memgraph that `quoit server` accepts without effect.
//!
//! Compose files and unit files written for Memgraph start Quoit unchanged: each flag in this table
//! costs one warning line naming it, and nothing else. A flag leaves the table when Quoit implements
//! it, and then stands in [`ServerArgs`](crate::server_args::ServerArgs) under the same name.
//! Source: Memgraph's `--help` and reference of command-line flags, up to 3.12.

use crate::gflags::Takes::{self, Bool, Value};

/// Long name with dashes, and what follows it.
pub const ACCEPTED_WITHOUT_EFFECT: &[(&str, Takes)] = &[
    ("also-log-to-stderr", Bool),
    ("audit-buffer-flush-interval-ms", Value),
    ("audit-buffer-size", Value),
    ("audit-enabled", Bool),
    ("auth-module-create-missing-role", Bool),
    ("auth-module-create-missing-user", Bool),
    ("auth-module-executable", Value),
    ("auth-module-manage-roles", Bool),
    ("auth-module-mappings", Value),
    ("auth-module-timeout-ms", Value),
    ("auth-password-permit-null", Bool),
    ("auth-password-strength-regex", Value),
    ("auth-user-or-role-name-regex", Value),
    ("aws-access-key", Value),
    ("aws-endpoint-url", Value),
    ("aws-region", Value),
    ("aws-secret-key", Value),
    ("bolt-cert-file", Value),
    ("bolt-key-file", Value),
    ("bolt-num-workers", Value),
    ("bolt-session-inactivity-timeout", Value),
    ("ca-bundle-file", Value),
    ("cartesian-product-enabled", Bool),
    ("cluster-ca-file", Value),
    ("cluster-cert-file", Value),
    ("cluster-key-file", Value),
    ("coordinator-hostname", Value),
    ("coordinator-id", Value),
    ("coordinator-port", Value),
    ("data-dir-lock-acquisition-timeout-sec", Value),
    ("data-recovery-on-startup", Bool),
    ("debug-query-plans", Bool),
    ("delta-chain-cache-threshold", Value),
    ("delta-on-identical-property-update", Bool),
    ("durability-max-retained-files", Value),
    ("experimental-config", Value),
    ("experimental-enabled", Value),
    ("fips-mode", Bool),
    ("hops-limit-partial-results", Bool),
    ("init-data-file", Value),
    ("init-file", Value),
    ("instance-down-timeout-sec", Value),
    ("instance-health-check-frequency-sec", Value),
    ("kafka-bootstrap-servers", Value),
    ("license-key", Value),
    ("log-failed-queries", Bool),
    ("log-file", Value),
    ("log-min-duration-ms", Value),
    ("log-query-plan", Bool),
    ("log-retention-days", Value),
    ("logger-type", Value),
    ("management-port", Value),
    ("memory-warning-threshold", Value),
    ("metrics-address", Value),
    ("metrics-format", Value),
    ("metrics-port", Value),
    ("monitoring-address", Value),
    ("monitoring-port", Value),
    ("nuraft-log-file", Value),
    ("organization-name", Value),
    ("password-encryption-algorithm", Value),
    ("pulsar-service-url", Value),
    ("query-callable-mappings-path", Value),
    ("query-cost-planner", Bool),
    ("query-max-plans", Value),
    ("query-modules-directory", Value),
    ("query-plan-cache-max-size", Value),
    ("query-plan-cache-ttl", Value),
    ("query-vertex-count-to-expand-existing", Value),
    ("replication-replica-check-frequency-sec", Value),
    ("replication-restore-state-on-startup", Bool),
    ("scheduler", Value),
    ("schema-info-enabled", Bool),
    ("storage-access-timeout-sec", Value),
    ("storage-allow-recovery-failure", Bool),
    ("storage-automatic-edge-type-index-creation-enabled", Bool),
    ("storage-automatic-label-index-creation-enabled", Bool),
    ("storage-backup-dir-enabled", Bool),
    ("storage-delta-on-identical-property-update", Bool),
    ("storage-enable-backup-dir", Bool),
    ("storage-enable-edges-metadata", Bool),
    ("storage-enable-schema-metadata", Bool),
    ("storage-floating-point-resolution-bits", Value),
    ("storage-gc-aggressive", Bool),
    ("storage-gc-cycle-sec", Value),
    ("storage-items-per-batch", Value),
    ("storage-light-edge", Bool),
    ("storage-mode", Value),
    ("storage-parallel-index-recovery", Bool),
    ("storage-parallel-schema-recovery", Bool),
    ("storage-parallel-snapshot-creation", Bool),
    ("storage-properties-on-edges", Bool),
    ("storage-property-store-compression-enabled", Bool),
    ("storage-property-store-compression-level", Value),
    ("storage-python-gc-cycle-sec", Value),
    ("storage-recover-on-startup", Bool),
    ("storage-recovery-thread-count", Value),
    ("storage-release-recovered-snapshot-page-cache", Bool),
    ("storage-release-sent-snapshot-page-cache", Bool),
    ("storage-rocksdb-enable-thread-tracking", Bool),
    ("storage-rocksdb-info-log-level", Value),
    ("storage-snapshot-interval", Value),
    ("storage-snapshot-thread-count", Value),
    ("storage-snapshot-writeback-window-mib", Value),
    ("storage-wal-enabled", Bool),
    ("storage-wal-file-flush-every-n-tx", Value),
    ("storage-wal-file-size-kib", Value),
    ("stream-transaction-conflict-retries", Value),
    ("stream-transaction-retry-interval", Value),
    ("strict-flag-check", Bool),
    ("telemetry-enabled", Bool),
    ("timezone", Value),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gflags::{Vocabulary, normalize};
    use crate::server_args::ServerArgs;

    #[test]
    fn no_flag_stands_both_here_and_among_our_own() {
        let command = <ServerArgs as clap::Args>::augment_args(clap::Command::new("server"));
        for argument in command.get_arguments() {
            let long = argument.get_long().unwrap_or_default();
            assert!(
                ACCEPTED_WITHOUT_EFFECT
                    .iter()
                    .all(|(name, _)| *name != long),
                "--{long}"
            );
        }
    }

    #[test]
    fn the_table_is_sorted_and_without_doubles() {
        assert!(
            ACCEPTED_WITHOUT_EFFECT
                .windows(2)
                .all(|pair| pair[0].0 < pair[1].0)
        );
    }

    #[test]
    fn a_packaged_memgraph_configuration_is_accepted_line_by_line() {
        let command = <ServerArgs as clap::Args>::augment_args(clap::Command::new("server"));
        let vocabulary = Vocabulary::new(&command, ACCEPTED_WITHOUT_EFFECT);
        let args: Vec<String> = [
            "--bolt-port=7687",
            "--storage-properties-on-edges=true",
            "--storage-snapshot-interval-sec=300",
            "--storage_wal_enabled=true",
            "--log-level=WARNING",
            "--memory-limit=0",
            "--telemetry-enabled=true",
        ]
        .map(String::from)
        .to_vec();
        let normalized = normalize(&args, &vocabulary).unwrap();
        assert_eq!(
            normalized.args,
            [
                "--bolt-port=7687",
                "--storage-snapshot-interval-sec=300",
                "--log-level=WARNING",
                "--memory-limit=0"
            ]
        );
        assert_eq!(normalized.ignored.len(), 3);
    }
}
