//! Inputs of several parts, as text that a person can read: parts are separated by a line `---`, the
//! first line of a part says what it is, and the rest is its content.

/// A part of an input.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// The words of its first line.
    pub head: &'a [u8],
    /// What follows, without the line break before it.
    pub body: &'a [u8],
}

/// No honest peer needs more, and each part costs time.
const MAX_PARTS: usize = 24;

/// The parts of `input`.
pub fn parts(input: &[u8]) -> impl Iterator<Item = Part<'_>> {
    split(input, b"\n---\n").take(MAX_PARTS).map(|part| {
        let (head, body) = cut(part, b"\n");
        Part { head, body }
    })
}

impl Part<'_> {
    /// The first line as words, where it is text.
    pub fn words(&self) -> Vec<&str> {
        let head = std::str::from_utf8(self.head).unwrap_or_default();
        head.splitn(3, ' ').collect()
    }

    /// The body as text, what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }

    /// The body as an HTTP answer: headers, an empty line, content.  `None` stands for an answer that never
    /// comes.
    pub fn answer(&self, status: &str) -> Option<http::Response<Vec<u8>>> {
        let status: u16 = status.parse().unwrap_or(200);
        let (headers, content) = match self.body.strip_prefix(b"\n") {
            Some(content) => (&[][..], content),
            None => cut(self.body, b"\n\n"),
        };
        let mut answer = http::Response::new(content.to_vec());
        *answer.status_mut() = http::StatusCode::from_u16(status).ok()?;
        for line in split(headers, b"\n") {
            let (name, value) = cut(line, b":");
            let name = http::HeaderName::from_bytes(name);
            let value = http::HeaderValue::from_bytes(value.trim_ascii());
            if let (Ok(name), Ok(value)) = (name, value) {
                answer.headers_mut().append(name, value);
            }
        }
        Some(answer)
    }
}

fn split<'a>(mut rest: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let part;
        is_over = find(rest, separator).is_none();
        (part, rest) = cut(rest, separator);
        Some(part)
    })
}

fn cut<'a>(text: &'a [u8], separator: &[u8]) -> (&'a [u8], &'a [u8]) {
    match find(text, separator) {
        Some(at) => (&text[..at], &text[at + separator.len()..]),
        None => (text, &[]),
    }
}

fn find(text: &[u8], separator: &[u8]) -> Option<usize> {
    text.windows(separator.len())
        .position(|window| window == separator)
}
