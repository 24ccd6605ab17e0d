//! Prepares a mount for a failpoint, arms it, and does what leads there.

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::PortalToken;
use astra_emulator::fault::FaultBody;
use harness::Astra;
use harness::Credential;
use harness::Server;
use harness::wait_until;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use super::Case;
use super::scenarios::Asked;
use super::scenarios::Change;
use super::scenarios::Replaced;
use super::scenarios::Scenario;
use crate::binary;
use crate::setup;
use crate::tidy;
use harness::SOON;
use harness::TOO_LONG;

/// How long an impatient caller waits, and how much longer than that Astra takes.
const TIMEOUT: Duration = Duration::from_millis(400);
const SLOW: Duration = Duration::from_secs(2);
/// For so long a block of intents is not written again; a little more than `intent::block::REFRESH`.
const REFRESH: Duration = Duration::from_millis(5_200);

impl Case {
    /// Prepares the mount, arms the point and does what leads there.
    pub(super) async fn run(
        point: &'static str,
        scenario_name: &'static str,
        scenario: Scenario,
        server: &Arc<Server>,
    ) -> Self {
        let name = format!("{point} {scenario_name}")
            .trim_end()
            .replace(' ', "-");
        let binary = binary::with_failpoints().await;
        let astra = match scenario {
            Scenario::Tidy => Astra::start_in_the_past(tidy::BEHIND).await,
            _ => Astra::start().await,
        };
        let mount = setup::bare_mount(astra, server, binary, &name).await;
        let mut case = Self {
            point,
            name,
            scenario: scenario.clone(),
            mount,
            kept: Vec::new(),
            ended: Vec::new(),
            after: None,
            replaced: Replaced::No,
            is_window: matches!(point, "mint.completed" | "take-back.begun"),
        };
        if let Scenario::FirstConfig = scenario {
            case.first_config().await;
            return case;
        }
        case.mount.configure().await;
        let warm = case.mount.eventual_credential("reader").await;
        case.kept.push(warm);
        match scenario {
            Scenario::FirstConfig => {}
            Scenario::Mint
            | Scenario::MintByNewProcess
            | Scenario::MintAfterPause
            | Scenario::MintUnanswered
            | Scenario::MintMistaken => case.mint().await,
            Scenario::TakeBack => case.take_back().await,
            Scenario::Revoke => case.revoke().await,
            Scenario::TickAfterDeath => case.leave_a_token_behind().await,
            Scenario::TickAfterTakeBack => case.tick_after_take_back().await,
            Scenario::TickAfterUnanswered => case.tick_after_unanswered().await,
            Scenario::TickMuchLater => {
                case.mount.arm(point);
                case.mount.end_process().await;
            }
            Scenario::Tidy => case.tidy().await,
            Scenario::Reload => case.reload().await,
            Scenario::Unproved | Scenario::UnprovedUntagged => case.unproved().await,
            Scenario::ProvedAtLast => case.proved_at_last().await,
            Scenario::Unreadable(what) => case.unreadable(what).await,
            Scenario::RevokeOld => case.revoke_old().await,
            Scenario::Import | Scenario::Finish => case.import().await,
            Scenario::Change(change) => case.change(*change).await,
        }
        case
    }

    async fn first_config(&self) {
        let Self { mount, point, .. } = self;
        mount.arm(point);
        let path = format!("{}/config", mount.name);
        let config = mount.config();
        mount
            .die_at(point, Method::PUT, &path, Some(config.clone()))
            .await;
        mount.insist(Method::PUT, &path, Some(config)).await;
        mount.configure().await;
    }

