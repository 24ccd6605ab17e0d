//! Whole stories: requests, what Astra answers to them, entries that somebody else wrote, new processes.
//!
//! Parts (see [`crate::script`]): `request OPERATION PATH` and its data, `lease OPERATION` and the lease's
//! internal data, `answer STATUS` and the next HTTP answer of Astra, `silence` for none, `entry KEY` and what is
//! stored there, `invalidate KEY`, `restart`, `end`.

use vault_plugin_secrets_astra::vault::Entry;

use crate::mount::Mount;
use crate::script::parts;

/// The bytes are a story.
pub fn run(input: &[u8]) {
    let mut mount = Mount::new(input);
    for part in parts(input) {
        match part.words().as_slice() {
            ["request", operation, path] => drop(mount.request(operation, path, &part.text())),
            ["lease", operation] => drop(mount.lease(operation, &part.text())),
            ["answer", status] => mount.answer_next(part.answer(status)),
            ["silence"] => mount.answer_next(None),
            ["entry", key] => mount.put(Entry {
                key: (*key).to_owned(),
                value: part.body.to_vec(),
                seal_wrap: false,
            }),
            ["invalidate", key] => mount.invalidate(key),
            ["restart"] => mount.restart(),
            ["end"] => mount.clean_up(),
            _ => {}
        }
    }
}
