//! One create that is sent to Astra, and what it asks for.

use super::lifetime::AskedExpiry;
use crate::astra;
use crate::astra::MintedToken;
use crate::astra::NewToken;
use crate::engine::intent::Description;
use crate::engine::intent::DescriptionForm;
use crate::engine::intent::Intent;
use crate::engine::intent::Tag;

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
