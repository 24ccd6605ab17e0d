//! Signed URLs of secure connect bundles.

use sha2::Digest;
use sha2::Sha256;

use crate::clock;
use crate::state::service_state::ServiceState;

/// A URL at this emulator, good for the time that the knob says.
pub(super) fn signed(state: &ServiceState, datacenter: &str, kind: &str) -> String {
    let date = clock::compact(state.now());
    let expires = state.knobs.general().bundle_expires_s;
    let signature = signature(state, datacenter, kind, &date, expires);
    format!(
        "{}/_bundle/{datacenter}.zip?kind={kind}&X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Date={date}&X-Amz-Expires={expires}&X-Amz-Signature={signature}",
        state.base_url
    )
}

/// What the URL is signed with.
pub(super) fn signature(
    state: &ServiceState,
    datacenter: &str,
    kind: &str,
    date: &str,
    expires: u64,
) -> String {
    let text = format!(
        "{}\n{datacenter}\n{kind}\n{date}\n{expires}",
        state.bundle_key
    );
    hex::encode(Sha256::digest(text.as_bytes()))
}
