//! What a fresh emulator holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock;
use crate::ids;
use crate::policy::ORG_PLACEHOLDER;
use crate::state::NewToken;
use crate::state::World;
use crate::state::database::Database;
use crate::state::org::Org;
use crate::state::org::User;
use crate::state::role::Policy;
use crate::state::role::Role;
use crate::state::token::Facts;
use crate::state::token::Origin;

mod builtin;

/// The zero time that stands for "never".
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

const ORG_ADMIN: &str = "ad0566b5-2a67-49de-89e8-92258c2f2c98";
const DATABASE_ADMIN: &str = "1faa93f2-b889-4190-9585-4bc6e3c3595a";
const UI_VIEW_ONLY: &str = "a25baf86-1bde-43d2-86ac-647e3d884bac";
const RW_USER: &str = "b73e44b2-b9e9-43b8-a7c1-c6a2fe2dab50";
const API_RO_USER: &str = "5dc84d0d-4fdd-4ec2-a223-71341b6d7685";
const ADMIN_USER: &str = "43745b73-ad46-46e4-b826-c15d06d2cea0";

/// Everything that is there from the start, with its secrets.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Seeds {
    /// The first is the one most tests use; the second belongs to the same enterprise; the third to none.
    pub organizations: Vec<OrgSeed>,
    /// The enterprise of the first two organizations.
    pub enterprise_id: String,
    /// Role ids by name: the built-in roles and the custom ones of the first organization.
    pub roles: BTreeMap<String, String>,
    /// Databases of the first organization by name.
    pub databases: BTreeMap<String, DatabaseSeed>,
    /// Tokens by what they are: `org_admin`, `db_admin`, `token_writer`, `read_only`, `expired`,
    /// `deleted`, `enterprise`, `portal_1`, `portal_2`, `portal_named` (its role is a name);
    /// `second_org_admin` and `third_org_admin` belong to the other organizations.
    pub tokens: BTreeMap<String, TokenSeed>,
}

/// An organization and its administrator's token.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OrgSeed {
    /// UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The enterprise it belongs to.
    pub enterprise_id: Option<String>,
    /// A token with the role Organization Administrator.
    pub root_token: String,
}

/// A database.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DatabaseSeed {
    /// UUID.
    pub id: String,
    /// Region of the first datacenter.
    pub region: String,
    /// All regions.
    pub regions: Vec<String>,
    /// The default one first.
    pub keyspaces: Vec<String>,
    /// `ACTIVE` or `HIBERNATED`.
    pub status: String,
}

/// A token with its secret.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TokenSeed {
    /// 24 letters.
    pub client_id: String,
    /// What the token's hash is made of.
    pub secret: String,
    /// `AstraCS:…`.
    pub token: String,
    /// Its organization.
    pub org_id: String,
    /// Its role ids.
    pub roles: Vec<String>,
}

impl From<&Facts> for TokenSeed {
    fn from(facts: &Facts) -> Self {
        Self {
            client_id: facts.client_id.to_string(),
            secret: facts.secret.clone(),
            token: facts.token(),
            org_id: facts.org_id.to_string(),
            roles: facts.roles.clone(),
        }
    }
}

/// Fills an empty world.
pub(crate) fn plant(world: &mut World) {
    for built_in in &builtin::BUILT_IN {
        let resources = built_in
            .resources
            .iter()
            .map(|rest| format!("drn:astra:org:{ORG_PLACEHOLDER}{rest}"))
            .collect();
        let role = Role {
            id: built_in.id.to_owned(),
            org_id: None,
            name: built_in.name.to_owned(),
            policy: Policy {
                description: built_in.name.to_owned(),
                resources,
                actions: built_in
                    .actions
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect(),
                effect: "allow".to_owned(),
            },
            last_update_date_time: NEVER.to_owned(),
            last_update_user_id: String::new(),
        };
        world.seeds.roles.insert(role.name.clone(), role.id.clone());
        world.state.roles.put(role);
    }
    let enterprise = ids::uuid(&mut world.rng);
    world.seeds.enterprise_id.clone_from(&enterprise);
    let first = organization(world, "Example Org", Some(enterprise.clone()));
    let second = organization(world, "Second Org", Some(enterprise));
    let third = organization(world, "Third Org", None);
    let admins = ["org_admin", "second_org_admin", "third_org_admin"];
    for (name, facts) in admins.into_iter().zip([&first, &second, &third]) {
        world
            .seeds
            .tokens
            .insert(name.to_owned(), TokenSeed::from(&**facts));
    }
    let org = first.org_id.to_string();
    databases(world, &org);
    custom_roles(world, &org);
    tokens(world, &first);
}

