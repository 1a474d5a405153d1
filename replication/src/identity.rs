//! Who a node is: the ids that stand in the node record, in a hello and in the log's group headers.
//!
//! Owns the newtypes and their texts. Called by everything in this crate. Always: an id is 128 random bits given
//! by the caller (nothing here draws a number), a cluster's id doubles as its members' secret and is never shown, and a fingerprint is the SHA-256 of a certificate's DER bytes.

use std::fmt;
use std::str::FromStr;

/// Names a node for good, whatever its address. Drawn at first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u128);

/// Names a cluster. Drawn by a MAIN before its first registration, adopted by an empty replica. Its members know it
/// and nobody else does, so it is never shown whole: `Display` gives 64 bits of a digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterId(pub u128);

/// SHA-256 of a node's certificate (DER).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.0.to_le_bytes());
        digest.as_ref()[..8]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterId({self})")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl Fingerprint {
    /// Of a certificate's DER bytes.
    pub fn of_certificate(der: &[u8]) -> Fingerprint {
        let digest = ring::digest::digest(&ring::digest::SHA256, der);
        Fingerprint(digest.as_ref().try_into().expect("SHA-256 gives 32 bytes"))
    }
}

/// That `main`, in the TLS session between the holders of these two certificates, knows the id of the cluster. An id
/// is told only to members, over links; the proof tells it to nobody and is worth nothing between other keys.
pub fn membership_proof(cluster: ClusterId, main: Fingerprint, replica: Fingerprint) -> [u8; 32] {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &cluster.0.to_le_bytes());
    let tag = ring::hmac::sign(
        &key,
        &[&b"quoit membership"[..], &main.0, &replica.0].concat(),
    );
    tag.as_ref()
        .try_into()
        .expect("HMAC-SHA-256 gives 32 bytes")
}

/// A text that is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hexadecimal digits (colons between them are allowed)")]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Fingerprint, FingerprintError> {
        let mut bytes = [0u8; 32];
        let mut count = 0;
        for c in text.trim().chars().filter(|c| *c != ':') {
            let digit = c.to_digit(16).ok_or(FingerprintError)? as u8;
            let byte = bytes.get_mut(count / 2).ok_or(FingerprintError)?;
            *byte = *byte << 4 | digit;
            count += 1;
        }
        if count == 64 {
            Ok(Fingerprint(bytes))
        } else {
            Err(FingerprintError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_back_with_and_without_colons() {
        let fingerprint = Fingerprint(std::array::from_fn(|i| i as u8 * 7));
        let text = fingerprint.to_string();
        assert_eq!(text.parse(), Ok(fingerprint));
        let pairs: Vec<&str> = (0..32).map(|i| &text[i * 2..i * 2 + 2]).collect();
        assert_eq!(pairs.join(":").to_uppercase().parse(), Ok(fingerprint));
        assert_eq!(text[1..].parse::<Fingerprint>(), Err(FingerprintError));
        assert_eq!(
            format!("{text}0").parse::<Fingerprint>(),
            Err(FingerprintError)
        );
        assert_eq!("xyz".parse::<Fingerprint>(), Err(FingerprintError));
    }
}
