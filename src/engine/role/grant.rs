//! What tokens of a role or a static role may do: by Astra roles, or by a policy.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::PolicyOwner;
use super::access::Access;
use super::access_error::AccessError;
use super::astra_role::AstraRole;
use super::custom_role::CustomRoles;
use super::custom_role::PolicyRole;
use super::custom_role::Scope;
use super::error::RoleError;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::framework::Field;
use crate::framework::Fields;

const ASTRA_ROLES: &str = "astra_roles";
const POLICY: &str = "policy";
const ACCESS: &str = "access";

/// What tokens may do, as it is stored: one of the two.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Granted {
    /// The Astra roles that each token gets; empty with a policy.
    #[serde(default)]
    pub astra_roles: Vec<AstraRole>,
    /// The custom Astra role that each token gets; `None` with Astra roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRole>,
}

/// What tokens may do, as it was asked for.
pub(crate) enum Grant {
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
    /// By the policy that the engine makes for the role's database.
    Access {
        /// What tokens may do there.
        access: Access,
        /// Whether it is part of this request.
        is_sent: bool,
    },
}

/// The fields `astra_roles`, `policy` and `access`.
pub(crate) fn declare() -> [Field; 3] {
    [
        Field::comma_string_slice(
            ASTRA_ROLES,
            "Astra roles that each token gets: names or ids. Exactly one of astra_roles, policy and access is needed.",
        ),
        Field::json(
            POLICY,
            "Astra policy, as JSON text or object: resources, actions, effect and optionally \
             description. The engine keeps a custom Astra role for it. {{org_id}} in resources \
             stands for the organization's id.",
        ),
        Field::string(
            ACCESS,
            "What each token may do in the database database_id: read-only, read-write or admin. With keyspace in that keyspace only, else in all. The engine keeps a custom Astra role for it, with the actions on databases of Astra's built-in Service Account role of that kind.",
        ),
    ]
}

/// What a read shows of them.
pub(crate) fn shown() -> [Field; 6] {
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
        Field::string(
            ACCESS,
            "What tokens may do in the database. Empty with Astra roles or a policy.",
        )
        .required(),
        Field::string_slice(
            "access_actions",
            "The actions that access stands for. Absent without it.",
        ),
        Field::string_slice(
            "access_resources",
            "What the actions apply to. Absent without access.",
        ),
    ]
}

