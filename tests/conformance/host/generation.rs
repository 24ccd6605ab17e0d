//! What hosts of different age and make do differently, as far as a plugin can see it.

use super::COMMUNITY;
use super::Launch;
use super::Services;

/// One kind of host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generation {
    pub name: &'static str,
    /// What it says of its version, in its environment and when it is asked.
    pub version: &'static str,
    pub edition: &'static str,
    /// Whether it sets its variables under OpenBao's names too.
    pub openbao: bool,
    /// Whether it has an event service.
    pub events: bool,
    /// Whether somebody could hear events.
    pub heard: bool,
    /// Whether it asks for multiplexing and names the mount in each call.
    pub multiplexing: bool,
    /// What it says of replication.
    pub replication: i32,
}

const VAULT: Generation = Generation {
    name: "Vault 1.21",
    version: "1.21.0",
    edition: "",
    openbao: false,
    events: true,
    heard: false,
    multiplexing: true,
    replication: COMMUNITY,
};

/// Those that differ in something.
pub(crate) const GENERATIONS: [Generation; 8] = [
    VAULT,
    Generation {
        name: "Vault 1.12",
        version: "1.12.0",
        events: false,
        ..VAULT
    },
    Generation {
        name: "Vault 1.15",
        version: "1.15.6",
        heard: true,
        ..VAULT
    },
    Generation {
        name: "Vault Enterprise",
        edition: "ent",
        heard: true,
        // A performance primary without disaster recovery.
        replication: 32 + 8_192,
        ..VAULT
    },
    Generation {
        name: "a Vault to come",
        version: "2.3.4-beta1",
        heard: true,
        ..VAULT
    },
    Generation {
        name: "OpenBao 2.0",
        version: "2.0.3",
        openbao: true,
        events: false,
        ..VAULT
    },
    Generation {
        name: "OpenBao 2.7, active",
        version: "2.7.2",
        openbao: true,
        events: false,
        replication: 32 + 8_192,
        ..VAULT
    },
    Generation {
        name: "a host without multiplexing",
        multiplexing: false,
        ..VAULT
    },
];

impl Generation {
    /// How it starts a plugin.
    pub(crate) fn launch(&self) -> Launch {
        let launch = Launch::new().with("VAULT_VERSION", self.version);
        if !self.openbao {
            return launch;
        }
        launch
            .with("BAO_VERSION", self.version)
            .with("BAO_PLUGIN_METADATA_MODE", "false")
            .with("BAO_PLUGIN_AUTOMTLS_ENABLED", "true")
    }

    /// What it offers to a mount.
    pub(crate) fn services(&self) -> Services {
        let services = Services::default();
        services.system.change(|facts| {
            facts.version = self.version;
            facts.edition = self.edition;
            facts.replication = self.replication;
        });
        services.events.set_absent(!self.events);
        services
    }
}
