//! What goes in is answered: each input with the exact answer.

use std::time::Duration;
use std::time::Instant;

use astra_emulator::Policy;
use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::warnings;
use crate::framework::format_seconds;
use crate::vault::Error;
use crate::vault::LeaseInfo;
use crate::vault::Operation;
use crate::vault::Response;

const TOKEN: &str = "AstraCS:FakeClientIdForDocsOnlyA:0000000000000000000000000000000000000000000000000000000000000000";

async fn mount() -> AstraMount {
    let mount = AstraMount::configured().await;
    let role = json!({"astra_roles": READER, "ttl": "5m"});
    mount.write("roles/ci", role).await.unwrap();
    mount
}

async fn minted(mount: &AstraMount, path: &str, reason: &str) -> Response {
    let data = json!({"reason": reason});
    let credential = mount.call(Operation::Read, path, data).await.unwrap();
    credential.unwrap()
}

fn client_id(credential: &Response) -> String {
    credential.data()["client_id"].as_str().unwrap().to_owned()
}

/// The description of a credential's token, as Astra has it.
fn described(mount: &AstraMount, credential: &Response) -> String {
    let token = mount.astra.token(&client_id(credential)).unwrap();
    token.description
}

#[tokio::test]
async fn each_wrong_input_is_refused_in_words() {
    let mount = mount().await;
    let no_name = |field: &str, name: &str| {
        format!(
            "{field}: {name:?} is not a name: use letters of English, digits and \"_\", and \
             between them also \"-\" and single \".\", 240 characters at most"
        )
    };
    let number = |text: &str| {
        format!(
            "Field validation failed: error converting input for field \"max_active\": {text:?} is \
             not a whole number in decimal digits, of at most 64 bits"
        )
    };
    let before = |what: &str| {
        format!("token: {what} before \"AstraCS:\": leave out what is not part of the token")
    };
    let empty = "token: it is empty: leave token out to keep the present one, or give a new one";
    let role = |field: &str, value: Value| json!({"astra_roles": READER, field: value});
    for (path, data, message) in [
        // F6
        ("config", json!({"token": ""}), empty.to_owned()),
        ("config", json!({"token": " \n"}), empty.to_owned()),
        ("config", json!({"token": null}), empty.to_owned()),
        // F10
        ("roles/n", role("max_active", "010".into()), number("010")),
        ("roles/n", role("max_active", "0x10".into()), number("0x10")),
        ("roles/n", role("max_active", "-01".into()), number("-01")),
        // W1
        (
            "config",
            json!({"token": format!("\u{feff}{TOKEN}")}),
            before(
                "there is a byte order mark, which editors do not show, at the start of the file",
            ),
        ),
        (
            "config",
            json!({"token": format!("\"{TOKEN}\"")}),
            before("there is a quotation mark"),
        ),
        (
            "config",
            json!({"token": format!("token={TOKEN}")}),
            before("there is other text"),
        ),
        (
            "config",
            json!({"token": format!("{TOKEN}\"")}),
            "token: there is a quotation mark after the token: leave out what is not part of the \
             token"
                .to_owned(),
        ),
        // W2, F9
        (
            "config",
            json!({"ca_cert": "/etc/ca.pem"}),
            "ca_cert: it looks like the name of a file: write ca_cert=@FILE, so that the file's \
             content is sent"
                .to_owned(),
        ),
        (
            "config",
            json!({"ca_cert": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}),
            "ca_cert: there is a block \"PRIVATE KEY\" in it, and only CERTIFICATE blocks are \
             taken: leave everything else out, a private key above all"
                .to_owned(),
        ),
        (
            "config",
            json!({"ca_cert": "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----"}),
            "ca_cert: line breaks are missing: give the file as it is, with ca_cert=@FILE"
                .to_owned(),
        ),
        // W3
        (
            "roles/a@b.com",
            role("ttl", 60.into()),
            no_name("name", "a@b.com"),
        ),
        ("roles/.a", role("ttl", 60.into()), no_name("name", ".a")),
        ("roles/a b", role("ttl", 60.into()), no_name("name", "a b")),
        ("config/ä", json!({}), no_name("name", "ä")),
        ("static-roles/a-", json!({}), no_name("name", "a-")),
        ("rotate-root/a@b", json!({}), no_name("name", "a@b")),
        // W11
        (
            "config",
            json!({"request_timeout": TOKEN}),
            "Field validation failed: error converting input for field \"request_timeout\": \
             \"AstraCS:[redacted]\"… is not a duration, in seconds or as text such as 90s, 1h30m or \
             7d: a number is missing; write for instance 90s, 30m, 1h30m or 7d"
                .to_owned(),
        ),
        (
            "config",
            json!({"verify": TOKEN}),
            "Field validation failed: error converting input for field \"verify\": \
             \"AstraCS:[redacted]\"… is not true or false"
                .to_owned(),
        ),
        // C5
        (
            "roles/n",
            json!({"astra_roles": READER, "ttl": "5h", "max_ttl": "1h"}),
            "ttl: 5h is longer than max_ttl, 1h: shorten ttl or lengthen max_ttl".to_owned(),
        ),
        (
            "static-roles/n",
            json!({"astra_roles": READER, "rotation_period": "1h", "overlap": "90m"}),
            "overlap: 1h30m is not less than the time between two rotations, 1h: shorten overlap \
             or rotate less often"
                .to_owned(),
        ),
        (
            "config",
            json!({"rotation_period": "30s"}),
            "rotation_period: 30s is out of range: give 1m or more, up to 100 years".to_owned(),
        ),
    ] {
        assert_eq!(
            mount.refusal(path, data.clone()).await,
            message,
            "{path} {data}"
        );
    }
    // Nothing was stored, and the present token stays.
    let read = mount.read_data("config").await;
    assert_eq!(read["ca_cert"], "");
    assert!(
        mount
            .call(Operation::Read, "creds/ci", json!({}))
            .await
            .is_ok()
    );
    // An empty list is still a list, and what is no path at all stays one.
    let nothing = mount.call(Operation::Read, "creds/a/b", json!({})).await;
    assert_eq!(nothing.err(), Some(Error::UnsupportedPath));
}

