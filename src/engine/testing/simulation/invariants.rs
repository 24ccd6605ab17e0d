//! What must hold, whatever happens.

use std::time::Duration;

use astra_emulator::TokenState;
use astra_emulator::TokenView;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::host::Lease;
use super::host::LeaseState;
use super::host::TICK;
use super::host::is_failure;
use super::operation;
use super::world::Org;
use super::world::World;
use crate::engine::connection::ConfigEntry;
use crate::engine::intent::BlockEntry;
use crate::engine::intent::ConfigMark;
use crate::engine::intent::RequestMark;
use crate::engine::intent::Tag;
use crate::engine::role::PolicyRole;
use crate::engine::role::RoleEntry;
use crate::engine::role::StaticRoleEntry;
use crate::engine::store::Key;
use crate::vault::HandlerResult;
use crate::vault::Response;

/// How much longer than its lease a token may live.
const GRACE: Duration = Duration::from_secs(600);
/// How much later than its token a lease may begin.
const LATE: Duration = Duration::from_secs(60);
/// The longest that an operation takes with all retries.
const LONGEST: Duration = Duration::from_secs(60);
/// What the engine says where the custom role of a policy is not in the config's organization.
const POLICY_IS_GONE: &str = "is no longer in the organization: write the role again";
/// What the engine says where no more tokens of a role may be minted at once.
const LIMIT: &str = "max_active=";
/// The longest that an operation takes while its own organization and the host are well.
const LONGEST_CALM: Duration = Duration::from_secs(20);

impl World {
    /// An answer came in time, and what is wrong elsewhere did not change it.
    pub fn check_answer(
        &self,
        org: Option<usize>,
        calm: bool,
        what: &str,
        outcome: &HandlerResult,
        took: Duration,
    ) {
        // Known: anyone who changes something waits for others who change it, and has all its time after that.
        let may_wait = ["Update ", "Delete "]
            .iter()
            .any(|word| what.starts_with(word));
        if took > LONGEST && !may_wait {
            self.violation(format!("{what} took {took:?}"));
        }
        // The trouble may have come after it began.
        if org.is_none() || !calm || !self.is_calm(org) {
            return;
        }
        if took > LONGEST_CALM {
            self.violation(format!(
                "{what} took {took:?} although its organization is well"
            ));
        }
        // Restored storage may name custom roles that are gone since; an operator writes them again.
        if is_failure(outcome) && self.forgotten.borrow().is_empty() {
            let error = outcome.as_ref().err().map(ToString::to_string);
            // So does one who moved a config, for what was written for the organization that it left.
            let is_of_policy = error
                .as_ref()
                .is_some_and(|error| error.contains(POLICY_IS_GONE));
            if is_of_policy && org.is_some_and(|org| self.has_policy_elsewhere(org, what)) {
                return;
            }
            let mut peers = org.into_iter().flat_map(|org| self.peers(org));
            if peers.any(|org| self.lost_root_token_in_trouble(org.number)) {
                return;
            }
            let is_of_limit = error.as_ref().is_some_and(|error| error.contains(LIMIT));
            if is_of_limit && self.max_active.get().is_some() {
                return;
            }
            self.violation(format!(
                "{what} failed although its organization is well: {error:?}"
            ));
        }
    }

    /// Whether the role that `what` was asked for has the custom role of its policy in another organization
    /// than its config, which was moved.
    fn has_policy_elsewhere(&self, org: usize, what: &str) -> bool {
        let is_elsewhere = |name: &str, policy: Option<PolicyRole>| {
            let is_asked = what.contains(&format!("/{name} "));
            is_asked && policy.is_some_and(|policy| !policy.is_in(&self.orgs[org].id))
        };
        let roles = self.stored::<RoleEntry>(Key::ROLES);
        let static_roles = self.stored::<StaticRoleEntry>(Key::STATIC_ROLES);
        let mut roles = roles.into_iter();
        let mut static_roles = static_roles.into_iter();
        roles.any(|(name, role)| is_elsewhere(&name, role.granted.policy))
            || static_roles.any(|(name, role)| is_elsewhere(&name, role.granted.policy))
    }

