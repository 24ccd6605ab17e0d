//! What a config consists of, apart from its token and the schedule of its rotation.
//!
//! An attribute is one parameter that is checked on its own and shown as it was written.  The token is
//! never shown, and a write tries it at Astra first, unless told not to (`write.rs`).  Of the schedule two
//! parameters make one value and exclude each other (`engine::schedule`, which static roles use too).

use std::fmt::Display;
use std::sync::LazyLock;
use std::time::Duration;

use super::error::ConfigError;
use crate::astra::BaseUrl;
use crate::astra::SetupError;
use crate::astra::certificate_blocks;
use crate::engine::connection::ConfigEntry;
use crate::engine::connection::DEFAULT_CONCURRENCY;
use crate::engine::connection::DEFAULT_REQUEST_TIMEOUT;
use crate::engine::connection::DEFAULT_URL;
use crate::engine::connection::fingerprint;
use crate::engine::time_text::time_text;
use crate::framework::Attribute;
use crate::framework::Attributes;
use crate::framework::Field;

/// The longest that one HTTP attempt may be allowed to take: the whole operation has a minute.
const MAX_REQUEST_TIMEOUT: u64 = 60;
const MAX_CONCURRENCY: u32 = 1_000;

pub(super) const URL: &str = "url";
pub(super) const ORG_ID: &str = "org_id";
pub(super) const CA_CERT: &str = "ca_cert";
const REQUEST_TIMEOUT: &str = "request_timeout";
const MAX_CONCURRENT_REQUESTS: &str = "max_concurrent_requests";

/// The table.
pub(super) static ATTRIBUTES: LazyLock<Attributes<ConfigEntry, ConfigError>> =
    LazyLock::new(|| {
        let connecting = [
            url(),
            ca_cert(),
            request_timeout(),
            max_concurrent_requests(),
        ];
        Attributes::new(connecting.into_iter().chain(trusting()).chain(read_only()))
    });

fn url() -> Attribute<ConfigEntry, ConfigError> {
    let field = Field::string(
        URL,
        "DevOps API, without /v2. https only; plain http only to a loopback address.",
    );
    Attribute::checked(
        field.default(DEFAULT_URL),
        |config: &ConfigEntry| config.url.clone(),
        |config, url: String| {
            let url = BaseUrl::parse(&url).map_err(ConfigError::Url)?;
            config.url = url.as_str().to_owned();
            Ok(())
        },
    )
    .shown("DevOps API.")
}

fn ca_cert() -> Attribute<ConfigEntry, ConfigError> {
    Attribute::checked(
        Field::string(
            CA_CERT,
            "Certificates in PEM that are trusted in addition to the system's.",
        ),
        |config: &ConfigEntry| config.ca_cert.clone().unwrap_or_default(),
        |config, sent: String| {
            config.ca_cert = match sent.trim() {
                "" => None,
                _ => Some(
                    certificate_blocks(&sent)
                        .map_err(|error| ConfigError::Setup(SetupError::CaCert(error)))?,
                ),
            };
            Ok(())
        },
    )
}

fn request_timeout() -> Attribute<ConfigEntry, ConfigError> {
    let field = Field::duration(REQUEST_TIMEOUT, "How long one HTTP attempt may take.");
    Attribute::checked(
        field.default(DEFAULT_REQUEST_TIMEOUT),
        |config: &ConfigEntry| Duration::from_secs(config.request_timeout),
        |config, timeout: Duration| {
            let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
            config.request_timeout = in_range(REQUEST_TIMEOUT, seconds, MAX_REQUEST_TIMEOUT)?;
            Ok(())
        },
    )
    .shown("Seconds that one HTTP attempt may take.")
}

fn max_concurrent_requests() -> Attribute<ConfigEntry, ConfigError> {
    let field = Field::int(
        MAX_CONCURRENT_REQUESTS,
        "Requests to this organization at once, from this node.",
    );
    Attribute::checked(
        field.default(DEFAULT_CONCURRENCY),
        |config: &ConfigEntry| i64::from(config.max_concurrent_requests),
        |config, number| {
            config.max_concurrent_requests =
                in_range(MAX_CONCURRENT_REQUESTS, number, MAX_CONCURRENCY)?;
            Ok(())
        },
    )
}

/// What the operator trusts the token with.
fn trusting() -> [Attribute<ConfigEntry, ConfigError>; 4] {
    [
        Attribute::new(
            Field::string(
                ORG_ID,
                "Id of the organization. Found out from the token unless given; if given, it must \
                 be the token's own. A read or a delete that gives another than the config's is \
                 refused.",
            )
            .query(),
            |config: &ConfigEntry| config.org_id.clone().unwrap_or_default(),
            |config, org_id| config.org_id = Some(org_id).filter(|id: &String| !id.is_empty()),
        )
        .shown("Id of the organization. Empty while it is not known."),
        Attribute::new(
            Field::bool(
                "verify",
                "Use the token before storing it. If that fails, nothing is stored.",
            )
            .default(true),
            |config: &ConfigEntry| config.verify,
            |config, verify| config.verify = verify,
        )
        .shown("Whether a write uses the token before storing it."),
        Attribute::new(
            Field::bool(
                "allow_token_admin",
                "Whether roles may grant rights to create tokens or roles. Such a token can \
                 outlive its lease by making another.",
            )
            .default(false),
            |config: &ConfigEntry| config.allow_token_admin,
            |config, allow| config.allow_token_admin = allow,
        )
        .shown("Whether roles may grant rights to create tokens or roles."),
        Attribute::new(
            Field::bool(
                "disable_automated_rotation",
                "Suspend rotation_period or rotation_schedule; rotate-root still works.",
            )
            .default(false),
            |config: &ConfigEntry| config.disable_automated_rotation,
            |config, disable| config.disable_automated_rotation = disable,
        )
        .shown("Whether scheduled rotation is suspended."),
    ]
}

/// What a read shows of the token.
fn read_only() -> [Attribute<ConfigEntry, ConfigError>; 3] {
    [
        Attribute::read_only(
            Field::string(
                "token_set_at",
                "When the root token was written or rotated.",
            ),
            |config: &ConfigEntry| time_text(Some(config.token_set_at)),
        ),
        Attribute::read_only(
            Field::string("token_client_id", "Client id of the root token."),
            |config: &ConfigEntry| config.token_client_id().to_owned(),
        ),
        Attribute::read_only(
            Field::string(
                "token_sha256",
                "First 16 hex digits of the root token's SHA-256.",
            ),
            |config: &ConfigEntry| fingerprint(&config.token),
        ),
    ]
}

fn in_range<T: TryFrom<i64> + PartialOrd + Display + Copy>(
    field: &'static str,
    value: i64,
    max: T,
) -> Result<T, ConfigError> {
    T::try_from(value)
        .ok()
        .filter(|number| value >= 1 && *number <= max)
        .ok_or(ConfigError::OutOfRange {
            field,
            value,
            max: max.to_string(),
        })
}
