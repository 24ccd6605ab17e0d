//! Where a token of the archived engine may be: the organizations of all configs, old and new.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::OldLeaseError;
use crate::astra;
use crate::astra::Client;
use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::engine::Engine;
use crate::engine::archived_engine::ImportedConfig;
use crate::engine::archived_engine::OldConfig;
use crate::engine::archived_engine::Unreadable;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;
use crate::engine::store::StoreError;

/// An organization that can be asked.
#[derive(Clone)]
pub(super) enum Place {
    /// That of a config.
    Config(Arc<Connection>),
    /// That of a config of the archived engine which no one has imported.
    Old {
        /// The config's key.
        org_key: String,
        /// Its client.
        client: Client,
    },
}

/// Where the token of a lease may be.
pub(super) struct Places {
    /// The organization that the lease names; `None` where no config is for it, an error where its
    /// config cannot be used.
    pub(super) home: Option<Result<Place, Error>>,
    /// All others that can be asked.
    pub(super) others: Vec<Place>,
    /// All others whose configs cannot be used.
    pub(super) unusable: Vec<Unusable>,
    /// The keys of the archived engine's organizations that no config is for any more.
    pub(super) without_config: Vec<String>,
    /// Why it is not known which these are, if it is not.
    pub(super) unread_record: Option<StoreError>,
}

/// A config that cannot be used, and why.
pub(super) struct Unusable {
    /// What it is called in messages.
    pub(super) name: String,
    pub(super) error: Error,
}

impl Place {
    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Config(connection) => config_label(&connection.name),
            Self::Old { org_key, .. } => old_label(org_key),
        }
    }

    /// The config's name; empty for an old one.
    pub(super) fn config(&self) -> &str {
        match self {
            Self::Config(connection) => &connection.name,
            Self::Old { .. } => "",
        }
    }

    pub(super) fn client(&self) -> &Client {
        match self {
            Self::Config(connection) => &connection.client,
            Self::Old { client, .. } => client,
        }
    }

    /// Whether the organization lists the token.
    pub(super) async fn lists(
        &self,
        client_id: &str,
        deadline: Deadline,
    ) -> Result<bool, astra::Error> {
        let id = client_id.to_owned();
        let select = move |token: &TokenEntry| (token.client_id == id).then_some(());
        let found = self.client().shared_tokens(select, deadline).await?;
        Ok(!found.is_empty())
    }

    /// The error of a deletion that has to be tried again.
    pub(super) fn deletion_error(&self, client_id: &str, error: astra::Error) -> Error {
        match self {
            Self::Config(connection) => astra_error::revoke_error(connection, client_id, &error),
            Self::Old { .. } => OldLeaseError::NotDeleted {
                place: self.name(),
                client_id: client_id.to_owned(),
                source: error,
            }
            .into(),
        }
    }
}

impl Places {
    /// Where a token may be whose lease names the organization `org_key`; empty where it names none.
    pub(super) async fn find(engine: &Engine, org_key: &str) -> Result<Self, Error> {
        let (record, unread_record) = match engine.archived.records.find().await {
            Ok(record) => (record.unwrap_or_default(), None),
            // That passes: the host tries again.
            Err(error @ StoreError::Storage(_)) => return Err(error.into()),
            // What an organization lists is deleted all the same: the configs tell their organizations.
            Err(error) => {
                tracing::error!(%error, "the record of what was taken over cannot be used");
                (Arc::default(), Some(error))
            }
        };
        let configs = engine.configs.load_all().await?;
        let names: BTreeSet<String> = configs.iter().map(|(name, _)| name.clone()).collect();
        let mut places = Self::of_configs(configs, record.configs.get(org_key), org_key);
        let is_imported = |org_key: &str| {
            let config = record.config_of(org_key);
            config.is_some_and(|config| names.contains(config))
        };
        let mut old_keys = BTreeSet::new();
        for (old_key, read) in engine.archived.entries.configs().await? {
            if !is_imported(&old_key) {
                old_keys.insert(old_key.clone());
                places.add_old(engine, old_key, read, org_key);
            }
        }
        let mut without_config = record.organizations();
        without_config.retain(|org_key, imported| {
            !old_keys.contains(*org_key) && !places.have_organization(org_key, *imported)
        });
        places.without_config = without_config.into_keys().map(str::to_owned).collect();
        places.unread_record = unread_record;
        Ok(places)
    }