#[tokio::test]
async fn a_token_in_the_wrong_place_is_in_no_message() {
    let mount = mount().await;
    let secret = TOKEN.rsplit(':').next().unwrap();
    for (path, field) in [
        ("config", "verify"),
        ("config", "request_timeout"),
        ("config", "max_concurrent_requests"),
        ("config", "rotation_schedule"),
        ("config", "url"),
        ("config", "org_id"),
        ("config", "ca_cert"),
        ("config", TOKEN),
        ("roles/n", "astra_roles"),
        ("roles/n", "policy"),
        ("roles/n", "config"),
        ("roles/n", "database_id"),
        ("static-roles/n", TOKEN),
        ("tidy", "config"),
        ("tidy", TOKEN),
    ] {
        let text = match mount.write(path, json!({field: TOKEN})).await {
            Ok(written) => warnings(written).join(" "),
            Err(error) => error.to_string(),
        };
        assert!(!text.contains(&secret[..16]), "{path} {field}: {text}");
    }
}

#[tokio::test]
async fn a_reason_is_whole_in_astra_or_the_caller_is_told() {
    let mount = mount().await;
    let url = "https://gitlab.example.com/platform/payments-service/-/jobs/1234567890";
    for reason in [url, "原因調査 José", "OPS-1"] {
        let credential = minted(&mount, "creds/ci", reason).await;
        assert_eq!(credential.warnings(), Vec::<String>::new(), "{reason}");
        let description = described(&mount, &credential);
        assert!(
            description.ends_with(&format!(" for {reason}")),
            "{description}"
        );
    }
    let long = "x".repeat(400);
    let credential = minted(&mount, "creds/ci", &long).await;
    let description = described(&mount, &credential);
    let kept = description.matches('x').count();
    assert_eq!(description.len(), 255);
    assert!(kept > 100, "{description}");
    assert_eq!(
        credential.warnings(),
        [format!(
            "reason: only its first {kept} of 400 bytes fit into the token's description in Astra, \
             and nothing else keeps the rest: give a shorter one"
        )]
    );
}

