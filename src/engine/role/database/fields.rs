//! The fields `database_id`, `region`, `keyspace` and `secure_connect_bundle`.

use serde_json::Map;
use serde_json::Value;

use super::Wanted;
use crate::engine::error::Error;
use crate::engine::merge::merge_field;
use crate::engine::role::DatabaseChoice;
use crate::framework::Field;
use crate::framework::Fields;

const ID: &str = "database_id";
const REGION: &str = "region";
const KEYSPACE: &str = "keyspace";
const BUNDLE: &str = "secure_connect_bundle";

/// The four fields.
pub fn declare() -> [Field; 4] {
    [
        Field::string(ID, "Id of the database that applications connect to. Adds what they need for that to each credential."),
        Field::string(REGION, "Region of the database. Empty means its primary region."),
        Field::string(KEYSPACE, "Keyspace of the database. Empty means its default keyspace."),
        Field::bool(BUNDLE, "Whether each credential carries a download link for the database's secure connect bundle, valid for about five minutes.").default(false),
    ]
}

/// What a read shows of them.
pub fn shown() -> [Field; 4] {
    [
        Field::string(ID, "Id of the database. Empty without one.").required(),
        Field::string(
            REGION,
            "Region of the database. Empty means its primary region.",
        )
        .required(),
        Field::string(
            KEYSPACE,
            "Keyspace of the database. Empty means its default keyspace.",
        )
        .required(),
        Field::bool(
            BUNDLE,
            "Whether each credential carries a download link for the secure connect bundle.",
        )
        .required(),
    ]
}

/// What a credential shows of a database.
pub fn in_credential() -> [Field; 5] {
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
pub fn show(database: Option<&DatabaseChoice>, data: &mut Map<String, Value>) {
    let wanted = Wanted::of(database);
    data.insert(ID.into(), wanted.id.into());
    data.insert(REGION.into(), wanted.region.into());
    data.insert(KEYSPACE.into(), wanted.keyspace.into());
    data.insert(BUNDLE.into(), wanted.secure_connect_bundle.into());
}

impl Wanted {
    /// What the sent fields make of what is `stored`; refuses what makes no sense without a
    /// database.
    pub fn read(fields: &Fields, stored: Option<&DatabaseChoice>) -> Result<Self, Error> {
        let is_cleared =
            fields.was_sent(ID) && fields.sent().string(ID).unwrap_or_default().is_empty();
        // Without the database, what was stored about it has no meaning.
        let before = stored.filter(|_| !is_cleared);
        let before = before.map(|stored| Self::of(Some(stored)));
        let text = |name, read: fn(&Self) -> &String| {
            merge_field(
                fields,
                name,
                Fields::string,
                before.as_ref().map(|before| read(before).clone()),
                String::new,
            )
        };
        let wanted = Self {
            id: text(ID, |wanted| &wanted.id),
            region: text(REGION, |wanted| &wanted.region),
            keyspace: text(KEYSPACE, |wanted| &wanted.keyspace),
            secure_connect_bundle: merge_field(
                fields,
                BUNDLE,
                Fields::bool,
                before.as_ref().map(|before| before.secure_connect_bundle),
                || false,
            ),
        };
        wanted.check()?;
        Ok(wanted)
    }

    /// Whether the sent fields ask to look the database up again.
    pub fn is_asked_again(fields: &Fields) -> bool {
        fields.was_sent(ID)
    }
}
