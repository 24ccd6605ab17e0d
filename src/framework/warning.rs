//! Warnings about parameters that had no effect.

use crate::vault::Response;

/// The parameters of one request that had no effect.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Warnings {
    /// Not declared by the path.
    pub(crate) ignored: Vec<String>,
    /// Given, but the path itself has the say.
    pub(crate) replaced: Vec<String>,
}

impl Warnings {
    /// `response` with the warnings; the texts are those of Vault's framework, so that clients that
    /// look for them find them.
    pub(crate) fn add_to(mut self, mut response: Response) -> Response {
        if !self.ignored.is_empty() {
            self.ignored.sort();
            response = response.with_warning(format!(
                "Endpoint ignored these unrecognized parameters: [{}]",
                self.ignored.join(" ")
            ));
        }
        if !self.replaced.is_empty() {
            self.replaced.sort();
            response = response.with_warning(format!(
                "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [{}]",
                self.replaced.join(" ")
            ));
        }
        response
    }
}
