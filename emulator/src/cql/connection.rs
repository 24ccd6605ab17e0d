//! One CQL connection: the handshake, and statements once the client is known.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::Digest;
use sha2::Sha256;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::clock;
use crate::cql::credentials::Login;
use crate::cql::decode::Malformed;
use crate::cql::decode::Reader;
use crate::cql::encode;
use crate::cql::frame;
use crate::cql::frame::Frame;
use crate::cql::frame::Unreadable;
use crate::cql::frame::code;
use crate::cql::frame::opcode;
use crate::cql::plane::Place;
use crate::cql::plane::Plane;
use crate::cql::registry::CqlOutcome;
use crate::cql::statement;
use crate::cql::statement::Session;
use crate::service::Service;

/// Highest version, in which a client hears that its own is not spoken.
const VERSION: u8 = 4;
/// How long a closing connection waits for the client to have read the last answer.
const LINGER: Duration = Duration::from_secs(2);

/// An answer, and whether the connection ends after it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) opcode: u8,
    pub(super) body: Vec<u8>,
    last: bool,
}

impl Reply {
    fn new(opcode: u8, body: Vec<u8>) -> Self {
        Self {
            opcode,
            body,
            last: false,
        }
    }

    fn last(code: i32, message: &str) -> Self {
        Self {
            opcode: opcode::ERROR,
            body: frame::error(code, message),
            last: true,
        }
    }
}

impl From<Malformed> for Reply {
    fn from(error: Malformed) -> Self {
        Self::last(code::PROTOCOL, &error.to_string())
    }
}

/// A connection on its way from STARTUP to statements.
pub(super) struct Connection {
    id: u64,
    place: Place,
    plane: Arc<Plane>,
    service: Arc<Service>,
    /// The client's STARTUP message, once it was taken.
    startup: Option<Vec<u8>>,
    session: Option<Session>,
    prepared: HashMap<Vec<u8>, String>,
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(
    mut stream: TlsStream<TcpStream>,
    place: Place,
    plane: Arc<Plane>,
    service: Arc<Service>,
) {
    let sni = stream.get_ref().1.server_name().map(str::to_owned);
    if sni.as_deref() != Some(plane.host_id(&place).to_string().as_str()) {
        service.lock().record_connection_violation(
            "cql_sni",
            None,
            "the server name is not a node of the certificate's database",
        );
        return;
    }
    let opened = clock::rfc3339(service.lock().now());
    let (id, cut) = plane.registry.enter(&place.database, &place.region, opened);
    let mut connection = Connection::new(id, place, plane.clone(), service);
    tokio::select! {
        () = connection.run(&mut stream) => {}
        () = cut.notified() => {}
    }
    plane.registry.update(id, |seen| {
        seen.outcome = match seen.outcome {
            CqlOutcome::Open => CqlOutcome::Closed,
            CqlOutcome::Connecting => CqlOutcome::Ended,
            other => other,
        };
    });
}

impl Connection {
    /// One that has sent nothing yet; `id` is that of the registry.
    pub(super) fn new(id: u64, place: Place, plane: Arc<Plane>, service: Arc<Service>) -> Self {
        Self {
            id,
            place,
            plane,
            service,
            startup: None,
            session: None,
            prepared: HashMap::new(),
        }
    }

    async fn run(&mut self, stream: &mut TlsStream<TcpStream>) {
        loop {
            let (bytes, last) = match frame::read(stream).await {
                Ok(None) | Err(Unreadable::Io(_)) => return,
                Ok(Some(frame)) => {
                    let reply = self.answer(&frame).unwrap_or_else(|reply| reply);
                    let bytes =
                        frame::answer(frame.version, frame.stream, reply.opcode, &reply.body);
                    (bytes, reply.last)
                }
                Err(Unreadable::Refused { stream, message }) => {
                    let body = frame::error(code::PROTOCOL, &message);
                    (frame::answer(VERSION, stream, opcode::ERROR, &body), true)
                }
            };
            if let Err(error) = write(stream, &bytes).await {
                tracing::debug!(%error, "a CQL client is gone");
                return;
            }
            if last {
                close(stream).await;
                return;
            }
            if let (Some(upstream), Some(_), Some(startup)) =
                (self.plane.upstream.get(), &self.session, &self.startup)
            {
                if let Err(error) = upstream.join(stream, startup).await {
                    tracing::warn!(%error, "a CQL client and its server part");
                }
                return;
            }
        }
    }

