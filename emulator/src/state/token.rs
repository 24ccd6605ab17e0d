//! Tokens and the ledger that holds them in insertion order.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::ids;

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// There from the start.
    Seed,
    /// Made by hand, through the control or library API.
    Portal,
    /// Minted by a request to the emulated API.
    Api,
}

/// What never changes about a token.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) client_id: Arc<str>,
    pub(crate) secret: String,
    pub(crate) hash: String,
    pub(crate) org_id: Arc<str>,
    pub(crate) roles: Vec<String>,
    pub(crate) description: String,
    pub(crate) generated_on: OffsetDateTime,
    pub(crate) minted_by: Option<Arc<str>>,
    pub(crate) origin: Origin,
    /// Valid for every organization of the enterprise.
    pub(crate) enterprise: bool,
}

impl Facts {
    pub(crate) fn token(&self) -> String {
        ids::token(&self.client_id, &self.hash)
    }
}

/// When a token was deleted, and until when it is still known.
#[derive(Clone, Copy)]
pub(crate) struct Deletion {
    pub(crate) at: OffsetDateTime,
    /// Authentication still knows it.
    pub(crate) auth_until: OffsetDateTime,
    /// The list still shows it.
    pub(crate) list_until: OffsetDateTime,
    /// `DELETE` still finds it, without another effect.
    pub(crate) delete_until: OffsetDateTime,
}

impl Deletion {
    /// A deletion that takes effect everywhere at once.
    pub(crate) fn at_once(at: OffsetDateTime) -> Self {
        Self {
            at,
            auth_until: at,
            list_until: at,
            delete_until: at,
        }
    }

    fn is_over(&self, now: OffsetDateTime) -> bool {
        self.auth_until <= now && self.list_until <= now && self.delete_until <= now
    }
}

/// A token with its state.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) facts: Arc<Facts>,
    pub(crate) expiry: Option<OffsetDateTime>,
    pub(crate) auth_from: OffsetDateTime,
    pub(crate) list_from: OffsetDateTime,
    /// `DELETE` finds it from then on.
    pub(crate) delete_from: OffsetDateTime,
    pub(crate) deleted: Option<Deletion>,
    /// The secret went out in a complete 2xx body.
    pub(crate) delivered: bool,
}

impl Token {
    /// Not deleted and not expired.
    pub(crate) fn live(&self, now: OffsetDateTime) -> bool {
        self.deleted.is_none() && !self.expired(now)
    }

    pub(crate) fn expired(&self, now: OffsetDateTime) -> bool {
        self.expiry.is_some_and(|expiry| expiry <= now)
    }

    pub(crate) fn view(&self, now: OffsetDateTime, secrets: bool) -> TokenView {
        let facts = &self.facts;
        TokenView {
            client_id: facts.client_id.to_string(),
            org_id: facts.org_id.to_string(),
            roles: facts.roles.clone(),
            description: facts.description.clone(),
            generated_on: clock::rfc3339(facts.generated_on),
            token_expiry: self.expiry.map(clock::rfc3339),
            state: if self.deleted.is_some() {
                TokenState::Deleted
            } else if self.expired(now) {
                TokenState::Expired
            } else {
                TokenState::Active
            },
            deleted_at: self.deleted.map(|deletion| clock::rfc3339(deletion.at)),
            minted_by: facts.minted_by.as_ref().map(ToString::to_string),
            origin: facts.origin,
            enterprise: facts.enterprise,
            delivered: self.delivered,
            secret: secrets.then(|| facts.secret.clone()),
            token: secrets.then(|| facts.token()),
        }
    }
}

/// Whether a token still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It works.
    Active,
    /// Its `tokenExpiry` has passed.
    Expired,
    /// It was deleted.
    Deleted,
}

/// A token as tests see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TokenView {
    /// 24 letters.
    pub client_id: String,
    /// The organization it belongs to.
    pub org_id: String,
    /// Role ids (or a name, for one seed).
    pub roles: Vec<String>,
    /// Empty if none was given.
    pub description: String,
    /// RFC 3339.
    pub generated_on: String,
    /// RFC 3339; `None` never expires.
    pub token_expiry: Option<String>,
    /// Whether it still works.
    pub state: TokenState,
    /// RFC 3339.
    pub deleted_at: Option<String>,
    /// Client id of the caller that minted it through the API.
    pub minted_by: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// Valid for every organization of the enterprise.
    pub enterprise: bool,
    /// Its secret went out in a complete 2xx body.
    pub delivered: bool,
    /// The secret, where secrets may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The token, where secrets may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// How many deleted tokens are remembered.
