//! What goes wrong with minting.

use crate::astra;
use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// Why a token that Astra made is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum MintingError {
    /// The config is being deleted; the deletion may be refused yet.
    #[error("config \"{config}\" is being deleted, so nothing is minted")]
    ConfigEnds {
        /// The config.
        config: String,
    },
    /// The answer is about a token of somebody else.
    #[error(
        "config \"{config}\": Astra answered a mint with another token than the one asked for; \
         read the credential again"
    )]
    OtherToken {
        /// The config.
        config: String,
    },
    /// The token would outlive its lease.
    #[error(
        "config \"{config}\": Astra made a token that ends at {ends}, later than the {asked} that \
         was asked for, so it is deleted ({cause}); compare this node's clock with Astra's, and \
         look at the organization's maximum token expiry"
    )]
    EndsLate {
        /// The config.
        config: String,
        /// When it ends.
        ends: String,
        /// When it was to end.
        asked: String,
        /// How that comes.
        #[source]
        cause: LateEnd,
    },
    /// The token is of no use.
    #[error(
        "config \"{config}\": Astra made a token that ends at {ends}, which is at once, so it is \
         deleted; compare this node's clock with Astra's, and look at the organization's maximum \
         token expiry"
    )]
    EndsAtOnce {
        /// The config.
        config: String,
        /// When it ends.
        ends: String,
    },
}

/// Why a token ends later than it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum LateEnd {
    /// Astra refused the expiry, and made a token without it.
    #[error("that was refused: {0}")]
    Refused(#[source] astra::Error),
    /// Astra took the expiry and set another.
    #[error("the organization changes expiries")]
    Changed,
}

impl Classified for MintingError {
    fn fault(&self) -> Fault {
        match self {
            Self::ConfigEnds { .. } => Fault::Overload,
            Self::OtherToken { .. } | Self::EndsLate { .. } | Self::EndsAtOnce { .. } => {
                Fault::Astra
            }
        }
    }
}