    async fn mint(&mut self) {
        let mount = &self.mount;
        match self.scenario {
            Scenario::MintByNewProcess => mount.end_process().await,
            // What is waited for is that time passes.
            Scenario::MintAfterPause => tokio::time::sleep(REFRESH).await,
            Scenario::MintUnanswered => mount.astra.lose_mint_answers(1),
            Scenario::MintMistaken => {
                let rule = FaultRule::new(Fault::WrongHash {}).on("POST", "/v2/clientIdSecrets");
                mount
                    .astra
                    .emulator
                    .add_fault(rule.times(1))
                    .expect("a fault");
            }
            _ => {}
        }
        mount.arm(self.point);
        let path = format!("{}/creds/reader", mount.name);
        let reply = mount.die_at(self.point, Method::GET, &path, None).await;
        // Vault sends the request again when it sees the process die before it sees the call fail.
        if reply.is_ok() {
            self.kept.push(Credential::parse(&reply.ok()));
        }
    }

    /// A token whose caller went away while it was made.
    async fn take_back(&self) {
        self.mount.astra.set_mint_answer_delay(SLOW);
        self.mount.arm(self.point);
        self.mount
            .abandon_reads_until(TIMEOUT, || !self.mount.is_armed())
            .await;
        self.mount.astra.set_mint_answer_delay(Duration::ZERO);
    }

    async fn revoke(&mut self) {
        let ended = self.mount.eventual_credential("reader").await;
        self.mount.arm(self.point);
        // Whether it succeeds at once or Vault has to try it again later, it must not get lost.
        let body = Some(json!({ "lease_id": ended.lease_id, "sync": true }));
        let (mount, path) = (&self.mount, "sys/leases/revoke");
        let reply = mount
            .die_at(self.point, Method::PUT, path, body.clone())
            .await;
        if !reply.is_ok() {
            mount.insist(Method::PUT, path, body).await;
        }
        self.ended.push(ended);
    }

    /// A config and two roles of the archived engine, in an organization of their own, are taken over.
    async fn import(&self) {
        let mount = &self.mount;
        let seeds = mount.astra.emulator.seeds();
        let organization = &seeds.organizations[2];
        let org_id = &organization.id;
        let config = json!({
            "astra_token": organization.root_token, "url": mount.astra.url(), "org_id": org_id,
            "logical_name": "old", "caller_mode": 2,
        });
        mount.stored.put(&format!("config/{org_id}"), &config).await;
        for name in ["old_reader", "old_other"] {
            let role = json!({
                "role_name": name, "role_id": seeds.roles[harness::READ_ONLY], "org_id": org_id,
                "ttl": 3_600_000_000_000_u64,
                "max_ttl": 3_600_000_000_000_u64,
            });
            mount
                .stored
                .put(&format!("role/{org_id}:{name}"), &role)
                .await;
        }
        let path = format!("{}/import", mount.name);
        let finish = json!({ "finish": true });
        if let Scenario::Finish = self.scenario {
            mount.insist(Method::PUT, &path, Some(json!({}))).await;
            self.ask_twice(Method::PUT, &path, finish).await;
        } else {
            self.ask_twice(Method::PUT, &path, json!({})).await;
            assert_eq!(
                mount.data("import").await["state"],
                "imported",
                "{}",
                self.name
            );
            mount.insist(Method::PUT, &path, Some(finish)).await;
        }
        assert_eq!(
            mount.names("config").await,
            ["default", "old"],
            "{}",
            self.name
        );
        assert_eq!(
            mount.names("roles").await,
            ["old_other", "old_reader", "reader"],
            "{}",
            self.name
        );
        let state = mount.data("import").await;
        assert_eq!(state["state"], "finished", "{}: {state}", self.name);
        assert_eq!(
            state["left"],
            json!({ "configs": 0, "roles": 0, "tokens": 0 })
        );
    }

