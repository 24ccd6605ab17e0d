//! The commands of `docs/recipes.md`, run by a shell against the emulator, its stub of the databases' own
//! APIs included.

use std::collections::BTreeMap;
use std::path::Path;

use harness::Credential;
use serde_json::Value;
use serde_json::json;
use tokio::process::Command;

use harness::READ_ONLY;
use harness::SOON;
use harness::TestMount;

use crate::setup;

const PAGE: &str = include_str!("../../../docs/recipes.md");

/// The fenced blocks below `heading` that are for a shell, in order.
pub(super) fn blocks(heading: &str) -> Vec<&'static str> {
    let section = PAGE
        .split("\n## ")
        .find(|section| section.starts_with(&format!("{heading}\n")))
        .unwrap_or_else(|| panic!("no section {heading}"));
    let fenced = section.split("```").skip(1).step_by(2);
    fenced
        .filter_map(|block| block.strip_prefix('\n'))
        .collect()
}

/// A folder to work in, and what the recipes expect to be set there.
pub(super) struct Shell<'a> {
    mount: &'a TestMount,
    pub(super) folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl<'a> Shell<'a> {
    pub(super) fn new(mount: &'a TestMount) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(&mount.cli.binary, bin.join("vault")).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let environment = [
            ("PATH", format!("{}:{path}", bin.display())),
            ("HOME", folder.path().display().to_string()),
            ("VAULT_ADDR", mount.cli.address.clone()),
            ("VAULT_TOKEN", mount.cli.token.clone()),
        ];
        Self {
            mount,
            environment: environment
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            folder,
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Runs `block`, whose mount is `astra/`; whether every command of it succeeded, and what it printed.
    async fn try_run(&self, block: &str) -> (bool, String) {
        let block = block.replace("astra/", &format!("{}/", self.mount.name));
        let script = format!("set -euo pipefail\ncurl() {{ command curl -fsS \"$@\"; }}\n{block}");
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.environment)
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let printed = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.success(), printed.join(""))
    }

    pub(super) async fn run(&self, block: &str) -> String {
        let (is_ok, printed) = self.try_run(block).await;
        assert!(is_ok, "{block}\n{printed}");
        printed
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(Path::new(self.folder.path()).join(name)).unwrap()
    }

    /// Sets the variables that the recipe sets, each from the field that the recipe names.
    fn set_from(&mut self, block: &str, answer: &Value) {
        let mut names = Vec::new();
        for word in block.split_whitespace() {
            let Some((name, field)) = word.split_once("=$(field") else {
                continue;
            };
            let _ = field;
            names.push(name.to_owned());
        }
        let fields: Vec<&str> = block
            .split("$(field ")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
            .collect();
        assert_eq!(names.len(), fields.len());
        for (name, field) in names.iter().zip(fields) {
            let value = answer["data"][field]
                .as_str()
                .unwrap_or_else(|| panic!("no {field}"));
            self.set(name, value);
        }
    }
}

#[tokio::test]
async fn from_the_role_to_the_databases_own_apis() {
    let mount = setup::mount("recipes").await;
    let astra = &mount.astra;
    astra
        .emulator
        .set_knobs(json!({ "dataplane_cache_s": 0 }))
        .unwrap();
    let database = astra.emulator.seeds().databases["vector_db"].clone();
    let mut shell = Shell::new(&mount);
    shell.set("DATABASE_ID", &database.id);

    // With an Astra role, for the database alone, then with a policy of its own.
    let [by_role, by_access, by_policy] = blocks("The role")[..] else {
        panic!("three ways to write the role");
    };
    let printed = shell.run(by_role).await;
    assert!(
        printed.contains(&database.id) && printed.contains(READ_ONLY),
        "{printed}"
    );
    for way in [by_role, by_access, by_policy] {
        shell.run(way).await;
        let answer = mount.read("creds/app").await.ok();
        let credential = mount.hold(&answer);
        let [set] = blocks("The credential")[..] else {
            panic!("one block about the credential");
        };
        shell.set_from(set, &answer);
        let endpoint = format!(
            "https://{}-{}.apps.astra.datastax.com",
            database.id, database.region
        );
        assert_eq!(shell.environment["ASTRA_DB_API_ENDPOINT"], endpoint);
        assert_eq!(shell.environment["ASTRA_DB_KEYSPACE"], "app");
        let stub = astra.emulator.data_url(&database.id, &database.region);
        shell.set("ASTRA_DB_API_ENDPOINT", &stub);
        apis(&shell, &mount, &credential).await;
    }
    mount.finish().await;
}

/// Each API answers to a live token, and no longer when its lease has ended.
async fn apis(shell: &Shell<'_>, mount: &TestMount, credential: &Credential) {
    let calls = [
        blocks("Data API")[0],
        blocks("REST, Document and GraphQL APIs")[0],
    ];
    for call in calls {
        shell.run(call).await;
    }
    mount.revoke(&credential.lease_id).await;
    mount.until_dead(&credential.token, SOON).await;
    for call in calls {
        let (is_ok, printed) = shell.try_run(call).await;
        assert!(!is_ok && printed.contains("401"), "{call}\n{printed}");
    }
}

