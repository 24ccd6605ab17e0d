//! Astra roles: what a token may do.

use reqwest::Method;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use tokio::time::Instant;

use super::action;
use super::client::Client;
use super::deadline::Deadline;
use super::deletion::Absence;
use super::deletion::Deletion;
use super::error::Call;
use super::error::Error;
use super::list_facts::Descriptions;
use super::list_facts::ListFacts;
use super::mint::is_same_set;
use super::response::check;
use super::response::decode;
use super::retry::Repeat;
use super::token_format::is_path_id;
use super::transport::LIST_LIMIT;
use super::transport::OBJECT_LIMIT;
use super::transport::Request;

const PATH: &str = "/v2/organizations/roles";

/// What built-in roles write instead of an organization's id.
const ORG_PLACEHOLDER: &str = "__ORG_ID__";

/// A role of the organization, built in or custom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Role {
    /// The id, a UUID.
    pub id: String,
    /// The name; custom names are unique in an organization.
    pub name: String,
    /// What it grants; `None` when the service does not say.
    pub policy: Option<Policy>,
}

/// What a role grants.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Policy {
    /// Actions such as `db-cql`.  The list of known ones is not closed.
    pub actions: Vec<String>,
    /// Free text.
    pub description: String,
    /// Always `allow`.
    pub effect: String,
    /// Resource names such as `drn:astra:org:<id>:db:<id>`.
    pub resources: Vec<String>,
}

/// A custom role to be made, or what it shall be from now on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct NewRole {
    /// The name, unique in the organization.
    pub name: String,
    /// What it grants.
    pub policy: Policy,
}

/// Why there is no new custom role to use, and whether one may exist all the same.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CreateRoleError {
    /// It was certainly not made: nothing was sent, or Astra refused the request in its own form.
    #[error("{0}")]
    NotMade(Error),
    /// It may exist.
    #[error("{0}")]
    Unknown(Error),
}

impl CreateRoleError {
    /// The failure behind it.
    pub fn error(&self) -> &Error {
        match self {
            Self::NotMade(error) | Self::Unknown(error) => error,
        }
    }
}

impl Client {
    /// All roles of the organization, built in and custom.
    pub async fn roles(&self, deadline: Deadline) -> Result<Vec<Role>, Error> {
        let request = Request::new(Method::GET, PATH, LIST_LIMIT);
        self.check_org(deadline).await?;
        let body = self.fetch(&request, deadline).await?;
        let call = request.call(1);
        let list: Vec<Value> = decode(&call, &body)?;
        list.iter()
            .map(|value| Role::from_json(value, &call))
            .collect()
    }

    /// One role.  Needs more rights than [`Client::roles`].
    pub async fn role(&self, id: &str, deadline: Deadline) -> Result<Role, Error> {
        let request = Request::new(Method::GET, role_path(id)?, OBJECT_LIMIT);
        let body = self.fetch(&request, deadline).await?;
        let call = request.call(1);
        Role::from_json(&decode(&call, &body)?, &call)
    }

    /// Makes a custom role.  A name that is taken is [`Error::Conflict`].
    ///
    /// Names are unique, so after [`CreateRoleError::Unknown`] the list of [`Client::roles`] shows
    /// whether it was made; a conflict is such a case too, as a proxy may have sent the request twice.
    pub async fn create_role(
        &self,
        role: &NewRole,
        deadline: Deadline,
    ) -> Result<Role, CreateRoleError> {
        let body = json(role).map_err(CreateRoleError::NotMade)?;
        let request = Request::new(Method::POST, PATH, OBJECT_LIMIT)
            .json(body)
            .repeat(Repeat::RefusedSecond);
        let checked = self.check_org(deadline).await;
        checked.map_err(CreateRoleError::NotMade)?;
        let sent = self.send(&request, deadline).await;
        let body = sent.map_err(|failure| match failure.maybe_applied {
            true => CreateRoleError::Unknown(failure.error),
            false => CreateRoleError::NotMade(failure.error),
        })?;
        let call = request.call(1);
        decode(&call, &body)
            .and_then(|value| Role::from_json(&value, &call))
            .map_err(CreateRoleError::Unknown)
    }

