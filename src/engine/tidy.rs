//! `tidy`: an operator's search for tokens that are no longer used.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;

use super::Engine;
use super::astra_error;
use super::connection;
use super::discovery;
use super::failpoint;
use super::in_use;
use super::intent::InUseTokens;
use super::tagged_token::TaggedToken;
use super::tagged_token::live;
use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::engine::creds::lease_end_bound;
use crate::engine::error::HandlerResult;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

/// The path.
pub(super) fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("tidy")
            .field(
                Field::name("config", "Config whose organization is tidied.")
                    .default(connection::DEFAULT),
            )
            .field(Field::bool("dry_run", "Only tell what would be deleted.").default(false))
            .on(
                Operation::Update,
                "Delete tokens of this mount that are no longer used.",
                tidy,
            )
            .refuses_unknown_parameters()
            .returns([
                Field::bool("dry_run", "Whether nothing was deleted.").required(),
                Field::int("deleted", "How many tokens were deleted.").required(),
                Field::int("kept", "How many tokens stay.").required(),
                Field::int(
                    "unknown",
                    "How many tokens stay because nothing tells when their lease ends.",
                )
                .required(),
                Field::map(
                    "tokens",
                    "The tokens that were deleted, or would be, by client id.",
                )
                .required(),
            ])
            .synopsis("Delete tokens of this mount that are no longer used.")
            .help(
                "A token of this mount whose lease may still live is never deleted. The engine \
                 cannot see the host's leases; it knows that a lease has ended when the longest \
                 time that it could last since its mint is over, and that is all it goes by: a \
                 token is deleted when less than nine minutes are left until its expiry in Astra, \
                 unless its whole life is about twenty minutes or less. Tokens that Astra shows \
                 without an expiry or a time of making are counted as unknown and stay. Tokens \
                 that the mount itself uses stay as well.",
            ),
    ]
}

async fn tidy(engine: Arc<Engine>, call: Call) -> HandlerResult {
    engine.host.require_writer().await?;
    let name = call
        .fields
        .string("config")
        .unwrap_or_else(|| connection::DEFAULT.to_owned());
    let dry_run = call.fields.bool("dry_run").unwrap_or_default();
    let connection = engine.configs.require(&name).await?;
    let deadline = Deadline::after(engine.deadlines.operation);
    let in_use = in_use::tokens(&engine).await?;
    let tokens = live(&connection, deadline).await;
    let tokens =
        tokens.map_err(|error| astra_error::request_error("list tokens", &connection, &error))?;
    // An expiry is Astra's time, so what counts is Astra's clock, as the list told it.
    let now = match connection.client.astra_time() {
        Some(now) => now,
        None => engine.clock.now(),
    };
    let names = discovery::OwnerNames::of(&engine, &name).await?;
    let mut unused = Map::new();
    let (mut kept, mut unknown) = (0_u64, 0_u64);
    for token in &tokens {
        match verdict(token, &in_use, now) {
            Verdict::Keep => kept += 1,
            Verdict::Unknown => unknown += 1,
            Verdict::Unused => {
                let client_id = &token.token.client_id;
                if !dry_run {
                    connection
                        .client
                        .delete_token(client_id, deadline)
                        .await
                        .map_err(|error| {
                            astra_error::request_error(
                                "delete a token that is no longer used",
                                &connection,
                                &error,
                            )
                        })?;
                    failpoint::hit("tidy.token-deleted");
                    tracing::info!(
                        config = name,
                        client_id,
                        "tidy deleted a token that is no longer used"
                    );
                }
                unused.insert(client_id.clone(), discovery::shown(token, &names));
            }
        }
    }
    let mut data = Map::new();
    data.insert("dry_run".into(), dry_run.into());
    data.insert(
        "deleted".into(),
        json!(if dry_run { 0 } else { unused.len() }),
    );
    data.insert("kept".into(), kept.into());
    data.insert("unknown".into(), unknown.into());
    data.insert("tokens".into(), Value::Object(unused));
    Ok(Some(Response::new(data)))
}

/// What is known of a token's use.
#[derive(Debug, Eq, PartialEq)]
enum Verdict {
    /// Its lease may live, or the mount uses it.
    Keep,
    /// Its lease has ended for certain.
    Unused,
    /// Nothing tells when its lease ends.
    Unknown,
}

fn verdict(token: &TaggedToken, in_use: &InUseTokens, now: OffsetDateTime) -> Verdict {
    if in_use.contains(&token.token.client_id) || in_use.may_contain(token.owner) {
        return Verdict::Keep;
    }
    let TokenEntry {
        generated_on,
        token_expiry,
        ..
    } = &token.token;
    let (Some(made), Some(expiry)) = (*generated_on, *token_expiry) else {
        return Verdict::Unknown;
    };
    match lease_end_bound(made, expiry) {
        Some(end) if end <= now => Verdict::Unused,
        Some(_) | None => Verdict::Keep,
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::engine::intent::Owner;

    const MADE: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

    fn token(expiry: Option<OffsetDateTime>) -> TaggedToken {
        TaggedToken {
            token: TokenEntry {
                client_id: "id".to_owned(),
                description: None,
                generated_on: Some(MADE),
                roles: Vec::new(),
                token_expiry: expiry,
            },
            owner: Owner::of("default", "reader"),
        }
    }

    #[test]
    fn what_is_in_use_or_may_be_is_kept() {
        let day = token(Some(MADE + Duration::DAY));
        let late = MADE + Duration::DAY;
        assert_eq!(
            verdict(&day, &InUseTokens::default(), late),
            Verdict::Unused
        );
        let mut used = InUseTokens::default();
        used.insert("id");
        assert_eq!(verdict(&day, &used, late), Verdict::Keep);
        let mut perhaps = InUseTokens::default();
        perhaps.insert_all_of(Owner::of("default", "reader"));
        assert_eq!(verdict(&day, &perhaps, late), Verdict::Keep);
    }

    #[test]
    fn only_the_end_of_the_lease_makes_a_token_unused() {
        let verdict = |expiry, now| verdict(&token(expiry), &InUseTokens::default(), now);
        let expiry = MADE + Duration::DAY;
        let end = lease_end_bound(MADE, expiry).unwrap();
        assert_eq!(verdict(Some(expiry), end - Duration::SECOND), Verdict::Keep);
        assert_eq!(verdict(Some(expiry), end), Verdict::Unused);
        assert_eq!(verdict(None, end), Verdict::Unknown);
        // Its lease ends with it.
        assert_eq!(verdict(Some(MADE + Duration::MINUTE), end), Verdict::Keep);
    }
}
