//! What each operation does.

use std::rc::Rc;
use std::time::Duration;

use astra_emulator::FaultRule;
use astra_emulator::PortalToken;
use serde_json::Value;
use serde_json::json;

use super::chance;
use super::host::Answered;
use super::host::request;
use super::operation::Operation;
use super::operation::RootToken;
use super::operation::config;
use super::operation::role;
use super::world::Org;
use super::world::World;
use crate::engine::clock::simulated;
use crate::vault::HandlerResult;
use crate::vault::Operation as Asked;

/// A late create may take effect, and be found, for so long after its organization is well again.
const AFTERMATH: Duration = Duration::from_secs(240);
/// The Astra role that roles without a policy grant.
const READER: &str = "API RO User";
/// The role that a root token needs.
const ADMINISTRATOR: &str = "Organization Administrator";

impl World {
    /// Does what the operation says, to its end.
    pub async fn perform(self: &Rc<Self>, operation: Operation) {
        match operation {
            Operation::Mint {
                org,
                role: number,
                gives_up_ms,
            } => {
                let path = format!("creds/{}", role(org, number));
                let asked = request(self.request_id(), Asked::Read, &path, json!({}));
                let gives_up = gives_up_ms.map(Duration::from_millis);
                let era = self.era.get();
                let asked_of = self.meant_for_any(org);
                if let Answered::Done(Ok(Some(response))) =
                    self.call(Some(org), asked, gives_up).await
                    && self.era.get() == era
                {
                    self.lease(org, &role(org, number), &response, asked_of);
                }
            }
            Operation::Renew { lease, increment } => {
                if let Some(id) = self.chosen(lease) {
                    self.renew(id, increment).await;
                }
            }
            Operation::Revoke { lease } => {
                if let Some(id) = self.chosen(lease) {
                    self.revoke_at_request(id).await;
                }
            }
            Operation::Tick => self.tick().await,
            Operation::Crash { repeats } => self.crash(repeats),
            Operation::HostCrash => self.crash_host(),
            Operation::Reload => self.reload().await,
            Operation::StepDown { lingers } => self.step_down(lingers),
            Operation::FailWrites(fault) => {
                self.shake(Duration::from_secs(95));
                self.durable.fail(Some(fault));
            }
            Operation::Fail {
                org,
                method,
                path,
                fault,
                times,
                seconds,
            } => {
                let mut rule = FaultRule::new(fault);
                rule.matcher.method = method;
                rule.matcher.path = Some(path);
                rule.times = times;
                self.fail(org, rule, seconds).await;
            }
            Operation::Knobs {
                org,
                knobs,
                seconds,
            } => self.turn_knobs(org, knobs, seconds).await,
            Operation::Snapshot => self.save(),
            Operation::Restore => {
                if self.restore() {
                    self.repair().await;
                }
            }
            Operation::Damage {
                org,
                role: number,
                folder,
                newer,
                seconds,
            } => {
                let time = Duration::from_secs(seconds);
                self.damage(org, number, folder, newer, time).await;
            }
            Operation::SetClock { ahead } => self.set_clock(ahead),
            Operation::EditCustomRoles { org, role: number } => {
                self.edit_custom_roles(&role(org, number));
            }
            other => self.operate(other).await,
        }
    }

    async fn delete_config(self: &Rc<Self>, org: usize, force: bool) {
        let Org {
            is_broken,
            deletions,
            ..
        } = &self.orgs[org];
        // It is gone before the answer: its root token is still to be deleted then.
        deletions.set(deletions.get() + 1);
        let path = format!("config/{}", config(org));
        let outcome = self
            .ask(Some(org), Asked::Delete, &path, json!({"force": force}))
            .await;
        deletions.set(deletions.get() - 1);
        match outcome {
            Some(Err(_)) => {}
            // It may have waited for a write, or a write for it: storage tells which came last.
            Some(Ok(_)) => is_broken.set(!self.has_root_token(org)),
            None => is_broken.set(true),
        }
    }

