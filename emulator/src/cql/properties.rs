//! What holds for all bytes that a client may send: frames are read as the protocol's section 2 says,
//! every message has a well-formed answer, and nothing is told to those who have not logged in.

use std::sync::Arc;

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::string::string_regex;
use tokio::runtime::Runtime;

use crate::cql::connection::Connection;
use crate::cql::decode::Malformed;
use crate::cql::decode::Reader;
use crate::cql::frame;
use crate::cql::frame::BODY_LIMIT;
use crate::cql::frame::Frame;
use crate::cql::frame::Unreadable;
use crate::cql::frame::code;
use crate::cql::frame::opcode;
use crate::cql::plane::Place;
use crate::cql::plane::Plane;
use crate::options::Options;
use crate::seed;
use crate::service::Service;
use crate::tls::Certificates;

/// Kinds of results that the emulator gives: void, rows, keyspace, prepared.
const RESULT_KINDS: std::ops::RangeInclusive<i32> = 1..=4;
const ROWS: i32 = 2;

/// What the bytes are by the protocol, told from the first ten of them and their number.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Nothing,
    Cut,
    Refused(i16),
    Frame { end: usize },
}

fn expected(bytes: &[u8]) -> Expected {
    let Some(first) = bytes.first() else {
        return Expected::Nothing;
    };
    let version = first & 0x7F;
    let header = if version < 3 { 8 } else { 9 };
    if bytes.len() < header {
        return Expected::Cut;
    }
    let stream = match version {
        0..=2 => i16::from(bytes[2].cast_signed()),
        _ => i16::from_be_bytes([bytes[2], bytes[3]]),
    };
    if !matches!(first, 3 | 4) {
        return Expected::Refused(stream);
    }
    let length = u32::from_be_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]);
    if length > BODY_LIMIT {
        return Expected::Refused(stream);
    }
    let end = 9 + usize::try_from(length).unwrap();
    match bytes.len() < end {
        true => Expected::Cut,
        false => Expected::Frame { end },
    }
}

/// Bytes that are often nearly a frame.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let near = (
        prop_oneof![4 => 3..=4_u8, 1 => any::<u8>()],
        any::<[u8; 4]>(),
        prop_oneof![4 => 0..40_u32, 1 => any::<u32>()],
        vec(any::<u8>(), 0..60),
    );
    let near = near.prop_map(|(version, [flags, s1, s2, opcode], length, body)| {
        let mut bytes = vec![version, flags, s1, s2, opcode];
        bytes.extend(length.to_be_bytes());
        bytes.extend(body);
        bytes
    });
    prop_oneof![near, vec(any::<u8>(), 0..40)]
}

proptest! {
    #[test]
    fn a_frame_is_what_its_header_says(bytes in frames()) {
        let mut rest = bytes.as_slice();
        let read = frame::read(&mut rest).now_or_never().expect("a slice is always ready");
        let used = bytes.len() - rest.len();
        match (read, expected(&bytes)) {
            (Ok(None), Expected::Nothing) | (Err(Unreadable::Io(_)), Expected::Cut) => {}
            (Err(Unreadable::Refused { stream, message }), Expected::Refused(expected)) => {
                prop_assert_eq!(stream, expected);
                prop_assert!(!message.is_empty());
                prop_assert!(used <= 9, "a refused body is not read");
            }
            (Ok(Some(read)), Expected::Frame { end }) => {
                prop_assert_eq!(used, end);
                let mut again = vec![read.version, read.flags];
                again.extend(read.stream.to_be_bytes());
                again.push(read.opcode);
                again.extend(u32::try_from(read.body.len()).unwrap().to_be_bytes());
                again.extend(read.body);
                prop_assert_eq!(again.as_slice(), &bytes[..end]);
            }
            (read, expected) => prop_assert!(false, "{:?}, not {:?}", read, expected),
        }
    }
}

fn long(bytes: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    out.extend(bytes);
    out
}

