//! What a plugin tells about itself.

/// The names and texts of a plugin, for everything that a person reads.
#[derive(Clone, Copy, Debug)]
pub struct PluginInfo {
    /// The program's name, for instance `vault-plugin-secrets-example`.
    pub name: &'static str,
    /// The name under which it is usually registered and mounted, for instance `example`.
    pub mount: &'static str,
    /// What it does: a sentence without its subject, for instance `leases example passwords`.
    pub about: &'static str,
    /// Where to read more; a path or an address.
    pub manual: &'static str,
    /// The environment variable that makes it log everything when it is `trace`.
    pub log_variable: &'static str,
    /// The crate whose log lines reach the host, beside those of this one: `module_path!()` of `main`.
    pub log_target: &'static str,
}