    /// What operators do.
    async fn operate(self: &Rc<Self>, operation: Operation) {
        match operation {
            Operation::WriteConfig {
                org,
                token,
                verify,
                rotation_period,
            } => {
                self.write_config(org, token, verify, rotation_period).await;
            }
            Operation::DeleteConfig { org, force } => {
                self.delete_config(org, force).await;
            }
            Operation::RotateRoot { org } => {
                let path = format!("rotate-root/{}", config(org));
                self.ask(Some(org), Asked::Update, &path, json!({})).await;
            }
            Operation::WriteRole {
                org,
                role: number,
                policy,
                ttl,
                max_ttl,
                config: other,
            } => {
                let (name, max_ttl) = (role(org, number), max_ttl.max(ttl));
                let under = config(other.unwrap_or(org));
                let mut data = json!({"config": under, "ttl": ttl, "max_ttl": max_ttl});
                if other.is_some() {
                    self.moved_roles.borrow_mut().insert(name.clone());
                }
                if let Some(max_active) = self.max_active.get() {
                    data["max_active"] = max_active.into();
                }
                grant(&mut data, policy);
                let path = format!("roles/{name}");
                self.note_limits(name, ttl, max_ttl);
                self.ask(Some(org), Asked::Update, &path, data).await;
            }
            Operation::DeleteRole { org, role: number } => {
                self.delete(org, "roles", &role(org, number), false).await;
            }
            Operation::WriteStatic {
                org,
                role: number,
                policy,
                period,
                overlap,
            } => {
                let mut data = json!({"config": config(org), "rotation_period": period});
                if let Some(overlap) = overlap {
                    data["overlap"] = overlap.into();
                }
                grant(&mut data, policy);
                let path = format!("static-roles/{}", role(org, number));
                self.ask(Some(org), Asked::Update, &path, data).await;
            }
            Operation::DeleteStatic { org, role: number } => {
                self.delete(org, "static-roles", &role(org, number), false)
                    .await;
            }
            Operation::RotateStatic { org, role: number } => {
                let path = format!("rotate-role/{}", role(org, number));
                self.ask(Some(org), Asked::Update, &path, json!({})).await;
            }
            Operation::ReadStatic { org, role: number } => {
                let path = format!("static-creds/{}", role(org, number));
                let began = self.astra.now();
                let calm = self.is_calm(Some(org));
                let answered = match number {
                    // Standbys answer as well.
                    2 => self.ask_standby(&path).await,
                    _ => self.ask(Some(org), Asked::Read, &path, json!({})).await,
                };
                if let Some(Ok(Some(response))) = answered {
                    let calm = calm && !self.lost_root_token_in_trouble(org);
                    self.check_static(&response, began, calm);
                }
            }
            Operation::Tidy { org } => {
                self.ask(
                    Some(org),
                    Asked::Update,
                    "tidy",
                    json!({"config": config(org)}),
                )
                .await;
            }
            _ => {
                self.ask(None, Asked::Read, "status", json!({})).await;
            }
        }
    }

    /// Deletes a role or a static role.  With `force` the tokens of one whose config is gone are given up: the
    /// engine names them.
    pub(super) async fn delete(self: &Rc<Self>, org: usize, folder: &str, name: &str, force: bool) {
        let path = format!("{folder}/{name}");
        let data = json!({"force": force});
        let deleted = self.ask(Some(org), Asked::Delete, &path, data).await;
        if let Some(Ok(Some(response))) = deleted
            && force
        {
            let told = response.warnings().join(" ");
            let live = self.astra.live_tokens().into_iter();
            let named = live.filter(|token| told.contains(&token.client_id));
            let mut given_up = self.given_up.borrow_mut();
            given_up.extend(named.map(|token| token.client_id));
        }
    }

    /// Sends a request that no one gives up; `None` where a process died meanwhile.
    pub async fn ask(
        self: &Rc<Self>,
        org: Option<usize>,
        operation: Asked,
        path: &str,
        data: Value,
    ) -> Option<HandlerResult> {
        let asked = request(self.request_id(), operation, path, data);
        match self.call(org, asked, None).await {
            Answered::Done(outcome) => Some(outcome),
            Answered::Died | Answered::GaveUp => None,
        }
    }

    /// Reads something from a node that may not write.
    async fn ask_standby(self: &Rc<Self>, path: &str) -> Option<HandlerResult> {
        let asked = request(self.request_id(), Asked::Read, path, json!({}));
        let seed = chance::draw(|rng| rng.u64(..));
        self.standby().send(asked, seed).await.ok()
    }