    /// Replaces name and policy of a custom role, at once for every token that holds it.  Where the answer
    /// is neither empty nor JSON, the list of roles shows whether it was done.
    pub async fn update_role(
        &self,
        id: &str,
        role: &NewRole,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let request = Request::new(Method::PUT, role_path(id)?, OBJECT_LIMIT).json(json(role)?);
        self.check_org(deadline).await?;
        let body = self.fetch(&request, deadline).await?;
        let Err(error) = check(&request.call(1), &body) else {
            return Ok(());
        };
        // What Astra answers is not documented, and a page may be of something that has not passed the
        // request on.
        let roles = self.roles(deadline).await.unwrap_or_default();
        let policy = Role::with_id(&roles, id).and_then(|found| found.policy.as_ref());
        match policy.is_some_and(|policy| policy.is_same(&role.policy)) {
            true => Ok(()),
            false => Err(error),
        }
    }

    /// Deletes a custom role.  That it is absent although no answer of the API says that it was deleted is
    /// confirmed by the list of roles.
    pub async fn delete_role(&self, id: &str, deadline: Deadline) -> Result<Deletion, Error> {
        let request = Request::new(Method::DELETE, role_path(id)?, OBJECT_LIMIT);
        self.check_org(deadline).await?;
        let error = match self.perform(&request, deadline).await {
            Ok(()) => return Ok(Deletion::Deleted),
            Err(
                error @ (Error::NotFound { .. }
                | Error::BadRequest { status: 400, .. }
                | Error::Malformed { .. }),
            ) => error,
            Err(error) => return Err(error),
        };
        let began = Instant::now();
        let roles = self.roles(deadline).await?;
        if Role::with_id(&roles, id).is_some() {
            return Err(error);
        }
        let list = ListFacts {
            began,
            answered_at: None,
            descriptions: Descriptions::Unknown,
            entries: roles.len(),
        };
        let org_id = self.0.own_org.get().cloned();
        Ok(Deletion::AlreadyAbsent(Absence { list, org_id }))
    }
}

impl Policy {
    /// Whether both say the same, in whatever order.
    fn is_same(&self, other: &Self) -> bool {
        self.description == other.description
            && self.effect == other.effect
            && is_same_set(&self.actions, &other.actions)
            && is_same_set(&self.resources, &other.resources)
    }
}

impl Role {
    /// The one of `roles` with this id, which Astra may write in either case.
    pub fn with_id<'a>(roles: &'a [Self], id: &str) -> Option<&'a Self> {
        roles.iter().find(|role| role.id.eq_ignore_ascii_case(id))
    }

    /// Whether a token with this role could make a credential that outlives its own.  A role whose policy is not known counts as one.
    pub fn grants_token_admin(&self) -> bool {
        match &self.policy {
            Some(policy) => policy.grants_token_admin(),
            None => true,
        }
    }

    fn from_json(value: &Value, call: &Call) -> Result<Self, Error> {
        let malformed = |reason: &str| Error::Malformed {
            call: call.clone(),
            reason: reason.to_owned(),
        };
        let map = value
            .as_object()
            .ok_or_else(|| malformed("a role is not a JSON object"))?;
        let id = text(map, "id").ok_or_else(|| malformed("a role has no id"))?;
        Ok(Self {
            id,
            name: text(map, "name").unwrap_or_default(),
            policy: field(map, "policy").and_then(Policy::from_json),
        })
    }
}

impl Policy {
    /// Whether a token with it could make a credential that outlives its own: a token, a role, a user,
    /// a single sign-on, a database's password.
    pub fn grants_token_admin(&self) -> bool {
        self.actions.iter().any(|action| action::is_lasting(action))
    }

    /// Whether its actions cover `wanted`.
    pub fn allows(&self, wanted: &str) -> bool {
        self.actions
            .iter()
            .any(|action| action::covers(action, wanted))
    }

    /// The first of its actions that is not written as the API's documents write them: lower-case
    /// letters, digits, hyphens and `*`.  What Astra makes of another is unknown, so it cannot be judged.
    pub fn odd_action(&self) -> Option<&str> {
        let odd = self.actions.iter().find(|action| !action::is_plain(action));
        odd.map(String::as_str)
    }

    /// Whether it names an organization by the placeholder of built-in roles.
    pub fn is_of_any_organization(&self) -> bool {
        let mut resources = self.resources.iter();
        resources.any(|resource| resource.contains(ORG_PLACEHOLDER))
    }

    /// The resources with the organization's id where built-in roles have a placeholder.
    pub fn resources_in(&self, org_id: &str) -> Vec<String> {
        let resources = self.resources.iter();
        resources
            .map(|resource| resource.replace(ORG_PLACEHOLDER, org_id))
            .collect()
    }

