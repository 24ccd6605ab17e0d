//! The fields `database_id`, `region`, `keyspace` and `secure_connect_bundle`.

use std::convert::Infallible;
use std::sync::LazyLock;

use serde_json::Map;
use serde_json::Value;

use super::Wanted;
use crate::engine::error::Error;
use crate::engine::role::DatabaseChoice;
use crate::framework::Attribute;
use crate::framework::Attributes;
use crate::framework::Field;
use crate::framework::Fields;

const ID: &str = "database_id";
const REGION: &str = "region";
const KEYSPACE: &str = "keyspace";
const BUNDLE: &str = "secure_connect_bundle";

/// The table.
static ATTRIBUTES: LazyLock<Attributes<Wanted, Infallible>> = LazyLock::new(|| {
    Attributes::new([
        Attribute::new(
            Field::string(
                ID,
                "Id of the database that applications connect to. Adds what they need for that to \
                 each credential.",
            ),
            |wanted: &Wanted| wanted.id.clone(),
            |wanted, id| wanted.id = id,
        )
        .shown("Id of the database. Empty without one."),
        Attribute::new(
            Field::string(
                REGION,
                "Region of the database. Empty means its primary region.",
            ),
            |wanted: &Wanted| wanted.region.clone(),
            |wanted, region| wanted.region = region,
        ),
        Attribute::new(
            Field::string(
                KEYSPACE,
                "Keyspace of the database. Empty means its default keyspace.",
            ),
            |wanted: &Wanted| wanted.keyspace.clone(),
            |wanted, keyspace| wanted.keyspace = keyspace,
        ),
        Attribute::new(
            Field::bool(
                BUNDLE,
                "Whether each credential carries a download link for the database's secure connect \
                 bundle, valid for about five minutes.",
            )
            .default(false),
            |wanted: &Wanted| wanted.secure_connect_bundle,
            |wanted, bundle| wanted.secure_connect_bundle = bundle,
        )
        .shown("Whether each credential carries a download link for the secure connect bundle."),
    ])
});

/// The four fields.
pub(crate) fn declare() -> impl Iterator<Item = Field> {
    ATTRIBUTES.parameters()
}

/// What a read shows of them.
pub(crate) fn shown() -> impl Iterator<Item = Field> {
    ATTRIBUTES.answer()
}

/// What a credential shows of a database.
pub(crate) fn in_credential() -> [Field; 5] {
    [
        Field::string(ID, "Id of the role's database."),
        Field::string(REGION, "Region of the database."),
        Field::string(KEYSPACE, "Keyspace of the database."),
        Field::string(
            "api_endpoint",
            "Where the database's HTTP APIs are, in that region.",
        ),
        Field::string(
            "secure_connect_bundle_url",
            "Download link for the secure connect bundle, valid for about five minutes.",
        )
        .secret(),
    ]
}

/// Adds what a read shows.
pub(crate) fn show(database: Option<&DatabaseChoice>, data: &mut Map<String, Value>) {
    ATTRIBUTES.show(&Wanted::of(database), data);
}

impl Wanted {
    /// What the sent fields make of what is `stored`; refuses what makes no sense without a
    /// database.
    pub(crate) fn read(fields: &Fields, stored: Option<&DatabaseChoice>) -> Result<Self, Error> {
        let is_cleared =
            fields.was_sent(ID) && fields.sent().string(ID).unwrap_or_default().is_empty();
        // Without the database, what was stored about it has no meaning.
        let before = stored.filter(|_| !is_cleared);
        let before = before.map(|stored| Self::of(Some(stored)));
        let Ok(wanted) = ATTRIBUTES.merged(fields, before.as_ref());
        wanted.check()?;
        Ok(wanted)
    }

    /// Whether the sent fields ask to look the database up again.
    pub(crate) fn is_asked_again(fields: &Fields) -> bool {
        fields.was_sent(ID)
    }
}