#[tokio::test]
async fn a_description_that_does_not_fit_is_told_of_when_it_is_written() {
    let mount = mount().await;
    let long = "x".repeat(400);
    for (path, description, start) in [
        ("roles/d", long.as_str(), "description: only its first 1"),
        ("static-roles/d", &long, "description: only its first 1"),
        ("roles/d", "a\nb", "description: line breaks"),
        ("static-roles/d", "a\tb", "description: line breaks"),
        ("roles/d", "原因調査 José", ""),
        ("static-roles/d", "nightly", ""),
    ] {
        let mut data = json!({"astra_roles": READER, "description": description});
        if path.starts_with("static") {
            data["rotation_period"] = json!("24h");
        }
        let told = warnings(mount.write(path, data).await.unwrap());
        assert_eq!(told.is_empty(), start.is_empty(), "{path}: {told:?}");
        assert!(
            told.iter().all(|one| one.starts_with(start)),
            "{path}: {told:?}"
        );
        assert_eq!(mount.read_data(path).await["description"], description);
    }
}

#[tokio::test]
async fn a_message_about_a_very_long_value_keeps_its_remedy() {
    let mount = mount().await;
    let long = "x".repeat(1_000_000);
    for (path, field, remedy) in [
        ("config", "rotation_schedule", "\"0 3 * * SAT\""),
        ("roles/n", "astra_roles", "the nearest names are "),
        ("roles/n", "access", "give read-only, read-write or admin"),
        ("roles/n", "description_", "unrecognized parameters"),
    ] {
        let mut data = json!({field: long});
        if field == "description_" {
            data = json!({ "astra_roles": READER, long.as_str(): "1" });
        }
        let text = match mount.write(path, data).await {
            Ok(written) => warnings(written).join(" "),
            Err(error) => error.to_string(),
        };
        assert!(text.len() < 10_000, "{path} {field}: {} bytes", text.len());
        assert!(text.contains(" … ") && text.contains(remedy), "{text}");
    }
}

#[tokio::test]
async fn an_organization_that_keeps_less_is_remembered() {
    let mount = mount().await;
    let reason = "a reason that is long enough to make the description longer than 120 bytes, 原因";
    // It refuses a longer one.
    mount
        .astra
        .set_knobs(json!({"max_description": 130}))
        .unwrap();
    for requests in [2, 1] {
        let before = mount.all_requests();
        let credential = minted(&mount, "creds/ci", reason).await;
        let creates = mount.astra.journal().split_off(before);
        let creates = creates
            .iter()
            .filter(|entry| entry.method == "POST")
            .count();
        assert_eq!(creates, requests);
        let [warning] = credential.warnings() else {
            panic!("{:?}", credential.warnings());
        };
        assert!(warning.starts_with("reason: only its first "), "{warning}");
        let description = described(&mount, &credential);
        assert!(
            description.len() <= 120 && description.is_ascii(),
            "{description}"
        );
    }
}

#[tokio::test]
async fn an_organization_that_cuts_is_noticed_at_once() {
    let mount = mount().await;
    let reason = "a reason that is long enough to make the description longer than 120 bytes";
    mount
        .astra
        .set_knobs(json!({"truncate_description": 120}))
        .unwrap();
    for _ in 0..2 {
        let credential = minted(&mount, "creds/ci", reason).await;
        let description = described(&mount, &credential);
        let kept = description.split_once(" for ").unwrap().1;
        let kept = kept.trim_end_matches('~').len();
        let expected = format!(
            "reason: only its first {kept} of {} bytes fit",
            reason.len()
        );
        let [warning] = credential.warnings() else {
            panic!("{:?}", credential.warnings());
        };
        assert!(warning.starts_with(&expected), "{description}: {warning}");
    }
}

