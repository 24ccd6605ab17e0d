//! Special paths for the wire.

use crate::proto::pb;
use crate::vault::SpecialPaths;

/// The answer to `SpecialPaths`.
pub fn encode_paths(paths: SpecialPaths) -> pb::SpecialPathsReply {
    let SpecialPaths {
        root,
        unauthenticated,
        local_storage,
        seal_wrap_storage,
    } = paths;
    let paths = pb::Paths {
        root,
        unauthenticated,
        local_storage,
        seal_wrap_storage,
        ..pb::Paths::default()
    };
    pb::SpecialPathsReply { paths: Some(paths) }
}
