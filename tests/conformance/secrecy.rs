//! What the process itself does for its secrets, besides not logging them: socket, core dumps, proxies.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use parking_lot::Mutex;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::host::Host;
use crate::host::Launch;
use crate::host::request;
use crate::upstream::Upstream;

/// A proxy that grants every tunnel and listens to what goes through it.
struct Eavesdropper {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Eavesdropper {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let all = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let heard = Arc::clone(&all);
                tokio::spawn(async move {
                    let mut chunk = [0; 4096];
                    let mut has_tunnel = false;
                    while let Ok(length @ 1..) = stream.read(&mut chunk).await {
                        heard.lock().extend(&chunk[..length]);
                        if has_tunnel {
                            // The answer to the first bytes of TLS: plain HTTP, as from an impostor.
                            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                            let _ = stream.write_all(answer).await;
                            return;
                        }
                        has_tunnel = true;
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    }
                });
            }
        });
        Self { url, heard }
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock()).into_owned()
    }
}

#[tokio::test]
async fn a_proxy_gets_a_tunnel_and_never_the_root_token() {
    let proxy = Eavesdropper::start().await;
    let launch = [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ]
    .iter()
    .fold(Launch::new(), |launch, name| launch.with(name, &proxy.url));
    let mut host = Host::launch(launch).await;
    let mount = host.mount().await;

    // A loopback address is never asked of a proxy: nothing there could be encrypted.
    let upstream = Upstream::start().await;
    upstream.configure(&mount).await;
    upstream.write_role(&mount, "reader").await;
    mount.read("creds/reader").await.data();
    assert_eq!(proxy.heard(), "");

    let mut data = upstream.config();
    data["url"] = json!("https://api.astra.example");
    let reply = mount
        .client()
        .send(request("update", "config/far", data))
        .await;
    assert!(reply.is_error());
    let heard = proxy.heard();
    assert!(
        heard.starts_with("CONNECT api.astra.example:443 HTTP/1.1\r\n"),
        "{heard}"
    );
    for secret in upstream.root_secrets() {
        assert!(!heard.contains(&secret), "{heard}");
    }
    assert!(!heard.to_lowercase().contains("authorization"), "{heard}");
    host.finish().await;
}

#[tokio::test]
async fn a_crash_leaves_no_core_dump() {
    let host = Host::start().await;
    let limits = host.process.limits();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap_or_else(|| panic!("{limits}"));
    let words: Vec<&str> = line.split_whitespace().collect();
    // Where this test itself may not raise the limit, the plugin may not either.
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap();
    let expected = hard.min(1).to_string();
    assert_eq!(
        words[4..6],
        [expected.as_str(), expected.as_str()],
        "{line}"
    );
}

#[tokio::test]
async fn the_socket_is_where_no_other_user_can_go() {
    let process = Launch::new().spawn();
    let socket = process.handshake().await.socket();
    let directory = std::fs::metadata(socket.parent().unwrap()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o7777, 0o700);
}