    /// What a message is answered with; `Err` is a refusal.
    pub(super) fn answer(&mut self, frame: &Frame) -> Result<Reply, Reply> {
        self.plane
            .registry
            .update(self.id, |seen| seen.protocol = frame.version);
        let mut body = self.body(frame)?;
        match frame.opcode {
            opcode::OPTIONS => Ok(supported()),
            opcode::STARTUP => {
                let reply = self.startup(&mut body)?;
                let again = frame::request(frame.version, opcode::STARTUP, &frame.body);
                self.startup = Some(again);
                Ok(reply)
            }
            opcode::AUTH_RESPONSE if self.startup.is_some() && self.session.is_none() => {
                self.authenticate(&mut body)
            }
            _ if self.session.is_none() => {
                let message = format!(
                    "message of kind {:#04x} before authentication",
                    frame.opcode
                );
                Err(Reply::last(code::PROTOCOL, &message))
            }
            opcode::REGISTER => Ok(Reply::new(opcode::READY, Vec::new())),
            opcode::QUERY => {
                let text = body.long_string()?.to_owned();
                Ok(self.execute(&text))
            }
            opcode::PREPARE => {
                let text = body.long_string()?.to_owned();
                Ok(self.prepare(frame.version, text))
            }
            opcode::EXECUTE => {
                let length = body.short()?;
                let id = body.take(length)?;
                match self.prepared.get(id).cloned() {
                    Some(text) => Ok(self.execute(&text)),
                    None => Ok(unprepared(id)),
                }
            }
            opcode::BATCH => {
                self.count();
                Ok(Reply::new(opcode::RESULT, statement::void()))
            }
            other => {
                let message = format!("unexpected message of kind {other:#04x}");
                Err(Reply::last(code::PROTOCOL, &message))
            }
        }
    }

