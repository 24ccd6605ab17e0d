//! The tables that `vault` prints, as an operator sees them: every list fits a terminal of 200
//! columns, and so does what is read; names alone, a config and its status fit one of 80.

use serde_json::json;

use harness::READ_ONLY;
use harness::TestMount;

use crate::setup;

const COLUMNS: usize = 200;
/// A terminal that was never widened: for names alone, and for what is read to see what is wrong.
const NARROW: usize = 80;
/// A long reason, as jobs of a CI give it.
const REASON: &str = "https://gitlab.example.com/platform/payments/-/jobs/1234567890";

fn widest(table: &str) -> usize {
    let widths = table.lines().map(|line| line.chars().count());
    widths.max().unwrap_or_default()
}

/// What each list and read is about, with names and values as real ones are.
async fn fill(mount: &TestMount) {
    let id = mount.astra.emulator.seeds().databases["vector_db"]
        .id
        .clone();
    let roles = json!([READ_ONLY, "R/W Svc Acct"]);
    let role = json!({ "astra_roles": roles, "database_id": id, "keyspace": "app", "ttl": "1h",
                       "description": "nightly" });
    mount.write("roles/payments-orders-ro", role).await.ok();
    let own = json!({ "access": "read-write", "database_id": id, "keyspace": "app" });
    mount.write("roles/payments-orders-rw", own).await.ok();
    let batch =
        json!({ "astra_roles": roles, "rotation_schedule": "0 3 * * SAT", "database_id": id });
    mount
        .write("static-roles/payments-nightly", batch)
        .await
        .ok();
    let shown = mount.read("static-roles/payments-nightly").await.data();
    mount.keep(shown["client_id"].as_str().unwrap(), None);
    let reason = json!({ "reason": REASON });
    let minted = mount.write("creds/payments-orders-ro", reason).await.ok();
    mount.hold(&minted);
}

/// Ends what has no lease first.
async fn finish(mount: TestMount) {
    let path = mount.path("static-roles/payments-nightly");
    let shown = mount.api.read(&path).await.data();
    mount.api.delete(&path).await.ok();
    mount.forget(shown["client_id"].as_str().unwrap());
    mount.finish().await;
}

#[tokio::test]
async fn every_list_fits_a_terminal() {
    let mount = setup::mount("tables").await;
    fill(&mount).await;
    let document = mount.openapi().await;
    let prefix = format!("/{}/", mount.name);
    // As lists end in a slash there, and nothing else does.
    let mut lists: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .filter_map(|path| path.strip_prefix(&prefix)?.strip_suffix('/'))
        .map(|list| list.replace("{config}", "default"))
        .collect();
    lists.sort();
    assert_eq!(
        lists,
        [
            "astra-roles/default",
            "config",
            "databases/default",
            "roles",
            "static-roles",
            "status",
            "tokens/default"
        ]
    );
    for list in lists {
        let table = mount
            .cli
            .ok(&["list", "-detailed", &mount.path(&list)])
            .await;
        assert!(table.lines().count() > 2, "{table}");
        assert!(!table.contains("map["), "{table}");
        println!("{list}: {} columns", widest(&table));
        assert!(widest(&table) <= COLUMNS, "{}\n{table}", widest(&table));
        let names = mount.cli.ok(&["list", &mount.path(&list)]).await;
        assert!(names.lines().count() > 2, "{names}");
        assert!(widest(&names) <= NARROW, "{}\n{names}", widest(&names));
    }
    finish(mount).await;
}

#[tokio::test]
async fn what_is_read_fits_a_terminal_too() {
    let mount = setup::mount("tables-read").await;
    fill(&mount).await;
    for (path, columns) in [
        ("config", NARROW),
        ("roles/payments-orders-ro", COLUMNS),
        ("static-roles/payments-nightly", COLUMNS),
        ("static-creds/payments-nightly", COLUMNS),
        ("astra-roles/default/API RO User", COLUMNS),
        ("status/default", NARROW),
    ] {
        let table = mount.cli.ok(&["read", &mount.path(path)]).await;
        println!("{path}: {} columns", widest(&table));
        assert!(widest(&table) <= columns, "{}\n{table}", widest(&table));
        assert!(!table.contains("map["), "{table}");
    }
    finish(mount).await;
}
