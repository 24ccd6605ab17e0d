//! Writes that fail.

use super::super::StorageError;

/// How writes to a [`MemoryStorage`](super::MemoryStorage) fail.  The default: every put is refused as by a host
/// that is gone, and nothing is stored.
#[derive(Clone, Debug)]
pub struct WriteFault {
    /// Which keys fail: those that begin with this.
    pub prefix: String,
    /// How many writes to such keys work before.
    pub after: usize,
    /// Whether deletions count and fail as well.
    pub deletions: bool,
    /// Whether the write happens although the answer says that it did not.
    pub applied: bool,
    /// Whether reads go on showing what was there before a write that is `applied`, until another write of
    /// the same key succeeds: so does the cache of a host.
    pub hidden: bool,
    /// Whether only one write fails.
    pub once: bool,
    /// Whether from then on every other call fails too, until
    /// [`set_failure`](super::MemoryStorage::set_failure) ends that.
    pub all_calls: bool,
    /// Whether the write never returns; [`hung`](super::MemoryStorage::hung) tells when.
    pub hangs: bool,
    /// What the write fails with.
    pub error: StorageError,
}

impl Default for WriteFault {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            after: 0,
            deletions: false,
            applied: false,
            hidden: false,
            once: false,
            all_calls: false,
            hangs: false,
            error: StorageError::Unreachable("the host does not answer".to_owned()),
        }
    }
}

impl WriteFault {
    /// Each way in which the put of a key that begins with `prefix` may fail after so many that work: whether it
    /// happened, whether reads show that, and whether reads fail from then on.
    pub fn each_way(prefix: &str, after: usize) -> impl Iterator<Item = Self> {
        let ways = [(false, false), (true, false), (true, true)];
        let with_reads = ways.map(|way| (way, true));
        let ways = ways.map(|way| (way, false)).into_iter().chain(with_reads);
        ways.map(move |((applied, hidden), all_calls)| Self {
            prefix: prefix.to_owned(),
            after,
            applied,
            hidden,
            all_calls,
            ..Self::default()
        })
    }

    /// The next `count` puts work, those after them are refused.
    pub fn refuse_puts_after(count: usize) -> Self {
        Self {
            after: count,
            error: StorageError::Refused("no more puts".to_owned()),
            ..Self::default()
        }
    }
}