    /// The body of a message, behind what its flags put in front of it.
    fn body<'a>(&self, frame: &'a Frame) -> Result<Reader<'a>, Reply> {
        if frame.flags & frame::COMPRESSED != 0 {
            let detail = "a compressed frame, though SUPPORTED offers no compression";
            self.violation("cql_compression", detail);
            return Err(Reply::last(code::PROTOCOL, detail));
        }
        let known = frame::TRACING | frame::PAYLOAD;
        if frame.flags & !known != 0 {
            let message = format!("unknown flags {:#04x}", frame.flags & !known);
            return Err(Reply::last(code::PROTOCOL, &message));
        }
        let mut body = Reader::new(&frame.body);
        if frame.flags & frame::PAYLOAD != 0 {
            body.skip_payload()?;
        }
        Ok(body)
    }

    fn startup(&mut self, body: &mut Reader<'_>) -> Result<Reply, Reply> {
        let options = body.string_map()?;
        let get = |name: &str| {
            options
                .iter()
                .find_map(|(own, value)| (*own == name).then(|| (*value).to_owned()))
        };
        if get("COMPRESSION").is_some_and(|name| !name.is_empty()) {
            let detail = "STARTUP asks for compression, though SUPPORTED offers none";
            self.violation("cql_compression", detail);
            return Err(Reply::last(code::PROTOCOL, detail));
        }
        if get("CQL_VERSION").is_none() {
            return Err(Reply::last(code::PROTOCOL, "STARTUP has no CQL_VERSION"));
        }
        self.plane.registry.update(self.id, |seen| {
            seen.driver = get("DRIVER_NAME");
            seen.driver_version = get("DRIVER_VERSION");
        });
        let mut class = Vec::new();
        let state = self.service.lock();
        encode::string(&mut class, &state.knobs.general().cql_authenticator);
        Ok(Reply::new(opcode::AUTHENTICATE, class))
    }

    fn authenticate(&mut self, body: &mut Reader<'_>) -> Result<Reply, Reply> {
        let response = body.bytes()?.unwrap_or_default();
        // What clients of DataStax Enterprise's authenticator begin with.
        if response == b"PLAIN" {
            let mut challenge = Vec::new();
            encode::bytes(&mut challenge, Some(b"PLAIN-START"));
            return Ok(Reply::new(opcode::AUTH_CHALLENGE, challenge));
        }
        let Some(login) = Login::parse(response) else {
            self.violation("cql_credentials", "the response is not of mechanism PLAIN");
            return Err(Reply::last(
                code::PROTOCOL,
                "the response is not of mechanism PLAIN",
            ));
        };
        let rights = login.rights(&mut self.service.lock(), &self.place);
        let outcome = match rights {
            Some(_) => CqlOutcome::Open,
            None => CqlOutcome::Refused,
        };
        self.plane.registry.update(self.id, |seen| {
            seen.client_id = login.client_id.clone();
            seen.form = login.form;
            seen.outcome = outcome;
        });
        let Some(rights) = rights else {
            // Of Cassandra; what Astra says is unknown.
            let message = format!(
                "Provided username {} and/or password are incorrect",
                login.user
            );
            return Err(Reply::last(code::BAD_CREDENTIALS, &message));
        };
        self.session = Some(Session::new(self.place.clone(), rights));
        let mut success = Vec::new();
        encode::bytes(&mut success, None);
        Ok(Reply::new(opcode::AUTH_SUCCESS, success))
    }

    fn execute(&mut self, text: &str) -> Reply {
        self.count();
        let Some(session) = &mut self.session else {
            return Reply::last(code::PROTOCOL, "not authenticated");
        };
        match session.execute(&self.service.lock(), text) {
            Ok(outcome) => Reply::new(opcode::RESULT, outcome.result()),
            Err(refusal) => refused(&refusal),
        }
    }

    fn prepare(&mut self, version: u8, text: String) -> Reply {
        let Some(session) = &mut self.session else {
            return Reply::last(code::PROTOCOL, "not authenticated");
        };
        let outcome = match session.prepare(&self.service.lock(), &text) {
            Ok(outcome) => outcome,
            Err(refusal) => return refused(&refusal),
        };
        let digest = Sha256::digest(text.as_bytes());
        let id: Vec<u8> = digest.into_iter().take(16).collect();
        let body = outcome.prepared(version, &id);
        self.prepared.insert(id, text);
        Reply::new(opcode::RESULT, body)
    }

    fn count(&self) {
        self.plane
            .registry
            .update(self.id, |seen| seen.statements += 1);
    }

    fn violation(&self, rule: &'static str, detail: &str) {
        self.service
            .lock()
            .record_connection_violation(rule, None, detail);
    }
}

fn refused(refusal: &statement::Refusal) -> Reply {
    let body = frame::error(refusal.code, &refusal.message);
    Reply::new(opcode::ERROR, body)
}

fn unprepared(id: &[u8]) -> Reply {
    let mut body = frame::error(code::UNPREPARED, "no statement with that id was prepared");
    encode::short(&mut body, id.len());
    body.extend(id);
    Reply::new(opcode::ERROR, body)
}

fn supported() -> Reply {
    let mut body = Vec::new();
    encode::short(&mut body, 2);
    encode::string(&mut body, "CQL_VERSION");
    encode::short(&mut body, 1);
    encode::string(&mut body, "3.4.5");
    encode::string(&mut body, "COMPRESSION");
    encode::short(&mut body, 0);
    Reply::new(opcode::SUPPORTED, body)
}

async fn write(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Says the end, and reads what still comes: a socket closed with unread bytes resets, and the last
/// answer could be lost.
async fn close(stream: &mut TlsStream<TcpStream>) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let drained = async {
        let mut buffer = [0_u8; 4096];
        while matches!(stream.read(&mut buffer).await, Ok(length) if length > 0) {}
    };
    if tokio::time::timeout(LINGER, drained).await.is_err() {
        tracing::debug!("a refused CQL client stays connected");
    }
}
