//! Raw echo: the same request bytes as Bolt would send, and as many bytes back.
//!
//! The floor of what any server can do with these sizes: no protocol, no query. The peer is an echo
//! server; what it sends back is counted, not looked at.

use super::{BoltWire, Reply, WireError};
use crate::load::workload::{Literal, Query};
use quoit_protocol::{Version, WireFormat};
use std::collections::VecDeque;

/// A connection to an echo server.
#[derive(Debug)]
pub struct EchoWire {
    /// Bytes of each request; `None`: what RUN and PULL take in Bolt 5.4.
    request_bytes: Option<usize>,
    /// Bytes still to come back for each request, oldest first.
    owed: VecDeque<usize>,
}

impl EchoWire {
    /// `request_bytes`: a fixed size instead of the workload's own.
    pub fn new(request_bytes: Option<usize>) -> Self {
        EchoWire {
            request_bytes,
            owed: VecDeque::new(),
        }
    }

    pub fn request(&mut self, query: &Query, parameters: &[Literal], out: &mut Vec<u8>) {
        let before = out.len();
        match self.request_bytes {
            Some(bytes) => out.resize(before + bytes, b'q'),
            None => {
                let format = WireFormat::new(Version::V5_4);
                BoltWire::new(format, None).request(query, parameters, out);
            }
        }
        self.owed.push_back(out.len() - before);
    }

    pub fn receive(&mut self, bytes: &[u8], replies: &mut Vec<Reply>) -> Result<(), WireError> {
        let mut arrived = bytes.len();
        while arrived > 0 {
            let Some(owed) = self.owed.front_mut() else {
                return Err(WireError("more bytes came back than were sent".to_owned()));
            };
            let taken = arrived.min(*owed);
            *owed -= taken;
            arrived -= taken;
            if *owed == 0 {
                self.owed.pop_front();
                replies.push(Reply::Done { rows: 0 });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::workload::Workload;

    #[test]
    fn a_request_is_answered_when_all_its_bytes_are_back() {
        let workload = Workload::single("RETURN 1");
        let query = &workload.queries[0];
        let mut wire = EchoWire::new(Some(10));
        let mut out = Vec::new();
        wire.request(query, &[], &mut out);
        wire.request(query, &[], &mut out);
        assert_eq!(out.len(), 20);

        let mut replies = Vec::new();
        wire.receive(&out[..9], &mut replies).unwrap();
        assert_eq!(replies.len(), 0);
        wire.receive(&out[..11], &mut replies).unwrap();
        assert_eq!(replies.len(), 2);
        assert!(wire.receive(b"x", &mut replies).is_err());
    }

    #[test]
    fn by_default_a_request_has_the_bytes_of_run_and_pull() {
        let workload = Workload::single("RETURN 1");
        let mut out = Vec::new();
        EchoWire::new(None).request(&workload.queries[0], &[], &mut out);
        let mut bolt = Vec::new();
        BoltWire::new(WireFormat::new(Version::V5_4), None).request(
            &workload.queries[0],
            &[],
            &mut bolt,
        );
        assert_eq!(out, bolt);
    }
}
