//! `creds`: what a caller receives, and what is told of it.

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::READER_ID;
use crate::vault::Error;
use crate::vault::FailureStatus;
use crate::vault::Operation;

const DAY: u64 = 86_400;

fn time(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap()
}

#[tokio::test]
async fn a_credential_is_what_astra_made() {
    let mount = AstraMount::mounted().await;
    let role = json!({"ttl": "1h", "max_ttl": "1d", "description": "nightly"});
    mount.write("roles/reader", role).await.unwrap();
    let asked = json!({"reason": "OPS-1"});
    let credential = mount.mint_with("reader", asked).await.unwrap();
    assert_eq!(credential.warnings, Vec::<String>::new());
    let names: Vec<&str> = credential.data.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "client_id",
            "client_secret",
            "expires_at",
            "org_id",
            "token"
        ]
    );
    assert!(credential.data.values().all(serde_json::Value::is_string));
    let token = mount.astra.token(&credential.client_id).unwrap();
    assert_eq!(credential.text("org_id"), token.org_id);
    assert_eq!(token.roles, [READER_ID]);
    let known = mount.astra.tokens(true);
    let known = known
        .iter()
        .find(|known| known.client_id == credential.client_id)
        .unwrap();
    assert_eq!(known.token.as_deref(), Some(credential.text("token")));
    assert_eq!(
        known.secret.as_deref(),
        Some(credential.text("client_secret"))
    );
    assert_eq!(
        time(credential.text("expires_at")),
        time(token.token_expiry.as_deref().unwrap())
    );
    // Ten minutes of grace after the longest life.
    let life = time(credential.text("expires_at")) - OffsetDateTime::now_utc();
    let whole = Duration::from_secs(DAY + 600);
    assert!(
        life <= whole && life > whole - Duration::from_secs(30),
        "{life}"
    );
    let (tag, rest) = token.description.split_once(' ').unwrap();
    assert!(tag.starts_with("vault:"), "{tag}");
    assert_eq!(rest, "reader by token-ci for OPS-1 nightly");
    assert_eq!(credential.lease.ttl, Duration::from_secs(3_600));
    assert_eq!(credential.lease.max_ttl, Duration::from_secs(DAY));
    assert!(credential.lease.renewable);
    let kept = serde_json::to_string(&credential.lease.internal_data).unwrap();
    assert!(!kept.contains(credential.text("client_secret")));
    assert!(!kept.contains(credential.text("token")));
    mount.assert_clean(&[&credential], "after a mint");
}

#[tokio::test]
async fn a_write_mints_like_a_read() {
    let mount = AstraMount::mounted().await;
    let minted = mount
        .call(Operation::Update, "creds/reader", json!({"ttl": 60}))
        .await;
    let response = minted.unwrap().unwrap();
    assert_eq!(response.lease().unwrap().ttl, Duration::from_secs(60));
    assert_eq!(response.data().len(), 5);
}

#[tokio::test]
async fn a_role_or_config_that_is_missing_is_named() {
    let mount = AstraMount::mounted().await;
    assert_eq!(
        mount.mint("missing").await.err(),
        Some(Error::BadRequest(
            "role \"missing\" does not exist: write it first, at roles/missing".to_owned()
        ))
    );
    mount
        .delete("config", json!({"force": true}))
        .await
        .unwrap();
    assert_eq!(
        mount.mint("reader").await.err(),
        Some(Error::BadRequest(
            "config \"default\" does not exist: write it first, with token=… at config/default"
                .to_owned()
        ))
    );
}

#[tokio::test]
async fn each_cap_is_named_in_a_warning() {
    let mut mount = AstraMount::mounted().await;
    let max = 768 * 3_600;
    let role = json!({"ttl": max + 1, "max_ttl": max + 2});
    let warnings = mount.write("roles/reader", role).await.unwrap().unwrap();
    let shorter = format!(
        "is longer than the mount's max_lease_ttl, {}h, which caps it",
        max / 3_600
    );
    assert_eq!(warnings.warnings().len(), 2);
    for (warning, start) in warnings.warnings().iter().zip(["ttl: ", "max_ttl: "]) {
        assert!(
            warning.starts_with(start) && warning.contains(&shorter),
            "{warning}"
        );
    }
    let credential = mount.mint("reader").await.unwrap();
    assert_eq!(credential.lease.max_ttl, Duration::from_secs(max));
    let capped = "is capped at 768h, the mount's max_lease_ttl";
    assert_eq!(credential.warnings.len(), 2, "{:?}", credential.warnings);
    assert!(
        credential
            .warnings
            .iter()
            .all(|warning| warning.contains(capped))
    );

    let role = json!({"ttl": 60, "max_ttl": 3_600});
    mount.write("roles/reader", role).await.unwrap();
    let asked = json!({"ttl": "2m"});
    let credential = mount.mint_with("reader", asked).await.unwrap();
    assert_eq!(
        credential.warnings,
        ["the requested ttl of 2m is capped at 1m, the role's ttl"]
    );
    assert_eq!(credential.lease.ttl, Duration::from_secs(60));
    let asked = json!({"ttl": 30});
    let credential = mount.mint_with("reader", asked).await.unwrap();
    assert_eq!(credential.warnings, Vec::<String>::new());
    assert_eq!(credential.lease.ttl, Duration::from_secs(30));

    // A mount that was tuned down since.
    mount.system.max_lease_ttl = Duration::from_secs(600);
    mount.system.default_lease_ttl = Duration::from_secs(600);
    mount.restart();
    let credential = mount.mint("reader").await.unwrap();
    assert_eq!(credential.lease.max_ttl, Duration::from_secs(600));
    assert_eq!(
        credential.warnings,
        ["the role's max_ttl of 1h is capped at 10m, the mount's max_lease_ttl"]
    );
}

