//! The plugin dies at every point between two awaits that matter.

use std::time::Duration;

use std::panic::AssertUnwindSafe;

use astra_emulator::PortalToken;
use futures_util::FutureExt;
use futures_util::StreamExt;
use harness::Astra;
use harness::Credential;
use harness::Storage;
use harness::wait_until;
use reqwest::Method;
use serde_json::json;
use vault_plugin_secrets_astra::engine::crash::POINTS;

use crate::balance::assert_kept;
use crate::binary;
use crate::stage::SOON;
use crate::stage::Stage;
use crate::stage::TICK;
use crate::stage::server;

/// How long an impatient caller waits, and how much longer than that Astra takes.
const PATIENCE: Duration = Duration::from_millis(400);
/// How many points are played at once.
const AT_ONCE: usize = 8;
const SLOW: Duration = Duration::from_secs(2);

/// One point, and what was done while it was armed.
struct Case {
    point: &'static str,
    stage: Stage,
    /// Credentials that were handed out and never revoked.
    kept: Vec<Credential>,
    /// Credentials whose revocation was asked for.
    ended: Vec<Credential>,
    /// Whether the protocol's window may leave a token at this point.
    is_window: bool,
}

#[tokio::test]
async fn wherever_the_plugin_dies_nothing_is_left_behind() {
    let server = server(Storage::Memory).await;
    // All wait for the same tick; not all are set up at once, as each starts a process.
    let cases = POINTS.iter().map(async |point| {
        let astra = match point.starts_with("tidy.") {
            true => Astra::start_in_the_past(crate::tidying::BEHIND).await,
            false => Astra::start().await,
        };
        let stage = Stage::over(astra, &server, binary::with_crash_points(), point).await;
        Case::play(point, stage).await
    });
    let cases: Vec<Case> = futures_util::stream::iter(cases)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (_, offset) = server.log_since(0);
    let checks = cases.iter().map(async |case| {
        let check = async {
            case.stage.until_ticked(offset).await;
            case.check().await;
        };
        // One point that fails must not hide what the others show.
        AssertUnwindSafe(check)
            .catch_unwind()
            .await
            .is_ok()
            .then_some(case.point)
    });
    let passed: Vec<_> = futures_util::future::join_all(checks)
        .await
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(passed, POINTS, "the points that passed, and all");
    println!(
        "{} points, 0 orphans, 0 lost revocations, 0 handed-out tokens deleted",
        cases.len()
    );
}

impl Case {
    /// Sets the scene, arms the point and does what leads there.
    async fn play(point: &'static str, stage: Stage) -> Self {
        let warm = stage.credential("reader").await;
        let mut case = Self {
            point,
            stage,
            kept: vec![warm],
            ended: Vec::new(),
            is_window: matches!(point, "mint.completed" | "take-back.begun"),
        };
        match point.split('.').next() {
            Some("mint") => case.mint().await,
            Some("take-back") => case.take_back().await,
            Some("revoke") => case.revoke().await,
            Some("tick") => case.tick().await,
            Some("tidy") => case.tidy().await,
            _ => case.change().await,
        }
        case
    }

