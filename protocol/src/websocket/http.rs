//! The HTTP request in front of a WebSocket, and the short answer to any other HTTP request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// Bytes that a request's head may have.
pub const HEAD_LEN_MAX: usize = 8 << 10;

/// Header fields that a request may have.
const HEADERS_MAX: usize = 64;

/// Appended to the client's key before it is hashed (RFC 6455, section 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What an HTTP client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpRequest<'a> {
    /// More bytes are needed to say.
    NeedMore,
    /// To open a WebSocket. If the origin is allowed, answer with [`write_upgrade`].
    Upgrade {
        /// What the answer must repeat.
        upgrade: Upgrade,
        /// The page that asks, as browsers say; allow or refuse it.
        origin: Option<&'a str>,
        /// Bytes of the request; what follows them are frames.
        head_len: usize,
    },
    /// Anything else. Answer with [`write_plain_answer`], then close.
    Plain,
}

/// What the answer to an upgrade must repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The hash that proves that the key was read, base64.
    accept: [u8; 28],
    /// The client offered the subprotocol `binary`.
    binary: bool,
}

/// Why an HTTP request cannot be answered as asked; answer with [`write_bad_request`], then close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpRequestError {
    /// The head passed its bound.
    #[error("HTTP head of more than {HEAD_LEN_MAX} bytes")]
    TooLarge,
    /// The bytes are not HTTP/1.1.
    #[error("malformed HTTP request: {0}")]
    Malformed(httparse::Error),
    /// An upgrade of another version, without a key, or with a malformed one.
    #[error("malformed WebSocket upgrade: {0}")]
    Upgrade(&'static str),
}

impl<'a> HttpRequest<'a> {
    /// Looks at all bytes received so far, which begin with `GET `.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HttpRequestError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let bounded = &bytes[..bytes.len().min(HEAD_LEN_MAX)];
        let head_len = match request.parse(bounded) {
            Ok(httparse::Status::Complete(head_len)) => head_len,
            Ok(httparse::Status::Partial) if bytes.len() >= HEAD_LEN_MAX => {
                return Err(HttpRequestError::TooLarge);
            }
            Ok(httparse::Status::Partial) => return Ok(Self::NeedMore),
            Err(error) => return Err(HttpRequestError::Malformed(error)),
        };
        // All values of the named field, which may come in several lines and with commas.
        let tokens = |name: &'static str| {
            request
                .headers
                .iter()
                .filter(move |header| header.name.eq_ignore_ascii_case(name))
                .flat_map(|header| header.value.split(|byte| *byte == b','))
                .map(<[u8]>::trim_ascii)
        };
        let upgrades = tokens("Upgrade").any(|token| token.eq_ignore_ascii_case(b"websocket"))
            && tokens("Connection").any(|token| token.eq_ignore_ascii_case(b"upgrade"));
        if !upgrades {
            return Ok(Self::Plain);
        }
        if !tokens("Sec-WebSocket-Version").any(|version| version == b"13") {
            return Err(HttpRequestError::Upgrade("version is not 13"));
        }
        let key = tokens("Sec-WebSocket-Key")
            .next()
            .ok_or(HttpRequestError::Upgrade("no key"))?;
        if !STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
            return Err(HttpRequestError::Upgrade("key is not 16 bytes in base64"));
        }
        let origin = request
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("Origin"))
            .and_then(|header| std::str::from_utf8(header.value).ok());
        Ok(Self::Upgrade {
            upgrade: Upgrade {
                accept: accept(key),
                binary: tokens("Sec-WebSocket-Protocol").any(|name| name == b"binary"),
            },
            origin,
            head_len,
        })
    }
}

/// The answer to a key (RFC 6455, section 4.2.2).
fn accept(key: &[u8]) -> [u8; 28] {
    let hash = Sha1::new()
        .chain_update(key)
        .chain_update(KEY_SUFFIX)
        .finalize();
    let mut text = [0; 28];
    let len = STANDARD
        .encode_slice(hash, &mut text)
        .expect("20 bytes are 28 in base64");
    debug_assert_eq!(len, text.len());
    text
}