#[tokio::test]
async fn a_list_of_tokens_has_the_names_of_roles_whole() {
    let mount = mount().await;
    let name = "team-payments-europe-west1-production-order-service-with-a-name-beyond-all-room-in-a-description-ro-";
    let long = |end: &str| format!("{name}{}-{end}", "x".repeat(120));
    for end in ["a", "b"] {
        let path = format!("roles/{}", long(end));
        mount
            .write(&path, json!({"astra_roles": READER}))
            .await
            .unwrap();
        minted(&mount, &format!("creds/{}", long(end)), "OPS-1").await;
    }
    let listed = mount
        .call(Operation::List, "tokens/default/", json!({}))
        .await;
    let listed = listed.unwrap().unwrap();
    let info = listed.data()["key_info"].as_object().unwrap();
    let mut roles: Vec<&str> = info
        .values()
        .map(|one| one["role"].as_str().unwrap())
        .collect();
    roles.sort_unstable();
    assert_eq!(roles, [long("a"), long("b")]);
    for one in info.values() {
        assert_eq!(one["minted_for"], "by token-ci for OPS-1");
    }
}

#[tokio::test]
async fn a_renamed_astra_role_is_not_gone_and_a_deleted_one_is_noticed() {
    let mount = mount().await;
    let org = mount.astra.seeds().organizations[0].id.clone();
    let policy = || Policy {
        description: String::new(),
        resources: vec![format!("drn:astra:org:{org}")],
        actions: vec!["db-cql".to_owned()],
        effect: "allow".to_owned(),
    };
    let made = mount.astra.create_role(None, "Team A", policy()).unwrap();
    let role = json!({"astra_roles": "Team A", "ttl": "5m"});
    mount.write("roles/ren", role).await.unwrap();
    mount.astra.delete_role(&made.id).unwrap();
    let gone = format!(
        "astra_roles: \"Team A\" ({}) is no longer in the organization: write the role again with \
         astra_roles that exist",
        made.id
    );
    let written = mount
        .write("roles/ren", json!({"ttl": "6m"}))
        .await
        .unwrap();
    assert_eq!(warnings(written), std::slice::from_ref(&gone));
    let refused = mount.call(Operation::Read, "creds/ren", json!({})).await;
    let message = refused.err().unwrap().to_string();
    assert!(
        message.starts_with(&format!("role \"ren\": {gone} (")),
        "{message}"
    );
}

/// A renewal of `credential` that asks for `increment`.
async fn renewed(
    mount: &AstraMount,
    credential: &Response,
    increment: u64,
) -> Result<Vec<String>, Error> {
    let lease = credential.lease().unwrap();
    let info = LeaseInfo {
        internal_data: lease.internal_data.clone(),
        ttl: lease.ttl,
        max_ttl: lease.max_ttl,
        increment: Duration::from_secs(increment),
        issue_time: Some(mount.backend.engine.clock.now()),
        lease_id: String::new(),
    };
    mount.renew_lease(info).await.map(warnings)
}

#[tokio::test]
async fn a_renewal_warns_once_of_one_cap_and_never_of_none() {
    let mount = mount().await;
    let day = 86_400;
    for (ttl, max_ttl, increment, expected) in [
        ("5m", "1h", 0, vec![]),
        ("5m", "1h", 60, vec![]),
        // The host itself warns of it.
        ("5m", "1h", 2 * day, vec![]),
        ("0", "0", 0, vec![]),
        (
            "0",
            "10m",
            0,
            vec![
                "the mount's default_lease_ttl of 768h is capped at 10m, what is left of the \
                 role's max_ttl",
            ],
        ),
    ] {
        let role = json!({"astra_roles": READER, "ttl": ttl, "max_ttl": max_ttl});
        mount.write("roles/capped", role).await.unwrap();
        let begun = Instant::now();
        let credential = mount.call(Operation::Read, "creds/capped", json!({})).await;
        let credential = credential.unwrap().unwrap();
        let told = renewed(&mount, &credential, increment).await.unwrap();
        // What is left is in whole seconds, and less the busier the machine is.
        let most_gone = i64::try_from(begun.elapsed().as_secs()).unwrap() + 2;
        let as_at_first = |warning: String| {
            let shown = |gone: i64| format!("at {},", format_seconds(600 - gone));
            (1..=most_gone).fold(warning, |text, gone| text.replace(&shown(gone), "at 10m,"))
        };
        let told: Vec<String> = told.into_iter().map(as_at_first).collect();
        assert_eq!(told, expected, "{ttl} {max_ttl} {increment}");
    }
}

