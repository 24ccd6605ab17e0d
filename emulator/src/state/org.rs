//! Organizations and their users.

use std::net::IpAddr;

use serde::Deserialize;
use serde::Serialize;

/// An organization.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Org {
    /// UUID.
    pub(crate) id: String,
    /// Shown in the user list.
    pub(crate) name: String,
    /// The enterprise it belongs to.
    pub(crate) enterprise_id: Option<String>,
    /// Longest life of a token in seconds; the knob `org_max_token_expiry_s` applies if `None`.
    pub(crate) max_token_expiry_s: Option<u64>,
    /// Addresses (CIDR) that may use the API; empty lets everyone.
    pub(crate) devops_acl: Vec<String>,
    /// Its people.
    pub(crate) users: Vec<User>,
}

/// A person of an organization.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    /// UUID.
    pub id: String,
    /// Address.
    pub email: String,
    /// `active` or `invited`.
    pub status: String,
    /// Role ids.
    pub roles: Vec<String>,
}

impl Org {
    /// Whether the access list lets `peer` in.
    pub(crate) fn admits(&self, peer: IpAddr) -> bool {
        self.devops_acl.is_empty() || self.devops_acl.iter().any(|cidr| contains(cidr, peer))
    }
}

/// Whether `cidr` is an address with an optional prefix length.
pub(crate) fn is_cidr(cidr: &str) -> bool {
    parse_cidr(cidr).is_some()
}

fn parse_cidr(cidr: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = match cidr.split_once('/') {
        Some((address, length)) => (address.parse().ok()?, Some(length.parse().ok()?)),
        None => (cidr.parse().ok()?, None),
    };
    let bits = if matches!(address, IpAddr::V4(_)) {
        32
    } else {
        128
    };
    let length: u32 = length.unwrap_or(bits);
    (length <= bits).then_some((address, length))
}

fn contains(cidr: &str, peer: IpAddr) -> bool {
    let Some((network, length)) = parse_cidr(cidr) else {
        return false;
    };
    match (network, peer.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(peer)) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            network.to_bits() & mask == peer.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(peer)) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            network.to_bits() & mask == peer.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn cidr_bounds() {
        let peer = [127, 0, 0, 1].into();
        assert!(contains("0.0.0.0/0", peer));
        assert!(contains("127.0.0.0/8", peer));
        assert!(contains("127.0.0.1", peer));
        assert!(!contains("10.0.0.0/8", peer));
        assert!(!contains("::/0", peer));
        assert!(!contains("127.0.0.1/33", peer));
    }
}
