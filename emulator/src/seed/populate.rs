//! What a new emulator holds.

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::ids;
use crate::options::Options;
use crate::policy::ORG_PLACEHOLDER;
use crate::seed::built_in_roles;
use crate::state::database::Database;
use crate::state::org::Org;
use crate::state::org::User;
use crate::state::role::Policy;
use crate::state::role::Role;
use crate::state::seeds::DatabaseSeed;
use crate::state::seeds::OrgSeed;
use crate::state::seeds::TokenSeed;
use crate::state::service_state::NewToken;
use crate::state::service_state::ServiceState;
use crate::state::token::Deletion;
use crate::state::token::Facts;
use crate::state::token::Origin;

/// The zero time that stands for "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

const ORG_ADMIN: &str = "ad0566b5-2a67-49de-89e8-92258c2f2c98";
const DATABASE_ADMIN: &str = "1faa93f2-b889-4190-9585-4bc6e3c3595a";
const UI_VIEW_ONLY: &str = "a25baf86-1bde-43d2-86ac-647e3d884bac";
const RW_USER: &str = "b73e44b2-b9e9-43b8-a7c1-c6a2fe2dab50";
const API_RO_USER: &str = "5dc84d0d-4fdd-4ec2-a223-71341b6d7685";
const ADMIN_USER: &str = "43745b73-ad46-46e4-b826-c15d06d2cea0";

/// The state of an emulator that was just started.
pub(crate) fn new_state(options: &Options, base_url: String) -> ServiceState {
    let mut state = ServiceState::new(options, base_url);
    populate(&mut state);
    state
}

fn populate(state: &mut ServiceState) {
    for built_in in &built_in_roles::BUILT_IN {
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
        state.seeds.roles.insert(role.name.clone(), role.id.clone());
        state.records.roles.put(role);
    }
    let enterprise = ids::uuid(&mut state.rng);
    state.seeds.enterprise_id.clone_from(&enterprise);
    let first = organization(state, "Example Org", Some(enterprise.clone()));
    let second = organization(state, "Second Org", Some(enterprise));
    let third = organization(state, "Third Org", None);
    let admins = ["org_admin", "second_org_admin", "third_org_admin"];
    for (name, facts) in admins.into_iter().zip([&first, &second, &third]) {
        state
            .seeds
            .tokens
            .insert(name.to_owned(), TokenSeed::from(&**facts));
    }
    let org = first.org_id.to_string();
    databases(state, &org);
    custom_roles(state, &org);
    tokens(state, &first);
}

/// Adds an organization with a user and an administrator's token.
pub(crate) fn organization(
    state: &mut ServiceState,
    name: &str,
    enterprise: Option<String>,
) -> Arc<Facts> {
    let id = ids::uuid(&mut state.rng);
    let owner = ids::uuid(&mut state.rng);
    let member = ids::uuid(&mut state.rng);
    let user = |id: String, email: &str, roles: &[&str]| User {
        id,
        email: email.to_owned(),
        status: "active".to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    state.records.orgs.push(Org {
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
    let facts = token(state, &id, ORG_ADMIN, "");
    state.seeds.organizations.push(OrgSeed {
        id,
        name: name.to_owned(),
        enterprise_id: enterprise,
        root_token: facts.token(),
    });
    facts
}

fn token(state: &mut ServiceState, org: &str, role: &str, description: &str) -> Arc<Facts> {
    let now = state.now();
    let new = NewToken {
        org_id: org.into(),
        roles: vec![role.to_owned()],
        description: description.to_owned(),
        expiry: None,
        minted_by: None,
        origin: Origin::Seed,
        enterprise: false,
    };
    state.mint(new, now)
}

fn databases(state: &mut ServiceState, org: &str) {
    let owner = state
        .records
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
            id: ids::uuid(&mut state.rng),
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
        state
            .seeds
            .databases
            .insert(name.to_owned(), DatabaseSeed::from(&database));
        state.records.databases.push(database);
    }
}

fn custom_roles(state: &mut ServiceState, org: &str) {
    let own = format!("drn:astra:org:{org}");
    let database = state
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
            id: ids::uuid(&mut state.rng),
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
        state.seeds.roles.insert(role.name.clone(), role.id.clone());
        state.records.roles.put(role);
    }
}

fn tokens(state: &mut ServiceState, first: &Facts) {
    let org = first.org_id.to_string();
    let writer = state
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
        let now = state.now();
        let new = NewToken {
            org_id: org.as_str().into(),
            roles: vec![role.to_owned()],
            description: String::new(),
            expiry: (name == "expired").then(|| clock::earlier(now, Duration::from_secs(3600))),
            minted_by: None,
            origin: Origin::Seed,
            enterprise: name == "enterprise",
        };
        let facts = state.mint(new, now);
        state
            .seeds
            .tokens
            .insert(name.to_owned(), TokenSeed::from(&*facts));
    }
    if let Some(deleted) = state
        .seeds
        .tokens
        .get("deleted")
        .map(|seed| seed.client_id.clone())
    {
        let now = state.now();
        state
            .records
            .ledger
            .delete(&deleted, Deletion::at_once(now));
    }
}
