//! Setting the scene of a point, arming it, and doing what leads there.

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
use super::ways::Asked;
use super::ways::Change;
use super::ways::Replaced;
use super::ways::Way;
use crate::binary;
use crate::stage::SOON;
use crate::stage::Stage;
use crate::tidying;

/// How long an impatient caller waits, and how much longer than that Astra takes.
const PATIENCE: Duration = Duration::from_millis(400);
const SLOW: Duration = Duration::from_secs(2);
/// For so long a block of intents is not written anew; a little more than `intent::block::REFRESH`.
const REFRESH: Duration = Duration::from_millis(5_200);

impl Case {
    /// Sets the scene, arms the point and does what leads there.
    pub(super) async fn play(
        point: &'static str,
        way_name: &'static str,
        way: Way,
        server: &Arc<Server>,
    ) -> Self {
        let name = format!("{point} {way_name}").trim_end().replace(' ', "-");
        let binary = binary::with_crash_points().await;
        let astra = match way {
            Way::Tidy => Astra::start_in_the_past(tidying::BEHIND).await,
            _ => Astra::start().await,
        };
        let stage = Stage::mounted(astra, server, binary, &name).await;
        let mut case = Self {
            point,
            name,
            way: way.clone(),
            stage,
            kept: Vec::new(),
            ended: Vec::new(),
            after: None,
            replaced: Replaced::No,
            is_window: matches!(point, "mint.completed" | "take-back.begun"),
        };
        if let Way::FirstConfig = way {
            case.first_config().await;
            return case;
        }
        case.stage.configure().await;
        let warm = case.stage.credential("reader").await;
        case.kept.push(warm);
        match way {
            Way::FirstConfig => {}
            Way::Mint
            | Way::MintByNewProcess
            | Way::MintAfterPause
            | Way::MintUnanswered
            | Way::MintMistaken => case.mint().await,
            Way::TakeBack => case.take_back().await,
            Way::Revoke => case.revoke().await,
            Way::TickAfterDeath => case.leave_a_token_behind().await,
            Way::TickAfterTakeBack => case.tick_after_take_back().await,
            Way::TickAfterUnanswered => case.tick_after_unanswered().await,
            Way::TickMuchLater => {
                case.stage.arm(point);
                case.stage.end_process().await;
            }
            Way::Tidy => case.tidy().await,
            Way::Reload => case.reload().await,
            Way::Unproved | Way::UnprovedUntagged => case.unproved().await,
            Way::ProvedAtLast => case.proved_at_last().await,
            Way::Unreadable(what) => case.unreadable(what).await,
            Way::Change(change) => case.change(*change).await,
        }
        case
    }

    async fn first_config(&self) {
        let Self { stage, point, .. } = self;
        stage.arm(point);
        let path = format!("{}/config", stage.mount);
        let config = stage.config();
        stage.die_at(point, Method::PUT, &path, Some(config)).await;
        stage.configure().await;
    }

    async fn mint(&mut self) {
        let stage = &self.stage;
        match self.way {
            Way::MintByNewProcess => stage.end_process().await,
            // What is waited for is that time passes.
            Way::MintAfterPause => tokio::time::sleep(REFRESH).await,
            Way::MintUnanswered => stage.astra.lose_mint_answers(1),
            Way::MintMistaken => {
                let rule = FaultRule::new(Fault::WrongHash {}).on("POST", "/v2/clientIdSecrets");
                stage
                    .astra
                    .emulator
                    .add_fault(rule.times(1))
                    .expect("a fault");
            }
            _ => {}
        }
        stage.arm(self.point);
        let path = format!("{}/creds/reader", stage.mount);
        let reply = stage.die_at(self.point, Method::GET, &path, None).await;
        // Vault sends the request again when it sees the process die before it sees the call fail.
        if reply.is_ok() {
            self.kept.push(Credential::parse(&reply.ok()));
        }
    }

