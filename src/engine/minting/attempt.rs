//! One create that is sent to Astra, and what it asks for.

use crate::astra;
use crate::astra::MintedToken;
use crate::astra::NewToken;
use crate::engine::intent::Description;
use crate::engine::intent::DescriptionForm;
use crate::engine::intent::Intent;
use crate::engine::intent::Tag;
use crate::engine::lifetime::AskedExpiry;

/// What an attempt asks for; what Astra refuses of it the next one leaves out.
pub(super) struct Terms {
    /// When Astra is to end the token.
    pub(super) expiry: Option<AskedExpiry>,
    /// How the description is written.
    pub(super) form: DescriptionForm,
    /// The answer to the expiry that was asked for, if Astra refused it.
    pub(super) refused: Option<astra::Error>,
}

/// A create on its way, with the intent that stands for its token.
pub(super) struct Attempt {
    pub(super) intent: Intent,
    pub(super) tag: Tag,
    pub(super) form: DescriptionForm,
    pub(super) description: Description,
    pub(super) wanted: NewToken,
}

impl Terms {
    pub(super) fn new(expiry: Option<AskedExpiry>, form: DescriptionForm) -> Self {
        Self {
            expiry,
            form,
            refused: None,
        }
    }

    /// Leaves out what Astra may have refused with `error` of a create with `description`.
    ///
    /// # Errors
    /// `error` itself, where nothing is left to leave out, or it is about something else.
    pub(super) fn relax(
        &mut self,
        error: astra::Error,
        description: &str,
    ) -> Result<(), astra::Error> {
        if !matches!(error, astra::Error::BadRequest { .. }) {
            return Err(error);
        }
        // Perhaps the organization keeps less of a description; if not, the next refusal is for
        // another reason.
        if self.form.is_needed_for(description) {
            self.form = DescriptionForm::Plain;
        } else if self.expiry.take().is_some() {
            self.refused = Some(error);
        } else {
            return Err(error);
        }
        Ok(())
    }
}

impl Attempt {
    /// Whether the answer is about the token that was to carry the tag.
    ///
    /// A description that did not come back at all says nothing against it, and neither does one that
    /// was cut short: how long one may be is not documented (docs/internals/astra-api.md).
    pub(super) fn is_answered_by(&self, token: &MintedToken) -> bool {
        match token.description.as_deref() {
            None => true,
            Some(description) => {
                self.wanted.description.starts_with(description)
                    || Tag::parse(description).as_ref() == Some(&self.tag)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;
    use crate::engine::intent::Ledger;
    use crate::engine::intent::MountId;
    use crate::engine::intent::Owner;
    use crate::engine::intent::Purpose;
    use crate::engine::intent::RequestMark;
    use crate::engine::store::Store;
    use crate::secret::Secret;
    use crate::vault::memory::MemoryStorage;

    #[tokio::test]
    async fn an_answer_is_about_the_token_with_the_tag() {
        let storage = Store::new(Arc::new(MemoryStorage::new()));
        let ledger = Ledger::new("default", storage, MountId::random());
        let intent = ledger.begin(None).await.unwrap();
        let block = intent.block();
        let tag = |index| Tag {
            mount: ledger.mount(),
            owner: Owner::of("default", "reader"),
            block,
            index,
            write: 0,
            request: RequestMark::of("request"),
        };
        let description = format!("{} reader", tag(0));
        let attempt = Attempt {
            tag: tag(0),
            form: DescriptionForm::Full,
            description: Description::new(&tag(0), Purpose::default(), DescriptionForm::Full),
            wanted: NewToken {
                description: description.clone(),
                expiry: None,
                roles: Vec::new(),
            },
            intent,
        };
        let answered = |description: Option<String>| {
            attempt.is_answered_by(&MintedToken {
                asked_at: Instant::now(),
                client_id: "id".to_owned(),
                description,
                expiry: None,
                generated_on: None,
                org_id: String::new(),
                roles: Vec::new(),
                secret: Secret::new(String::new()),
                token: Secret::new(String::new()),
            })
        };
        assert!(answered(None));
        assert!(answered(Some(description.clone())));
        assert!(answered(Some(tag(0).to_string())), "it was cut");
        assert!(answered(Some(description + ", by a proxy")));
        assert!(!answered(Some(format!("{} reader", tag(1)))));
        assert!(!answered(Some("a token of somebody else".to_owned())));
        attempt.intent.cancel();
    }
}