const DELETED_KEPT: usize = 100_000;

/// Every token: constant-time look-up, insertion and removal, listed in insertion order.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    slots: Vec<Option<Token>>,
    index: HashMap<Arc<str>, usize>,
    /// Deleted tokens that authentication or the list still shows.
    leaving: VecDeque<Arc<str>>,
    deleted_by_id: HashMap<Arc<str>, Token>,
    deleted_order: VecDeque<Arc<str>>,
    /// Not deleted tokens per organization.
    counts: HashMap<Arc<str>, usize>,
}

impl Ledger {
    pub(crate) fn insert(&mut self, token: Token) {
        let client_id = token.facts.client_id.clone();
        *self.counts.entry(token.facts.org_id.clone()).or_default() += 1;
        self.index.insert(client_id, self.slots.len());
        self.slots.push(Some(token));
    }

    /// A token in the list, perhaps deleted but still shown.
    pub(crate) fn get(&self, client_id: &str) -> Option<&Token> {
        self.slots.get(*self.index.get(client_id)?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, client_id: &str) -> Option<&mut Token> {
        self.slots.get_mut(*self.index.get(client_id)?)?.as_mut()
    }

    /// A token in the list or a remembered deleted one.
    pub(crate) fn find(&self, client_id: &str) -> Option<&Token> {
        self.get(client_id)
            .or_else(|| self.deleted_by_id.get(client_id))
    }

    /// Marks a token deleted; it leaves the list when neither authentication nor the list shows it any more.
    pub(crate) fn delete(&mut self, client_id: &str, deletion: Deletion) -> bool {
        let now = deletion.at;
        self.purge(now);
        let Some(token) = self
            .get_mut(client_id)
            .filter(|token| token.deleted.is_none())
        else {
            return false;
        };
        token.deleted = Some(deletion);
        let (id, org) = (token.facts.client_id.clone(), token.facts.org_id.clone());
        if let Some(count) = self.counts.get_mut(&org) {
            *count = count.saturating_sub(1);
        }
        if deletion.is_over(now) {
            self.move_to_deleted(&id);
        } else {
            self.leaving.push_back(id);
        }
        true
    }

    /// Tokens in insertion order, those deleted but still shown among them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Token> {
        self.slots.iter().flatten()
    }

    /// Tokens of `org` that are not deleted.
    pub(crate) fn count(&self, org: &str) -> usize {
        self.counts.get(org).copied().unwrap_or_default()
    }

    /// Remembered deleted tokens, oldest first.
    pub(crate) fn deleted(&self) -> impl Iterator<Item = &Token> {
        self.deleted_order
            .iter()
            .filter_map(|id| self.deleted_by_id.get(id))
    }

    fn purge(&mut self, now: OffsetDateTime) {
        while let Some(id) = self.leaving.front().cloned() {
            let gone = self
                .get(&id)
                .and_then(|token| token.deleted)
                .is_none_or(|deletion| deletion.is_over(now));
            if !gone {
                return;
            }
            self.leaving.pop_front();
            self.move_to_deleted(&id);
        }
    }

    fn move_to_deleted(&mut self, client_id: &Arc<str>) {
        let Some(slot) = self.index.remove(client_id) else {
            return;
        };
        if let Some(token) = self.slots.get_mut(slot).and_then(Option::take) {
            self.deleted_by_id.insert(client_id.clone(), token);
            self.deleted_order.push_back(client_id.clone());
        }
        if self.deleted_order.len() > DELETED_KEPT
            && let Some(oldest) = self.deleted_order.pop_front()
        {
            self.deleted_by_id.remove(&oldest);
        }
        if self.slots.len() > 1024 && self.index.len() < self.slots.len() / 2 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        self.slots.retain(Option::is_some);
        self.index = self
            .slots
            .iter()
            .flatten()
            .enumerate()
            .map(|(slot, token)| (token.facts.client_id.clone(), slot))
            .collect();
    }
}