    /// The end of a lease of the archived engine, which named the organization of the config.
    async fn revoke_old(&mut self) {
        let mount = &self.mount;
        let minted = mount.astra.mint_plainly(&mount.astra.root_token()).await;
        let client_id = text(&minted["clientId"]);
        let org_id = mount.astra.org_id();
        let mut stored = minted.clone();
        stored["roleName"] = json!("reader");
        mount
            .stored
            .put(&format!("token/{client_id}"), &stored)
            .await;
        let data = json!({
            "secret_type": "astra_token", "orgId": org_id, "clientId": client_id,
            "roleName": "reader", "tokenId": client_id,
        });
        let lease_id = mount
            .stored
            .put_lease("org/token", &data, harness::HOUR)
            .await;
        let path = "sys/leases/revoke";
        self.ask_twice(
            Method::PUT,
            path,
            json!({ "lease_id": lease_id, "sync": true }),
        )
        .await;
        let entry = self.mount.stored.get(&format!("token/{client_id}")).await;
        assert!(entry.is_none(), "{}: the stored token stays", self.name);
        self.ended.push(Credential {
            lease_id,
            client_id,
            token: text(&minted["token"]),
            secret: text(&minted["secret"]),
        });
    }

    /// A token that no process has marked: the plugin is killed before Astra's answer, and the caller
    /// is gone, so that nothing repeats the request.
    async fn leave_a_token_behind(&self) {
        let Self { mount, .. } = self;
        let live = mount.astra.live().len();
        let before = mount.process();
        mount.astra.set_mint_answer_delay(TOO_LONG);
        mount
            .abandon_reads_until(TIMEOUT, || mount.astra.live().len() > live)
            .await;
        // The next tick may follow at once.
        mount.arm(self.point);
        before.kill();
        wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;
        mount.astra.set_mint_answer_delay(Duration::ZERO);
    }

    /// A token that the process itself lost: its caller went away, and Astra refused to delete it.
    async fn tick_after_take_back(&self) {
        let Self { mount, .. } = self;
        let emulator = &mount.astra.emulator;
        mount.astra.set_mint_answer_delay(SLOW);
        self.refuse("DELETE", "/v2/clientIdSecrets/*");
        let refusals = || {
            let is_refusal = |method: &str, status| method == "DELETE" && status == Some(403);
            let journal = emulator.journal();
            journal
                .iter()
                .any(|entry| is_refusal(&entry.method, entry.status))
        };
        mount.abandon_reads_until(TIMEOUT, refusals).await;
        mount.arm(self.point);
        emulator.clear_faults();
    }

    /// A token that the process itself lost: the answer did not come, and Astra refused to list it.
    async fn tick_after_unanswered(&self) {
        let Self { mount, .. } = self;
        mount.astra.lose_mint_answers(1);
        self.refuse("GET", "/v2/clientIdSecrets");
        let live = mount.astra.live().len();
        let reply = mount.read("creds/reader").await;
        assert!(!reply.is_ok(), "it was answered");
        assert_eq!(mount.astra.live().len(), live + 1, "the token was made");
        mount.arm(self.point);
        mount.astra.emulator.clear_faults();
    }

    async fn tidy(&mut self) {
        tidy::leave_an_unused_token(&self.mount).await;
        let path = format!("{}/tidy", self.mount.name);
        self.ask_twice(Method::PUT, &path, json!({})).await;
    }

    async fn reload(&self) {
        let body = json!({ "mounts": [format!("{}/", self.mount.name)] });
        self.ask_twice(Method::PUT, "sys/plugins/reload/backend", body)
            .await;
    }

    /// The new root token is not taken, as Astra does not answer what it is asked to prove it.
    async fn unproved(&mut self) {
        let path = format!("{}/rotate-root", self.mount.name);
        if let Scenario::UnprovedUntagged = self.scenario {
            let knobs = json!({ "ignore_description": true });
            self.mount.astra.emulator.set_knobs(knobs).expect("a knob");
        }
        self.refuse_proofs();
        self.mount.arm(self.point);
        self.mount
            .die_at(self.point, Method::PUT, &path, Some(json!({})))
            .await;
        self.mount.astra.emulator.clear_faults();
        self.mount.insist(Method::PUT, &path, Some(json!({}))).await;
        self.replaced = Replaced::Yes;
    }

    async fn proved_at_last(&mut self) {
        let path = format!("{}/rotate-root", self.mount.name);
        self.refuse_proofs();
        let refused = self.mount.write("rotate-root", json!({})).await;
        assert!(!refused.is_ok(), "it was proved");
        self.mount.astra.emulator.clear_faults();
        self.ask_twice(Method::PUT, &path, json!({})).await;
        self.replaced = Replaced::Yes;
    }