/// Appends the answer that opens the WebSocket.
pub fn write_upgrade(upgrade: &Upgrade, out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\n\
          Upgrade: websocket\r\n\
          Connection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(&upgrade.accept);
    if upgrade.binary {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: binary");
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// Appends the answer to a browser or health check that came to the Bolt port by HTTP.
pub fn write_plain_answer(out: &mut Vec<u8>) {
    write_text(
        "200 OK",
        "This is a Bolt port. Connect with a Bolt driver, or by WebSocket.\n",
        out,
    );
}

/// Appends the refusal of a request that cannot be understood.
pub fn write_bad_request(error: HttpRequestError, out: &mut Vec<u8>) {
    let status = match error {
        HttpRequestError::TooLarge => "431 Request Header Fields Too Large",
        HttpRequestError::Malformed(_) => "400 Bad Request",
        HttpRequestError::Upgrade("version is not 13") => {
            "426 Upgrade Required\r\nSec-WebSocket-Version: 13"
        }
        HttpRequestError::Upgrade(_) => "400 Bad Request",
    };
    write_text(status, &format!("{error}\n"), out);
}

fn write_text(status: &str, body: &str, out: &mut Vec<u8>) {
    let answer = format!(
        "HTTP/1.1 {status}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\
         \r\n\
         {body}",
        body.len(),
    );
    out.extend_from_slice(answer.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "GET / HTTP/1.1\r\n\
        Host: localhost:7687\r\n\
        Connection: keep-alive, Upgrade\r\n\
        Origin: https://browser.example\r\n\
        upgrade: WebSocket\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: chat, binary\r\n\
        \r\n";

    /// The key and answer are those of RFC 6455, section 1.3.
    #[test]
    fn an_upgrade_is_answered_with_the_hash_of_its_key() {
        let with_frame = [REQUEST.as_bytes(), &[0x82]].concat();
        let Ok(HttpRequest::Upgrade {
            upgrade,
            origin,
            head_len,
        }) = HttpRequest::parse(&with_frame)
        else {
            panic!("an upgrade");
        };
        assert_eq!(origin, Some("https://browser.example"));
        assert_eq!(head_len, REQUEST.len());
        let mut out = Vec::new();
        write_upgrade(&upgrade, &mut out);
        let answer = String::from_utf8(out).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "));
        assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(answer.ends_with("\r\nSec-WebSocket-Protocol: binary\r\n\r\n"));
    }

    #[test]
    fn a_head_may_arrive_in_any_pieces() {
        for cut in 4..REQUEST.len() {
            assert_eq!(
                HttpRequest::parse(&REQUEST.as_bytes()[..cut]),
                Ok(HttpRequest::NeedMore)
            );
        }
    }

    #[test]
    fn a_request_without_upgrade_is_plain_http() {
        let plain = b"GET /db HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(HttpRequest::parse(plain), Ok(HttpRequest::Plain));
        let mut out = Vec::new();
        write_plain_answer(&mut out);
        let (head, body) = std::str::from_utf8(&out)
            .unwrap()
            .split_once("\r\n\r\n")
            .unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }

    #[test]
    fn what_is_wrong_with_a_request_is_said() {
        for (from, to, status) in [
            ("Version: 13", "Version: 8", "426"),
            ("dGhlIHNhbXBsZSBub25jZQ==", "short", "400"),
            ("Sec-WebSocket-Key", "X-Key", "400"),
            ("HTTP/1.1\r\n", "HTTP/9\r\n", "400"),
        ] {
            let request = REQUEST.replace(from, to);
            let error = HttpRequest::parse(request.as_bytes()).unwrap_err();
            let mut out = Vec::new();
            write_bad_request(error, &mut out);
            assert!(
                out.starts_with(format!("HTTP/1.1 {status} ").as_bytes()),
                "{error}"
            );
        }
        let endless = [b"GET / HTTP/1.1\r\nA: ".as_slice(), &[b'a'; HEAD_LEN_MAX]].concat();
        assert_eq!(
            HttpRequest::parse(&endless),
            Err(HttpRequestError::TooLarge)
        );
    }
}
