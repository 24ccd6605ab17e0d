//! Reading the notations of the protocol's section 3.

/// What is left of a message body.
pub(super) struct Reader<'a>(&'a [u8]);

/// The body ends before its content does, or a text is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the body ends too early")]
    Short,
    #[error("a string is not UTF-8")]
    Utf8,
    #[error("a length is negative")]
    Negative,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn short(&mut self) -> Result<usize, Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(*taken).into())
    }

    pub(super) fn int(&mut self) -> Result<i32, Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(i32::from_be_bytes(*taken))
    }

    pub(super) fn string(&mut self) -> Result<&'a str, Malformed> {
        let length = self.short()?;
        text(self.take(length)?)
    }

    pub(super) fn long_string(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::try_from(self.int()?).map_err(|_| Malformed::Negative)?;
        text(self.take(length)?)
    }

    /// `[bytes]`; a negative length is null.
    pub(super) fn bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match usize::try_from(self.int()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }

    pub(super) fn string_map(&mut self) -> Result<Vec<(&'a str, &'a str)>, Malformed> {
        (0..self.short()?)
            .map(|_| Ok((self.string()?, self.string()?)))
            .collect()
    }

    /// Goes past the `[bytes map]` of a custom payload.
    pub(super) fn skip_payload(&mut self) -> Result<(), Malformed> {
        for _ in 0..self.short()? {
            self.string()?;
            self.bytes()?;
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::Utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_beyond_the_end() {
        assert_eq!(Reader::new(&[0]).short(), Err(Malformed::Short));
        assert_eq!(Reader::new(&[0, 3, b'a']).string(), Err(Malformed::Short));
        assert_eq!(Reader::new(&[0, 1, 0xFF]).string(), Err(Malformed::Utf8));
        assert_eq!(
            Reader::new(&[0x7F, 0xFF, 0xFF, 0xFF]).bytes(),
            Err(Malformed::Short)
        );
        assert_eq!(Reader::new(&[0xFF; 4]).bytes(), Ok(None));
        assert_eq!(
            Reader::new(&[0xFF; 4]).long_string(),
            Err(Malformed::Negative)
        );
    }

    #[test]
    fn a_payload_is_skipped_whole() {
        let body = [0, 1, 0, 1, b'k', 0, 0, 0, 2, 1, 2, b'r'];
        let mut reader = Reader::new(&body);
        assert_eq!(reader.skip_payload(), Ok(()));
        assert_eq!(reader.take(1), Ok(b"r".as_slice()));
    }
}
