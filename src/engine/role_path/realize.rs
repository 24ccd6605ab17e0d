//! Making in Astra what a role or a static role is to grant.

use std::time::Duration;

use serde_json::Value;

use super::missing_rights;
use super::unresolved;
use crate::astra::Deadline;
use crate::astra::Role;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::role::DatabaseChoice;
use crate::engine::role::Granted;
use crate::engine::role::PolicyOwner;
use crate::engine::role::access::Access;
use crate::engine::role::access_error::AccessError;
use crate::engine::role::astra_role::AstraRole;
use crate::engine::role::coverage;
use crate::engine::role::custom_role;
use crate::engine::role::custom_role::PolicyRole;
use crate::engine::role::custom_role::Scope;
use crate::engine::role::custom_role::remember;
use crate::engine::role::database::Wanted;
use crate::engine::role::grant::Grant;
use crate::engine::role::policy::Policy;
use crate::engine::role::resolve::resolve;
use crate::framework::Fields;

/// How long the write of a role whose Astra roles are known waits for the organization.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a write asks for that the organization must have: rights, and a database.
pub(crate) struct Asked {
    grant: Grant,
    database: Wanted,
    /// Whether the database is part of this request.
    is_database_sent: bool,
    /// Whether it is another than is stored.
    is_other_database: bool,
}

/// A policy that is to be kept, and what it was made of.
struct AskedPolicy {
    given: Value,
    access: Option<Access>,
    policy: Policy,
    /// The organization that it names.
    org_id: String,
    /// The organization's roles, if they were listed for it.
    listed: Option<Vec<Role>>,
}

/// What the organization was found to have of it, or got.
pub(crate) struct Realized {
    /// What tokens may do.
    pub granted: Granted,
    /// The database that applications connect to.
    pub database: Option<DatabaseChoice>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// What is stored already about the two.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    /// What tokens may do.
    pub granted: Option<&'a Granted>,
    /// The database.
    pub database: Option<&'a DatabaseChoice>,
    /// The custom role that the stored role has, of whatever config it is.
    pub former: Option<&'a PolicyRole>,
}

impl Asked {
    /// What the sent fields make of what is `stored`; refuses what can be refused without asking Astra.
    pub(crate) fn read(fields: &Fields, stored: Known<'_>) -> Result<Self, Error> {
        let grant = Grant::read(fields, stored.granted)?;
        let database = Wanted::read(fields, stored.database)?;
        grant.check_database(&database.id)?;
        Ok(Self {
            is_other_database: Wanted::of(stored.database) != database,
            grant,
            database,
            is_database_sent: Wanted::is_asked_again(fields),
        })
    }

    /// Whether a write of this in the place of `stored` may change custom Astra roles.
    pub(crate) fn changes_astra(&self, stored: Option<&Granted>) -> bool {
        self.grant.changes_astra(stored, self.is_other_database)
    }

    /// Makes it so in Astra, for `owner`, and says what is to be stored.
    ///
    /// `known` is what is stored, if it is of the same config.  With a policy a note stands from then on,
    /// until the caller has stored the answer and calls [`Granted::stored`].
    pub(crate) async fn realize(
        self,
        engine: &Engine,
        connection: &Connection,
        owner: PolicyOwner<'_>,
        known: Known<'_>,
        deadline: Deadline,
    ) -> Result<Realized, Error> {
        let again = self.is_database_sent;
        let choice = self
            .database
            .choice(known.database, again, connection, deadline);
        let (database, mut warnings) = choice.await?;
        let wanted = database.as_ref();
        let (granted, found) = self
            .grant
            .realize(engine, connection, owner, known, wanted, deadline)
            .await?;
        // What is looked up now is there.
        if known.granted == Some(&granted) {
            warnings.extend(unresolved::gone(engine, &granted, connection).await);
        }
        warnings.extend(found);
        warnings.extend(missing_rights::unreached(&granted, database.as_ref()));
        Ok(Realized {
            granted,
            database,
            warnings,
        })
    }
}