impl Granted {
    /// The Astra role with `id`, which `is_token_admin` or not as far as is known.
    pub(crate) fn of_role_id(id: &str, is_token_admin: bool) -> Self {
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
    pub(crate) fn role_ids(&self) -> Vec<String> {
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
    pub(crate) fn given_roles(&self) -> Vec<String> {
        self.astra_roles
            .iter()
            .map(|role| role.given.clone())
            .collect()
    }

    /// What tokens may do in the role's database, if that is how it was written.
    pub(crate) fn access(&self) -> Option<Access> {
        self.policy.as_ref().and_then(|custom| custom.access)
    }

    /// Adds to an entry of a list by what tokens have their rights.
    pub(crate) fn list(&self, info: &mut Map<String, Value>) {
        let access = self.access();
        let has_policy = self.policy.is_some() && access.is_none();
        info.insert(ASTRA_ROLES.into(), self.given_roles().into());
        info.insert("has_policy".into(), has_policy.into());
        info.insert(ACCESS.into(), access.map_or("", Access::name).into());
    }

    /// The custom role that this gives up when `next` takes its place in the same organization.
    pub(crate) fn released_by(&self, next: Option<&Self>) -> Option<&PolicyRole> {
        let next = next.and_then(|next| next.policy.as_ref());
        let custom = self.policy.as_ref()?;
        (next.map(|next| &next.role_id) != Some(&custom.role_id)).then_some(custom)
    }

    /// The owner's entry is stored with this: Astra and storage agree about its custom role, if it has
    /// one.
    pub(crate) async fn stored(
        &self,
        custom_roles: &CustomRoles,
        connection: &Connection,
        owner: PolicyOwner<'_>,
    ) {
        if let Some(custom) = &self.policy {
            let scope = Scope {
                connection,
                org_id: &custom.org_id,
                owner,
            };
            custom_roles.stored(&scope, &custom.nonces).await;
        }
    }

    /// Adds what a read shows.
    pub(crate) fn show(&self, data: &mut Map<String, Value>) {
        let custom = self.policy.as_ref();
        let policy = custom.filter(|custom| custom.access.is_none());
        let policy = policy.map(|policy| policy.given.clone());
        data.insert(ASTRA_ROLES.into(), self.given_roles().into());
        data.insert("astra_role_ids".into(), self.role_ids().into());
        data.insert(POLICY.into(), policy.unwrap_or_else(|| "".into()));
        let access = self.access();
        data.insert(ACCESS.into(), access.map_or("", Access::name).into());
        if let Some(custom) = custom.filter(|_| access.is_some()) {
            let policy = custom.policy.clone();
            data.insert("access_actions".into(), policy.actions.into());
            data.insert("access_resources".into(), policy.resources.into());
        }
    }
}

impl Grant {
    /// What the sent fields make of what is `stored`: what is sent replaces it, be it of the other
    /// kind.  What is empty counts as left out, so that what was read can be written back.
    pub(crate) fn read(fields: &Fields, stored: Option<&Granted>) -> Result<Self, Error> {
        let sent = fields.sent();
        let roles = sent.strings(ASTRA_ROLES).unwrap_or_default();
        let mut roles: Vec<String> = roles.into_iter().filter(|role| !role.is_empty()).collect();
        roles.sort();
        roles.dedup();
        let policy = sent.json(POLICY).filter(|policy| !is_empty(policy));
        let access = sent.string(ACCESS).unwrap_or_default();
        let given = [
            (ASTRA_ROLES, !roles.is_empty()),
            (POLICY, policy.is_some()),
            (ACCESS, !access.is_empty()),
        ];
        let given: Vec<&str> = given
            .into_iter()
            .filter_map(|(field, is_given)| is_given.then_some(field))
            .collect();
        if let [first, second, ..] = given.as_slice() {
            return Err(RoleError::GrantedTwice { first, second }.into());
        }
        let is_sent = true;
        if !roles.is_empty() {
            return Ok(Self::AstraRoles {
                given: roles,
                is_sent,
            });
        }
        if let Some(given) = policy {
            return Ok(Self::Policy { given, is_sent });
        }
        if !access.is_empty() {
            let access = Access::parse(&access)?;
            return Ok(Self::Access { access, is_sent });
        }
        let kept = stored.and_then(|stored| Self::kept(fields, stored));
        kept.ok_or_else(|| RoleError::NothingGranted.into())
    }

    /// What is `stored`, unless the request empties it.
    fn kept(fields: &Fields, stored: &Granted) -> Option<Self> {
        let is_sent = false;
        let field = stored
            .policy
            .as_ref()
            .map_or(ASTRA_ROLES, PolicyRole::field);
        if fields.was_sent(field) {
            return None;
        }
        match &stored.policy {
            Some(custom) => Some(match custom.access {
                Some(access) => Self::Access { access, is_sent },
                None => Self::Policy {
                    given: custom.given.clone(),
                    is_sent,
                },
            }),
            None => Some(Self::AstraRoles {
                given: stored.given_roles(),
                is_sent,
            })
            .filter(|_| !stored.astra_roles.is_empty()),
        }
    }

    /// Refuses `access` where the id of the role's `database` is empty.
    pub(crate) fn check_database(&self, database: &str) -> Result<(), Error> {
        match self {
            Self::Access { access, .. } if database.is_empty() => {
                Err(AccessError::NeedsDatabase(access.name()).into())
            }
            _ => Ok(()),
        }
    }

    /// Whether a write of this in the place of `stored` may change custom Astra roles; with another
    /// database than before also one that leaves `access` as it is.
    pub(crate) fn changes_astra(&self, stored: Option<&Granted>, is_other_database: bool) -> bool {
        match self {
            Self::Policy { is_sent, .. } => *is_sent,
            Self::Access { is_sent, .. } => *is_sent || is_other_database,
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
