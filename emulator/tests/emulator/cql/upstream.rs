//! Authenticated clients are joined to a CQL server.

use std::net::SocketAddr;

use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::*;

const READY: u8 = 2;
const RESULT: u8 = 8;
const HOST_ID: &str = "00000000-0000-0000-0000-000000000007";

/// What a CQL server was sent: kind and body of each message.
type Log = Arc<Mutex<Vec<(u8, Vec<u8>)>>>;

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend(text.as_bytes());
}

/// The rows that tell a node's id and datacenter.
fn local() -> Vec<u8> {
    let mut body: Vec<u8> = [2_i32, 1, 2]
        .into_iter()
        .flat_map(i32::to_be_bytes)
        .collect();
    for name in ["system", "local", "host_id"] {
        text(&mut body, name);
    }
    body.extend([0, 0x0C]);
    text(&mut body, "data_center");
    body.extend([0, 0x0D]);
    body.extend(1_i32.to_be_bytes());
    let mut id = [0; 16];
    id[15] = 7;
    body.extend(long(&id));
    body.extend(long(b"somewhere"));
    body
}

async fn converse(mut client: TcpStream, log: Log) {
    let mut header = [0; 9];
    while client.read_exact(&mut header).await.is_ok() {
        let length = u32::from_be_bytes(header[5..].try_into().unwrap());
        let mut body = vec![0; length as usize];
        client.read_exact(&mut body).await.unwrap();
        let asks_who = body.windows(7).any(|word| word == b"host_id");
        log.lock().push((header[4], body));
        let (opcode, answer) = match (header[4], asks_who) {
            (STARTUP, _) => (READY, Vec::new()),
            (_, true) => (RESULT, local()),
            // Void, and a mark that no answer of the emulator has.
            _ => (RESULT, [&1_i32.to_be_bytes()[..], b"upstream"].concat()),
        };
        let mut frame = vec![0x84, 0, header[2], header[3], opcode];
        frame.extend(long(&answer));
        client.write_all(&frame).await.unwrap();
    }
}

async fn server() -> (SocketAddr, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, log) = (listener.local_addr().unwrap(), Log::default());
    let kept = log.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(converse(client, kept.clone()));
        }
    });
    (address, log)
}

fn options(upstream: SocketAddr) -> Options {
    Options {
        cql_upstream: Some(upstream),
        ..Options::default()
    }
}

#[tokio::test]
async fn statements_of_a_known_client_reach_the_server() {
    let (address, log) = server().await;
    let astra = Astra::with(options(address)).await;
    let made = log
        .lock()
        .drain(..)
        .map(|(_, body)| body)
        .collect::<Vec<_>>();
    for keyspace in ["app", "default_keyspace", "transaction"] {
        let wanted = format!("CREATE KEYSPACE IF NOT EXISTS \"{keyspace}\"");
        let is_made = |body: &Vec<u8>| String::from_utf8_lossy(body).contains(&wanted);
        assert!(made.iter().any(is_made), "{keyspace}");
    }
    let bundle = bundle(&astra, 0).await;
    let (_, found) = metadata(&astra, &bundle).await;
    assert_eq!(found["contact_info"]["contact_points"], json!([HOST_ID]));
    assert_eq!(found["contact_info"]["local_dc"], "somewhere");

    let [_, _, token] = minted(&astra, "App Reader").await;
    let mut client = Cql::open(&astra, &bundle).await;
    client.login("token", &token).await;
    let answer = client.query("SELECT anything").await.unwrap();
    assert!(has(&answer, "upstream"));
    let seen = std::mem::take(&mut *log.lock());
    let kinds: Vec<u8> = seen.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [STARTUP, QUERY],
        "the client's own messages, but no credential"
    );
    assert!(String::from_utf8_lossy(&seen[0].1).contains("a test"));

    let mut refused = Cql::open(&astra, &bundle).await;
    let answer = refused.login("token", &astra.seed("deleted")).await;
    assert_eq!(error_code(&answer), BAD_CREDENTIALS);
    assert!(refused.query("SELECT anything").await.is_none());
    assert!(log.lock().is_empty(), "a refused client reaches nothing");
}

#[tokio::test]
async fn a_server_that_is_not_there_or_not_on_loopback_is_an_error() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let started = astra_emulator::Emulator::start(options(address)).await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains("cannot use the CQL server at"), "{error}");
    let public = options("192.0.2.1:9042".parse().unwrap());
    let error = astra_emulator::Emulator::start(public).await.err().unwrap();
    assert!(error.to_string().contains("is not a loopback address"));
}
