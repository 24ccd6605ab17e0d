//! How long a lease lasts: every cap is named, and `expires_at` is what Astra says.

use std::ops::RangeInclusive;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use harness::READ_ONLY;
use harness::TestMount;

use crate::setup;

/// When Astra ends the token of the credential in `answer`, and when the credential says so.
fn ends(mount: &TestMount, answer: &Value) -> (String, String) {
    let data = &answer["data"];
    let token = mount
        .astra
        .emulator
        .token(data["client_id"].as_str().unwrap());
    let expiry = token.unwrap().token_expiry.unwrap();
    let seconds = |time: &str| time[.."2026-11-23T12:00:00".len()].to_owned();
    (
        seconds(&expiry),
        seconds(data["expires_at"].as_str().unwrap()),
    )
}

/// The seconds that may be left of `life` seconds that began at `begun` or later, however busy the machine is.
fn left_of(life: u64, begun: Instant) -> RangeInclusive<u64> {
    // The server counts from whole seconds.
    life - begun.elapsed().as_secs() - 2..=life
}

/// The seconds at which a renewal by `asked` is capped, as the host's own warning in `text` names them.
fn capped(text: &str, asked: &str) -> u64 {
    let start = format!("TTL of \"{asked}\" exceeded the effective max_ttl of \"");
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("{text}"));
    let (mut seconds, mut number) = (0, 0);
    for char in rest.chars().take_while(|char| *char != '"') {
        let unit = match char {
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            digit => {
                number = 10 * number + u64::from(digit.to_digit(10).unwrap());
                continue;
            }
        };
        seconds += number * unit;
        number = 0;
    }
    seconds
}

async fn renew(mount: &TestMount, lease: &str, increment: u64) -> harness::Reply {
    let body = json!({ "lease_id": lease, "increment": increment });
    mount.api.write("sys/leases/renew", body).await
}

#[tokio::test]
async fn every_cap_of_a_mint_and_of_a_renewal_is_named() {
    let mount = setup::mount("caps").await;
    mount.role("app", "1h", "2h").await;
    let begun = Instant::now();
    let reply = mount.write("creds/app", json!({ "ttl": "90m" })).await;
    assert_eq!(
        reply.warnings(),
        ["the requested ttl of 1h30m is capped at 1h, the role's ttl"]
    );
    let answer = reply.ok();
    let credential = mount.hold(&answer);
    let (astra, told) = ends(&mount, &answer);
    assert_eq!(told, astra);

    // Nothing is cut short, nothing is said.
    let reply = renew(&mount, &credential.lease_id, 0).await;
    assert_eq!(reply.warnings(), Vec::<String>::new());
    assert_eq!(reply.ok()["lease_duration"], 3_600);

    let reply = renew(&mount, &credential.lease_id, 86_400).await;
    // One fact, one warning: the host's own.
    let warnings = reply.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let left = left_of(7_200, begun);
    let named = capped(&warnings[0], "24h");
    assert!(left.contains(&named), "{named} of {left:?}: {warnings:?}");
    let lasts = reply.ok()["lease_duration"].as_u64().unwrap();
    assert!(left.contains(&lasts), "{lasts} of {left:?}");
    assert_eq!(
        ends(&mount, &answer),
        (astra, told),
        "Astra's end of the token is fixed since its mint"
    );

    // The mount's maximum, of a role that asks for more.
    let path = mount.path("");
    mount
        .cli
        .ok(&["secrets", "tune", "-max-lease-ttl=30m", &path])
        .await;
    mount.role("long", "45m", "8h").await;
    let begun = Instant::now();
    let reply = mount.read("creds/long").await;
    let expected = [
        "the role's max_ttl of 8h is capped at 30m, the mount's max_lease_ttl",
        "the role's ttl of 45m is capped at 30m, the mount's max_lease_ttl",
    ];
    assert_eq!(reply.warnings(), expected);
    let answer = reply.ok();
    let credential = mount.hold(&answer);
    let (astra, told) = ends(&mount, &answer);
    assert_eq!(told, astra);
    let output = mount
        .cli
        .run(&["lease", "renew", "-increment=1h", &credential.lease_id])
        .await;
    let printed = output.stderr.clone() + &output.ok();
    let words = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!words.contains("capped at"), "{printed}");
    let (named, left) = (capped(&words, "1h"), left_of(1_800, begun));
    assert!(left.contains(&named), "{named} of {left:?}: {printed}");
    mount.finish().await;
}

#[tokio::test]
async fn the_organizations_maximum_is_named() {
    let mount = setup::mount("caps-organization").await;
    let most = json!({ "org_max_token_expiry_s": 3_600, "org_max_token_expiry_mode": "clamp" });
    mount.astra.emulator.set_knobs(most).unwrap();
    let role = json!({ "astra_roles": READ_ONLY, "ttl": "1h", "max_ttl": "8h" });
    mount.write("roles/app", role).await.ok();
    let reply = mount.read("creds/app").await;
    let warnings = reply.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for (warning, start) in warnings.iter().zip([
        "the lease's max_ttl of 8h is capped at ",
        "the lease's ttl of 1h is capped at ",
    ]) {
        assert!(
            warning.starts_with(start)
                && warning.ends_with(", the maximum token expiry of the organization"),
            "{warning}"
        );
    }
    let answer = reply.ok();
    let credential = mount.hold(&answer);
    let (astra, told) = ends(&mount, &answer);
    assert_eq!(told, astra);
    let lasts = answer["lease_duration"].as_u64().unwrap();
    assert!(
        (2_900..=3_000).contains(&lasts),
        "the lease ends the grace before its token: {lasts}"
    );
    let reply = renew(&mount, &credential.lease_id, 0).await;
    let warnings = reply.warnings();
    assert!(
        warnings[0].starts_with("the role's ttl of 1h is capped at ")
            && warnings[0].ends_with(", what is left until shortly before Astra ends the token"),
        "{warnings:?}"
    );
    assert!(reply.ok()["lease_duration"].as_u64().unwrap() <= lasts);
    mount.finish().await;
}
