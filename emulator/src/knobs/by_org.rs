//! The knobs of all organizations.

use std::collections::HashMap;

use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::knobs::table::Knobs;

/// The knobs that hold for everyone, and what single organizations have of their own.
#[derive(Default)]
pub(crate) struct KnobsByOrg {
    general: Knobs,
    /// By organization id: the knobs it has of its own, and all its knobs.
    own: HashMap<String, (Map<String, Value>, Knobs)>,
}

impl KnobsByOrg {
    /// The knobs of organizations that have none of their own.
    pub(crate) fn general(&self) -> &Knobs {
        &self.general
    }

    /// The knobs of an organization; `None` is a caller whose organization is unknown.
    pub(crate) fn of(&self, org: Option<&str>) -> &Knobs {
        org.and_then(|org| self.own.get(org))
            .map_or(&self.general, |(_, knobs)| knobs)
    }

    /// Whether the organization has a knob of that name of its own.
    pub(crate) fn has_own(&self, org: &str, name: &str) -> bool {
        self.own
            .get(org)
            .is_some_and(|(own, _)| own.contains_key(name))
    }

    /// Changes knobs for everyone. Knobs that an organization has of its own stay.
    pub(crate) fn set(&mut self, changes: Value) -> Result<(), Error> {
        let general = self.general.with(changes)?;
        for (own, knobs) in self.own.values_mut() {
            *knobs = general.with(Value::Object(own.clone()))?;
        }
        self.general = general;
        Ok(())
    }

    /// Sets all the knobs that an organization has of its own; an empty object takes them away.
    pub(crate) fn set_org(&mut self, org: &str, own: Value) -> Result<(), Error> {
        let knobs = self.general.with(own.clone())?;
        match own {
            Value::Object(own) if !own.is_empty() => {
                self.own.insert(org.to_owned(), (own, knobs));
            }
            _ => {
                self.own.remove(org);
            }
        }
        Ok(())
    }
}
