//! The fields of `status`.

use crate::framework::Field;

/// The fields of one config's status.
pub(super) fn shown_fields() -> Vec<Field> {
    let always = always_shown().into_iter().map(Field::required);
    always.chain(shown_where_known()).collect()
}

/// What is always told.
fn always_shown() -> Vec<Field> {
    vec![
        Field::string("org_id", "Id of the organization."),
        Field::bool("reachable", "Whether the organization answers."),
        Field::string(
            "last_error",
            "Class of the newest failure, such as unreachable. Empty where each request that \
             failed has succeeded since.",
        ),
        Field::string("last_error_at", "When that was. Empty without one."),
        Field::string("root_client_id", "Client id of the root token."),
        Field::string("root_age", "How long the config has had its root token."),
        Field::string(
            "root_expires_at",
            "When Astra ends the root token. Empty where it does not, or is not known to.",
        ),
        Field::string(
            "next_rotation",
            "When the root token is rotated next. Empty without a schedule.",
        ),
        Field::int(
            "rotation_failures",
            "How often the rotation that is due has failed.",
        ),
        Field::string("rotation_error", "Why it failed last."),
        Field::string_slice(
            "roots_to_delete",
            "Client ids of former root tokens that are still to be deleted.",
        ),
        Field::bool(
            "may_write",
            "Whether this node may write, so that it knows what is pending.",
        ),
        Field::bool(
            "ignores_description",
            "Whether the organization keeps no descriptions, so that lost tokens cannot be found.",
        ),
        Field::bool(
            "ignores_expiry",
            "Whether the organization keeps no expiries, so that only the end of a lease ends a \
             token.",
        ),
    ]
}

/// What is told where it is known.
fn shown_where_known() -> Vec<Field> {
    vec![
        Field::int(
            "pending_intents",
            "How many tokens may exist that no one has. Absent on a node that may not write.",
        ),
        Field::int(
            "live_tokens",
            "How many tokens of this config are live, all kinds. Absent while Astra does not \
             answer, and where it keeps no descriptions.",
        ),
        Field::int("live_lease_tokens", "How many of them are under leases."),
        Field::int(
            "live_static_role_tokens",
            "How many of them are of static roles.",
        ),
        Field::int(
            "live_root_tokens",
            "How many of them are root tokens that rotation made.",
        ),
    ]
}
