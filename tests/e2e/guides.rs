//! The blocks of the guides that are marked `shell`, verbatim and in the order of the page, in one
//! shell for each page.

use harness::Astra;
use harness::Options;
use harness::Server;
use tokio::process::Command;

use crate::setup::BINARY;

const CONFIGURE: &str = include_str!("../../docs/configure.md");
const INSTALL: &str = include_str!("../../docs/install.md");
const MONITORING: &str = include_str!("../../docs/monitoring.md");
const OPERATE: &str = include_str!("../../docs/operate.md");
const TROUBLESHOOT: &str = include_str!("../../docs/troubleshoot.md");

/// What stands around the blocks of a page: the reader's `vault`, and the emulator in place of Astra's
/// address, which is the default of `url`.
const PRELUDE: &str = r#"
set -euo pipefail
trap 'echo "failed in the block that begins at line $BLOCK" >&2' ERR
vault() {
    case "$1 ${2:-}" in
        "write astra/config" | "write astra/config/"*) command vault "$@" url="$ASTRA_URL" ;;
        "patch "*) "$PATCH" "$@" ;;
        *) command vault "$@" ;;
    esac
}
# What docs/hosts.md says to do where the command line cannot patch.
by_http() {
    local path=$2 fields=() field
    for field in "${@:3}"; do fields+=(--arg "${field%%=*}" "${field#*=}"); done
    command curl -fsS -X PATCH -H "X-Vault-Token: $VAULT_TOKEN" -H 'Content-Type: application/merge-patch+json' \
        -d "$(jq -n "${fields[@]}" '$ARGS.named')" "$VAULT_ADDR/v1/$path"
}
typed() { command vault "$@"; }
curl() { command curl "${@//https:\/\/api.astra.datastax.com/$ASTRA_URL}"; }
cp() { command cp "${@/#\/etc\/vault\/plugins/$PLUGINS}"; }
sha256sum() { command sha256sum "${@/#\/etc\/vault\/plugins/$PLUGINS}"; }
"#;

/// The blocks with their line numbers. Every fenced block says what it is.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let (mut found, mut open) = (Vec::new(), None::<(usize, &str, String)>);
    for (line, number) in page.lines().zip(1..) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                assert!(
                    ["shell", "text", "mermaid", "yaml", "hcl"].contains(&kind),
                    "line {number}: a block that does not say what it is"
                );
                open = Some((number, kind, String::new()));
            }
            (Some(_), Some(_)) => {
                let (begin, kind, text) = open.take().unwrap();
                if kind == "shell" {
                    found.push((begin, text));
                }
            }
            (None, Some((_, _, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none() && !found.is_empty());
    found
}

/// Someone with a new server, the released program and an organization, and one page after the other.
struct Reader {
    astra: Astra,
    folder: tempfile::TempDir,
    server: Server,
}

impl Reader {
    async fn new() -> Self {
        let server = Server::start(Options::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(&server.cli().binary, bin.join("vault")).unwrap();
        std::fs::copy(BINARY, folder.path().join("vault-plugin-secrets-astra")).unwrap();
        Self {
            astra: Astra::start().await,
            folder,
            server,
        }
    }

    /// Runs the blocks of a page; `variables` are what the page says that its reader has.
    async fn follow(&self, page: &str, variables: &[(&str, String)]) {
        let folder = self.folder.path();
        let mut script = PRELUDE.to_owned();
        for (number, block) in blocks(page) {
            script.push_str(&format!("BLOCK={number}\n{block}"));
        }
        let cli = self.server.cli();
        let patch = match self.server.host.has_patch_command() {
            true => "typed",
            false => "by_http",
        };
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(folder)
            .env_clear()
            .env("PATH", format!("{}:{path}", folder.join("bin").display()))
            .env("HOME", folder)
            .env("VAULT_ADDR", cli.address)
            .env("VAULT_TOKEN", cli.token)
            .env("ASTRA_URL", self.astra.url())
            .env("PATCH", patch)
            .env("PLUGINS", self.server.plugin_directory())
            .envs(variables.iter().cloned())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let printed =
            [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
        assert!(output.status.success(), "{}", printed.join("\n"));
    }
}

#[tokio::test]
async fn who_follows_the_guides_comes_from_nothing_to_nothing() {
    let reader = Reader::new().await;
    let astra = &reader.astra;
    let seeds = astra.emulator.seeds();
    reader.follow(INSTALL, &[]).await;
    let second = &seeds.tokens["third_org_admin"].token;
    let variables = [
        ("ADMIN_TOKEN", astra.root_token()),
        ("ORG_ID", astra.org_id()),
        ("SECOND_ROOT_TOKEN", second.clone()),
    ];
    reader.follow(CONFIGURE, &variables).await;
    assert!(!astra.live().is_empty(), "nothing was minted");
    reader.follow(TROUBLESHOOT, &[]).await;
    reader.follow(MONITORING, &[]).await;
    // What has no lease, and what disabling the mount alone would leave.
    let kept = || {
        let roles = astra.emulator.roles(None).unwrap().into_iter();
        // The guide's own role for the root token is not the engine's.
        let names = roles.map(|role| role.name);
        names.filter(|name| name.starts_with("vault-") && name != "vault-root")
    };
    assert!(kept().count() > 0, "no custom role");
    let descriptions: Vec<String> = astra
        .emulator
        .live_tokens()
        .into_iter()
        .map(|token| token.description)
        .collect();
    for purpose in ["rotate-root/default", "static-roles/nightly"] {
        let is_there = descriptions.iter().any(|one| one.contains(purpose));
        assert!(is_there, "no token for {purpose}: {descriptions:?}");
    }
    let audit_log = reader.server.data_directory().join("../audit.log");
    let variables = [
        ("AUDIT_LOG", audit_log.display().to_string()),
        ("NEW_ROOT_TOKEN", astra.root_token()),
        ("ADMIN_TOKEN", astra.root_token()),
    ];
    reader.follow(OPERATE, &variables).await;
    let left = astra.emulator.invariants();
    assert_eq!((left.orphans, left.live_tokens), (0, 0));
    assert_eq!(kept().collect::<Vec<_>>(), Vec::<String>::new());
}
