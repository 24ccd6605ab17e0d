//! What a caller may do: policies, resource names, the privilege ceiling.

use std::sync::Arc;

use crate::state::role::Policy;
use crate::state::role::Role;

/// Stands for the organization in the resources of built-in roles.
pub(crate) const ORG_PLACEHOLDER: &str = "__ORG_ID__";

/// The roles of a caller that still exist.
pub(crate) struct Rights {
    pub(crate) org: String,
    pub(crate) roles: Vec<Arc<Role>>,
}

impl Rights {
    /// Whether a policy grants `action` on the organization itself.
    pub(crate) fn organization(&self, action: &str) -> bool {
        self.resource(action, &format!("drn:astra:org:{}", self.org))
    }

    /// Whether one policy grants `action` on `resource`.
    pub(crate) fn resource(&self, action: &str, resource: &str) -> bool {
        self.roles.iter().any(|role| {
            role.policy.actions.iter().any(|own| own == action)
                && self.covered(&role.policy, resource)
        })
    }

    /// Whether `role`, held in this organization, grants nothing that the caller lacks.
    pub(crate) fn include(&self, role: &Role) -> bool {
        if self.roles.iter().any(|own| own.id == role.id) {
            return true;
        }
        role.policy.resources.iter().all(|resource| {
            let covering: Vec<&Arc<Role>> = self
                .roles
                .iter()
                .filter(|own| self.covered(&own.policy, resource))
                .collect();
            role.policy.actions.iter().all(|action| {
                covering
                    .iter()
                    .any(|own| own.policy.actions.contains(action))
            })
        })
    }

    fn covered(&self, policy: &Policy, resource: &str) -> bool {
        policy
            .resources
            .iter()
            .any(|pattern| covers(pattern, resource, &self.org))
    }
}

/// Whether the resource name `pattern` covers `resource`: level by level, `*` covers one segment,
/// and a shorter name does not imply the longer ones.
fn covers(pattern: &str, resource: &str, org: &str) -> bool {
    let mut pattern = pattern.split(':');
    let mut resource = resource.split(':');
    loop {
        match (pattern.next(), resource.next()) {
            (None, None) => return true,
            (Some(own), Some(other)) => {
                let own = if own == ORG_PLACEHOLDER { org } else { own };
                let other = if other == ORG_PLACEHOLDER { org } else { other };
                if own != "*" && own != other {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn levels_do_not_imply_each_other() {
        assert!(covers(
            "drn:astra:org:__ORG_ID__:db:*",
            "drn:astra:org:o:db:d",
            "o"
        ));
        assert!(!covers("drn:astra:org:o", "drn:astra:org:o:db:d", "o"));
        assert!(!covers("drn:astra:org:o:db:d", "drn:astra:org:o", "o"));
    }

    #[test]
    fn a_star_is_covered_only_by_a_star() {
        assert!(covers("drn:astra:org:o:db:*", "drn:astra:org:o:db:*", "o"));
        assert!(!covers("drn:astra:org:o:db:d", "drn:astra:org:o:db:*", "o"));
        assert!(!covers("drn:astra:org:p:db:*", "drn:astra:org:o:db:d", "o"));
    }
}