    /// A token that is delivered works, and ends when its lease has ended for certain.
    ///
    /// `asked_of` are the organizations that its config may have been for when it was asked for, as of
    /// [`World::meant_for_any`].
    pub fn check_delivered(&self, lease: &Lease, asked_of: Vec<Option<String>>) {
        let Some(token) = self.astra.token(&lease.client_id) else {
            return self.violation(format!(
                "the delivered token {} does not exist",
                lease.client_id
            ));
        };
        if token.state != TokenState::Active {
            self.violation(format!(
                "the delivered token {} is {:?}",
                lease.client_id, token.state
            ));
        }
        // The config may have been deleted or moved meanwhile.
        let mut meant = asked_of.into_iter().chain(self.meant_for_any(lease.org));
        let is_meant = meant.any(|meant| meant.is_none_or(|org_id| org_id == token.org_id));
        if token.org_id != self.orgs[lease.org].id && !is_meant {
            self.violation(format!(
                "the delivered token {} is of another organization",
                lease.client_id
            ));
        }
        let now = tokio::time::Instant::now();
        if lease.end <= now || lease.max_ttl().is_zero() {
            self.violation(format!("the lease on {} has no TTL", lease.client_id));
        }
        let Some(expiry) = token.token_expiry.as_deref().map(parsed) else {
            return self.violation(format!(
                "the delivered token {} never ends",
                lease.client_id
            ));
        };
        let minted_at = lease
            .minted_at()
            .map_or(parsed(&token.generated_on), parsed);
        let life = (expiry - parsed(&token.generated_on)).min(expiry - minted_at);
        let longest = lease.max_ttl() + GRACE + LATE;
        // What was asked for by a clock that was set meanwhile says nothing.
        let was_set = self.was_skewed.get() && now - self.clock_set.get() < 2 * LATE;
        if life > longest && !was_set {
            self.violation(format!(
                "the delivered token {} lives for {life}, its lease at most {:?}",
                lease.client_id,
                lease.max_ttl()
            ));
        }
    }

    /// A lease lasts no longer than an operator asked for.  Which write was the last one to happen is not
    /// asked: it may have failed, or storage may have been restored since.
    pub fn check_limits(&self, lease: &Lease) {
        let limits = self.role_limits.borrow();
        let written = limits
            .get(&lease.role)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let (ttl, max_ttl) = (lease.ttl().as_secs(), lease.max_ttl().as_secs());
        if !written
            .iter()
            .any(|(own, own_max)| ttl <= *own && max_ttl <= *own_max)
        {
            self.violation(format!(
                "the lease on {} lasts {ttl} s and at most {max_ttl} s: no one asked for that, but \
                 for {written:?}",
                lease.client_id
            ));
        }
    }

    /// No more tokens of a role are in use than its `max_active`.  A process does not know what another has
    /// minted a moment ago, and a role that was put under another config begins again.
    pub fn check_max_active(&self, newest: usize) {
        let Some(limit) = self.max_active.get().filter(|_| !self.is_shaken()) else {
            return;
        };
        let now = tokio::time::Instant::now();
        let leases = self.leases.borrow();
        let newest = &leases[newest];
        let org_of = |lease: &Lease| self.astra.token(&lease.client_id).map(|token| token.org_id);
        let own = leases.iter().filter(|lease| {
            let is_in_use = lease.state == LeaseState::Active && lease.end > now;
            let is_of_role = (lease.org, &lease.role) == (newest.org, &newest.role);
            is_in_use && is_of_role && !lease.may_be_dead && org_of(lease) == org_of(newest)
        });
        let count = own.count() as u64;
        if count > limit {
            self.violation(format!(
                "{count} tokens of {} are in use, its max_active is {limit}",
                newest.role
            ));
        }
    }

    /// A revocation that was answered with success leaves no token.
    pub fn check_revoked(&self, lease: &Lease) {
        // Without a config there is no clock but the node's that could tell that the token has ended.
        let name = operation::config(lease.org);
        let configs = self.stored::<ConfigEntry>(Key::CONFIGS);
        let is_missing = configs.iter().all(|(own, _)| own != name);
        let clock_lies = self.was_skewed.get() && is_missing;
        if self.is_live(&lease.client_id) && !clock_lies {
            self.violation(format!(
                "the token {} lives although its revocation succeeded",
                lease.client_id
            ));
        }
    }

