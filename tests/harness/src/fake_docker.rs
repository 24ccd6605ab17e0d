//! What Vault asks of Docker, without Docker: a container is a process with a container's environment.
//!
//! It needs neither root nor an image, and what runs "in a container" reaches servers on this machine.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use futures_util::stream::BoxStream;
use futures_util::stream::StreamExt;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::Process;

/// Where Vault mounts the folder that it shares with a container.
const SHARED: &str = "/tmp/go-plugin-container";

/// How long a container may take to end by itself when it is stopped, as Docker has it.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Vault does not wait for more than that many lines at once.
const BACKLOG: usize = 64;

/// A stand-in for a Docker daemon that has one image.
pub(crate) struct FakeDocker {
    folder: TempDir,
    engine: Arc<Engine>,
    server: AbortHandle,
}

struct Engine {
    image: String,
    id: String,
    binary: PathBuf,
    containers: Mutex<BTreeMap<String, Container>>,
}

struct Container {
    /// The body of the request that created it.
    created: Value,
    running: Option<Running>,
}

struct Running {
    process: Process,
    status: watch::Receiver<Option<i32>>,
    /// The frames of its log, for the one reader that there is.
    log: Option<mpsc::Receiver<Bytes>>,
}

type Body = StreamBody<BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

impl FakeDocker {
    /// Serves an image called `image`, name and tag, whose entry point is `binary`.
    pub(crate) fn start(image: &str, binary: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(folder.path().join("s")).expect("a socket");
        let engine = Arc::new(Engine {
            image: image.to_owned(),
            id: crate::sha256(&binary),
            binary,
            containers: Mutex::default(),
        });
        let shared = engine.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let engine = shared.clone();
                let service = service_fn(move |request| {
                    let engine = engine.clone();
                    async move { Ok::<_, Infallible>(engine.answer(request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self {
            folder,
            engine,
            server: server.abort_handle(),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("s").display())
    }

    pub(crate) fn image_id(&self) -> String {
        self.engine.id.clone()
    }

    pub(crate) fn running(&self) -> Vec<String> {
        let containers = self.engine.containers.lock();
        let running = containers.iter().filter(|(_, container)| {
            let running = container.running.as_ref();
            running.is_some_and(|running| running.status.borrow().is_none())
        });
        running.map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn kill(&self, id: &str) {
        let containers = self.engine.containers.lock();
        if let Some(running) = &containers[id].running {
            running.process.kill();
        }
    }

    pub(crate) fn created(&self, id: &str) -> Value {
        self.engine.containers.lock()[id].created.clone()
    }
}

impl Drop for FakeDocker {
    fn drop(&mut self) {
        self.server.abort();
        for container in self.engine.containers.lock().values() {
            if let Some(running) = &container.running {
                running.process.kill();
            }
        }
    }
}

impl Engine {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        // Clients put the version that they agreed on before the path.
        let path = match path.strip_prefix("/v1.") {
            Some(rest) => rest.trim_start_matches(|char: char| char.is_ascii_digit()),
            None => &path,
        };
        let method = request.method().clone();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method, &parts[..]) {
            (Method::HEAD | Method::GET, ["_ping"]) => reply(200, &Value::Null),
            (Method::GET, ["images", "json"]) => {
                let id = format!("sha256:{}", self.id);
                reply(200, &json!([{"Id": id, "RepoTags": [self.image]}]))
            }
            (Method::POST, ["containers", "create"]) => {
                let body = request.into_body().collect().await;
                let body = body.expect("a whole request").to_bytes();
                self.create(serde_json::from_slice(&body).expect("JSON"))
            }
            (Method::POST, ["containers", id, "start"]) => self.start(id),
            (Method::GET, ["containers", id, "logs"]) => self.logs(id),
            (Method::POST, ["containers", id, "wait"]) => self.wait(id),
            (Method::POST, ["containers", id, "stop"]) => self.stop(id).await,
            (method, _) => unknown(&format!("{method} {path}")),
        }
    }

    fn create(&self, created: Value) -> Response<Body> {
        if created["Image"] != format!("sha256:{}", self.id) {
            return unknown(&format!("image {}", created["Image"]));
        }
        let mut containers = self.containers.lock();
        let id = format!("{:064x}", containers.len() + 1);
        let running = None;
        containers.insert(id.clone(), Container { created, running });
        reply(201, &json!({"Id": id, "Warnings": []}))
    }

    fn start(&self, id: &str) -> Response<Body> {
        let mut containers = self.containers.lock();
        let Some(container) = containers.get_mut(id) else {
            return unknown(id);
        };
        // Of a variable that is set twice the last one counts, as with Docker.
        let variables = container.created["Env"].as_array().into_iter().flatten();
        let mut environment: BTreeMap<&str, &str> =
            BTreeMap::from([("PATH", "/"), ("HOSTNAME", &id[..12]), ("HOME", "/")]);
        environment.extend(variables.filter_map(|variable| variable.as_str()?.split_once('=')));
        assert_eq!(environment.get("PLUGIN_UNIX_SOCKET_DIR"), Some(&SHARED));
        let mounts = &container.created["HostConfig"]["Mounts"];
        assert_eq!(mounts[0]["Target"], SHARED, "{mounts}");
        let shared = mounts[0]["Source"].as_str().expect("a folder").to_owned();
        // In place of the mount the plugin gets the folder itself, and Vault reads the mount's path.
        environment.insert("PLUGIN_UNIX_SOCKET_DIR", &shared);
        let mut child = Command::new(&self.binary)
            .env_clear()
            .envs(environment)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("the plugin to start");
        let process = Process(child.id().expect("a process id"));
        let (frames, log) = mpsc::channel(BACKLOG);
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = child.stderr.take().expect("a pipe");
        tokio::spawn(copy(1, stdout, frames.clone(), shared.clone()));
        tokio::spawn(copy(2, stderr, frames, shared));
        let (sender, status) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await.expect("a child");
            sender.send_replace(Some(status.code().unwrap_or(137)));
        });
        container.running = Some(Running {
            process,
            status,
            log: Some(log),
        });
        reply(204, &Value::Null)
    }

    fn logs(&self, id: &str) -> Response<Body> {
        let mut containers = self.containers.lock();
        let running = containers.get_mut(id).and_then(|it| it.running.as_mut());
        let Some(mut log) = running.and_then(|running| running.log.take()) else {
            return unknown(id);
        };
        let frames = stream::poll_fn(move |cx| log.poll_recv(cx));
        streamed("application/vnd.docker.multiplexed-stream", frames)
    }

    fn wait(&self, id: &str) -> Response<Body> {
        let Some(mut status) = self.status(id) else {
            return unknown(id);
        };
        let answer = stream::once(async move {
            let code = *status.wait_for(Option::is_some).await.expect("a status");
            Bytes::from(json!({"StatusCode": code}).to_string())
        });
        streamed("application/json", answer)
    }

    async fn stop(&self, id: &str) -> Response<Body> {
        let Some(mut status) = self.status(id) else {
            return unknown(id);
        };
        if status.borrow().is_some() {
            // Docker has removed it.
            return unknown(id);
        }
        let process = {
            let containers = self.containers.lock();
            containers[id]
                .running
                .as_ref()
                .map(|running| running.process)
        };
        let process = process.expect("a process");
        process.terminate();
        let ended = status.wait_for(Option::is_some);
        if tokio::time::timeout(STOP_LIMIT, ended).await.is_err() {
            process.kill();
        }
        reply(204, &Value::Null)
    }

    fn status(&self, id: &str) -> Option<watch::Receiver<Option<i32>>> {
        let containers = self.containers.lock();
        let running = containers.get(id)?.running.as_ref()?;
        Some(running.status.clone())
    }
}

/// Copies one of a container's outputs into its log, as frames: a header of eight bytes, with the
/// output's number and the length, and a line.
async fn copy(
    number: u8,
    output: impl AsyncRead + Unpin,
    frames: mpsc::Sender<Bytes>,
    shared: String,
) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output
        .read_until(b'\n', &mut line)
        .await
        .is_ok_and(|count| count > 0)
    {
        let text = String::from_utf8_lossy(&line).replace(&shared, SHARED);
        let mut frame = vec![number, 0, 0, 0];
        frame.extend(
            u32::try_from(text.len())
                .expect("a short line")
                .to_be_bytes(),
        );
        frame.extend(text.as_bytes());
        if frames.send(Bytes::from(frame)).await.is_err() {
            return;
        }
        line.clear();
    }
}

fn reply(status: u16, body: &Value) -> Response<Body> {
    let body = match body {
        Value::Null => Bytes::new(),
        body => Bytes::from(body.to_string()),
    };
    let mut response = streamed("application/json", stream::iter([body]));
    *response.status_mut() = status.try_into().expect("a status");
    response
}

fn unknown(what: &str) -> Response<Body> {
    reply(
        404,
        &json!({"message": format!("No such container: {what}")}),
    )
}

fn streamed(
    kind: &'static str,
    chunks: impl stream::Stream<Item = Bytes> + Send + 'static,
) -> Response<Body> {
    let chunks = chunks.filter(|chunk| std::future::ready(!chunk.is_empty()));
    let body = StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk))).boxed());
    Response::builder()
        .header("Api-Version", "1.41")
        .header("Content-Type", kind)
        .body(body)
        .expect("a response")
}