    /// Writes the config of an organization; whether that worked.
    pub async fn write_config(
        self: &Rc<Self>,
        org: usize,
        token: RootToken,
        verify: bool,
        rotation_period: Option<u64>,
    ) -> bool {
        // Away from its own organization a config is not brought by mistake.
        let forces = token == RootToken::New && verify;
        let mut data = json!({
            "url": self.astra.url(),
            "verify": verify,
            "force": forces,
            "rotation_period": rotation_period.unwrap_or(0),
        });
        match token {
            RootToken::Kept => {}
            RootToken::New => {
                let token = self.root_token(org);
                self.last_given.borrow_mut().insert(org, token.clone());
                data["token"] = token.into();
            }
            RootToken::Former => {
                data["token"] = self.last_given.borrow().get(&org).cloned().into();
            }
            RootToken::Foreign => {
                let other = self.another(org).unwrap_or(org);
                data["token"] = self.root_token(other).into()
            }
        }
        let path = format!("config/{}", config(org));
        let is_foreign = token == RootToken::Foreign && self.another(org).is_some();
        if is_foreign {
            // Refused or not, nothing is expected of it.
            self.orgs[org].trouble(Duration::from_secs(60), Duration::ZERO);
            self.orgs[org].was_foreign.set(true);
        }
        let outcome = self.ask(Some(org), Asked::Update, &path, data).await;
        let is_written = matches!(outcome, Some(Ok(_)));
        match token {
            // An operator who writes a token untried does not know whether it works.
            RootToken::New | RootToken::Former if is_written || !verify => {
                let works = self.has_root_token(org);
                self.orgs[org].is_broken.set(!works);
            }
            // A write of which storage says that it failed may have happened.
            RootToken::Foreign
                if !matches!(outcome, Some(Err(_))) || self.has_foreign_token(org) =>
            {
                self.orgs[org].is_broken.set(true)
            }
            _ => {}
        }
        is_written
    }

    /// A token of the organization's administrator, made by hand.
    fn root_token(&self, org: usize) -> String {
        let wanted = PortalToken {
            org_id: Some(self.orgs[org].id.clone()),
            roles: vec![ADMINISTRATOR.to_owned()],
            ..PortalToken::default()
        };
        let made = self.astra.create_token(wanted).unwrap();
        self.given_roots.borrow_mut().insert(made.client_id);
        made.token
    }

    async fn fail(self: &Rc<Self>, org: usize, rule: FaultRule, seconds: u64) {
        let time = Duration::from_secs(seconds);
        self.trouble(org, time, AFTERMATH);
        let id = self
            .astra
            .add_fault(rule.of_org(&self.orgs[org].id))
            .unwrap();
        tokio::time::sleep(time).await;
        self.astra.remove_fault(id).unwrap();
    }

    async fn turn_knobs(self: &Rc<Self>, org: usize, knobs: Value, seconds: u64) {
        let time = Duration::from_secs(seconds);
        self.trouble(org, time, AFTERMATH);
        let id = &self.orgs[org].id;
        self.astra.set_org_knobs(id, knobs).unwrap();
        tokio::time::sleep(time).await;
        self.astra.set_org_knobs(id, json!({})).unwrap();
    }

    /// Sets the node's clock.
    pub fn set_clock(&self, ahead: i64) {
        simulated::set(Some(self.astra.now() + time::Duration::seconds(ahead)));
        self.clock_is(ahead);
        // All nodes of a thread have one clock.
        if let Some(other) = self.neighbour.borrow().upgrade() {
            other.clock_is(ahead);
        }
    }

    fn clock_is(&self, ahead: i64) {
        self.skew.set(ahead);
        self.clock_set.set(tokio::time::Instant::now());
        self.was_skewed.set(self.was_skewed.get() || ahead != 0);
        for org in &self.orgs {
            org.trouble(Duration::ZERO, AFTERMATH);
        }
    }

    fn chosen(&self, number: usize) -> Option<usize> {
        let in_use = self.in_use();
        let at = number.checked_rem(in_use.len())?;
        in_use.get(at).copied()
    }
}

/// Adds what the role grants: a policy of three, or an Astra role.
fn grant(data: &mut Value, policy: Option<usize>) {
    const ACTIONS: [&[&str]; 3] = [&["db-cql"], &["db-cql", "db-rest"], &["org-db-view"]];
    match policy.and_then(|policy| ACTIONS.get(policy)) {
        Some(actions) => {
            data["policy"] = json!({
                "resources": ["drn:astra:org:{{org_id}}:db:*"],
                "actions": actions,
                "effect": "allow",
            });
        }
        None => data["astra_roles"] = READER.into(),
    }
}
