//! A mount and its organizations, filled: configs and roles through Vault, tokens by the emulator's
//! control API, since a million mints would take an hour.

use std::path::Path;

use harness::Api;
use harness::Plugin;
use harness::Server;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use super::Size;
use crate::emulator::Emulator;
use crate::load::Shot;
use crate::load::burst;
use crate::subject::READ_ONLY;
use crate::subject::enable;
use crate::subject::version_of;

/// The plugin's name.
pub(super) const PLUGIN: &str = "astra";
/// Over so many organizations the configs are spread.
pub(super) const ORGANIZATIONS: usize = 3;
/// Of this many roles of a config one has a policy, so that Astra has a custom role for it.
const ROLES_PER_POLICY: usize = 10;
/// As many intents a block has.
const BLOCK: usize = 1_024;
/// Of each ten tokens of the first organization these many carry this mount's tag, and another mount's;
/// the rest have a description that people wrote.
const OWN_TENTHS: usize = 6;
const FOREIGN_TENTHS: usize = 2;

/// A mount that is ready to be measured.
pub(super) struct Filled {
    pub(super) plugin: Plugin,
    /// Of the first organization.
    pub(super) root_token: String,
    configs: usize,
}

/// Mounts the engine on `server` and fills it, and the organizations of `emulator`.
pub(super) async fn mount(
    server: &Server,
    emulator: &Emulator,
    binary: &Path,
    size: Size,
) -> Filled {
    let (plugin, _) = enable(server, binary, PLUGIN, &version_of(binary)).await;
    let organizations = emulator.organizations().await;
    let api = server.api();
    let mut root_token = None;
    for config in 0..size.configs {
        let token = emulator
            .administrator(&organizations[config % ORGANIZATIONS])
            .await;
        let body = json!({ "token": token, "url": emulator.url });
        let path = format!("astra/config/{}", config_name(config));
        api.write(&path, body).await.ok();
        root_token.get_or_insert(token);
    }
    roles(&api, size).await;
    let filled = Filled {
        plugin,
        root_token: root_token.expect("a config"),
        configs: size.configs,
    };
    filled.mint_with_each_config(server).await;
    let mount = emulator.mount_of_a_minted_token().await;
    tokens(emulator, &organizations[0], &mount, size).await;
    filled
}

impl Filled {
    /// A role of the config with this number.
    pub(super) fn role(&self, config: usize) -> String {
        role_name(config % self.configs)
    }

    /// A mint from the first config.
    pub(super) fn creds(&self, server: &Server) -> Shot {
        creds(server, &self.role(0))
    }

    /// After that each config has intents of this process in storage.
    pub(super) async fn mint_with_each_config(&self, server: &Server) {
        for config in 0..self.configs {
            burst(&creds(server, &self.role(config)), 1, 1).await;
        }
    }
}

fn creds(server: &Server, role: &str) -> Shot {
    Shot {
        address: server.address(),
        token: server.root_token().to_owned(),
        method: "GET",
        path: format!("/v1/astra/creds/{role}"),
        body: None,
    }
}

fn config_name(number: usize) -> String {
    format!("config-{number}")
}

/// The role with this number is of the config with the same number, as long as there is one.
pub(super) fn role_name(number: usize) -> String {
    format!("role-{number}")
}

async fn roles(api: &Api, size: Size) {
    for role in 0..size.roles {
        let mut body = json!({
            "config": config_name(role % size.configs), "ttl": "12h", "max_ttl": "24h",
        });
        if (role / size.configs) % ROLES_PER_POLICY == ROLES_PER_POLICY - 1 {
            body["policy"] = json!({
                "resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": ["db-rest", "db-cql"],
                "effect": "allow",
            });
        } else {
            body["astra_roles"] = json!(READ_ONLY);
        }
        let path = format!("astra/roles/{}", role_name(role));
        api.write(&path, body).await.ok();
    }
}

/// Fills `organization`: tokens that the mount's earlier processes minted from its configs there, those
/// of another mount, and those that people made.
async fn tokens(emulator: &Emulator, organization: &str, mount: &str, size: Size) {
    let configs: Vec<usize> = (0..size.configs).step_by(ORGANIZATIONS).collect();
    let own = size.tokens * OWN_TENTHS / 10;
    let foreign = size.tokens * FOREIGN_TENTHS / 10;
    let mut block: u64 = 0xb10c_0000_0000_0000;
    for (nth, config) in configs.iter().enumerate() {
        let owner = owner(&config_name(*config), &role_name(*config));
        let role = role_name(*config);
        for count in blocks(share(own, configs.len(), nth)) {
            block += 1;
            let tag = format!("vault:{mount}:{owner}:{block:016x}.{{n}}.7:{{hex}}");
            let description = format!("{tag} {role} approle");
            emulator
                .add_tokens(organization, &description, true, count)
                .await;
        }
    }
    for count in blocks(foreign) {
        block += 1;
        let tag = format!("vault:0f0f0f0f0f0f:0123456789ab:{block:016x}.{{n}}.7:{{hex}}");
        let description = format!("{tag} reader token");
        emulator
            .add_tokens(organization, &description, true, count)
            .await;
    }
    let by_hand = size.tokens - own - foreign;
    let description = "Token number {n} of the order service, made in the portal";
    if by_hand > 0 {
        emulator
            .add_tokens(organization, description, false, by_hand)
            .await;
    }
}

/// The part of `all` that the one with number `nth` of `count` gets.
fn share(all: usize, count: usize, nth: usize) -> usize {
    all / count + usize::from(nth < all % count)
}

/// `tokens` as blocks of intents.
fn blocks(tokens: usize) -> impl Iterator<Item = usize> {
    (0..tokens)
        .step_by(BLOCK)
        .map(move |begin| BLOCK.min(tokens - begin))
}

/// The short hashes of a config and a role, as a tag has them.
fn owner(config: &str, role: &str) -> String {
    let hash = |text: &str| format!("{:x}", Sha256::digest(text.as_bytes()));
    format!("{}{}", &hash(config)[..4], &hash(role)[..8])
}
