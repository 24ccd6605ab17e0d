//! What must balance: the tokens that live in Astra and the leases that live in Vault.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use harness::Astra;
use harness::Credential;
use harness::Stored;

/// The difference between Astra and Vault at one moment.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    /// Tokens that live and are leased, or the mount's own.
    pub(crate) leased: usize,
    /// Live tokens without a lease whose intent is not marked done: nobody received them, and the
    /// engine has overlooked them.
    pub(crate) orphans: Vec<String>,
    /// Live tokens without a lease whose intent is marked done: the window that the protocol leaves
    /// open.
    pub(crate) window: Vec<String>,
    /// Leases whose token is dead, and tokens of the mount's own that are.
    pub(crate) dead: Vec<String>,
}

/// A mount whose tokens are compared.
pub(crate) struct Books<'a> {
    pub(crate) mount: &'a str,
    pub(crate) stored: &'a Stored,
    pub(crate) astra: &'a Astra,
    /// Client ids of the minted tokens that the mount itself uses: root tokens, static roles.
    pub(crate) own: BTreeSet<String>,
}

impl Balance {
    /// Compares.
    pub(crate) async fn of(books: &Books<'_>) -> Self {
        let Books {
            stored, astra, own, ..
        } = books;
        let mut leased: BTreeSet<String> = stored.leased().await.into_values().collect();
        leased.extend(own.iter().cloned());
        let live: BTreeSet<String> = astra.live().into_iter().collect();
        let mut balance = Self {
            leased: live.intersection(&leased).count(),
            dead: leased.difference(&live).cloned().collect(),
            ..Self::default()
        };
        for client_id in live.difference(&leased) {
            let description = astra.description(client_id);
            match stored.is_marked(&description).await {
                Some(true) => balance.window.push(client_id.clone()),
                Some(false) => balance.orphans.push(format!("{client_id} ({description})")),
                None => {
                    let orphan = format!("{client_id} ({description}; its block is gone)");
                    balance.orphans.push(orphan);
                }
            }
        }
        balance
    }

    /// Compares until nothing is orphaned and no lease's token is dead, or until `limit`; then
    /// checks it, and what else must hold of `astra`.
    pub(crate) async fn settled(books: &Books<'_>, limit: Duration) -> Self {
        let deadline = Instant::now() + limit;
        let balance = loop {
            let balance = Self::of(books).await;
            let is_even = balance.orphans.is_empty() && balance.dead.is_empty();
            if is_even || Instant::now() > deadline {
                break balance;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        };
        assert!(
            balance.orphans.is_empty(),
            "{}: tokens that nobody received: {balance:?}",
            books.mount
        );
        assert!(
            balance.dead.is_empty(),
            "{}: leases without their token: {balance:?}",
            books.mount
        );
        let astra = books.astra;
        let invariants = astra.emulator.invariants();
        assert_eq!(invariants.double_mints, 0, "one description twice");
        let violations = astra.emulator.violations();
        assert!(violations.is_empty(), "not in Astra's API: {violations:?}");
        balance
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