impl Grant {
    /// Makes it so in Astra, for `database`; the second part are warnings.
    async fn realize(
        self,
        engine: &Engine,
        connection: &Connection,
        owner: PolicyOwner<'_>,
        known: Known<'_>,
        database: Option<&DatabaseChoice>,
        deadline: Deadline,
    ) -> Result<(Granted, Vec<String>), Error> {
        let asked = match self {
            Self::AstraRoles { given, is_sent } => {
                let known = known.granted.map(|known| known.astra_roles.as_slice());
                let known = known.unwrap_or_default();
                let (astra_roles, listed) =
                    astra_roles(engine, connection, &given, is_sent, known, deadline).await?;
                let granted = Granted {
                    astra_roles,
                    policy: None,
                };
                // What was not looked up again may not be allowed any more.
                let admins = &engine.token_admins;
                admins.check(connection, &granted, deadline).await?;
                let warning = match listed {
                    Some(_) => {
                        missing_rights::warning(connection, &granted, listed, deadline).await
                    }
                    None => None,
                };
                return Ok((granted, warning.into_iter().collect()));
            }
            Self::Policy { given, .. } => {
                let org_id = org_id(connection, deadline).await?;
                AskedPolicy {
                    policy: Policy::parse(&given, &connection.name, &org_id)?,
                    given,
                    access: None,
                    org_id,
                    listed: None,
                }
            }
            Self::Access { access, .. } => {
                let database = database.ok_or(AccessError::NeedsDatabase(access.name()))?;
                let org_id = org_id(connection, deadline).await?;
                let roles = custom_role::list(connection, deadline).await?;
                engine.token_admins.learn(&connection.name, &roles);
                let keyspace = &database.given_keyspace;
                AskedPolicy {
                    given: Value::Null,
                    access: Some(access),
                    policy: access.policy(&roles, &org_id, &database.id, keyspace)?,
                    org_id,
                    listed: Some(roles),
                }
            }
        };
        keep_policy(engine, connection, owner, asked, known, deadline).await
    }
}

/// Sends a policy to Astra, also one that is stored already: somebody may have changed it there.
async fn keep_policy(
    engine: &Engine,
    connection: &Connection,
    owner: PolicyOwner<'_>,
    asked: AskedPolicy,
    known: Known<'_>,
    deadline: Deadline,
) -> Result<(Granted, Vec<String>), Error> {
    let scope = Scope {
        connection,
        org_id: &asked.org_id,
        owner,
    };
    let allowed = connection.entry.allow_token_admin;
    asked.policy.check_token_admin(allowed)?;
    let former = known.former;
    let known = known.granted.and_then(|known| known.policy.as_ref());
    let known = known.filter(|known| known.is_in(&asked.org_id));
    let ensured = engine
        .custom_roles
        .ensure(&scope, &asked.policy, known, former, deadline)
        .await?;
    engine
        .token_admins
        .forget(&connection.name, &ensured.role_id);
    let is_same = |known: &&PolicyRole| known.role_id == ensured.role_id;
    let mut nonces = known
        .filter(is_same)
        .map_or_else(Vec::new, |known| known.nonces.clone());
    for nonce in ensured.nonces {
        remember(&mut nonces, nonce);
    }
    let is_new = known.is_none_or(|known| known.policy != asked.policy);
    let no_tables = coverage::no_tables(&asked.policy);
    let custom = PolicyRole {
        given: asked.given,
        access: asked.access,
        policy: asked.policy,
        role_id: ensured.role_id,
        name: ensured.name,
        org_id: asked.org_id,
        nonces,
    };
    let granted = Granted {
        astra_roles: Vec::new(),
        policy: Some(custom),
    };
    let lacking = match is_new {
        true => missing_rights::warning(connection, &granted, asked.listed, deadline).await,
        false => None,
    };
    Ok((
        granted,
        [ensured.warning, lacking, no_tables]
            .into_iter()
            .flatten()
            .collect(),
    ))
}

/// Looks the Astra roles up, unless they are known and were not sent.  The second part are the
/// organization's roles, if they were listed.
async fn astra_roles(
    engine: &Engine,
    connection: &Connection,
    given: &[String],
    is_sent: bool,
    known: &[AstraRole],
    deadline: Deadline,
) -> Result<(Vec<AstraRole>, Option<Vec<Role>>), Error> {
    let is_known = known.iter().map(|role| &role.given).eq(given);
    if is_known && !is_sent {
        return Ok((known.to_vec(), None));
    }
    // What was resolved once stays resolved while Astra does not answer, and then no one waits for it.
    let deadline = match is_known {
        true => deadline.at_most(TIMEOUT),
        false => deadline,
    };
    let roles = match connection.client.roles(deadline).await {
        Ok(roles) => roles,
        Err(error) if is_known && error.is_retryable() => return Ok((known.to_vec(), None)),
        Err(error) => {
            let what = "list the organization's roles";
            return Err(astra_error::request_error(what, connection, &error));
        }
    };
    engine.token_admins.learn(&connection.name, &roles);
    let allowed = connection.entry.allow_token_admin;
    let resolved = resolve(given, known, &roles, allowed)?;
    Ok((resolved, Some(roles)))
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