#[tokio::test]
async fn the_bundle_is_downloaded_and_the_cli_gets_its_token() {
    let mount = setup::mount("recipes-files").await;
    let database = mount.astra.emulator.seeds().databases["vector_db"].clone();
    let mut shell = Shell::new(&mount);
    shell.set("DATABASE_ID", &database.id);
    let role = json!({ "astra_roles": "R/W \
        User", "database_id": database.id, "secure_connect_bundle": true });
    mount.write("roles/app", role).await.ok();
    let read: Vec<&str> = blocks("The credential")[0].lines().take(2).collect();
    let bundle = blocks("CQL drivers and cqlsh")[0];
    shell.run(&format!("{}\n{bundle}", read.join("\n"))).await;
    assert!(shell.file("scb.zip").starts_with(b"PK"), "a zip archive");

    mount.role("operator", "1h", "8h").await;
    let get = blocks("Astra CLI")[0].lines().next().unwrap();
    shell.run(get).await;
    let token = String::from_utf8(shell.file("astra-token")).unwrap();
    assert!(mount.astra.accepts(token.trim()).await);
    mount.finish().await;
}

/// The application has no more rights than the page gives it, and ends its lease.
#[tokio::test]
async fn an_application_ends_its_lease_with_the_rights_of_the_page() {
    let mount = setup::mount("recipes-lease").await;
    let database = mount.astra.emulator.seeds().databases["vector_db"].clone();
    let role = json!({ "astra_roles": READ_ONLY, "ttl": "1h", "max_ttl": "8h",
        "database_id": database.id });
    mount.write("roles/app", role).await.ok();
    let policy = PAGE
        .split("```hcl\n")
        .find(|block| block.starts_with("path \"astra/creds/app\""))
        .and_then(|block| block.split("```").next())
        .unwrap()
        .replace("astra/", &format!("{}/", mount.name));
    mount
        .api
        .write(
            "sys/policies/acl/recipes-lease",
            json!({ "policy": policy }),
        )
        .await
        .ok();
    let mut shell = Shell::new(&mount);
    let token = mount.api.child_token(&["recipes-lease"]).await;
    shell.set("VAULT_TOKEN", &token);
    shell.run(blocks("The credential")[0]).await;
    let answer: Value = serde_json::from_slice(&shell.file("credential.json")).unwrap();
    let token = answer["data"]["token"].as_str().unwrap();
    mount.until_dead(token, SOON).await;
    mount.finish().await;
}

#[tokio::test]
async fn a_policy_from_a_file_is_a_role_and_reads_back_as_it_was() {
    let mount = setup::mount("policies").await;
    let policy = json!({
        "resources": ["drn:astra:org:{{org_id}}:db:*"],
        "actions": ["db-cql", "db-rest"],
        "effect": "allow",
    });
    let text = format!("{policy:#}\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    std::fs::write(&file, &text).unwrap();
    let argument = format!("policy=@{}", file.display());
    mount
        .cli
        .ok(&["write", &mount.path("roles/app"), &argument])
        .await;
    assert_eq!(
        mount.read("roles/app").await.data()["policy"],
        Value::String(text)
    );
    mount
        .write("roles/app", json!({ "policy": policy }))
        .await
        .ok();
    assert_eq!(mount.read("roles/app").await.data()["policy"], policy);

    let credential = mount.credential("app").await;
    mount.cli.ok(&["delete", &mount.path("roles/app")]).await;
    mount.revoke(&credential.lease_id).await;
    mount.until_dead(&credential.token, harness::SOON).await;
    let left = mount.api.list(&mount.path("astra-roles/default")).await;
    let left = left.keys();
    assert!(
        !left.iter().any(|name| name.starts_with("vault-")),
        "{left:?}"
    );

    let refused = mount
        .write("roles/bad", json!({ "policy": "{\"resources\"" }))
        .await
        .refused(400);
    assert!(
        refused.starts_with("policy: the text is not JSON ("),
        "{refused}"
    );
    mount.finish().await;
}

/// The job has no more rights than the page gives it, and leaves nothing.
#[tokio::test]
async fn a_ci_job_ends_its_token() {
    let mount = setup::mount("recipes-ci").await;
    let role =
        json!({ "astra_roles": READ_ONLY, "ttl": "1h", "max_ttl": "8h", "require_reason": true });
    mount.write("roles/ci", role).await.ok();
    let policy = PAGE
        .split('`')
        .find(|span| span.starts_with("path \"astra/creds/ci\""))
        .unwrap()
        .replace("astra/", &format!("{}/", mount.name));
    let policies = "sys/policies/acl/recipes-ci";
    mount
        .api
        .write(policies, json!({ "policy": policy }))
        .await
        .ok();
    let token = mount.api.child_token(&["recipes-ci"]).await;
    let mut shell = Shell::new(&mount);
    shell.set("VAULT_TOKEN", &token);
    shell.set("CI_JOB_URL", "https://ci.example.com/jobs/1");
    let tests = shell.folder.path().join("run-tests");
    std::fs::write(&tests, "printf %s \"$ASTRA_DB_APPLICATION_TOKEN\" > seen\n").unwrap();
    let block = blocks("CI")[0].replace("./run-tests", "bash ./run-tests");
    shell.run(&block).await;
    let seen = String::from_utf8(shell.file("seen")).unwrap();
    assert!(seen.starts_with("AstraCS:"), "the job saw {seen:?}");
    mount.until_dead(&seen, SOON).await;
    mount.finish().await;
}
