//! What tokens of a role or a static role may do: by Astra roles, or by a policy.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::PolicyOwner;
use super::astra_role::AstraRole;
use super::custom_role::PolicyRole;
use super::custom_role::Scope;
use super::error::RoleError;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::framework::Field;
use crate::framework::Fields;

const ASTRA_ROLES: &str = "astra_roles";
const POLICY: &str = "policy";

/// What tokens may do, as it is stored: one of the two.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Granted {
    /// The Astra roles that each token gets; empty with a policy.
    #[serde(default)]
    pub astra_roles: Vec<AstraRole>,
    /// The custom Astra role that each token gets; `None` with Astra roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRole>,
}

/// What tokens may do, as it was asked for.
pub enum Grant {
    /// By Astra roles.
    AstraRoles {
        /// Names or ids.
        given: Vec<String>,
        /// Whether they are part of this request.
        is_sent: bool,
    },
    /// By a policy.
    Policy {
        /// What the operator wrote.
        given: Value,
        /// Whether it is part of this request.
        is_sent: bool,
    },
}

/// The fields `astra_roles` and `policy`.
pub fn declare() -> [Field; 2] {
    [
        Field::comma_string_slice(
            ASTRA_ROLES,
            "Astra roles that each token gets: names or ids. Exactly one of astra_roles and policy \
             is needed.",
        ),
        Field::json(
            POLICY,
            "Astra policy, as JSON text or object: resources, actions, effect and optionally \
             description. The engine keeps a custom Astra role for it. {{org_id}} in resources \
             stands for the organization's id.",
        ),
    ]
}

/// What a read shows of them.
pub fn shown() -> [Field; 3] {
    [
        Field::string_slice(
            ASTRA_ROLES,
            "Names or ids of Astra roles, as they were written.",
        )
        .required(),
        Field::string_slice(
            "astra_role_ids",
            "Ids of the Astra roles that each token gets.",
        )
        .required(),
        Field::json(POLICY, "The policy as it was written. Empty without one.").required(),
    ]
}

impl Granted {
    /// The Astra role with `id`, which `is_token_admin` or not as far as is known.
    pub fn of_role_id(id: &str, is_token_admin: bool) -> Self {
        let role = AstraRole {
            given: id.to_owned(),
            id: id.to_owned(),
            is_token_admin,
        };
        Self {
            astra_roles: vec![role],
            policy: None,
        }
    }

    /// The ids of the Astra roles, sorted, each once; with a policy its custom role's.
    pub fn role_ids(&self) -> Vec<String> {
        let of_policy = self.policy.iter().map(|policy| policy.role_id.clone());
        let mut ids: Vec<String> = self
            .astra_roles
            .iter()
            .map(|role| role.id.clone())
            .chain(of_policy)
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// The names or ids of Astra roles as the operator wrote them.
    pub fn given_roles(&self) -> Vec<String> {
        self.astra_roles
            .iter()
            .map(|role| role.given.clone())
            .collect()
    }

    /// The custom role that this gives up when `next` takes its place in the same organization.
    pub fn abandoned_for(&self, next: Option<&Self>) -> Option<&PolicyRole> {
        let next = next.and_then(|next| next.policy.as_ref());
        let custom = self.policy.as_ref()?;
        (next.map(|next| &next.role_id) != Some(&custom.role_id)).then_some(custom)
    }

    /// The owner's entry is stored with this: Astra and storage agree about its custom role, if it has
    /// one.
    pub async fn stored(&self, engine: &Engine, connection: &Connection, owner: PolicyOwner<'_>) {
        if let Some(custom) = &self.policy {
            let scope = Scope {
                connection,
                org_id: &custom.org_id,
                owner,
            };
            engine.custom_roles.stored(&scope, &custom.nonces).await;
        }
    }

    /// Adds what a read shows.
    pub fn show(&self, data: &mut Map<String, Value>) {
        let policy = self.policy.as_ref().map(|policy| policy.given.clone());
        data.insert(ASTRA_ROLES.into(), self.given_roles().into());
        data.insert("astra_role_ids".into(), self.role_ids().into());
        data.insert(POLICY.into(), policy.unwrap_or_else(|| "".into()));
    }
}

impl Grant {
    /// What the sent fields make of what is `stored`: what is sent replaces it, be it of the other
    /// kind.  What is empty counts as left out, so that what was read can be written back.
    pub fn read(fields: &Fields, stored: Option<&Granted>) -> Result<Self, Error> {
        let sent = fields.sent();
        let roles = sent.strings(ASTRA_ROLES).unwrap_or_default();
        let mut roles: Vec<String> = roles.into_iter().filter(|role| !role.is_empty()).collect();
        roles.sort();
        roles.dedup();
        let policy = sent.json(POLICY).filter(|policy| !is_empty(policy));
        let stored_roles = || {
            stored
                .filter(|_| !fields.was_sent(ASTRA_ROLES))
                .map(Granted::given_roles)
                .filter(|roles| !roles.is_empty())
                .map(|given| Self::AstraRoles {
                    given,
                    is_sent: false,
                })
        };
        let stored_policy = || {
            let policy = stored
                .filter(|_| !fields.was_sent(POLICY))
                .and_then(|granted| granted.policy.as_ref());
            policy.map(|policy| Self::Policy {
                given: policy.given.clone(),
                is_sent: false,
            })
        };
        match (roles.is_empty(), policy) {
            (false, Some(_)) => Err(RoleError::GrantedTwice.into()),
            (false, None) => Ok(Self::AstraRoles {
                given: roles,
                is_sent: true,
            }),
            (true, Some(given)) => Ok(Self::Policy {
                given,
                is_sent: true,
            }),
            (true, None) => stored_roles()
                .or_else(stored_policy)
                .ok_or_else(|| RoleError::NothingGranted.into()),
        }
    }

    /// Whether a write of this in the place of `stored` may change custom Astra roles.
    pub fn changes_astra(&self, stored: Option<&Granted>) -> bool {
        match self {
            Self::Policy { is_sent, .. } => *is_sent,
            Self::AstraRoles { .. } => stored.is_some_and(|stored| stored.policy.is_some()),
        }
    }
}

fn is_empty(policy: &Value) -> bool {
    match policy {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}