    /// Those of `configs`, of which that of `imported` is the one that the lease names.
    fn of_configs(
        configs: Vec<(String, Loaded<Connection>)>,
        imported: Option<&ImportedConfig>,
        org_key: &str,
    ) -> Self {
        let (mut home, mut others, mut unusable) = (None, Vec::new(), Vec::new());
        let mut of_organization = None;
        for (name, loaded) in configs {
            let as_home = imported.filter(|imported| imported.config == name);
            match (loaded, as_home) {
                (Loaded::Valid(connection), Some(imported)) => {
                    home = Some(check_home(connection, imported))
                }
                (Loaded::Corrupt(corrupt), Some(_)) => home = Some(Err(corrupt.error)),
                (Loaded::Valid(connection), None) => {
                    let own = connection.entry.org_id.as_deref();
                    if own.is_some_and(|own| astra::is_same_organization(own, org_key)) {
                        of_organization.get_or_insert(others.len());
                    }
                    others.push(Place::Config(connection));
                }
                (Loaded::Corrupt(corrupt), None) => {
                    tracing::warn!(config = name, error = %corrupt.error, "a config cannot be \
                        asked for a token");
                    let error = corrupt.error;
                    let name = config_label(&name);
                    unusable.push(Unusable { name, error });
                }
                (Loaded::Missing, _) => {}
            }
        }
        if home.is_none() {
            home = of_organization.map(|place| Ok(others.remove(place)));
        }
        Self {
            home,
            others,
            unusable,
            without_config: Vec::new(),
            unread_record: None,
        }
    }

    /// Whether a config is for the organization `org_key`, whose place the one of `imported` took.
    fn have_organization(&self, org_key: &str, imported: Option<&ImportedConfig>) -> bool {
        let then = imported.and_then(|imported| imported.organization.as_deref());
        let has = |place: &Place| {
            let Place::Config(connection) = place else {
                return false;
            };
            match (&connection.entry.org_id, then.unwrap_or(org_key)) {
                (Some(now), then) if astra::is_same_organization(now, then) => true,
                (Some(_), _) if then.is_some() => false,
                _ => imported.is_some_and(|imported| imported.config == connection.name),
            }
        };
        let home = self.home.iter().filter_map(|home| home.as_ref().ok());
        self.others.iter().chain(home).any(has)
    }

    /// Adds a config of the archived engine, unless a config has its root token.
    fn add_old(
        &mut self,
        engine: &Engine,
        org_key: String,
        read: Result<OldConfig, Unreadable>,
        home_key: &str,
    ) {
        let place = old_place(engine, &org_key, read);
        match place {
            Ok(place) if self.has(&place) => {}
            place if org_key == home_key && self.home.is_none() => self.home = Some(place),
            Ok(place) => self.others.push(place),
            Err(error) => {
                tracing::warn!(org_key, %error, "a config of the archived engine cannot be asked \
                    for a token");
                let name = old_label(&org_key);
                self.unusable.push(Unusable { name, error });
            }
        }
    }

    /// Whether another place has the same root token.
    fn has(&self, place: &Place) -> bool {
        let root = place.client().root_client_id();
        let home = self.home.as_ref().and_then(|home| home.as_ref().ok());
        let mut places = self.others.iter().chain(home);
        root.is_some() && places.any(|other| other.client().root_client_id() == root)
    }
}

fn config_label(name: &str) -> String {
    format!("config \"{name}\"")
}

fn old_label(org_key: &str) -> String {
    format!("the archived engine's config/{org_key}")
}

/// The config that was imported for the organization, unless it is for another one by now.
fn check_home(connection: Arc<Connection>, imported: &ImportedConfig) -> Result<Place, Error> {
    match (&connection.entry.org_id, &imported.organization) {
        (Some(now), Some(then)) if !astra::is_same_organization(now, then) => {
            Err(OldLeaseError::Moved {
                config: connection.name.clone(),
                now: now.clone(),
                then: then.clone(),
            }
            .into())
        }
        _ => Ok(Place::Config(connection)),
    }
}

fn old_place(
    engine: &Engine,
    org_key: &str,
    read: Result<OldConfig, Unreadable>,
) -> Result<Place, Error> {
    let client = match read {
        Ok(config) => engine.archived.clients.client(org_key, &config),
        Err(unreadable) => Err(unreadable.to_string()),
    };
    let org_key = org_key.to_owned();
    match client {
        Ok(client) => Ok(Place::Old { org_key, client }),
        Err(cause) => Err(OldLeaseError::Unusable { org_key, cause }.into()),
    }
}
