//! What tokens of a role or a static role may do: by Astra roles, or by a policy.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::PolicyOwner;
use super::astra_role::AstraRole;
use super::policy::Policy;
use super::resolve::resolve;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::framework::Field;
use crate::framework::Fields;
use crate::vault::Error as VaultError;

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

/// A policy and the custom Astra role that the engine keeps for it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct PolicyRole {
    /// What the operator wrote, text or object; reads return it unchanged.
    pub given: Value,
    /// What it means.
    pub policy: Policy,
    /// The custom Astra role's id.
    pub role_id: String,
}

/// What tokens may do, as it was asked for.
pub enum Grant {
    /// By Astra roles, by name or id.
    AstraRoles(Vec<String>),
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
            "Astra roles that each token gets: names or ids. Exactly one of astra_roles and policy is needed.",
        ),
        Field::json(
            POLICY,
            "Astra policy, as JSON text or object: resources, actions, effect and optionally description. The engine keeps a custom Astra role for it. {{org_id}} in resources stands for the organization's id.",
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
                .map(Self::AstraRoles)
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
            (false, Some(_)) => Err(VaultError::BadRequest(
                "astra_roles and policy are both given: give the names or ids of Astra roles, or a policy for a role of its own, not \
                 both"
                    .to_owned(),
            ).into()),
            (false, None) => Ok(Self::AstraRoles(roles)),
            (true, Some(given)) => Ok(Self::Policy {
                given,
                is_sent: true,
            }),
            (true, None) => stored_roles().or_else(stored_policy).ok_or_else(|| {
                VaultError::BadRequest(
                    "astra_roles is missing: give one or more names or ids of Astra roles, or a policy instead".to_owned(),
                ).into()
            }),
        }
    }

    /// Whether a write of this in the place of `stored` may change custom Astra roles.
    pub fn changes_astra(&self, stored: Option<&Granted>) -> bool {
        match self {
            Self::Policy { is_sent, .. } => *is_sent,
            Self::AstraRoles(_) => stored.is_some_and(|stored| stored.policy.is_some()),
        }
    }

    /// Makes it so in Astra, for `claimant`, and says what is to be stored.
    ///
    /// `known` is what is stored, if it is of the same organization.  With a policy a note stands from
    /// then on, until the caller has stored the answer and calls `CustomRoles::stored`.
    pub async fn realize(
        self,
        engine: &Engine,
        connection: &Connection,
        claimant: PolicyOwner<'_>,
        known: Option<&Granted>,
        deadline: Deadline,
    ) -> Result<Granted, Error> {
        let mut granted = Granted::default();
        match self {
            Self::AstraRoles(given) => {
                granted.astra_roles = astra_roles(&given, known, connection, deadline).await?;
            }
            Self::Policy { given, is_sent } => {
                let known = known.and_then(|known| known.policy.as_ref());
                granted.policy = Some(match known.filter(|_| !is_sent) {
                    Some(known) => known.clone(),
                    None => {
                        let org_id = org_id(connection, deadline).await?;
                        let policy = Policy::parse(&given, &connection.name, &org_id)?;
                        policy.check_token_admin(connection.entry.allow_token_admin)?;
                        let known_id = known.map(|known| known.role_id.as_str());
                        let role_id = engine
                            .custom_roles
                            .ensure(connection, claimant, &policy, known_id, deadline)
                            .await?;
                        PolicyRole {
                            given,
                            policy,
                            role_id,
                        }
                    }
                });
            }
        }
        Ok(granted)
    }
}

fn is_empty(policy: &Value) -> bool {
    match policy {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

async fn astra_roles(
    given: &[String],
    known: Option<&Granted>,
    connection: &Connection,
    deadline: Deadline,
) -> Result<Vec<AstraRole>, Error> {
    // What was resolved once stays resolved, also while Astra is not reachable.
    if let Some(known) = known.filter(|known| known.given_roles() == given) {
        return Ok(known.astra_roles.clone());
    }
    let roles = connection.client.roles(deadline).await.map_err(|error| {
        astra_error::request_error("list the organization's roles", connection, &error)
    })?;
    resolve(given, &roles, connection.entry.allow_token_admin)
}

/// The connection's organization, which policies name.
async fn org_id(connection: &Connection, deadline: Deadline) -> Result<String, Error> {
    if let Some(org_id) = &connection.entry.org_id {
        return Ok(org_id.clone());
    }
    let found = connection.client.current_org(deadline).await;
    found.map_err(|error| {
        astra_error::request_error("find out the organization", connection, &error)
    })
}
