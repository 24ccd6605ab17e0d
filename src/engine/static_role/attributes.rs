//! What a static role consists of, apart from what it grants, its schedule and its database, of which
//! several parameters make one value (`engine::role::grant`, `engine::schedule`, `engine::role::database`).

use std::convert::Infallible;
use std::sync::LazyLock;
use std::time::Duration;

use crate::engine::connection;
use crate::engine::role::StaticRoleEntry;
use crate::engine::time_text::time_text;
use crate::framework::Attribute;
use crate::framework::Attributes;
use crate::framework::Field;

pub(super) const OVERLAP: &str = "overlap";

/// The table.
pub(super) static ATTRIBUTES: LazyLock<Attributes<StaticRoleEntry, Infallible>> =
    LazyLock::new(|| {
        Attributes::new([
            Attribute::new(
                Field::name(
                    "config",
                    "Config whose organization has the token. Cannot be changed later.",
                )
                .default(connection::DEFAULT),
                |role: &StaticRoleEntry| role.config.clone(),
                |role, config| role.config = config,
            )
            .shown("Config whose organization has the token."),
            Attribute::new(
                Field::duration(
                    OVERLAP,
                    "How long the previous token lives on after a rotation, less than the time \
                     between two rotations. An hour, or half the time between two rotations if \
                     that is less, unless given.",
                ),
                |role: &StaticRoleEntry| role.overlap.map(Duration::from_secs),
                |role, overlap: Option<Duration>| {
                    role.overlap = overlap.map(|overlap| overlap.as_secs())
                },
            )
            .shown("Seconds that the previous token lives on after a rotation."),
            Attribute::new(
                Field::string(
                    "description",
                    "Free text, added to the description of the token in Astra.",
                ),
                |role: &StaticRoleEntry| role.description.clone(),
                |role, description| role.description = description,
            )
            .shown("Free text in the description of the token in Astra."),
            Attribute::read_only(
                Field::string("client_id", "Client id of the current token."),
                |role: &StaticRoleEntry| {
                    let current = role.current.as_ref();
                    current.map_or_else(String::new, |current| current.client_id.clone())
                },
            ),
            Attribute::read_only(
                Field::string(
                    "expires_at",
                    "When Astra ends the current token. Empty where it does not.",
                ),
                |role: &StaticRoleEntry| {
                    time_text(role.current.as_ref().and_then(|current| current.expires_at))
                },
            ),
            Attribute::read_only(
                Field::string("last_vault_rotation", "When the current token was made."),
                StaticRoleEntry::last_rotation,
            ),
        ])
    });