    /// A token whose caller went away while it was made.
    async fn take_back(&self) {
        self.stage.astra.set_mint_answer_delay(SLOW);
        self.stage.arm(self.point);
        self.stage
            .go_away_until(PATIENCE, || !self.stage.is_armed())
            .await;
        self.stage.astra.set_mint_answer_delay(Duration::ZERO);
    }

    async fn revoke(&mut self) {
        let ended = self.stage.credential("reader").await;
        self.stage.arm(self.point);
        // Whether it succeeds at once or Vault has to try it again later, it must not get lost.
        let body = Some(json!({ "lease_id": ended.lease_id, "sync": true }));
        let (stage, path) = (&self.stage, "sys/leases/revoke");
        let reply = stage
            .die_at(self.point, Method::PUT, path, body.clone())
            .await;
        if !reply.is_ok() {
            stage.insist(Method::PUT, path, body).await;
        }
        self.ended.push(ended);
    }

    /// A token that no process has marked: the plugin is killed before Astra's answer, and the caller
    /// is gone, so that nothing repeats the request.
    async fn leave_a_token_behind(&self) {
        let Self { stage, .. } = self;
        let live = stage.astra.live().len();
        let before = stage.process();
        stage.astra.set_mint_answer_delay(SLOW);
        stage
            .go_away_until(PATIENCE, || stage.astra.live().len() > live)
            .await;
        // The next tick may follow at once.
        stage.arm(self.point);
        before.kill();
        wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;
        stage.astra.set_mint_answer_delay(Duration::ZERO);
    }

    /// A token that the process itself lost: its caller went away, and Astra refused to delete it.
    async fn tick_after_take_back(&self) {
        let Self { stage, .. } = self;
        let emulator = &stage.astra.emulator;
        stage.astra.set_mint_answer_delay(SLOW);
        self.refuse("DELETE", "/v2/clientIdSecrets/*");
        let refusals = || {
            let is_refusal = |method: &str, status| method == "DELETE" && status == Some(403);
            let journal = emulator.journal();
            journal
                .iter()
                .any(|entry| is_refusal(&entry.method, entry.status))
        };
        stage.go_away_until(PATIENCE, refusals).await;
        stage.arm(self.point);
        emulator.clear_faults();
    }

    /// A token that the process itself lost: the answer did not come, and Astra refused to list it.
    async fn tick_after_unanswered(&self) {
        let Self { stage, .. } = self;
        stage.astra.lose_mint_answers(1);
        self.refuse("GET", "/v2/clientIdSecrets");
        let live = stage.astra.live().len();
        let reply = stage.read("creds/reader").await;
        assert!(!reply.is_ok(), "it was answered");
        assert_eq!(stage.astra.live().len(), live + 1, "the token was made");
        stage.arm(self.point);
        stage.astra.emulator.clear_faults();
    }

    async fn tidy(&mut self) {
        tidying::leave_an_unheld_token(&self.stage).await;
        let path = format!("{}/tidy", self.stage.mount);
        self.ask_twice(Method::PUT, &path, json!({})).await;
    }

    async fn reload(&self) {
        let body = json!({ "mounts": [format!("{}/", self.stage.mount)] });
        self.ask_twice(Method::PUT, "sys/plugins/reload/backend", body)
            .await;
    }

    /// The new root token is not taken, as Astra does not answer what it is asked to prove it.
    async fn unproved(&mut self) {
        let path = format!("{}/rotate-root", self.stage.mount);
        if let Way::UnprovedUntagged = self.way {
            let knobs = json!({ "ignore_description": true });
            self.stage.astra.emulator.set_knobs(knobs).expect("a knob");
        }
        self.refuse_proofs();
        self.stage.arm(self.point);
        self.stage
            .die_at(self.point, Method::PUT, &path, Some(json!({})))
            .await;
        self.stage.astra.emulator.clear_faults();
        self.stage.insist(Method::PUT, &path, Some(json!({}))).await;
        self.replaced = Replaced::Yes;
    }