/// Adds an organization with a user and an administrator's token.
pub(crate) fn organization(
    world: &mut World,
    name: &str,
    enterprise: Option<String>,
) -> Arc<Facts> {
    let id = ids::uuid(&mut world.rng);
    let owner = ids::uuid(&mut world.rng);
    let member = ids::uuid(&mut world.rng);
    let user = |id: String, email: &str, roles: &[&str]| User {
        id,
        email: email.to_owned(),
        status: "active".to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    world.state.orgs.push(Org {
        id: id.clone(),
        name: name.to_owned(),
        enterprise_id: enterprise.clone(),
        max_token_expiry_s: None,
        devops_acl: Vec::new(),
        users: vec![
            user(owner, "owner@example.com", &[ORG_ADMIN]),
            user(member, "member@example.com", &[ADMIN_USER, RW_USER]),
        ],
    });
    let facts = token(world, &id, ORG_ADMIN, "");
    world.seeds.organizations.push(OrgSeed {
        id,
        name: name.to_owned(),
        enterprise_id: enterprise,
        root_token: facts.token(),
    });
    facts
}

fn token(world: &mut World, org: &str, role: &str, description: &str) -> Arc<Facts> {
    let now = world.now();
    let new = NewToken {
        org_id: org.into(),
        roles: vec![role.to_owned()],
        description: description.to_owned(),
        expiry: None,
        minted_by: None,
        origin: Origin::Seed,
        enterprise: false,
    };
    world.mint(new, now)
}

fn databases(world: &mut World, org: &str) {
    let owner = world
        .state
        .org(org)
        .and_then(|org| org.users.first())
        .map(|user| user.id.clone())
        .unwrap_or_default();
    let list = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let made = [
        (
            "vector_db",
            list(&["default_keyspace", "app"]),
            list(&["us-east1", "europe-west1"]),
            Some("vector".to_owned()),
            "ACTIVE",
        ),
        (
            "classic_db",
            list(&["transaction"]),
            list(&["asia-south1"]),
            None,
            "HIBERNATED",
        ),
    ];
    for (name, keyspaces, regions, db_type, status) in made {
        let database = Database {
            id: ids::uuid(&mut world.rng),
            org_id: org.to_owned(),
            owner_id: owner.clone(),
            name: name.to_owned(),
            keyspaces,
            regions,
            cloud_provider: "GCP".to_owned(),
            tier: "serverless".to_owned(),
            db_type,
            status: status.to_owned(),
            observed_status: status.to_owned(),
            creation_time: "2025-05-25T22:44:45Z".to_owned(),
            last_usage_time: "2025-06-22T13:05:37Z".to_owned(),
        };
        world
            .seeds
            .databases
            .insert(name.to_owned(), DatabaseSeed::from(&database));
        world.state.databases.push(database);
    }
}

impl From<&Database> for DatabaseSeed {
    fn from(database: &Database) -> Self {
        Self {
            id: database.id.clone(),
            region: database.regions.first().cloned().unwrap_or_default(),
            regions: database.regions.clone(),
            keyspaces: database.keyspaces.clone(),
            status: database.status.clone(),
        }
    }
}

fn custom_roles(world: &mut World, org: &str) {
    let own = format!("drn:astra:org:{org}");
    let database = world
        .seeds
        .databases
        .get("vector_db")
        .map_or("", |seed| &seed.id);
    let scoped = vec![
        own.clone(),
        format!("{own}:db:{database}"),
        format!("{own}:db:{database}:keyspace:app"),
        format!("{own}:db:{database}:keyspace:app:table:*"),
    ];
    let scoped_actions = "org-db-view db-cql db-rest db-keyspace-describe db-table-describe \
                          db-table-select";
    let made = [
        ("App Reader", scoped, scoped_actions),
        ("Nothing", Vec::new(), "db-cql"),
        ("Token Writer", vec![own], "org-token-write"),
    ];
    for (name, resources, actions) in made {
        let role = Role {
            id: ids::uuid(&mut world.rng),
            org_id: Some(org.to_owned()),
            name: name.to_owned(),
            policy: Policy {
                description: name.to_owned(),
                resources,
                actions: actions.split_whitespace().map(str::to_owned).collect(),
                effect: "allow".to_owned(),
            },
            last_update_date_time: NEVER.to_owned(),
            last_update_user_id: String::new(),
        };
        world.seeds.roles.insert(role.name.clone(), role.id.clone());
        world.state.roles.put(role);
    }
}

fn tokens(world: &mut World, first: &Facts) {
    let org = first.org_id.to_string();
    let writer = world
        .seeds
        .roles
        .get("Token Writer")
        .cloned()
        .unwrap_or_default();
    let made = [
        ("db_admin", DATABASE_ADMIN),
        ("token_writer", writer.as_str()),
        ("read_only", UI_VIEW_ONLY),
        ("expired", ORG_ADMIN),
        ("deleted", ORG_ADMIN),
        ("enterprise", ORG_ADMIN),
        ("portal_1", API_RO_USER),
        ("portal_2", RW_USER),
        ("portal_named", "API RO User"),
    ];
    for (name, role) in made {
        let now = world.now();
        let new = NewToken {
            org_id: org.as_str().into(),
            roles: vec![role.to_owned()],
            description: String::new(),
            expiry: (name == "expired").then(|| clock::earlier(now, Duration::from_secs(3600))),
            minted_by: None,
            origin: Origin::Seed,
            enterprise: name == "enterprise",
        };
        let facts = world.mint(new, now);
        world
            .seeds
            .tokens
            .insert(name.to_owned(), TokenSeed::from(&*facts));
    }
    if let Some(deleted) = world
        .seeds
        .tokens
        .get("deleted")
        .map(|seed| seed.client_id.clone())
    {
        let now = world.now();
        world.state.ledger.delete(&deleted, now, now, now);
    }
}
