//! The organization: an emulator in this process, and what it saw.

use std::time::Duration;

use astra_emulator::Emulator;
use astra_emulator::FaultRule;
use astra_emulator::Options;
use astra_emulator::PortalToken;
use nix::sys::signal::Signal;
use serde_json::Value;
use serde_json::json;
use vault_plugin_secrets_astra::proto::pb;

use crate::host::Host;
use crate::host::LONG;
use crate::host::Mount;
use crate::host::eventually;

/// One Astra organization for one test.
pub(crate) struct Upstream {
    emulator: Emulator,
}

/// An Astra role that every organization has.
const ROLE: &str = "API RO User";
const MINT: (&str, &str) = ("POST", "/v2/*");

/// An organization, a plugin, and a mount with the default config and the role `reader`.
pub(crate) async fn with_reader() -> (Upstream, Host, Mount) {
    let upstream = Upstream::start().await;
    let mut host = Host::start().await;
    let mount = host.mount().await;
    upstream.configure(&mount).await;
    upstream.write_role(&mount, "reader").await;
    (upstream, host, mount)
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        Self {
            emulator: Emulator::start(Options::default()).await.unwrap(),
        }
    }

    /// The fields of a config for this organization.
    pub(crate) fn config(&self) -> Value {
        json!({"token": self.emulator.root_token(), "url": self.emulator.url()})
    }

    /// The fields of another config for it: no two have one root token.
    pub(crate) fn another_config(&self) -> Value {
        let token = PortalToken {
            roles: vec!["Organization Administrator".to_owned()],
            ..PortalToken::default()
        };
        let token = self.emulator.create_token(token).unwrap();
        json!({"token": token.token, "url": self.emulator.url()})
    }

    /// The fields of a role: a lease of one hour, eight at most.
    pub(crate) fn role(&self) -> Value {
        json!({"astra_roles": ROLE, "ttl": "1h", "max_ttl": "8h"})
    }

    pub(crate) fn role_name(&self) -> &'static str {
        ROLE
    }

    /// Writes the default config.
    pub(crate) async fn configure(&self, mount: &Mount) {
        mount.write("config", self.config()).await.nothing();
    }

    pub(crate) async fn write_role(&self, mount: &Mount, name: &str) {
        mount
            .write(&format!("roles/{name}"), self.role())
            .await
            .nothing();
    }

    /// The texts that give the root token away.
    pub(crate) fn root_secrets(&self) -> Vec<String> {
        let token = self.emulator.root_token();
        let hash = token.rsplit(':').next().unwrap().to_owned();
        vec![token, hash]
    }

    /// The texts that give away any token that there ever was.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let tokens = self.emulator.tokens(true).into_iter();
        let secrets: Vec<String> = tokens
            .flat_map(|token| [token.secret, token.token])
            .flatten()
            .collect();
        assert!(!secrets.is_empty(), "the emulator keeps its secrets");
        secrets
    }

    /// How many minted tokens live.
    pub(crate) fn live(&self) -> usize {
        self.emulator.invariants().live_tokens
    }

    /// How many tokens were ever minted.
    pub(crate) fn minted(&self) -> u64 {
        self.emulator.invariants().minted
    }

    /// How many tokens were ever deleted through the API.
    pub(crate) fn deleted(&self) -> u64 {
        self.emulator.invariants().deleted
    }

    /// How many requests were answered.
    pub(crate) fn requests(&self) -> usize {
        self.emulator.journal().len()
    }

    /// How often a fault was met, counted when the request arrives.
    pub(crate) fn fired(&self, fault: u64) -> u64 {
        let rules = self.emulator.faults();
        rules
            .iter()
            .find(|rule| rule.id == fault)
            .map_or(0, |rule| rule.fired)
    }

    /// Deletes a token the way an administrator does in the portal.
    pub(crate) fn delete_by_hand(&self, client_id: &str) {
        self.emulator.revoke_token(client_id).unwrap();
    }

    /// Adds a fault for every request with `method`, or for all with `*`.
    pub(crate) fn always(&self, method: &str, fault: Value) -> u64 {
        let matcher = match method {
            "*" => json!({}),
            method => json!({"method": method}),
        };
        self.add(json!({"match": matcher, "fault": fault}))
    }

    /// Lets every mint take effect at once and answer after `delay`.
    pub(crate) fn slow_answer_to_mint(&self, delay: Duration) -> u64 {
        self.on_mint(json!({"kind": "latency", "ms": millis(delay), "at": "after_commit"}))
    }

    /// Lets every mint begin after `delay`.
    pub(crate) fn slow_mint(&self, delay: Duration) -> u64 {
        self.on_mint(Self::latency(delay))
    }

    /// Lets every answer be garbage.
    pub(crate) fn break_answers(&self) {
        self.always("*", json!({"kind": "malformed_json", "how": "trailing"}));
        self.always(
            "POST",
            json!({"kind": "status", "status": 400, "body": "string"}),
        );
    }

    /// A delay before a request takes effect.
    pub(crate) fn latency(delay: Duration) -> Value {
        json!({"kind": "latency", "ms": millis(delay)})
    }

    pub(crate) fn remove_fault(&self, id: u64) {
        assert!(self.emulator.remove_fault(id).unwrap());
    }

    pub(crate) fn forget_faults(&self) {
        self.emulator.clear_faults();
    }

    /// Kills the plugin of `host` after Astra has made a token for `read` and before the plugin has the
    /// answer.  `live` tokens are there then.
    pub(crate) async fn kill_in_a_mint(
        &self,
        host: &mut Host,
        mount: &Mount,
        read: pb::Request,
        live: usize,
    ) {
        self.slow_answer_to_mint(Duration::from_secs(60));
        let client = mount.client().clone();
        let lost = tokio::spawn(async move { client.try_send(read).await });
        eventually("the token", LONG, || self.live() == live).await;
        host.process.signal(Signal::SIGKILL);
        host.process.exit(LONG).await;
        assert!(lost.await.unwrap().is_err());
        self.forget_faults();
        assert_eq!(self.live(), live);
    }
    /// Asserts what must hold after every test that ends in order: no caller broke the API's rules, and
    /// every living token was handed out.
    pub(crate) async fn check(&self) {
        let violations = self.emulator.violations();
        assert!(violations.is_empty(), "{violations:?}");
        let invariants = self.emulator.invariants();
        assert_eq!(
            (invariants.orphans, invariants.double_mints),
            (0, 0),
            "{invariants:?}"
        );
    }

    fn on_mint(&self, fault: Value) -> u64 {
        let (method, path) = MINT;
        self.add(json!({"match": {"method": method, "path": path}, "fault": fault}))
    }

    fn add(&self, rule: Value) -> u64 {
        let rule: FaultRule = serde_json::from_value(rule).unwrap();
        self.emulator.add_fault(rule).unwrap()
    }
}

fn millis(delay: Duration) -> u64 {
    delay.as_millis().try_into().unwrap()
}