    fn refuse_proofs(&self) {
        self.refuse("GET", "/v2/currentOrg");
    }

    fn refuse(&self, method: &str, path: &str) {
        let refused = FaultRule::new(forbidden()).on(method, path);
        let emulator = &self.mount.astra.emulator;
        emulator.add_fault(refused).expect("a fault");
    }

    /// Something that a newer version or a mistake has left in storage is deleted.
    async fn unreadable(&self, what: &str) {
        self.mount.stored.spoil(&format!("v1/{what}")).await;
        let what = what.replace("role/", "roles/");
        let path = format!("{}/{what}?force=true", self.mount.name);
        self.ask_twice(Method::DELETE, &path, json!({})).await;
    }

    /// A change of a root token, a static role, a role or a config.
    async fn change(&mut self, change: Change) {
        self.after = change.after;
        self.replaced = change.replaced;
        if change.keeps_custom_role {
            self.refuse("DELETE", "/v2/organizations/roles/*");
        }
        if change.keeps_former_root {
            self.refuse("DELETE", "/v2/clientIdSecrets/*");
        }
        for (place, asked) in (1..).zip(&change.before) {
            if change.is_armed_early && place == change.before.len() {
                self.mount.arm(self.point);
            }
            let (method, path, body) = self.asked(asked);
            self.mount.insist(method, &path, Some(body)).await;
        }
        if let Some((point, asked)) = &change.died_at {
            loop {
                self.mount.arm_all(&[point, self.point]);
                let (method, path, body) = self.asked(asked);
                let reply = self.mount.die_at(point, method, &path, Some(body)).await;
                if !reply.is_ok() || !self.mount.is_armed() {
                    break;
                }
                // Vault saw the process die before it saw the call fail, and sent the request again: then
                // nothing is left to do.
                self.mount.api.delete(&path).await.ok();
                for asked in &change.before {
                    let (method, path, body) = self.asked(asked);
                    self.mount.insist(method, &path, Some(body)).await;
                }
            }
        }
        let mut out_of_reach = Value::Null;
        if change.is_out_of_reach {
            out_of_reach = self.mount.data("static-roles/app").await["client_id"].take();
        }
        if change.keeps_former_root {
            self.mount.astra.emulator.clear_faults();
        }
        match &change.request {
            Some(asked) => {
                let (method, path, body) = self.asked(asked);
                self.ask_twice(method, &path, body).await;
            }
            None if change.is_armed_early || change.died_at.is_some() => {}
            None => self.mount.arm(self.point),
        }
        if change.keeps_custom_role {
            self.mount.astra.emulator.clear_faults();
        }
        if let Some(client_id) = out_of_reach.as_str() {
            // As the warning tells the operator to do.
            self.mount.astra.delete(client_id);
        }
    }

    fn asked(&self, asked: &Asked) -> (Method, String, Value) {
        let Self { mount, .. } = self;
        let mut body = asked.body.clone();
        if body["token"] == "$ROOT" {
            let wanted = PortalToken {
                roles: vec!["Organization Administrator".to_owned()],
                ..PortalToken::default()
            };
            let root = mount.astra.emulator.create_token(wanted).unwrap();
            body["token"] = json!(root.token);
        }
        if body["url"] == "$URL" {
            body["url"] = json!(mount.astra.url());
        }
        let path = format!("{}/{}", mount.name, asked.path);
        (asked.method.clone(), path, body)
    }

    /// Dies at the point during a request, and then does again what failed, as an operator does.
    async fn ask_twice(&self, method: Method, path: &str, body: Value) {
        let Self { mount, point, .. } = self;
        mount.arm(point);
        let reply = mount
            .die_at(point, method.clone(), path, Some(body.clone()))
            .await;
        if !reply.is_ok() {
            mount.insist(method, path, Some(body)).await;
        }
    }
}

fn forbidden() -> Fault {
    Fault::Status {
        status: 403,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