fn string_map(entries: &[(String, String)]) -> Vec<u8> {
    let mut out = u16::try_from(entries.len()).unwrap().to_be_bytes().to_vec();
    for text in entries.iter().flat_map(|(name, value)| [name, value]) {
        out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        out.extend(text.as_bytes());
    }
    out
}

/// Texts of which some are statements.
fn statements() -> impl Strategy<Value = String> {
    let columns = "(\\*|v|k|host_id|cluster_name|release_version|tokens|\"V\"|)(,(v|k|x| v)){0,2}";
    let tables = "(app\\.t|t|system\\.(local|peers|peers_v2)|system_schema\\.(tables|columns|keyspaces)|[a-z.\"]{0,9})";
    let conditions = "( WHERE (key ?= ?'local'|keyspace_name = '[a-z_]{0,8}'|[a-z]{0,3}=1))?;?";
    prop_oneof![
        4 => string_regex(&format!("SELECT {columns} FROM {tables}{conditions}")).unwrap(),
        1 => string_regex(&format!("(USE|use) {tables}")).unwrap(),
        1 => "INSERT INTO (app\\.)?t ?\\(k, v\\) VALUES \\(1, '[a-z]{0,5}'\\)",
        2 => "\\PC{0,40}",
        1 => (60_000..80_000_usize).prop_map(|length| format!("SELECT {} FROM app.t", "x".repeat(length))),
    ]
}

/// A user name and a password, some of them longer than a `[string]` can be.
fn logins() -> impl Strategy<Value = Vec<u8>> {
    let users = prop_oneof![
        Just("token".to_owned()),
        "[A-Za-z]{24}",
        "\\PC{0,8}",
        (65_000..70_000_usize).prop_map(|length| "é".repeat(length / 2)),
    ];
    let passwords = prop_oneof!["AstraCS:[A-Za-z]{24}:[0-9a-f]{64}", "\\PC{0,8}"];
    prop_oneof![
        (users, passwords)
            .prop_map(|(user, password)| format!("\0{user}\0{password}").into_bytes()),
        Just(b"PLAIN".to_vec()),
        vec(any::<u8>(), 0..20),
    ]
}

/// A message with a body that is often right for its kind.
fn messages() -> impl Strategy<Value = Frame> {
    let names = prop_oneof![
        Just("CQL_VERSION".to_owned()),
        Just("COMPRESSION".to_owned()),
        "[A-Z_]{0,6}"
    ];
    let startup = vec((names, "[a-z0-9.]{0,5}"), 0..4);
    let with_body = prop_oneof![
        statements().prop_map(|text| (opcode::QUERY, long(text.as_bytes()))),
        statements().prop_map(|text| (opcode::PREPARE, long(text.as_bytes()))),
        startup.prop_map(|entries| (opcode::STARTUP, string_map(&entries))),
        logins().prop_map(|login| (opcode::AUTH_RESPONSE, long(&login))),
        Just((
            opcode::STARTUP,
            string_map(&[("CQL_VERSION".into(), "3.0.0".into())])
        )),
        (
            prop_oneof![0..=opcode::AUTH_SUCCESS, any::<u8>()],
            vec(any::<u8>(), 0..30)
        ),
    ];
    let flags = prop_oneof![6 => Just(0), 1 => Just(frame::PAYLOAD), 1 => any::<u8>()];
    (
        3..=4_u8,
        flags,
        with_body,
        option::weighted(0.1, 0..10_usize),
    )
        .prop_map(|(version, flags, (opcode, mut body), cut)| {
            body.truncate(cut.unwrap_or(usize::MAX));
            Frame {
                version,
                flags,
                stream: 1,
                opcode,
                body,
            }
        })
}

