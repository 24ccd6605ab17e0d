//! Path templates and what follows from them.

use regex::Regex;

use super::DefinitionError;
use super::name::NAME;
use super::name::is_name;

#[cfg(test)]
mod tests;

/// [`NAME`] in the spelling that Vault's own engines show in their help.
const GO_NAME: &str = r"\w(([\w-.]+)?\w)?";

/// What a template captured of a path, by name; an absent optional tail is `None`.
pub(crate) type Captures<'n, 'p> = Vec<(&'n str, Option<&'p str>)>;

/// A template in its forms: for matching, for help and for OpenAPI.
pub(crate) struct Pattern {
    /// The template as it was declared.
    pub(crate) template: String,
    /// The text before the first capture.
    start: String,
    /// The pattern as Vault's own engines would spell it.
    pub(crate) go: String,
    /// The OpenAPI paths without trailing slash: two where the tail is optional.
    pub(crate) documented: Vec<String>,
    /// The names of the captures.
    pub(crate) captures: Vec<String>,
    /// Whether a path with a trailing slash can match.
    pub(crate) matches_slash: bool,
    /// Whether the last capture takes whatever follows, and is no name.
    has_rest: bool,
    regex: Regex,
    /// The same with anything but a slash where a name has to stand.
    loose: Regex,
}