    /// A reader of a static role gets a token that worked when it was asked for.
    pub fn check_static(&self, response: &Response, asked: OffsetDateTime, calm: bool) {
        let client_id = response.data().get("client_id").and_then(|id| id.as_str());
        let Some(token) = client_id.and_then(|id| self.astra.token(id)) else {
            return self.violation("static-creds names no token".to_owned());
        };
        let ended = match token.state {
            TokenState::Active => return,
            // Known: a token that could not be rotated in time is shown all the same, with its expiry.
            TokenState::Expired if !calm => return,
            TokenState::Expired => token.token_expiry.as_deref(),
            TokenState::Deleted => token.deleted_at.as_deref(),
        };
        let is_long_ago = ended.is_none_or(|ended| parsed(ended) < asked);
        let restored = self
            .forgotten
            .borrow()
            .iter()
            .any(|(from, _)| ended.is_some_and(|ended| parsed(ended) >= *from));
        if is_long_ago && !restored {
            self.violation(format!(
                "static-creds returned the token {}, which is {:?}",
                token.client_id, token.state
            ));
        }
    }

    /// What holds at any time: the token of a lease lives as long as its lease.
    pub fn check_leases(&self) {
        let now = tokio::time::Instant::now();
        let mut dead = Vec::new();
        for lease in self.leases.borrow_mut().iter_mut() {
            let is_in_use = lease.state == LeaseState::Active && lease.end > now;
            if is_in_use && !lease.may_be_dead && !self.is_live(&lease.client_id) {
                lease.may_be_dead = true;
                dead.push(lease.client_id.clone());
            }
        }
        for lease in self.lost_leases.borrow_mut().iter_mut() {
            if lease.end > now
                && !self.was_skewed.get()
                && !lease.may_be_dead
                && !self.is_live(&lease.client_id)
            {
                lease.may_be_dead = true;
                dead.push(lease.client_id.clone());
            }
        }
        for client_id in dead {
            self.violation(format!(
                "the token {client_id} is gone although its lease lives"
            ));
        }
    }

    /// What is left that must not be; all of it must be gone some time after the last trouble.
    pub fn remaining(&self) -> Vec<String> {
        let mut found = self.orphans();
        found.extend(self.custom_roles_out_of_step());
        found.extend(self.dead_static_tokens());
        let leases = self.leases.borrow();
        let late = leases.iter().filter(|lease| {
            let token = self.astra.token(&lease.client_id);
            let is_elsewhere = token.is_some_and(|token| self.is_misplaced(&token));
            !is_elsewhere && matches!(lease.state, LeaseState::Ending | LeaseState::Irrevocable)
        });
        found.extend(late.map(|lease| {
            format!(
                "lease {} on {} is {:?}",
                lease.id, lease.client_id, lease.state
            )
        }));
        found
    }

    /// What must never be, to be looked at in the end.
    pub fn check_astra(&self) {
        // A node whose clock is behind asks for an expiry in the past.
        let may_be_past = |rule: &str| self.was_skewed.get() && rule == "token_expiry";
        let violations = self.astra.violations();
        let mut misuses = violations.iter().filter(|one| !may_be_past(one.rule));
        if let Some(violation) = misuses.next() {
            self.violation(format!("the engine misused the API: {violation:?}"));
        }
        for client_id in &self.bystanders {
            if !self.is_live(client_id) {
                self.violation(format!(
                    "the token {client_id} of somebody else was deleted"
                ));
            }
        }
    }

    /// Live tokens that no lease, no config and no static role explains.
    fn orphans(&self) -> Vec<String> {
        let mut issued: Vec<String> = Vec::new();
        let leases = self.leases.borrow();
        let live = leases
            .iter()
            .filter(|lease| lease.state != LeaseState::Revoked);
        issued.extend(live.map(|lease| lease.client_id.clone()));
        for (_, config) in self.stored::<ConfigEntry>(Key::CONFIGS) {
            issued.push(config.token_client_id().to_owned());
        }
        // Where the root token of a deleted config is dead, or of another organization as an operator wrote
        // it, what it left cannot be deleted with it; the engine goes on trying, and says so.
        for (_, pending) in self.stored::<ConfigEntry>(Key::PENDING_DELETIONS) {
            let root = self.astra.token(pending.token_client_id());
            let root = root.filter(|root| root.state == TokenState::Active);
            if root.is_none_or(|root| Some(root.org_id) != pending.org_id) {
                issued.extend(pending.pending_delete);
            }
        }
        for (_, role) in self.stored::<StaticRoleEntry>(Key::STATIC_ROLES) {
            // A tick may be what its deletion waits for.
            let now = crate::engine::clock::now_utc() - 2 * TICK;
            issued.extend(role.current.iter().map(|token| token.client_id.clone()));
            let previous = role
                .previous
                .iter()
                .filter(|token| token.delete_at > now && role.is_live());
            issued.extend(previous.map(|token| token.client_id.clone()));
        }
        let others = self.neighbours_mount();
        let is_of_others = |token: &TokenView| {
            let tag = Tag::parse(&token.description);
            tag.is_some_and(|tag| Some(tag.mount) == others)
        };
        let orphans = self.astra.live_tokens().into_iter().filter(|token| {
            !issued.contains(&token.client_id)
                && !is_of_others(token)
                && !self.is_misplaced(token)
                && !self.given_up.borrow().contains(&token.client_id)
                && !self.is_in_window(token)
                && !self.is_forgotten(&token.generated_on)
                && !self.is_overtaken(token)
        });
        orphans
            .map(|token| {
                format!(
                    "the token {} belongs to no lease and no entry: {}",
                    token.client_id, token.description
                )
            })
            .collect()
    }