    /// Reads a policy: an object or, as some documents of the API show it, an object in a text.
    fn from_json(value: &Value) -> Option<Self> {
        let parsed: Value;
        let map = match value {
            Value::Object(map) => map,
            Value::String(text) => {
                parsed = serde_json::from_str(text).ok()?;
                parsed.as_object()?
            }
            _ => return None,
        };
        Some(Self {
            actions: texts(map, "actions")?,
            description: text(map, "description").unwrap_or_default(),
            effect: text(map, "effect").unwrap_or_default(),
            resources: texts(map, "resources")?,
        })
    }
}

/// The service and its documents disagree about the case of names: `id`, `ID`, `Id`.
fn field<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let exact = map.get(name);
    exact.or_else(|| {
        map.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

fn text(map: &Map<String, Value>, name: &str) -> Option<String> {
    field(map, name)?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// `null` is an empty list, as Go writes it; without it the policy is unknown.
fn texts(map: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    match field(map, name)? {
        Value::Null => Some(Vec::new()),
        Value::Array(list) => list
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

fn role_path(id: &str) -> Result<String, Error> {
    match is_path_id(id) {
        true => Ok(format!("{PATH}/{id}")),
        false => Err(Error::invalid_id("role", id)),
    }
}

fn json(role: &NewRole) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(role).map_err(|error| Error::InvalidArgument {
        reason: format!("the role cannot be written as JSON: {error}"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::Policy;
    use super::Role;
    use crate::astra::error::Call;

    fn role(value: &Value) -> Option<Role> {
        let call = Call::new("GET", "/", 1);
        Role::from_json(value, &call).ok()
    }

    fn with_actions(actions: &[&str]) -> Policy {
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        Policy {
            actions,
            ..Policy::default()
        }
    }

    #[test]
    fn reads_every_spelling() {
        let policy = json!({"description": "d", "resources": ["drn:astra:org:__ORG_ID__"],
                            "actions": ["db-cql"], "effect": "allow"});
        let pascal = json!({"Description": "d", "Resources": ["drn:astra:org:__ORG_ID__"],
                            "Actions": ["db-cql"], "Effect": "allow"});
        let expected = Role {
            id: "1".into(),
            name: "R/W".into(),
            policy: Some(Policy {
                actions: vec!["db-cql".into()],
                description: "d".into(),
                effect: "allow".into(),
                resources: vec!["drn:astra:org:__ORG_ID__".into()],
            }),
        };
        for value in [
            json!({"id": "1", "name": "R/W", "policy": policy, "last_update_userid": ""}),
            json!({"ID": "1", "Name": "R/W", "Policy": pascal, "LastUpdateUserID": ""}),
            json!({"ID": "1", "Name": "R/W", "Type": "default", "Policy": policy.to_string()}),
        ] {
            assert_eq!(role(&value).as_ref(), Some(&expected), "{value}");
        }
        let policy = expected.policy.unwrap();
        assert_eq!(policy.resources_in("o"), ["drn:astra:org:o"]);
    }

    #[test]
    fn an_unreadable_policy_is_unknown_and_counts_as_administration() {
        for value in [
            json!({"id": "1"}),
            json!({"id": "1", "policy": null}),
            json!({"id": "1", "policy": "{"}),
            json!({"id": "1", "policy": {"resources": []}}),
            json!({"id": "1", "policy": {"resources": [], "actions": [1]}}),
        ] {
            let role = role(&value).unwrap();
            assert_eq!(role.policy, None, "{value}");
            assert!(role.grants_token_admin(), "{value}");
        }
        for value in [
            json!({}),
            json!({"id": ""}),
            json!({"id": 1}),
            json!([]),
            json!(null),
        ] {
            assert_eq!(role(&value), None, "{value}");
        }
    }

    #[test]
    fn finds_rights_to_make_tokens_or_roles() {
        for actions in [
            ["org-token-write"],
            ["org-role-write"],
            ["*"],
            ["org-*"],
            ["org-*-write"],
        ] {
            assert!(with_actions(&actions).grants_token_admin(), "{actions:?}");
        }
        for actions in [
            ["org-token-read"],
            ["db-cql"],
            ["db-*"],
            ["org-role-read"],
            ["org-db-v*"],
        ] {
            assert!(!with_actions(&actions).grants_token_admin(), "{actions:?}");
        }
        assert!(!with_actions(&[]).grants_token_admin());
    }
}