enum Part<'a> {
    /// Text that stands for itself.
    Literal(&'a str),
    /// `{name}`: one name.
    Name(&'a str),
    /// `{name?}`: nothing, or a slash and one name.
    Optional(&'a str),
    /// `{name*}`: whatever follows, slashes included.
    Rest(&'a str),
}

/// The parts of a template so far, in each form that it is needed in.
#[derive(Default)]
struct Forms {
    /// The regular expression for requests.
    rust: String,
    /// The same with anything but a slash where a name has to stand.
    loose: String,
    /// The regular expression that the host is told.
    go: String,
    /// The path in documents.
    documented: String,
    /// The path in documents without the optional tail.
    without_tail: Option<String>,
    captures: Vec<String>,
    /// Whether the last capture takes slashes too.
    has_rest: bool,
}

impl Forms {
    /// Adds `part`; the error says what is wrong with it.
    fn add(&mut self, part: &Part<'_>) -> Result<(), String> {
        match part {
            Part::Literal(text) => {
                self.rust.push_str(&regex::escape(text));
                self.loose.push_str(&regex::escape(text));
                self.go.push_str(&escape(text));
                self.documented.push_str(text);
                Ok(())
            }
            Part::Name(name) => {
                self.rust.push_str(&format!("(?P<{name}>{NAME})"));
                self.loose.push_str(&format!("(?P<{name}>[^/]+)"));
                self.go.push_str(&format!("(?P<{name}>{GO_NAME})"));
                self.add_capture(name)
            }
            Part::Optional(name) => {
                self.rust.push_str(&format!("(?:/(?P<{name}>{NAME}))?"));
                self.loose.push_str(&format!("(?:/(?P<{name}>[^/]+))?"));
                self.go.push_str(&format!("(/(?P<{name}>{GO_NAME}))?"));
                self.without_tail = Some(self.documented.clone());
                self.documented.push('/');
                self.add_capture(name)
            }
            Part::Rest(name) => {
                for form in [&mut self.rust, &mut self.loose, &mut self.go] {
                    form.push_str(&format!("(?P<{name}>.*)"));
                }
                self.has_rest = true;
                self.add_capture(name)
            }
        }
    }

    fn add_capture(&mut self, name: &str) -> Result<(), String> {
        if self.captures.iter().any(|other| other == name) {
            return Err(format!("{{{name}}} occurs twice"));
        }
        self.captures.push(name.to_owned());
        self.documented.push_str(&format!("{{{name}}}"));
        Ok(())
    }
}

impl Pattern {
    /// Reads a template: literal text, `{name}`, and at its end `{name?}`, `{name*}` or a slash.
    pub(crate) fn parse(template: &str) -> Result<Self, DefinitionError> {
        let bad = |cause: String| DefinitionError::BadTemplate {
            path: template.to_owned(),
            cause,
        };
        let (body, is_list) = match template.strip_suffix('/') {
            Some(body) => (body, true),
            None => (template, false),
        };
        let parts = split(body).map_err(bad)?;
        if is_list && !matches!(parts.last(), Some(Part::Literal(_) | Part::Name(_))) {
            return Err(bad("no slash can follow the last capture".to_owned()));
        }
        let start = match parts.first() {
            Some(Part::Literal(text)) => (*text).to_owned(),
            _ => String::new(),
        };
        let mut forms = Forms::default();
        for part in &parts {
            forms.add(part).map_err(bad)?;
        }
        let end = if is_list { "/?$" } else { "$" };
        let regex = |body: &str| {
            Regex::new(&format!("^{body}{end}")).map_err(|error| bad(error.to_string()))
        };
        let without_tail = forms.without_tail.into_iter();
        Ok(Self {
            template: template.to_owned(),
            start,
            go: format!("^{}{end}", forms.go),
            documented: without_tail
                .chain([forms.documented])
                .map(|path| format!("/{path}"))
                .collect(),
            captures: forms.captures,
            matches_slash: is_list || forms.has_rest,
            has_rest: forms.has_rest,
            regex: regex(&forms.rust)?,
            loose: regex(&forms.loose)?,
        })
    }

    /// The capture of `path` that is no name, and what stands there; `None` where the path would not match
    /// with any name.
    pub(crate) fn bad_name<'p>(&self, path: &'p str) -> Option<(&str, &'p str)> {
        let captures = self.loose.captures(path)?;
        self.names().find_map(|capture| {
            let found = captures.name(capture)?.as_str();
            (!is_name(found)).then_some((capture, found))
        })
    }

    /// The captures that are names.
    fn names(&self) -> impl Iterator<Item = &str> {
        let count = self.captures.len() - usize::from(self.has_rest);
        self.captures.iter().take(count).map(String::as_str)
    }

    /// The captures of `path`, or `None` where it does not match.  An absent optional tail captures
    /// `None`.
    pub(crate) fn captures<'p>(&self, path: &'p str) -> Option<Captures<'_, 'p>> {
        // Most patterns do not match, and this tells so in a thousandth of the time.
        if !path.starts_with(&self.start) {
            return None;
        }
        let captures = self.regex.captures(path)?;
        let are_names = self.names().all(|capture| {
            let found = captures.name(capture);
            found.is_none_or(|found| is_name(found.as_str()))
        });
        are_names.then(|| {
            self.captures
                .iter()
                .map(|name| {
                    (
                        name.as_str(),
                        captures.name(name).map(|found| found.as_str()),
                    )
                })
                .collect()
        })
    }
}

fn split(template: &str) -> Result<Vec<Part<'_>>, String> {
    if template.is_empty() || template.starts_with('/') {
        return Err("a template has text and no leading slash".to_owned());
    }
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((literal, tail)) = rest.split_once('{') {
        let (capture, after) = tail.split_once('}').ok_or("a brace is not closed")?;
        let part = match (capture.strip_suffix('?'), capture.strip_suffix('*')) {
            (Some(name), _) => Part::Optional(name),
            (_, Some(name)) => Part::Rest(name),
            _ => Part::Name(capture),
        };
        let (Part::Literal(name) | Part::Name(name) | Part::Optional(name) | Part::Rest(name)) =
            part;
        if !is_identifier(name) {
            return Err(format!("{capture:?} is no name for a capture"));
        }
        if !matches!(part, Part::Name(_)) && !after.is_empty() {
            return Err(format!("{{{capture}}} has to be at the end"));
        }
        // The slash before an optional name is part of what is optional.
        let literal = match part {
            Part::Optional(_) => literal.strip_suffix('/').unwrap_or(literal),
            _ => literal,
        };
        parts.push(Part::Literal(literal));
        parts.push(part);
        rest = after;
    }
    if rest.contains('}') {
        return Err("a brace is not opened".to_owned());
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest));
    }
    Ok(parts)
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase())
        && letters
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

/// Escapes for Go's syntax, where a hyphen outside a class needs none.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