/// An emulator without its ports in use, and who may connect.
struct World {
    runtime: Runtime,
    plane: Arc<Plane>,
    service: Arc<Service>,
    place: Place,
    token: String,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let state = seed::new_state(&Options::default(), String::new());
        let database = &state.seeds.databases["vector_db"];
        let place = Place {
            database: database.id.clone(),
            region: database.region.clone(),
        };
        let token = state.seeds.tokens["org_admin"].token.clone();
        let entered = runtime.enter();
        let certificates = Arc::new(Certificates::generate().unwrap());
        let plane = Arc::new(Plane::open(Options::default().api, certificates).unwrap());
        drop(entered);
        let service = Arc::new(Service::new(state));
        Self {
            runtime,
            plane,
            service,
            place,
            token,
        }
    }

    fn connection(&self) -> Connection {
        let (id, _) =
            self.plane
                .registry
                .enter(&self.place.database, &self.place.region, String::new());
        Connection::new(
            id,
            self.place.clone(),
            self.plane.clone(),
            self.service.clone(),
        )
    }

    /// A connection whose client has logged in.
    fn session(&self) -> Connection {
        let mut connection = self.connection();
        let startup = string_map(&[("CQL_VERSION".into(), "3.0.0".into())]);
        let login = long(format!("\0token\0{}", self.token).as_bytes());
        for (opcode, body) in [(opcode::STARTUP, startup), (opcode::AUTH_RESPONSE, login)] {
            let frame = Frame {
                version: 4,
                flags: 0,
                stream: 0,
                opcode,
                body,
            };
            connection.answer(&frame).unwrap();
        }
        connection
    }
}

/// The kind of an answer and, of a result, the kind of that. The body is read to its end.
fn read_answer(opcode: u8, body: &[u8]) -> Result<(u8, i32), Malformed> {
    let mut reader = Reader::new(body);
    let kind = match opcode {
        opcode::ERROR => {
            let found = reader.int()?;
            reader.string()?;
            if found == code::UNPREPARED {
                let length = reader.short()?;
                reader.take(length)?;
            }
            found
        }
        opcode::RESULT => {
            let kind = reader.int()?;
            if kind == ROWS {
                read_rows(&mut reader)?;
            } else {
                return Ok((opcode, kind));
            }
            kind
        }
        _ => return Ok((opcode, 0)),
    };
    match reader.take(1) {
        Err(Malformed::Short) => Ok((opcode, kind)),
        _ => panic!("bytes behind the end of an answer of kind {opcode}"),
    }
}

fn read_rows(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    assert_eq!(reader.int()?, 1, "the table is named once");
    let columns = reader.int()?;
    assert!(columns > 0, "rows without columns");
    reader.string()?;
    reader.string()?;
    for _ in 0..columns {
        reader.string()?;
        // Types of elements follow that of a set (0x22) or map (0x21).
        let elements = match reader.short()? {
            0x22 => 1,
            0x21 => 2,
            _ => 0,
        };
        reader.take(2 * elements)?;
    }
    for _ in 0..reader.int()? * columns {
        reader.bytes()?;
    }
    Ok(())
}

#[test]
fn who_has_not_logged_in_is_told_nothing() {
    const TOLD: [u8; 4] = [
        opcode::ERROR,
        opcode::SUPPORTED,
        opcode::AUTHENTICATE,
        opcode::AUTH_CHALLENGE,
    ];
    let world = World::new();
    let _entered = world.runtime.enter();
    proptest!(|(frames in vec(messages(), 1..8))| {
        let mut connection = world.connection();
        for frame in frames {
            let reply = connection.answer(&frame).unwrap_or_else(|refusal| refusal);
            let (kind, _) = read_answer(reply.opcode, &reply.body).unwrap();
            prop_assert!(TOLD.contains(&kind), "{:?} has the answer {:#04x}", frame, kind);
        }
    });
}

#[test]
fn every_message_of_a_session_has_a_well_formed_answer() {
    let world = World::new();
    let _entered = world.runtime.enter();
    proptest!(|(frames in vec(messages(), 1..8))| {
        let mut connection = world.session();
        for frame in frames {
            let reply = connection.answer(&frame).unwrap_or_else(|refusal| refusal);
            let (kind, of_result) = read_answer(reply.opcode, &reply.body).unwrap();
            if kind == opcode::RESULT {
                prop_assert!(RESULT_KINDS.contains(&of_result), "{}", of_result);
            }
        }
    });
}
