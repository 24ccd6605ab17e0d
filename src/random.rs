//! Random bits for ids.

/// 128 random bits that no one can guess.
#[cfg(not(test))]
pub(crate) fn bits() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}

/// The same for tests, which can repeat them: a simulation seeds the generator of its thread.
#[cfg(test)]
pub(crate) fn bits() -> u128 {
    fastrand::u128(..)
}
