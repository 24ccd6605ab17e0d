//! The policy that a role may have instead of Astra roles.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::policy_error::PolicyError;
use super::policy_error::PolicyMistake;
use crate::astra;
use crate::engine::error::Error;

/// What may stand for the organization's id in a resource; the second is Astra's own.
const PLACEHOLDERS: [&str; 2] = ["{{org_id}}", "__ORG_ID__"];

/// What every resource begins with (docs/internals/astra-api.md).
const RESOURCE_PREFIX: &str = "drn:astra:org:";

/// What a custom Astra role grants.
///
/// Sorted, without repetition and with the organization's id filled in, so that two policies that
/// mean the same are equal.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Policy {
    /// What the actions apply to.
    pub resources: Vec<String>,
    /// What is allowed; Astra's list of actions is not closed.
    pub actions: Vec<String>,
    /// Free text; empty when none was given.
    #[serde(default)]
    pub description: String,
}

impl Policy {
    /// Reads what an operator `given`, an object or JSON text, as a policy for the organization
    /// `org_id` of the config called `config`.
    pub(crate) fn parse(given: &Value, config: &str, org_id: &str) -> Result<Self, Error> {
        let parsed: Value;
        let object = match given {
            Value::Object(object) => object,
            Value::String(text) => {
                parsed = serde_json::from_str(text)
                    .map_err(|error| refused(PolicyMistake::NotJson(error)))?;
                parsed.as_object().ok_or_else(|| not_an_object(&parsed))?
            }
            other => return Err(not_an_object(other)),
        };
        let known = ["resources", "actions", "effect", "description"];
        if let Some(other) = object.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(refused(PolicyMistake::UnknownField(other.clone())));
        }
        let effect =
            text(object, "effect")?.ok_or_else(|| refused(PolicyMistake::Missing("effect")))?;
        if effect != "allow" {
            return Err(refused(PolicyMistake::Effect(effect.to_owned())));
        }
        let resources = texts(object, "resources")?
            .iter()
            .map(|resource| in_organization(resource, config, org_id))
            .collect::<Result<Vec<String>, Error>>()?;
        let policy = Self {
            resources: sorted(resources),
            actions: sorted(texts(object, "actions")?),
            description: text(object, "description")?.unwrap_or_default().to_owned(),
        };
        match policy.for_astra("").odd_action() {
            None => Ok(policy),
            Some(odd) => {
                let odd = odd.escape_default().to_string();
                Err(refused(PolicyMistake::OddAction(odd)))
            }
        }
    }

    /// Refuses rights to create tokens or roles unless `allow_token_admin`.
    pub(crate) fn check_token_admin(&self, allow_token_admin: bool) -> Result<(), Error> {
        if allow_token_admin || !self.for_astra("").grants_token_admin() {
            return Ok(());
        }
        Err(refused(PolicyMistake::GrantsTokenAdmin))
    }

    /// The policy as Astra takes it, with `description`, on which Astra insists.
    pub(crate) fn for_astra(&self, description: &str) -> astra::Policy {
        astra::Policy {
            actions: self.actions.clone(),
            description: description.to_owned(),
            effect: "allow".to_owned(),
            resources: self.resources.clone(),
        }
    }
}

fn refused(mistake: PolicyMistake) -> Error {
    PolicyError(mistake).into()
}

fn not_an_object(value: &Value) -> Error {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    refused(PolicyMistake::NotAnObject(kind))
}

/// The text called `name`, if there is one.
fn text<'a>(object: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, Error> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(refused(PolicyMistake::NotAText(name))),
    }
}

