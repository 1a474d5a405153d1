//! WebSocket framing (RFC 6455), the way in for clients inside a browser.
//!
//! Owns the HTTP upgrade ([`HttpRequest`]) and frames in both directions ([`FrameDecoder`], [`write_binary`],
//! [`write_pong`], [`write_close`]), the server's side only. Bolt is a byte stream inside of binary frames: frames
//! and messages have nothing to do with each other, so payload is handed on as it arrives, unmasked in place.
//!
//! What always holds: no frame's declared length reserves memory; control frames are bounded by the RFC's 125 bytes; what a
//! peer may not send ends in a close code, never in silence.

mod frame;
mod http;

pub use frame::{
    BinaryHeader, Close, Control, FrameDecoder, FrameError, Incoming, binary_header, write_binary,
    write_close, write_pong,
};
pub use http::{
    HEAD_LEN_MAX, HttpRequest, HttpRequestError, Upgrade, write_bad_request, write_plain_answer,
    write_upgrade,
};
