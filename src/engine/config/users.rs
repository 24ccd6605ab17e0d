//! What needs a config, and so must go before it.

use std::collections::BTreeSet;

use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::in_use;
use crate::engine::tagged_token::live;

/// What needs a config.
pub(super) struct Users {
    /// In words.
    pub(super) words: String,
    /// What to do about them, as the beginning of a sentence.
    pub(super) remedy: String,
}

/// The users that were found so far, each with its remedy.
#[derive(Default)]
struct Found {
    words: Vec<String>,
    remedies: Vec<&'static str>,
}

impl Users {
    /// The users of the config of `connection`; `None` when there are none.
    pub(super) async fn find(
        engine: &Engine,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<Option<Self>, Error> {
        let mut found = Found::default();
        // Before the roles: notes and intents go once what they are for is stored.
        let in_flight = connection.ledger.open();
        let lost = connection.ledger.pending().await?;
        let noted = engine.custom_roles.pending_of(connection).await?;
        let roles = engine.roles.of_config(&connection.name).await?;
        if !roles.is_empty() {
            found.add(format!("roles {}", roles.join(", ")), "delete those roles");
        }
        let roles = engine.static_roles.of_config(&connection.name).await?;
        if !roles.is_empty() {
            let words = format!("static roles {}", roles.join(", "));
            found.add(words, "delete those static roles");
        }
        let stored = engine.archived.tokens_of(&connection.name).await?;
        if stored > 0 {
            let words = format!("stored tokens of the archived engine ({stored})");
            found.add(words, "revoke the leases of the archived engine");
        }
        if in_flight > 0 {
            let words = format!("mints in flight ({in_flight})");
            found.add(words, "wait until those mints have ended");
        }
        if lost > 0 {
            let words = format!("mints whose outcome is not known yet ({lost})");
            found.add(words, "wait for the host's ticks");
        }
        // After them: a role that is deleted leaves a note.
        let noted = noted.max(engine.custom_roles.pending_of(connection).await?);
        if noted > 0 {
            let words = format!("custom Astra roles that are being changed or deleted ({noted})");
            found.add(words, "wait for the host's ticks");
        }
        found.add_leased(engine, connection, deadline).await?;
        Ok(found.into_users())
    }
}

impl Found {
    fn add(&mut self, words: String, remedy: &'static str) {
        self.words.push(words);
        if !self.remedies.contains(&remedy) {
            self.remedies.push(remedy);
        }
    }

    /// Adds the tokens that are under leases, as far as Astra tells.
    async fn add_leased(
        &mut self,
        engine: &Engine,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<(), Error> {
        // Root tokens are deleted with the config, and static roles are named already.
        let mut own = in_use::tokens(engine).await?;
        for client_id in &connection.entry.pending_delete {
            own.insert(client_id);
        }
        let tokens = match live(connection, deadline).await {
            Ok(tokens) => tokens,
            Err(error) => {
                let words = format!("an unknown number of live tokens ({error})");
                self.add(words, "wait until Astra answers");
                return Ok(());
            }
        };
        // A description can be copied; an intent has one token.
        let intents: BTreeSet<_> = tokens
            .iter()
            .filter(|token| !own.contains(&token.token.client_id))
            .filter_map(|token| token.tag())
            .map(|tag| (tag.block, tag.index))
            .collect();
        if !intents.is_empty() {
            let words = format!("live tokens ({})", intents.len());
            self.add(words, "revoke those leases");
        }
        if connection.ignores_description() {
            self.add(
                "an unknown number of live tokens (the organization does not keep descriptions)"
                    .to_owned(),
                "revoke the leases that there are",
            );
        }
        Ok(())
    }

    fn into_users(self) -> Option<Users> {
        let remedy = self.remedies.join(" and ");
        let (first, rest) = remedy.split_at_checked(1)?;
        Some(Users {
            words: self.words.join(" and "),
            remedy: first.to_ascii_uppercase() + rest,
        })
    }
}
