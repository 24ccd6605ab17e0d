//! What a role consists of, apart from what it grants and its database.
//!
//! An attribute is one parameter that is checked on its own and shown as it was written.  Of what a role
//! grants, and of its database, several parameters make one value: they exclude or need each other, and
//! are looked up in Astra before they are stored (`engine::role::grant` and `database`, which static roles
//! use too).

use std::sync::LazyLock;
use std::time::Duration;

use crate::engine::connection;
use crate::engine::role::RoleEntry;
use crate::engine::role::RoleError;
use crate::framework::Attribute;
use crate::framework::Attributes;
use crate::framework::Field;

/// More live tokens than any role needs, and few enough to count.
const MAX_ACTIVE: u32 = 1_000_000;

/// The table.
pub(super) static ATTRIBUTES: LazyLock<Attributes<RoleEntry, RoleError>> = LazyLock::new(|| {
    Attributes::new([
        Attribute::new(
            Field::name("config", "Config whose organization mints the tokens.")
                .default(connection::DEFAULT),
            |role: &RoleEntry| role.config.clone(),
            |role, config| role.config = config,
        ),
        Attribute::new(
            Field::duration(
                "ttl",
                "How long a lease lasts. 0 means the mount's default.",
            )
            .default(0),
            |role: &RoleEntry| Duration::from_secs(role.ttl),
            |role, ttl: Duration| role.ttl = ttl.as_secs(),
        )
        .shown("Seconds that a lease lasts. 0 means the mount's default."),
        Attribute::new(
            Field::duration(
                "max_ttl",
                "How long a lease lasts in all, renewals included. 0 means the mount's maximum.",
            )
            .default(0),
            |role: &RoleEntry| Duration::from_secs(role.max_ttl),
            |role, ttl: Duration| role.max_ttl = ttl.as_secs(),
        )
        .shown("Seconds that a lease lasts in all. 0 means the mount's maximum."),
        Attribute::new(
            Field::string(
                "description",
                "Free text, added to the description of each token in Astra.",
            ),
            |role: &RoleEntry| role.description.clone(),
            |role, description| role.description = description,
        )
        .shown("Free text in the description of each token in Astra."),
        Attribute::new(
            Field::bool(
                "require_reason",
                "Whether a caller of creds must give a reason.",
            )
            .default(false),
            |role: &RoleEntry| role.require_reason,
            |role, require| role.require_reason = require,
        ),
        max_active(),
    ])
});

fn max_active() -> Attribute<RoleEntry, RoleError> {
    let field = Field::int(
        "max_active",
        "How many tokens of this role may be live at once. 0 means any number.",
    );
    Attribute::checked(
        field.default(0),
        |role: &RoleEntry| i64::from(role.max_active),
        |role, value| {
            role.max_active = u32::try_from(value)
                .ok()
                .filter(|number| *number <= MAX_ACTIVE)
                .ok_or(RoleError::MaxActiveOutOfRange {
                    value,
                    max: MAX_ACTIVE,
                })?;
            Ok(())
        },
    )
    .shown("How many tokens may be live at once. 0 means any number.")
}
