//! Many clients at once, who remember what they were told.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use harness::Api;
use harness::Credential;
use harness::wait_until;
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;

use harness::SOON;
use harness::TICK;

/// How many credentials the clients hold together at most.
const KEPT: usize = 400;

/// Clients that mint, renew and revoke until they are stopped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    mount: String,
    /// Where the clients send their requests; one after the other, changing with each failure.
    servers: Vec<Api>,
    stopping: AtomicBool,
    seen: Mutex<Seen>,
    answered: AtomicUsize,
}

/// What the clients were told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Credentials that were handed out and not revoked.
    pub(crate) kept: Vec<Credential>,
    /// Credentials whose revocation Vault confirmed.
    pub(crate) revoked: Vec<Credential>,
    /// Credentials whose revocation ended in an error: either is right.
    pub(crate) unclear: Vec<Credential>,
    /// Requests that failed, or whose answer did not come.
    pub(crate) failures: usize,
}

impl Load {
    /// Starts `clients` clients of `mount` on `servers`.
    pub(crate) fn start(clients: usize, mount: &str, servers: &[Api]) -> Self {
        Self::resume(Seen::default(), clients, mount, servers)
    }

    /// Starts clients who go on with what others have seen before.
    pub(crate) fn resume(seen: Seen, clients: usize, mount: &str, servers: &[Api]) -> Self {
        let shared = Arc::new(Shared {
            mount: mount.to_owned(),
            servers: servers.to_vec(),
            stopping: AtomicBool::new(false),
            seen: Mutex::new(seen),
            answered: AtomicUsize::new(0),
        });
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            tasks.spawn(Arc::clone(&shared).run(number));
        }
        Self {
            shared,
            clients: tasks,
        }
    }

    /// How many credentials have been handed out so far.
    pub(crate) fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::SeqCst)
    }

    /// Waits until so many credentials have been handed out in all.
    pub(crate) async fn until_answered(&self, count: usize) {
        wait_until("requests are answered", TICK, async || {
            self.answered() >= count
        })
        .await;
    }

    /// What the clients were told so far.
    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.lock().clone()
    }

    /// Lets every client finish its request, and tells what they saw.
    pub(crate) async fn stop(self) -> Seen {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.clients.join_all().await;
        self.shared.seen.lock().clone()
    }
}

impl Shared {
    async fn run(self: Arc<Self>, number: usize) {
        let mut turn = number;
        while !self.stopping.load(Ordering::SeqCst) {
            let api = &self.servers[turn % self.servers.len()];
            match self.turn(api).await {
                true => {}
                false => {
                    self.seen.lock().failures += 1;
                    turn += 1;
                    // As a client backs off; what is awaited is not this pause.
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(20..120))).await;
                }
            }
        }
    }

    /// Mints, and then keeps, renews or revokes; whether all of it succeeded.
    async fn turn(&self, api: &Api) -> bool {
        let path = format!("{}/creds/reader", self.mount);
        let Some(answer) = ask(api, Method::GET, &path, None).await else {
            return false;
        };
        self.answered.fetch_add(1, Ordering::SeqCst);
        let minted = Credential::parse(&answer);
        let choice = fastrand::u8(0..4);
        let (credential, is_full) = {
            let mut seen = self.seen.lock();
            let is_full = seen.kept.len() >= KEPT;
            seen.kept.push(minted);
            // Above the limit an old one is revoked, so that a long run does not pile them up.
            let place = match is_full {
                true => fastrand::usize(..seen.kept.len()),
                false => seen.kept.len() - 1,
            };
            (seen.kept.swap_remove(place), is_full)
        };
        let lease = json!({ "lease_id": credential.lease_id, "sync": true });
        if is_full || choice < 2 {
            let revoked = ask(api, Method::PUT, "sys/leases/revoke", Some(lease)).await;
            let mut seen = self.seen.lock();
            match revoked {
                Some(_) => seen.revoked.push(credential),
                None => seen.unclear.push(credential),
            }
            return revoked.is_some();
        }
        let renewed = match choice {
            2 => ask(api, Method::PUT, "sys/leases/renew", Some(lease)).await,
            _ => Some(Value::Null),
        };
        self.seen.lock().kept.push(credential);
        renewed.is_some()
    }
}

/// The body of a success.
async fn ask(api: &Api, method: Method, path: &str, body: Option<Value>) -> Option<Value> {
    let reply = api.try_request(method, path, body).await.ok()?;
    reply.is_ok().then_some(reply.body)
}

impl Seen {
    /// Asks again for every revocation whose outcome is unknown, as a caller has to: the server itself
    /// tries again only what it began by itself, or was asked to do in the background.
    pub(crate) async fn end_unclear(&mut self, api: &Api) {
        for credential in std::mem::take(&mut self.unclear) {
            let lease = json!({ "lease_id": credential.lease_id, "sync": true });
            // A first try may have deleted a token so young that its absence proves nothing yet.
            wait_until("the lease is revoked", SOON, async || {
                let revoked = api.write("sys/leases/revoke", lease.clone()).await;
                revoked.is_ok()
            })
            .await;
            self.revoked.push(credential);
        }
    }
}
