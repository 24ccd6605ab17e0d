//! Collections of the Data API: documents, kept as they came.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;

/// A keyspace: database id and name.
pub(crate) type Keyspace = (String, String);

/// All collections.
#[derive(Clone, Default)]
pub(crate) struct Collections(BTreeMap<Keyspace, BTreeMap<String, Collection>>);

/// The documents of one collection, oldest first.
#[derive(Clone, Default)]
pub(crate) struct Collection(Vec<Map<String, Value>>);

impl Collections {
    pub(crate) fn names(&self, keyspace: &Keyspace) -> Vec<String> {
        self.0
            .get(keyspace)
            .map(|own| own.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Makes a collection; one that is there stays as it is.
    pub(crate) fn create(&mut self, keyspace: Keyspace, name: &str) {
        self.0
            .entry(keyspace)
            .or_default()
            .entry(name.to_owned())
            .or_default();
    }

    pub(crate) fn delete(&mut self, keyspace: &Keyspace, name: &str) {
        if let Some(own) = self.0.get_mut(keyspace) {
            own.remove(name);
        }
    }

    pub(crate) fn get_mut(&mut self, keyspace: &Keyspace, name: &str) -> Option<&mut Collection> {
        self.0.get_mut(keyspace)?.get_mut(name)
    }
}

impl Collection {
    /// Whether a document has this `_id`.
    pub(crate) fn has(&self, id: &Value) -> bool {
        self.0.iter().any(|own| own.get("_id") == Some(id))
    }

    pub(crate) fn insert(&mut self, document: Map<String, Value>) {
        self.0.push(document);
    }

    /// The documents whose members are equal to those of `filter`.
    pub(crate) fn find(&self, filter: &Map<String, Value>) -> Vec<&Map<String, Value>> {
        self.0.iter().filter(|own| meets(own, filter)).collect()
    }

    /// Deletes the first `most` documents that meet `filter`; gives how many those were.
    pub(crate) fn delete(&mut self, filter: &Map<String, Value>, most: usize) -> usize {
        let mut deleted = 0;
        self.0.retain(|own| {
            let goes = deleted < most && meets(own, filter);
            deleted += usize::from(goes);
            !goes
        });
        deleted
    }
}

fn meets(document: &Map<String, Value>, filter: &Map<String, Value>) -> bool {
    filter
        .iter()
        .all(|(name, value)| document.get(name) == Some(value))
}
