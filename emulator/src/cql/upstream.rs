//! A CQL server without authentication, behind the emulator's handshake: real reads and writes.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::cql::decode::Malformed;
use crate::cql::decode::Reader;
use crate::cql::encode;
use crate::cql::frame;
use crate::cql::frame::opcode;
use crate::error::Error;

/// Version of the emulator's own connection.
const VERSION: u8 = 4;
/// Longest answer to the emulator's own statements, in bytes.
const ANSWER_LIMIT: u32 = 1 << 20;

/// What is known of the server.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    /// Drivers look for this id at the emulator.
    pub(super) host_id: Uuid,
    /// The datacenter that drivers are told.
    pub(super) datacenter: String,
}

/// Why the server cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("it answers {0}")]
    Answer(String),
}

impl Upstream {
    /// Asks the server who it is, and makes the keyspaces that it lacks.
    ///
    /// # Errors
    ///
    /// The address is not loopback, or no CQL server without authentication is there.
    pub(crate) async fn prepare(address: SocketAddr, keyspaces: &[String]) -> Result<Self, Error> {
        if !address.ip().is_loopback() {
            return Err(Error::NotLoopback(address));
        }
        let asked = Self::ask(address, keyspaces).await;
        asked.map_err(|error| {
            Error::Invalid(format!("cannot use the CQL server at {address}: {error}"))
        })
    }

    async fn ask(address: SocketAddr, keyspaces: &[String]) -> Result<Self, Unusable> {
        let mut server = TcpStream::connect(address).await?;
        let mut options = Vec::new();
        encode::short(&mut options, 1);
        encode::string(&mut options, "CQL_VERSION");
        encode::string(&mut options, "3.0.0");
        let startup = frame::request(VERSION, opcode::STARTUP, &options);
        start(&mut server, &startup).await?;
        let row = query(&mut server, "SELECT host_id, data_center FROM system.local").await?;
        let (host_id, datacenter) = first_row(&row)?;
        for keyspace in keyspaces {
            let text = format!(
                "CREATE KEYSPACE IF NOT EXISTS \"{keyspace}\" WITH replication = \
                 {{'class': 'NetworkTopologyStrategy', '{datacenter}': 1}}"
            );
            query(&mut server, &text).await?;
        }
        Ok(Self {
            address,
            host_id,
            datacenter,
        })
    }

    /// Joins an authenticated client with the server, whose STARTUP message it repeats.
    ///
    /// # Errors
    ///
    /// Either side's, or the server does not take the message.
    pub(super) async fn join(
        &self,
        client: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
        startup: &[u8],
    ) -> std::io::Result<()> {
        let mut server = TcpStream::connect(self.address).await?;
        server.set_nodelay(true)?;
        start(&mut server, startup)
            .await
            .map_err(std::io::Error::other)?;
        tokio::io::copy_bidirectional(client, &mut server).await?;
        Ok(())
    }
}

/// Sends a STARTUP message; the server must be ready at once.
async fn start(server: &mut TcpStream, startup: &[u8]) -> Result<(), Unusable> {
    server.write_all(startup).await?;
    match answer(server).await? {
        (opcode::READY, _) => Ok(()),
        (opcode::AUTHENTICATE, _) => Err(Unusable::Answer("that it authenticates".into())),
        other => Err(unexpected(other)),
    }
}

/// The body of the result of a statement.
async fn query(server: &mut TcpStream, text: &str) -> Result<Vec<u8>, Unusable> {
    const ONE: usize = 1;
    let mut body = Vec::new();
    encode::length(&mut body, text.len());
    body.extend(text.as_bytes());
    encode::short(&mut body, ONE);
    // No flags.
    body.push(0);
    server
        .write_all(&frame::request(VERSION, opcode::QUERY, &body))
        .await?;
    match answer(server).await? {
        (opcode::RESULT, body) => Ok(body),
        other => Err(unexpected(other)),
    }
}

/// Kind and body of an answer.
async fn answer(server: &mut TcpStream) -> Result<(u8, Vec<u8>), Unusable> {
    let mut header = [0_u8; 9];
    server.read_exact(&mut header).await?;
    let [_, _, _, _, opcode, length @ ..] = header;
    let length = u32::from_be_bytes(length);
    if length > ANSWER_LIMIT {
        return Err(Unusable::Answer(format!("{length} bytes")));
    }
    let mut body = vec![0; usize::try_from(length).unwrap_or_default()];
    server.read_exact(&mut body).await?;
    Ok((opcode, body))
}

fn unexpected((opcode, body): (u8, Vec<u8>)) -> Unusable {
    let message = (opcode == opcode::ERROR)
        .then(|| {
            let mut body = Reader::new(&body);
            body.int().ok()?;
            body.string().ok().map(str::to_owned)
        })
        .flatten();
    Unusable::Answer(message.unwrap_or_else(|| format!("with a message of kind {opcode:#04x}")))
}

/// A UUID and a text, the columns of the first row.
fn first_row(result: &[u8]) -> Result<(Uuid, String), Unusable> {
    const ROWS: i32 = 2;
    const ONE_TABLE: i32 = 1;
    let mut body = Reader::new(result);
    if body.int()? != ROWS {
        return Err(Unusable::Answer("no rows".into()));
    }
    let flags = body.int()?;
    let columns = body.int()?;
    if flags & ONE_TABLE == 0 {
        return Err(Unusable::Answer("columns of several tables".into()));
    }
    let (_keyspace, _table) = (body.string()?, body.string()?);
    for _ in 0..columns {
        // Both types are known and have no parameters.
        let (_name, _type) = (body.string()?, body.short()?);
    }
    let _rows = body.int()?;
    let id = body.bytes()?.unwrap_or_default();
    let datacenter = body.bytes()?.unwrap_or_default();
    let id = Uuid::from_slice(id).map_err(|error| Unusable::Answer(error.to_string()))?;
    let datacenter = String::from_utf8(datacenter.to_vec()).map_err(|_| Malformed::Utf8)?;
    Ok((id, datacenter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_behind_its_metadata() {
        let id = Uuid::from_u128(7);
        let mut body = Vec::new();
        for number in [2, 1, 2] {
            encode::int(&mut body, number);
        }
        for name in ["system", "local", "host_id"] {
            encode::string(&mut body, name);
        }
        encode::short(&mut body, 0x0C);
        encode::string(&mut body, "data_center");
        encode::short(&mut body, 0x0D);
        encode::int(&mut body, 1);
        encode::bytes(&mut body, Some(id.as_bytes()));
        encode::bytes(&mut body, Some(b"dc1"));
        let read = first_row(&body).ok();
        assert_eq!(read, Some((id, "dc1".to_owned())));
        // Whatever is cut off is missed.
        for length in 0..body.len() {
            assert!(first_row(&body[..length]).is_err(), "{length}");
        }
    }
}