    /// The organization that the config is for, as an operator gave it a root token: `None` without a config,
    /// and `Some(None)` where it does not tell.
    pub fn meant_for(&self, config: usize) -> Option<Option<String>> {
        let stored = self.stored::<ConfigEntry>(Key::CONFIGS);
        let mut stored = stored.into_iter();
        let own = stored.find(|(name, _)| name == operation::config(config));
        own.map(|(_, entry)| entry.org_id)
    }

    /// The same for each config that a role of `config` may be under.
    pub fn meant_for_any(&self, config: usize) -> Vec<Option<String>> {
        let peers = self.peers(config);
        peers.filter_map(|org| self.meant_for(org.number)).collect()
    }

    /// Whether an operator who gave a config the root token of another organization was told that what is
    /// in that organization stays.
    pub fn is_misplaced(&self, token: &TokenView) -> bool {
        let Some(tag) = Tag::parse(&token.description) else {
            return false;
        };
        let owner = tag.owner.config();
        let own = (0..self.orgs.len()).find(|org| ConfigMark::of(operation::config(*org)) == owner);
        own.is_some_and(|own| self.orgs[own].id != token.org_id)
    }

    /// The config whose root token is to delete the token of a lease of `config`.  Where that is for another
    /// organization by now, it is one that is for the token's; without one it is refused, and an operator
    /// was told.
    pub fn config_that_deletes(&self, config: usize, token: &TokenView) -> Option<usize> {
        if !self.is_misplaced(token) {
            return Some(config);
        }
        let stored = self.stored::<ConfigEntry>(Key::CONFIGS);
        let org_of = |config: usize| {
            let mut found = stored.iter();
            let found = found.find(|(name, _)| name == operation::config(config));
            found.and_then(|(_, entry)| entry.org_id.as_ref())
        };
        let has_left = org_of(config).is_some_and(|org_id| *org_id != token.org_id);
        let is_for = |other: &usize| {
            self.orgs[*other].id == token.org_id && org_of(*other) == Some(&token.org_id)
        };
        (0..self.orgs.len()).find(is_for).filter(|_| has_left)
    }

    /// Whether the token's answer may have been received, although no one holds it: its mark was durable
    /// when the process or the host died.
    fn is_in_window(&self, token: &TokenView) -> bool {
        let Some(tag) = Tag::parse(&token.description) else {
            return false;
        };
        let was_lost = self
            .interrupted
            .borrow()
            .iter()
            .any(|id| RequestMark::of(id) == tag.request);
        was_lost
            && self.last_words.borrow().iter().any(|intents| {
                let key = intents
                    .keys()
                    .find(|key| key.ends_with(&tag.block.to_string()));
                let entry = key.and_then(|key| intents.get(key));
                let block =
                    entry.and_then(|entry| serde_json::from_slice::<BlockEntry>(&entry.value).ok());
                block.is_some_and(|block| block.is_done(tag.index))
            })
    }

    /// Whether the token's create was on its way when storage was restored, and restored storage does not
    /// know what became of its intent: to the engine it is a token of somebody who works from a newer copy,
    /// which must not be deleted (docs/internals/architecture.md, "Restored snapshots").
    fn is_overtaken(&self, token: &TokenView) -> bool {
        let Some(tag) = Tag::parse(&token.description) else {
            return false;
        };
        let overtaken = self.overtaken.borrow();
        let Some(block) = overtaken.get(&tag.block.to_string()) else {
            return false;
        };
        let made = parsed(&token.generated_on);
        let is_unknown = match &block.restored {
            None => true,
            Some(entry) if entry.is_older_than(tag.write) => true,
            // It was on its way when the snapshot was taken as well, and was not lost yet.
            Some(entry) => {
                block.is_newer && !entry.is_lost(tag.index, tag.write) && made >= block.from
            }
        };
        is_unknown && made <= block.until
    }

