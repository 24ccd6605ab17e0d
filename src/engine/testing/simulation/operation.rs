//! What happens to a deployment: what callers, operators, the host, Astra and chance do.

use astra_emulator::Fault;
use serde::Deserialize;
use serde::Serialize;

use super::durable::WriteFault;

/// How many organizations there are.
pub const ORGS: usize = 3;
/// How many configs: one for each organization, and a second one for the first.  An operation names an
/// organization by the config that it goes through.
pub const CONFIGS: usize = 4;

/// One thing that happens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Somebody reads a credential, and may give up waiting after so many milliseconds.
    Mint {
        org: usize,
        role: usize,
        gives_up_ms: Option<u64>,
    },
    /// Somebody renews a lease, by its number among those that live.
    Renew { lease: usize, increment: u64 },
    /// Somebody revokes a lease.
    Revoke { lease: usize },
    /// The host calls its tick out of turn.
    Tick,
    /// The plugin's process dies; the host starts another, and may repeat what was in flight.
    Crash { repeats: bool },
    /// The host dies with its plugin, and both come back.
    HostCrash,
    /// The plugin is reloaded in an orderly manner.
    Reload,
    /// Another node becomes the active one; requests of the former one may go on without storage.
    StepDown { lingers: bool },
    /// Writes to storage fail.
    FailWrites(WriteFault),
    /// Requests of one organization go wrong: all, or so many, and for so long at most.
    Fail {
        org: usize,
        method: Option<String>,
        path: String,
        fault: Fault,
        times: Option<u64>,
        seconds: u64,
    },
    /// An organization behaves otherwise for a while.
    Knobs {
        org: usize,
        knobs: serde_json::Value,
        seconds: u64,
    },
    /// A snapshot of storage and leases is saved.
    Snapshot,
    /// The last snapshot is restored.
    Restore,
    /// An entry in storage is damaged, or written by a newer version; the host's process starts again, and
    /// after so many seconds an operator repairs it.
    Damage {
        org: usize,
        role: usize,
        folder: Folder,
        newer: bool,
        seconds: u64,
    },
    /// The node's clock is set, so many seconds from the right time.
    SetClock { ahead: i64 },
    /// An operator writes a config.
    WriteConfig {
        org: usize,
        token: RootToken,
        verify: bool,
        rotation_period: Option<u64>,
    },
    /// An operator deletes a config.
    DeleteConfig { org: usize, force: bool },
    /// Somebody changes the custom roles of a role and of the static role of that name by hand, in Astra.
    EditCustomRoles { org: usize, role: usize },
    /// An operator rotates a root token.
    RotateRoot { org: usize },
    /// An operator writes a role.
    WriteRole {
        org: usize,
        role: usize,
        policy: Option<usize>,
        ttl: u64,
        max_ttl: u64,
        /// The config that it is put under, where that is another one of its organization.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<usize>,
    },
    /// An operator deletes a role.
    DeleteRole { org: usize, role: usize },
    /// An operator writes a static role.
    WriteStatic {
        org: usize,
        role: usize,
        policy: Option<usize>,
        period: u64,
        overlap: Option<u64>,
    },
    /// An operator deletes a static role.
    DeleteStatic { org: usize, role: usize },
    /// An operator rotates a static role.
    RotateStatic { org: usize, role: usize },
    /// Somebody reads a static role's token.
    ReadStatic { org: usize, role: usize },
    /// An operator tidies.
    Tidy { org: usize },
    /// Somebody looks at the status.
    Status,
}

impl Operation {
    /// The same for the other cluster, which has one config, in the first organization; `None` where it
    /// is nothing that happens to a cluster.
    pub fn elsewhere(&self) -> Option<Self> {
        let mut moved = self.clone();
        if let Self::WriteRole { config, .. } = &mut moved {
            *config = None;
        }
        match &mut moved {
            Self::Mint { org, .. }
            | Self::EditCustomRoles { org, .. }
            | Self::RotateRoot { org }
            | Self::WriteRole { org, .. }
            | Self::DeleteRole { org, .. }
            | Self::WriteStatic { org, .. }
            | Self::DeleteStatic { org, .. }
            | Self::RotateStatic { org, .. }
            | Self::ReadStatic { org, .. }
            | Self::Tidy { org } => *org = 0,
            Self::WriteConfig { org, token, .. } if *token != RootToken::Foreign => *org = 0,
            Self::Renew { .. }
            | Self::Revoke { .. }
            | Self::Tick
            | Self::Crash { .. }
            | Self::HostCrash
            | Self::Reload
            | Self::StepDown { .. }
            | Self::FailWrites(_)
            | Self::Snapshot
            | Self::Restore
            | Self::Status => {}
            _ => return None,
        }
        Some(moved)
    }
}

/// Which root token an operator writes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RootToken {
    /// None: the stored one stays.
    Kept,
    /// A new one of the config's organization.
    New,
    /// The one that was given to the config last, which may have been replaced or deleted since.
    Former,
    /// One of another organization.
    Foreign,
}

/// Which entry is damaged.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Folder {
    Config,
    Role,
    StaticRole,
}

/// The config of an organization.
pub fn config(org: usize) -> &'static str {
    ["default", "second", "third", "fourth"]
        .get(org)
        .unwrap_or(&"other")
}

/// A role of an organization.
pub fn role(org: usize, role: usize) -> String {
    format!("{}-{role}", config(org))
}