#[tokio::test]
async fn the_organizations_maximum_caps_the_lease_and_is_named() {
    let mount = AstraMount::mounted().await;
    let knobs = json!({"org_max_token_expiry_s": 3_600, "org_max_token_expiry_mode": "clamp"});
    mount.astra.set_knobs(knobs).unwrap();
    // The lease ends the grace before the token.
    let credential = mount.mint("reader").await.unwrap();
    assert!(
        credential.lease.max_ttl <= Duration::from_secs(3_000)
            && credential.lease.max_ttl > Duration::from_secs(2_900),
        "{:?}",
        credential.lease
    );
    assert!(credential.lease.ttl <= credential.lease.max_ttl);
    let warning = credential.warnings.last().unwrap();
    assert!(
        warning.ends_with("the maximum token expiry of the organization"),
        "{warning}"
    );
    let token = mount.astra.token(&credential.client_id).unwrap();
    assert_eq!(
        time(credential.text("expires_at")),
        time(token.token_expiry.as_deref().unwrap())
    );
}

#[tokio::test]
async fn an_organization_that_keeps_no_descriptions_or_expiries_is_told_of() {
    let mount = AstraMount::mounted().await;
    let knobs = json!({"ignore_description": true, "ignore_expiry": true});
    mount.astra.set_knobs(knobs).unwrap();
    let credential = mount.mint("reader").await.unwrap();
    let told = [
        "the organization does not keep descriptions: a token whose answer is lost cannot be \
         found again",
        "the organization does not keep expiries: only the end of the lease ends this token",
    ];
    assert_eq!(credential.warnings, told);
    // By the second it is known that tokens cannot be counted; the role has no limit to say it of.
    let second = mount.mint("reader").await.unwrap();
    assert_eq!(second.warnings, told);
    mount.revoke(&second).await.unwrap();
    assert_eq!(credential.text("expires_at"), "");
    let status = mount.read("status").await.unwrap();
    assert_eq!(status["configs"]["default"]["ignores_description"], true);
    assert_eq!(status["configs"]["default"]["ignores_expiry"], true);
    mount.tick().await;
    mount.assert_clean(&[&credential], "a tick leaves it alone");
    mount.revoke(&credential).await.unwrap();
    mount.assert_clean(&[], "after its revocation");
}

#[tokio::test]
async fn an_organization_that_cuts_descriptions_short_still_mints() {
    for kept in [0, 10, 40, 60, 80] {
        let mount = AstraMount::mounted().await;
        mount
            .astra
            .set_knobs(json!({"truncate_description": kept}))
            .unwrap();
        let credential = mount.mint("reader").await.unwrap();
        mount.assert_clean(&[&credential], "a cut description");
        // Where the tag survives, nothing is lost.
        let told = usize::from(kept < 80);
        assert_eq!(
            credential.warnings.len(),
            told,
            "{kept}: {:?}",
            credential.warnings
        );
        mount.revoke(&credential).await.unwrap();
        mount.assert_clean(&[], "a cut description");
    }
}

#[tokio::test]
async fn a_refusal_to_mint_says_what_astra_said() {
    let mount = AstraMount::mounted().await;
    mount
        .astra
        .set_knobs(json!({"max_tokens": 1, "max_tokens_status": 403}))
        .unwrap();
    let error = mount.mint("reader").await.unwrap_err();
    let Error::Status {
        status: FailureStatus::BAD_GATEWAY,
        message,
    } = error
    else {
        panic!("{error:?}");
    };
    assert!(
        message
            .starts_with("config \"default\": cannot mint a token: the root token may not do POST"),
        "{message}"
    );
    assert!(
        message.contains("the organization has too many tokens"),
        "{message}"
    );
    mount.assert_clean(&[], "refused");
}

#[tokio::test]
async fn a_role_that_has_vanished_in_astra_is_a_clear_error() {
    let mount = AstraMount::mounted().await;
    let org = &mount.astra.seeds().organizations[0].id;
    let policy = astra_emulator::Policy {
        description: String::new(),
        resources: vec![format!("drn:astra:org:{org}")],
        actions: vec!["db-cql".to_owned()],
        effect: "allow".to_owned(),
    };
    let custom = mount.astra.create_role(None, "Custom", policy).unwrap();
    let role = json!({"astra_roles": ["Custom", READER]});
    mount.write("roles/both", role).await.unwrap();
    let both = mount.mint("both").await.unwrap();
    let token = mount.astra.token(&both.client_id).unwrap();
    assert_eq!(token.roles.len(), 2);
    mount.astra.delete_role(&custom.id).unwrap();
    let error = mount.mint("both").await.unwrap_err().to_string();
    assert!(
        error.contains("Astra does not know the object of POST"),
        "{error}"
    );
    assert!(error.contains(&custom.id), "{error}");
    mount.assert_clean(&[&both], "refused");
}