#[tokio::test]
async fn a_refused_renewal_is_an_error_and_no_error_response() {
    let mount = mount().await;
    let credential = minted(&mount, "creds/ci", "").await;
    mount
        .call(Operation::Delete, "roles/ci", json!({}))
        .await
        .unwrap();
    let refused = renewed(&mount, &credential, 0).await;
    assert_eq!(
        refused,
        Err(Error::Internal(
            "role \"ci\" does not exist any more, so its leases are not extended: the token stays \
             valid until its lease ends; read a credential of another role"
                .to_owned()
        ))
    );
}

#[tokio::test]
async fn what_makes_clients_hold_dead_tokens_is_a_warning() {
    let mount = mount().await;
    let expected = "overlap: with rotation_schedule, clients that know rotation_period only \
        (consul-template, Vault Agent) read every five minutes, and may hold a deleted token with \
        an overlap of 5m: give 10m or more, or use rotation_period";
    for (data, warned) in [
        (
            json!({"rotation_schedule": "0 * * * *", "overlap": "5m"}),
            true,
        ),
        (
            json!({"rotation_schedule": "0 * * * *", "overlap": "10m"}),
            false,
        ),
        (json!({"rotation_schedule": "0 3 * * *"}), false),
        (
            json!({"rotation_schedule": "", "rotation_period": "1h", "overlap": "5m"}),
            false,
        ),
    ] {
        let mut role = data.clone();
        role["astra_roles"] = READER.into();
        let written = mount.write("static-roles/s", role).await.unwrap();
        let told = warnings(written);
        assert_eq!(
            told.iter().any(|one| one == expected),
            warned,
            "{data}: {told:?}"
        );
        mount
            .call(Operation::Delete, "static-roles/s", json!({}))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_config_in_use_names_only_what_there_is() {
    let mount = mount().await;
    let message = mount.call(Operation::Delete, "config", json!({})).await;
    assert_eq!(
        message.err().unwrap().to_string(),
        "config \"default\" is in use: roles ci. Delete those roles first, or delete with \
         force=true"
    );
    minted(&mount, "creds/ci", "").await;
    mount
        .call(Operation::Delete, "roles/ci", json!({}))
        .await
        .unwrap();
    let message = mount.call(Operation::Delete, "config", json!({})).await;
    assert_eq!(
        message.err().unwrap().to_string(),
        "config \"default\" is in use: live tokens (1). Revoke those leases first, or delete with \
         force=true"
    );
}

#[tokio::test]
async fn only_certificates_are_stored_of_a_ca_cert() {
    let mount = mount().await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem().replace("\r\n", "\n");
    let token = mount.astra.root_token();
    let with_text = json!({"token": token, "ca_cert": format!("subject=/CN=x\n{pem}")});
    let written = mount.write("config", with_text).await.unwrap();
    assert_eq!(
        warnings(written),
        ["ca_cert: what stands outside of the CERTIFICATE blocks was not stored"]
    );
    assert_eq!(mount.read_data("config").await["ca_cert"], pem);
    let written = mount
        .write("config", json!({"ca_cert": pem}))
        .await
        .unwrap();
    assert_eq!(warnings(written), Vec::<String>::new());
}
