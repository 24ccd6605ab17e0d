//! Comparing the tokens that live in Astra with the leases that live in the server.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use astra_emulator::Origin;
use harness::Astra;
use harness::Credential;
use harness::Marks;
use harness::Stored;
use harness::TestMount;
use serde_json::Value;

/// The difference between Astra and the server at one moment.
#[derive(Debug, Default)]
pub(crate) struct Reconciliation {
    /// Tokens that live and are leased, or the mount's own.
    pub(crate) leased: usize,
    /// Live tokens without a lease whose intent is not marked done: no caller received them, and the
    /// engine has overlooked them.
    pub(crate) orphans: Vec<String>,
    /// Live tokens without a lease whose intent is marked done: the window that the protocol leaves
    /// open.
    pub(crate) window: Vec<String>,
    /// Live tokens that an entry of the mount names, such as replaced ones that the next tick deletes: a
    /// tick passes over what a request is changing, and a host that sees the plugin die in a tick may
    /// repeat it at once, beside that request.
    pub(crate) named: Vec<String>,
    /// Leases whose token is dead, and tokens of the mount's own that are.
    pub(crate) dead: Vec<String>,
}

/// A mount whose tokens are compared.
pub(crate) struct Inventory<'a> {
    pub(crate) mount: &'a str,
    pub(crate) stored: &'a Stored,
    pub(crate) astra: &'a Astra,
    /// Client ids of the minted tokens that the mount itself uses: root tokens, static roles.
    pub(crate) own: BTreeSet<String>,
    /// The marks that were seen earlier, as of blocks that may be gone.
    pub(crate) marks: Marks,
}

impl<'a> Inventory<'a> {
    /// What there is to compare of `mount`.
    pub(crate) async fn read(mount: &'a TestMount) -> Self {
        let mut own = BTreeSet::new();
        for (list, one) in [("config", "config"), ("static-roles", "static-roles")] {
            for name in mount.names(list).await {
                let data = mount.data(&format!("{one}/{name}")).await;
                let client_id = data
                    .get("token_client_id")
                    .or_else(|| data.get("client_id"))
                    .and_then(Value::as_str);
                own.insert(client_id.expect("a client id").to_owned());
            }
        }
        // Only what was minted is counted: root tokens are not, until they are rotated.
        let minted: BTreeSet<String> = mount
            .astra
            .emulator
            .tokens(false)
            .into_iter()
            .filter(|token| token.origin == Origin::Api)
            .map(|token| token.client_id)
            .collect();
        Inventory {
            mount: &mount.name,
            stored: &mount.stored,
            astra: &mount.astra,
            own: own.intersection(&minted).cloned().collect(),
            marks: Marks::default(),
        }
    }
}

/// Waits until Astra and the server agree about `mount`, of which `marks` were seen before.
pub(crate) async fn reached(mount: &TestMount, marks: Marks, limit: Duration) -> Reconciliation {
    let result = until_even(limit, async || {
        // Read each time, as a tick may rotate what is the mount's own.
        let inventory = Inventory {
            marks: marks.clone(),
            ..Inventory::read(mount).await
        };
        Reconciliation::compare(&inventory).await
    });
    let result = result.await;
    result.check(&mount.name, &mount.astra);
    result
}

/// Compares until there is no orphan, no lease with a dead token and no token that is to be deleted
/// still, or until `limit`.
async fn until_even(limit: Duration, compare: impl AsyncFn() -> Reconciliation) -> Reconciliation {
    let deadline = Instant::now() + limit;
    loop {
        let result = compare().await;
        if result.is_even() || Instant::now() > deadline {
            return result;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

impl Reconciliation {
    /// Compares once.
    pub(crate) async fn compare(inventory: &Inventory<'_>) -> Self {
        let Inventory {
            stored,
            astra,
            own,
            marks,
            ..
        } = inventory;
        let mut leased: BTreeSet<String> = stored.leased().await.into_values().collect();
        leased.extend(own.iter().cloned());
        let live: BTreeSet<String> = astra.live().into_iter().collect();
        let mut result = Self {
            leased: live.intersection(&leased).count(),
            dead: leased.difference(&live).cloned().collect(),
            ..Self::default()
        };
        let unleased: Vec<_> = live.difference(&leased).collect();
        let entries = match unleased.is_empty() {
            true => Vec::new(),
            false => stored.entries().await,
        };
        for client_id in unleased {
            if entries
                .iter()
                .any(|entry| entry.contains(client_id.as_str()))
            {
                result.named.push(client_id.clone());
                continue;
            }
            let description = astra.description(client_id);
            let is_marked = stored.is_marked(&description).await;
            match is_marked.or_else(|| marks.is_marked(&description)) {
                Some(true) => result.window.push(client_id.clone()),
                Some(false) => result.orphans.push(format!("{client_id} ({description})")),
                None => {
                    let orphan = format!("{client_id} ({description}; its block is gone)");
                    result.orphans.push(orphan);
                }
            }
        }
        result
    }

    /// Compares until Astra and the server agree, or until `limit`; then checks that, and what else must
    /// hold of Astra.
    pub(crate) async fn reached(inventory: &Inventory<'_>, limit: Duration) -> Self {
        let result = until_even(limit, async || Self::compare(inventory).await).await;
        result.check(inventory.mount, inventory.astra);
        result
    }

    fn is_even(&self) -> bool {
        self.orphans.is_empty() && self.dead.is_empty() && self.named.is_empty()
    }

    fn check(&self, mount: &str, astra: &Astra) {
        assert!(
            self.orphans.is_empty(),
            "{mount}: tokens that no caller received: {self:?}"
        );
        assert!(
            self.dead.is_empty(),
            "{mount}: leases without their token: {self:?}"
        );
        assert!(
            self.named.is_empty(),
            "{mount}: tokens that are to be deleted: {self:?}"
        );
        let invariants = astra.emulator.invariants();
        assert_eq!(invariants.double_mints, 0, "one description twice");
        let violations = astra.emulator.violations();
        assert!(violations.is_empty(), "not in Astra's API: {violations:?}");
    }
}

/// Checks that every credential of `kept` is leased and works.
pub(crate) async fn assert_kept(stored: &Stored, astra: &Astra, kept: &[Credential]) {
    let leased = stored.leased().await;
    let live: BTreeSet<String> = astra.live().into_iter().collect();
    for credential in kept {
        assert_eq!(
            leased.get(&credential.lease_id),
            Some(&credential.client_id),
            "a lease that was handed out lives on"
        );
        assert!(
            live.contains(&credential.client_id),
            "the token with client id {} was handed out and is deleted",
            credential.client_id
        );
    }
}