    async fn proved_at_last(&mut self) {
        let path = format!("{}/rotate-root", self.stage.mount);
        self.refuse_proofs();
        let refused = self.stage.write("rotate-root", json!({})).await;
        assert!(!refused.is_ok(), "it was proved");
        self.stage.astra.emulator.clear_faults();
        self.ask_twice(Method::PUT, &path, json!({})).await;
        self.replaced = Replaced::Yes;
    }

    fn refuse_proofs(&self) {
        self.refuse("GET", "/v2/currentOrg");
    }

    fn refuse(&self, method: &str, path: &str) {
        let refused = FaultRule::new(forbidden()).on(method, path);
        let emulator = &self.stage.astra.emulator;
        emulator.add_fault(refused).expect("a fault");
    }

    /// Something that a newer version or a mistake has left in storage is deleted.
    async fn unreadable(&self, what: &str) {
        self.stage.stored.spoil(&format!("v1/{what}")).await;
        let path = match what.starts_with("config/") {
            true => format!("{}/{what}?force=true", self.stage.mount),
            false => format!("{}/{what}", self.stage.mount).replace("/role/", "/roles/"),
        };
        self.ask_twice(Method::DELETE, &path, json!({})).await;
    }

    /// A change of a root token, a static role, a role or a config.
    async fn change(&mut self, change: Change) {
        self.after = change.after;
        self.replaced = change.replaced;
        if change.keeps_custom_role {
            self.refuse("DELETE", "/v2/organizations/roles/*");
        }
        for (place, asked) in (1..).zip(&change.before) {
            if change.is_armed_early && place == change.before.len() {
                self.stage.arm(self.point);
            }
            let (method, path, body) = self.asked(asked);
            self.stage.insist(method, &path, Some(body)).await;
        }
        if let Some((point, asked)) = &change.died_at {
            loop {
                self.stage.arm_all(&[point, self.point]);
                let (method, path, body) = self.asked(asked);
                let reply = self.stage.die_at(point, method, &path, Some(body)).await;
                if !reply.is_ok() || !self.stage.is_armed() {
                    break;
                }
                // Vault saw the process die before it saw the call fail, and sent the request again: then
                // nothing is left to settle.
                self.stage.api.delete(&path).await.ok();
                for asked in &change.before {
                    let (method, path, body) = self.asked(asked);
                    self.stage.insist(method, &path, Some(body)).await;
                }
            }
        }
        let mut out_of_reach = Value::Null;
        if change.is_out_of_reach {
            out_of_reach = self.stage.data("static-roles/app").await["client_id"].take();
        }
        match &change.request {
            Some(asked) => {
                let (method, path, body) = self.asked(asked);
                self.ask_twice(method, &path, body).await;
            }
            None if change.is_armed_early || change.died_at.is_some() => {}
            None => self.stage.arm(self.point),
        }
        if change.keeps_custom_role {
            self.stage.astra.emulator.clear_faults();
        }
        if let Some(client_id) = out_of_reach.as_str() {
            // As the warning tells the operator to do.
            self.stage.astra.delete(client_id);
        }
    }

    fn asked(&self, asked: &Asked) -> (Method, String, Value) {
        let Self { stage, .. } = self;
        let mut body = asked.body.clone();
        if body["token"] == "$ROOT" {
            let wanted = PortalToken {
                roles: vec!["Organization Administrator".to_owned()],
                ..PortalToken::default()
            };
            let root = stage.astra.emulator.create_token(wanted).unwrap();
            body["token"] = json!(root.token);
        }
        if body["url"] == "$URL" {
            body["url"] = json!(stage.astra.url());
        }
        let path = format!("{}/{}", stage.mount, asked.path);
        (asked.method.clone(), path, body)
    }

    /// Dies at the point during a request, and then does again what failed, as an operator does.
    async fn ask_twice(&self, method: Method, path: &str, body: Value) {
        let Self { stage, point, .. } = self;
        stage.arm(point);
        let reply = stage
            .die_at(point, method.clone(), path, Some(body.clone()))
            .await;
        if !reply.is_ok() {
            stage.insist(method, path, Some(body)).await;
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