/// The texts called `name`, at least one, none of them empty.
fn texts(object: &Map<String, Value>, name: &'static str) -> Result<Vec<String>, Error> {
    let list = match object.get(name) {
        None => return Err(refused(PolicyMistake::Missing(name))),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(refused(PolicyMistake::NotAList(name))),
    };
    if list.is_empty() {
        return Err(refused(PolicyMistake::Empty(name)));
    }
    list.iter()
        .map(|item| match item {
            Value::String(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => Err(refused(PolicyMistake::OddItem(name))),
        })
        .collect()
}

/// `resource` with the organization's id filled in; refuses one of another organization.
fn in_organization(resource: &str, config: &str, org_id: &str) -> Result<String, Error> {
    let Some(rest) = resource.strip_prefix(RESOURCE_PREFIX) else {
        return Err(refused(PolicyMistake::NotAResource {
            resource: resource.to_owned(),
            prefix: RESOURCE_PREFIX,
        }));
    };
    let (organization, below) = match rest.split_once(':') {
        Some((organization, below)) => (organization, Some(below)),
        None => (rest, None),
    };
    if organization != org_id && !PLACEHOLDERS.contains(&organization) {
        return Err(refused(PolicyMistake::Foreign {
            resource: resource.to_owned(),
            org_id: org_id.to_owned(),
            config: config.to_owned(),
            prefix: RESOURCE_PREFIX,
        }));
    }
    Ok(match below {
        Some(below) => format!("{RESOURCE_PREFIX}{org_id}:{below}"),
        None => format!("{RESOURCE_PREFIX}{org_id}"),
    })
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts.dedup();
    texts
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORG: &str = "11111111-1111-4111-8111-111111111111";

    fn refusal(given: &Value) -> String {
        Policy::parse(given, "default", ORG)
            .unwrap_err()
            .to_string()
    }

    fn good() -> Value {
        json!({"resources": ["drn:astra:org:{{org_id}}:db:*", "drn:astra:org:__ORG_ID__"],
               "actions": ["db-rest", "db-cql", "db-rest"], "effect": "allow"})
    }

    #[test]
    fn text_and_object_mean_the_same() {
        let policy = Policy::parse(&good(), "default", ORG).unwrap();
        let text = Value::String(serde_json::to_string_pretty(&good()).unwrap());
        assert_eq!(Policy::parse(&text, "default", ORG).unwrap(), policy);
        let resources = [
            format!("drn:astra:org:{ORG}"),
            format!("drn:astra:org:{ORG}:db:*"),
        ];
        assert_eq!(policy.resources, resources);
        assert_eq!(policy.actions, ["db-cql", "db-rest"]);
        let explicit =
            json!({"resources": resources, "actions": ["db-cql", "db-rest"], "effect": "allow"});
        assert_eq!(Policy::parse(&explicit, "default", ORG).unwrap(), policy);
        assert_eq!(policy.for_astra("for reader").description, "for reader");
        assert_eq!(policy.for_astra("").effect, "allow");
    }

    #[test]
    fn each_mistake_is_named() {
        let form = "an Astra policy has the lists resources and actions, the text effect, which is \
            \"allow\", and optionally the text description";
        let with = |name: &str, value: Value| {
            let mut policy = good();
            policy[name] = value;
            policy
        };
        let without = |name: &str| {
            let mut policy = good();
            policy.as_object_mut().unwrap().remove(name);
            policy
        };
        for (given, expected) in [
            (
                json!("{"),
                format!(
                    "policy: the text is not JSON (EOF while parsing an object at line 1 column \
                     1): {form}"
                ),
            ),
            (
                json!("[]"),
                format!("policy: it is a list, not a JSON object: {form}"),
            ),
            (
                json!(7),
                format!("policy: it is a number, not a JSON object: {form}"),
            ),
            (
                with("resource", json!([])),
                format!("policy: \"resource\" is unknown: {form}"),
            ),
            (
                without("effect"),
                format!("policy: \"effect\" is missing: {form}"),
            ),
            (
                without("actions"),
                format!("policy: \"actions\" is missing: {form}"),
            ),
            (
                without("resources"),
                format!("policy: \"resources\" is missing: {form}"),
            ),
            (
                with("actions", json!("db-cql")),
                format!("policy: \"actions\" is not a list of texts: {form}"),
            ),
            (
                with("description", json!(1)),
                format!("policy: \"description\" is not a text: {form}"),
            ),
            (
                with("actions", json!([""])),
                format!(
                    "policy: \"actions\" holds something that is not a text, or is an empty one: \
                     {form}"
                ),
            ),
            (
                with("resources", json!([])),
                "policy: \"resources\" is empty, so tokens of the role could do nothing: name at \
                 least one of the resources"
                    .to_owned(),
            ),
            (
                with("effect", json!("deny")),
                "policy: effect is \"deny\", and Astra knows only \"allow\": write \"allow\", and \
                 leave out what is not to be allowed"
                    .to_owned(),
            ),
            (
                with("resources", json!(["db:*"])),
                "policy: resource \"db:*\" does not begin with \"drn:astra:org:\": write for \
                 instance \"drn:astra:org:{{org_id}}:db:*\""
                    .to_owned(),
            ),
            (
                with("resources", json!(["drn:astra:org:other:db:*"])),
                format!(
                    "policy: resource \"drn:astra:org:other:db:*\" is not of organization {ORG}, \
                     which config \"default\" is for: write {{{{org_id}}}} or {ORG} after \
                     \"drn:astra:org:\", or use the other organization's config"
                ),
            ),
        ] {
            assert_eq!(refusal(&given), expected);
        }
        assert!(
            refusal(&with("resources", json!(["drn:astra:org:*:db:*"])))
                .contains("is not of organization")
        );
        assert!(
            refusal(&with("resources", json!([format!("drn:astra:org:{ORG}0")])))
                .contains("is not of organization")
        );
    }

    #[test]
    fn rights_to_make_tokens_need_the_configs_leave() {
        let policy = Policy {
            actions: vec!["org-role-write".into()],
            ..Policy::default()
        };
        assert_eq!(
            policy.check_token_admin(false).unwrap_err().to_string(),
            "policy: its actions allow creating tokens, roles, users or passwords, so its tokens \
             could outlive their lease by making others: leave out org-token-write, \
             org-role-write, org-user-write, org-external-auth-write, org-db-passwordreset and \
             patterns that cover them, or set allow_token_admin=true on the config"
        );
        assert!(policy.check_token_admin(true).is_ok());
    }
}
