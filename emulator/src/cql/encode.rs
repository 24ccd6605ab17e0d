//! Writing the notations of the protocol's section 3.

/// Appends a `[string]`. It can have 65,535 bytes; only a message that repeats what a client sent can be
/// longer, and loses its end.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    let (text, _) = text.split_at(text.floor_char_boundary(usize::from(u16::MAX)));
    short(out, text.len());
    out.extend(text.as_bytes());
}

/// Appends a `[short]`.
pub(super) fn short(out: &mut Vec<u8>, number: usize) {
    out.extend(u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes());
}

/// Appends an `[int]`.
pub(super) fn int(out: &mut Vec<u8>, number: i32) {
    out.extend(number.to_be_bytes());
}

/// Appends an `[int]` that counts or measures.
pub(super) fn length(out: &mut Vec<u8>, length: usize) {
    int(out, i32::try_from(length).unwrap_or(i32::MAX));
}

/// Appends `[bytes]`; `None` is null.
pub(super) fn bytes(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => int(out, -1),
        Some(value) => {
            length(out, value.len());
            out.extend(value);
        }
    }
}