    async fn mint(&mut self) {
        let stage = &self.stage;
        match self.point {
            "mint.block-reserved" => {
                // Only the first mint of a process reserves a block.
                let before = stage.process();
                before.kill();
                wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;
            }
            "mint.outcome-unknown" | "mint.found-deleted" => stage.astra.lose_mint_answers(1),
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

    /// A process that dies while it clears up behind another that died.
    async fn tick(&self) {
        self.leave_a_token_behind().await;
        self.stage.arm(self.point);
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
        before.kill();
        wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;
        stage.astra.set_mint_answer_delay(Duration::ZERO);
    }

    async fn tidy(&mut self) {
        crate::tidying::leave_an_unheld_token(&self.stage).await;
        self.stage.arm(self.point);
        let (path, body) = (format!("{}/tidy", self.stage.mount), Some(json!({})));
        let stage = &self.stage;
        let reply = stage
            .die_at(self.point, Method::PUT, &path, body.clone())
            .await;
        if !reply.is_ok() {
            stage.insist(Method::PUT, &path, body).await;
        }
    }

    /// A change of a root token, a static role, a role or a config.
    async fn change(&self) {
        let Self { stage, point, .. } = self;
        let policy = json!({ "resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": ["db-rest"], "effect": "allow" });
        let policy_role = json!({ "policy": policy, "ttl": "1h" });
        let static_role =
            json!({ "astra_roles": "API RO User", "rotation_period": "24h", "overlap": "0" });
        let policy_static_role =
            json!({ "policy": policy, "rotation_period": "24h", "overlap": "0" });
        let nothing = json!({});
        let (before, (method, path, body)) = match *point {
            "config.checked" | "config.stored" => (
                None,
                (Method::PUT, "config", json!({ "request_timeout": "20s" })),
            ),
            "config.unheld"
            | "config.farewell-noted"
            | "config.removed"
            | "config.root-deleted" => {
                // With a root token that rotation minted, which goes with the config.
                let wanted = PortalToken {
                    roles: vec!["Organization Administrator".to_owned()],
                    ..PortalToken::default()
                };
                let root = stage.astra.emulator.create_token(wanted).unwrap().token;
                let config = json!({ "token": root, "url": stage.astra.url() });
                stage.write("config/spare", config).await.ok();
                stage.write("rotate-root/spare", json!({})).await.ok();
                (None, (Method::DELETE, "config/spare", nothing))
            }
            point if point.starts_with("rotate-root.") => (
                Some(("rotate-root", json!({}))),
                (Method::PUT, "rotate-root", nothing),
            ),
            point if point.starts_with("rotate-role.") => (
                Some(("static-roles/app", static_role)),
                (Method::PUT, "rotate-role/app", nothing),
            ),
            "static-role.checked" | "static-role.stored" => {
                (None, (Method::PUT, "static-roles/app", policy_static_role))
            }
            point if point.starts_with("static-role.") => (
                Some(("static-roles/app", policy_static_role)),
                (Method::DELETE, "static-roles/app", nothing),
            ),
            "role.checked" | "role.stored" | "custom-role.noted" | "custom-role.made" => {
                (None, (Method::PUT, "roles/narrow", policy_role))
            }
            "custom-role.updated" => {
                let mut wider = policy_role.clone();
                wider["policy"]["actions"] = json!(["db-rest", "db-graphql"]);
                (
                    Some(("roles/narrow", policy_role)),
                    (Method::PUT, "roles/narrow", wider),
                )
            }
            "role.removal-noted" | "role.removed" | "custom-role.deleted" => (
                Some(("roles/narrow", policy_role)),
                (Method::DELETE, "roles/narrow", nothing),
            ),
            _ => panic!("nothing leads to {point}"),
        };
        if let Some((path, body)) = before {
            stage.write(path, body).await.ok();
        }
        stage.arm(point);
        let path = format!("{}/{path}", stage.mount);
        let reply = stage
            .die_at(point, method.clone(), &path, Some(body.clone()))
            .await;
        if !reply.is_ok() {
            // An operator does again what failed.
            stage.insist(method, &path, Some(body)).await;
        }
    }

    /// Custom Astra roles are there for the roles and static roles that have a policy, and for no other.
    async fn check_custom_roles(&self) {
        let Self { stage, point, .. } = self;
        let mut wanted = 0;
        for name in stage.names("roles").await {
            let role = stage.data(&format!("roles/{name}")).await;
            if role["policy"].is_object() {
                wanted += 1;
                let credential = stage.credential(&name).await;
                assert!(stage.astra.accepts(&credential.token).await, "{point}");
            }
        }
        let static_roles = format!("{}/static-roles", stage.mount);
        for name in stage.api.list(&static_roles).await.keys() {
            let role = stage.read(&format!("static-roles/{name}")).await.data();
            wanted += usize::from(role["policy"].is_object());
            let data = stage.read(&format!("static-creds/{name}")).await.data();
            let token = data["token"].as_str().unwrap();
            assert!(stage.astra.accepts(token).await, "{point}");
        }
        let roles = stage.astra.emulator.roles(None).unwrap();
        let kept: Vec<_> = roles
            .iter()
            .filter(|role| role.name.starts_with("vault-"))
            .collect();
        assert_eq!(kept.len(), wanted, "{point}: {kept:?}");
    }

    async fn check(&self) {
        let Self { stage, point, .. } = self;
        assert!(!stage.is_armed(), "{} was not hit", self.point);
        let balance = stage.settled(TICK).await;
        let most = usize::from(self.is_window);
        assert!(
            balance.window.len() <= most,
            "{}: {:?}",
            self.point,
            balance.window
        );
        assert_kept(&stage.stored, &stage.astra, &self.kept).await;
        for credential in &self.ended {
            assert!(
                !stage.astra.accepts(&credential.token).await,
                "{}: a revocation got lost",
                self.point
            );
        }
        self.check_custom_roles().await;
        let deleted = stage.astra.emulator.invariants().foreign_deletes;
        // The root token that the first rotation replaced was not minted by the engine.
        let replaced = match *point {
            "config.unheld"
            | "config.farewell-noted"
            | "config.removed"
            | "config.root-deleted" => 1,
            point if point.starts_with("rotate-root.") => 1,
            _ => 0,
        };
        assert_eq!(deleted, replaced, "{point}: tokens of others deleted");
        // And it goes on working.
        let last = stage.credential("reader").await;
        assert!(stage.astra.accepts(&last.token).await);
    }
}
