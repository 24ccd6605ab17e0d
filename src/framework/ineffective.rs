//! Parameters without effect: what the caller is told of them.

use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Response;

/// The parameters of one request that had no effect.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ineffective {
    /// Those that the operation does not take.
    pub(crate) unknown: Vec<Unknown>,
    /// Those that a read of the path shows and no write takes.
    pub(crate) shown_only: Vec<String>,
    /// Given, but the path captures them.
    pub(crate) replaced: Vec<String>,
}

/// A parameter that an operation does not take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Unknown {
    pub(crate) name: String,
    /// The parameter of the operation with the most similar name.
    pub(crate) nearest: Option<&'static str>,
}

impl Ineffective {
    /// Refuses unknown parameters, for what has an effect that cannot be taken back.
    ///
    /// # Errors
    /// [`Error::BadRequest`] that names them.
    pub(crate) fn refuse_unknown(&self) -> Result<(), Error> {
        let Some(names) = self.unknown_names() else {
            return Ok(());
        };
        let hint = self.hint().unwrap_or_else(|| "leave them out".to_owned());
        Err(Error::BadRequest(format!(
            "unrecognized parameters: {names}; {hint}. Nothing was done"
        )))
    }

    /// What `operation` answered, with the warnings; the first words are those of Vault's framework, so
    /// that clients that look for them find them.
    ///
    /// A write that answers nothing answers the warnings.  A read or list of nothing stays one.
    pub(crate) fn add_to(
        &self,
        operation: &Operation,
        response: Option<Response>,
    ) -> Option<Response> {
        let mut warnings = Vec::new();
        if let Some(names) = self.unknown_names() {
            let ignored = format!("Endpoint ignored these unrecognized parameters: {names}");
            warnings.push(match self.hint() {
                Some(hint) => format!("{ignored}; {hint}"),
                None => ignored,
            });
        }
        if !self.shown_only.is_empty() {
            let names = self.shown_only.join(" ");
            warnings.push(format!(
                "Endpoint ignored these parameters, which a read shows and no write takes: \
                 [{names}]"
            ));
        }
        if !self.replaced.is_empty() {
            let names = self.replaced.join(" ");
            warnings.push(format!(
                "Endpoint replaced the value of these parameters with the values captured from the \
                 endpoint's path: [{names}]"
            ));
        }
        match response {
            Some(response) => Some(response.with_warnings(warnings)),
            None if matches!(operation, Operation::Read | Operation::List) => None,
            None => Response::to_write(warnings),
        }
    }

    fn unknown_names(&self) -> Option<String> {
        if self.unknown.is_empty() {
            return None;
        }
        let names: Vec<&str> = self.unknown.iter().map(|one| one.name.as_str()).collect();
        Some(format!("[{}]", names.join(" ")))
    }

    /// What the caller may have meant, if anything is known that looks like it.
    fn hint(&self) -> Option<String> {
        let meant: Vec<String> = self
            .unknown
            .iter()
            .filter_map(|one| Some((one.name.as_str(), one.nearest?)))
            .map(|(name, nearest)| format!("for {name:?} the nearest known one is {nearest:?}"))
            .collect();
        (!meant.is_empty()).then(|| meant.join(", "))
    }
}
