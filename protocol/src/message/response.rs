//! Responses, decoded in place by a client.

use super::request::open_structure;
use super::tag;
use crate::packstream::{DecodeError, Limits, List, Map, Value};

/// What a server answered. Everything in it borrows the message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Response<'a> {
    /// The request succeeded.
    Success(Map<'a>),
    /// One row.
    Record(List<'a>),
    /// The request was not looked at.
    Ignored,
    /// The request failed.
    Failure {
        /// `Vendor.Class.Category.Title`; empty if the server named none.
        code: &'a str,
        /// What went wrong.
        message: &'a str,
        /// Everything the server said.
        metadata: Map<'a>,
    },
}

/// Why a message is not a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The bytes are not well-formed PackStream.
    #[error("malformed response: {0}")]
    Malformed(#[from] DecodeError),
    /// No response has this tag, or not these fields.
    #[error("unknown response {tag:02X} with {fields} fields")]
    Unknown {
        /// The structure's tag.
        tag: u8,
        /// Its number of fields.
        fields: u8,
    },
}

impl<'a> Response<'a> {
    /// Decodes one message. Servers of all versions are understood.
    pub fn decode(message: &'a [u8]) -> Result<Self, ResponseError> {
        let limits = Limits::AFTER_LOGIN.with_uuid(true);
        let (tag, fields, mut body) = open_structure(message, &limits)?;
        let unknown = ResponseError::Unknown { tag, fields };
        let field = (fields == 1).then(|| Value::read(&mut body));
        match (tag, field) {
            (tag::SUCCESS, Some(Value::Map(metadata))) => Ok(Self::Success(metadata)),
            (tag::RECORD, Some(Value::List(values))) => Ok(Self::Record(values)),
            // Old servers send a map along.
            (tag::IGNORED, _) if fields <= 1 => Ok(Self::Ignored),
            (tag::FAILURE, Some(Value::Map(metadata))) => {
                let text = |key| metadata.get(key).and_then(|value| value.as_str());
                Ok(Self::Failure {
                    code: text("neo4j_code").or_else(|| text("code")).unwrap_or(""),
                    message: text("message").unwrap_or(""),
                    metadata,
                })
            }
            _ => Err(unknown),
        }
    }
}
