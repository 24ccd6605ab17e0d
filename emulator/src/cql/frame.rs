//! Frames: header and body, read and written.

use std::io;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;

use crate::cql::encode;

/// Longest body that is read, in bytes.
pub(super) const BODY_LIMIT: u32 = 1 << 20;
/// The versions that are spoken. Astra ends at 4.
const VERSIONS: std::ops::RangeInclusive<u8> = 3..=4;
/// The direction bit of an answer.
const ANSWER: u8 = 0x80;

/// Flags of a header.
pub(super) const COMPRESSED: u8 = 0x01;
pub(super) const TRACING: u8 = 0x02;
pub(super) const PAYLOAD: u8 = 0x04;

/// Kinds of messages.
pub(super) mod opcode {
    pub(crate) const ERROR: u8 = 0x00;
    pub(crate) const STARTUP: u8 = 0x01;
    pub(crate) const READY: u8 = 0x02;
    pub(crate) const AUTHENTICATE: u8 = 0x03;
    pub(crate) const OPTIONS: u8 = 0x05;
    pub(crate) const SUPPORTED: u8 = 0x06;
    pub(crate) const QUERY: u8 = 0x07;
    pub(crate) const RESULT: u8 = 0x08;
    pub(crate) const PREPARE: u8 = 0x09;
    pub(crate) const EXECUTE: u8 = 0x0A;
    pub(crate) const REGISTER: u8 = 0x0B;
    pub(crate) const BATCH: u8 = 0x0D;
    pub(crate) const AUTH_CHALLENGE: u8 = 0x0E;
    pub(crate) const AUTH_RESPONSE: u8 = 0x0F;
    pub(crate) const AUTH_SUCCESS: u8 = 0x10;
}

/// Codes of errors.
pub(super) mod code {
    pub(crate) const PROTOCOL: i32 = 0x000A;
    pub(crate) const BAD_CREDENTIALS: i32 = 0x0100;
    pub(crate) const SYNTAX: i32 = 0x2000;
    pub(crate) const UNAUTHORIZED: i32 = 0x2100;
    pub(crate) const INVALID: i32 = 0x2200;
    pub(crate) const UNPREPARED: i32 = 0x2500;
}

/// A message of the client.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) version: u8,
    pub(super) flags: u8,
    pub(super) stream: i16,
    pub(super) opcode: u8,
    pub(super) body: Vec<u8>,
}

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the connection ended: {0}")]
    Io(#[from] io::Error),
    /// To be answered on `stream` before the connection closes.
    #[error("{message}")]
    Refused { stream: i16, message: String },
}

impl Unreadable {
    fn refused(stream: i16, message: String) -> Self {
        Self::Refused { stream, message }
    }
}

/// The next frame; `None` at the end of the connection between two frames.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Frame>, Unreadable> {
    let mut first = [0_u8];
    if from.read(&mut first).await? == 0 {
        return Ok(None);
    }
    let [first] = first;
    let version = first & !ANSWER;
    if !VERSIONS.contains(&version) {
        // Versions 1 and 2 have streams of one byte.
        let stream = match version {
            0..=2 => {
                let mut header = [0_u8; 7];
                from.read_exact(&mut header).await?;
                i16::from(i8::from_be_bytes([header[1]]))
            }
            _ => {
                let mut header = [0_u8; 8];
                from.read_exact(&mut header).await?;
                i16::from_be_bytes([header[1], header[2]])
            }
        };
        let message = format!(
            "Invalid or unsupported protocol version ({version}); supported versions are (3/v3, \
             4/v4)"
        );
        return Err(Unreadable::refused(stream, message));
    }
    let mut header = [0_u8; 8];
    from.read_exact(&mut header).await?;
    let [flags, s1, s2, opcode, l1, l2, l3, l4] = header;
    let stream = i16::from_be_bytes([s1, s2]);
    if first & ANSWER != 0 {
        let message = "Wrong protocol direction: a client sends requests".to_owned();
        return Err(Unreadable::refused(stream, message));
    }
    let length = u32::from_be_bytes([l1, l2, l3, l4]);
    if length > BODY_LIMIT {
        let message = format!("a frame body of {length} bytes is longer than {BODY_LIMIT}");
        return Err(Unreadable::refused(stream, message));
    }
    let mut body = vec![0; usize::try_from(length).unwrap_or_default()];
    from.read_exact(&mut body).await?;
    Ok(Some(Frame {
        version,
        flags,
        stream,
        opcode,
        body,
    }))
}

/// The bytes of an answer.
pub(super) fn answer(version: u8, stream: i16, opcode: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![ANSWER | version, 0];
    out.extend(stream.to_be_bytes());
    out.push(opcode);
    encode::length(&mut out, body.len());
    out.extend(body);
    out
}

/// The bytes of a request, on stream 0.
pub(super) fn request(version: u8, opcode: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![version, 0, 0, 0, opcode];
    encode::length(&mut out, body.len());
    out.extend(body);
    out
}

/// The body of an error.
pub(super) fn error(code: i32, message: &str) -> Vec<u8> {
    let mut body = Vec::new();
    encode::int(&mut body, code);
    encode::string(&mut body, message);
    body
}