    fn is_forgotten(&self, made: &str) -> bool {
        let made = parsed(made);
        self.forgotten
            .borrow()
            .iter()
            .any(|(from, to)| made >= *from && made <= *to)
    }

    /// Custom roles that no one claims, and claims without a custom role or with another policy.
    fn custom_roles_out_of_step(&self) -> Vec<String> {
        if !self.forgotten.borrow().is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut claims: Vec<(String, PolicyRole)> = Vec::new();
        for (name, role) in self.stored::<RoleEntry>(Key::ROLES) {
            claims.extend(
                role.granted
                    .policy
                    .map(|policy| (format!("role {name}"), policy)),
            );
        }
        for (name, role) in self.stored::<StaticRoleEntry>(Key::STATIC_ROLES) {
            claims.extend(
                role.claim()
                    .map(|policy| (format!("static role {name}"), policy.clone())),
            );
        }
        let mut kept = Vec::new();
        for org in &self.orgs {
            let own = self.astra.roles(Some(&org.id)).unwrap().into_iter();
            // What a config of another organization left here, an operator was told of.
            let others = |name: &str| {
                (0..self.orgs.len()).any(|other| {
                    other != org.number && name.contains(&format!("{}-", operation::config(other)))
                })
            };
            kept.extend(own.filter(|role| !others(&role.name)));
        }
        for (owner, claim) in &claims {
            // What was written for another organization is there, and here only an operator can mend it.
            let is_foreign = |org: &Org| {
                let own = format!("role {}-", operation::config(org.number));
                let was_foreign = self.peers(org.number).any(|org| org.was_foreign.get());
                was_foreign && owner.contains(&own)
            };
            if self.orgs.iter().any(is_foreign) {
                continue;
            }
            match kept.iter().find(|role| role.id == claim.role_id) {
                None => found.push(format!("the custom role of {owner} is gone")),
                Some(role) => {
                    let mut wanted = claim.policy.for_astra("").actions;
                    let mut actions = role.policy.actions.clone();
                    wanted.sort();
                    actions.sort();
                    if wanted != actions {
                        found.push(format!("the custom role of {owner} grants {actions:?}"));
                    }
                }
            }
        }
        let others = self.neighbours_mount();
        let others = others.map(|mount| format!("vault-{mount}-"));
        let is_of_others = |name: &str| others.as_ref().is_some_and(|own| name.starts_with(own));
        let own = kept.iter().filter(|role| role.name.starts_with("vault-"));
        for role in own.filter(|role| !is_of_others(&role.name)) {
            let is_claimed = claims.iter().any(|(_, claim)| claim.role_id == role.id);
            let given_up = self.given_up.borrow();
            let is_given_up = given_up.contains(&role.id);
            if !is_claimed && !is_given_up && !self.is_needed_for_overlap(&role.id) {
                found.push(format!("no role claims the custom role {}", role.name));
            }
        }
        found
    }

    /// Whether a replaced token of a static role still has its rights from this custom role.
    fn is_needed_for_overlap(&self, role_id: &str) -> bool {
        let roles = self.stored::<StaticRoleEntry>(Key::STATIC_ROLES);
        let mut previous = roles.iter().flat_map(|(_, role)| role.overlapping());
        previous.any(|token| token.holds_custom_role(role_id))
    }

    /// Static roles whose token does not work.
    fn dead_static_tokens(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, role) in self.stored::<StaticRoleEntry>(Key::STATIC_ROLES) {
            match &role.current {
                Some(current) if !self.is_live(&current.client_id) => {
                    found.push(format!("the token of static role {name} is dead"));
                }
                Some(_) => {}
                None => found.push(format!("static role {name} is not quite deleted")),
            }
        }
        found
    }

    /// Whether the token works.
    pub fn is_live(&self, client_id: &str) -> bool {
        let token = self.astra.token(client_id);
        token.is_some_and(|token| token.state == TokenState::Active)
    }

    /// The entries of a folder that can be read.
    pub fn stored<T: DeserializeOwned>(&self, folder: &str) -> Vec<(String, T)> {
        let entries = self.durable.entries();
        let found = entries.into_iter().filter_map(|(key, entry)| {
            let name = key.strip_prefix(folder)?.to_owned();
            Some((name, serde_json::from_slice(&entry.value).ok()?))
        });
        found.collect()
    }
}

fn parsed(time: &str) -> OffsetDateTime {
    OffsetDateTime::parse(time, &Rfc3339).unwrap()
}
