//! The lease: extending it and ending it.

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::LatencyPoint;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::engine::testing::not_renewed;
use crate::engine::testing::on_lease;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Error;
use crate::vault::Lease;
use crate::vault::Operation;

/// Renews a lease that began `age` seconds ago and whose token ends `left` seconds from now.
async fn renewed(
    mount: &AstraMount,
    credential: &Credential,
    age: i64,
    left: i64,
) -> Result<Lease, Error> {
    let now = OffsetDateTime::now_utc();
    let mut request = on_lease(Operation::Renew, credential);
    let lease = request.lease.as_mut().unwrap();
    lease.issue_time = Some(now - time::Duration::seconds(age));
    let expiry = now + time::Duration::seconds(left);
    let expiry = Value::from(expiry.format(&Rfc3339).unwrap());
    lease.internal_data.insert("expires_at".to_owned(), expiry);
    let response = mount.handle(request).await?.unwrap();
    Ok(response.lease().unwrap().clone())
}

/// Whether `lease` lasts `seconds`, give or take what the test takes.
fn lasts(lease: &Lease, seconds: u64) -> bool {
    (seconds.saturating_sub(20)..=seconds).contains(&lease.ttl.as_secs())
}

fn status(status: u16) -> Fault {
    Fault::Status {
        status,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    }
}

#[tokio::test]
async fn a_renewal_keeps_the_full_ttl_until_the_tokens_end_is_near() {
    let mount = AstraMount::mounted().await;
    let role = json!({"ttl": 3_600, "max_ttl": 36_000});
    mount.write("roles/reader", role).await.unwrap();
    let credential = mount.mint("reader").await.unwrap();
    let requests = mount.astra.journal().len();
    let lease = renewed(&mount, &credential, 0, 36_600).await.unwrap();
    assert_eq!(lease.ttl, Duration::from_secs(3_600));
    assert!(lease.renewable);
    assert_eq!(lease.internal_data["client_id"], credential.client_id);
    // Half an hour is left, besides the ten minutes of grace.
    let lease = renewed(&mount, &credential, 34_200, 2_400).await.unwrap();
    assert!(lasts(&lease, 1_800), "{lease:?}");
    // Less than the grace is left.
    for left in [600, 1, -5] {
        let error = renewed(&mount, &credential, 36_000, left).await;
        let Err(Error::Internal(text)) = error else {
            panic!("{error:?}");
        };
        assert!(text.starts_with("the token reaches its end at "), "{text}");
        assert!(text.ends_with("read a new credential"), "{text}");
    }
    assert_eq!(
        mount.astra.journal().len(),
        requests,
        "nothing is asked of Astra"
    );
}

#[tokio::test]
async fn a_renewal_follows_the_role_as_it_is_now() {
    let mount = AstraMount::mounted().await;
    let role = json!({"ttl": 3_600, "max_ttl": 36_000});
    mount.write("roles/reader", role).await.unwrap();
    let credential = mount.mint("reader").await.unwrap();
    mount
        .write("roles/reader", json!({"ttl": 60}))
        .await
        .unwrap();
    let response = mount.renew(&credential).await.unwrap().unwrap();
    assert_eq!(response.lease().unwrap().ttl, Duration::from_secs(60));
    // A more generous role cannot move the token's end.
    let role = json!({"ttl": 100_000, "max_ttl": 200_000});
    mount.write("roles/reader", role).await.unwrap();
    let response = mount.renew(&credential).await.unwrap().unwrap();
    assert!(lasts(response.lease().unwrap(), 36_000));

    mount.delete("roles/reader", json!({})).await.unwrap();
    let text = not_renewed(mount.renew(&credential).await);
    assert_eq!(
        text,
        "role \"reader\" does not exist any more, so its leases are not extended: the token stays \
         valid until its lease ends; read a credential of another role"
    );
    mount.revoke(&credential).await.unwrap();
    mount.assert_clean(&[], "revoked without its role");
}

#[tokio::test]
async fn a_lease_is_revoked_however_often_the_host_asks() {
    for answer in ["not_found", "bad_request", "no_content", "server_error"] {
        let mount = AstraMount::mounted().await;
        mount
            .astra
            .set_knobs(json!({"delete_missing": answer}))
            .unwrap();
        let credential = mount.mint("reader").await.unwrap().aged();
        for _ in 0..2 {
            assert!(mount.revoke(&credential).await.unwrap().is_none());
            mount.assert_clean(&[], answer);
        }
    }
}

#[tokio::test]
async fn any_success_of_a_deletion_is_one() {
    for reply in ["no_content", "ok_empty", "ok_object"] {
        let mount = AstraMount::mounted().await;
        mount
            .astra
            .set_knobs(json!({"delete_status": reply}))
            .unwrap();
        let credential = mount.mint("reader").await.unwrap();
        assert!(mount.revoke(&credential).await.unwrap().is_none());
        assert_eq!(
            mount.requests("GET", "/v2/clientIdSecrets"),
            1,
            "as verified"
        );
    }
}

#[tokio::test]
async fn a_token_that_vanished_is_taken_for_revoked_only_by_the_list() {
    let mount = AstraMount::mounted().await;
    let credential = mount.mint("reader").await.unwrap().aged();
    mount.astra.revoke_token(&credential.client_id).unwrap();
    mount.fault("GET", "/v2/clientIdSecrets", status(403));
    let error = mount.revoke(&credential).await.err().unwrap();
    let text = error.to_string();
    assert!(
        matches!(error, Error::Internal(_)),
        "the host tries again: {error:?}"
    );
    assert!(text.contains(&credential.client_id), "{text}");
    // The right that is missing, not the answer that needed the list.
    assert!(
        text.contains("the root token may not do GET /v2/clientIdSecrets"),
        "{text}"
    );
    mount.astra.clear_faults();
    assert!(mount.revoke(&credential).await.unwrap().is_none());
}

#[tokio::test]
async fn tokens_that_vanished_together_share_lists() {
    let mount = Arc::new(AstraMount::mounted().await);
    let mut issued = Vec::new();
    for _ in 0..100 {
        let credential = mount.mint("reader").await.unwrap().aged();
        mount.astra.revoke_token(&credential.client_id).unwrap();
        issued.push(credential);
    }
    // Slow enough that all ask while a list is in flight.
    mount.astra.set_knobs(json!({"latency_ms": 50})).unwrap();
    let before = mount.requests("GET", "/v2/clientIdSecrets");
    let revocations: Vec<_> = issued
        .into_iter()
        .map(|credential| {
            let mount = Arc::clone(&mount);
            tokio::spawn(async move { mount.revoke(&credential).await })
        })
        .collect();
    for revocation in revocations {
        assert!(revocation.await.unwrap().unwrap().is_none());
    }
    let lists = mount.requests("GET", "/v2/clientIdSecrets") - before;
    assert!(lists <= 20, "{lists} lists for 100 revocations");
    mount.assert_clean(&[], "revoked");
}

#[tokio::test]
async fn a_lying_404_does_not_lose_a_live_token() {
    let mount = AstraMount::mounted().await;
    let credential = mount.mint("reader").await.unwrap();
    for lie in [status(404), status(400), status(410), status(403)] {
        mount.fault("DELETE", "*", lie);
        assert!(mount.revoke(&credential).await.is_err());
        mount.astra.clear_faults();
        mount.assert_clean(&[&credential], "the lease stays");
    }
    mount.revoke(&credential).await.unwrap();
    mount.assert_clean(&[], "revoked in the end");
}

#[tokio::test]
async fn the_oldest_layout_of_a_lease_is_still_revoked() {
    let mount = AstraMount::mounted().await;
    let credential = mount.mint("reader").await.unwrap();
    let mut request = on_lease(Operation::Revoke, &credential);
    let lease = request.lease.as_mut().unwrap();
    lease
        .internal_data
        .retain(|name, _| ["client_id", "secret_type"].contains(&name.as_str()));
    assert_eq!(lease.internal_data.len(), 2);
    let mut renewal = request.clone();
    renewal.operation = Operation::Renew;
    assert!(mount.handle(request).await.unwrap().is_none());
    mount.assert_clean(&[], "revoked");
    let text = not_renewed(mount.handle(renewal).await);
    assert!(
        text.starts_with("role \"\" does not exist any more"),
        "{text}"
    );
}

#[tokio::test]
async fn a_lease_that_this_engine_did_not_write_is_a_clear_error() {
    let mount = AstraMount::mounted().await;
    let credential = mount.mint("reader").await.unwrap();
    let layouts = [
        json!({"secret_type": "astra_token"}),
        json!({"secret_type": "astra_token", "client_id": 7}),
        json!({"secret_type": "astra_token", "client_id": "x", "expires_at": "soon"}),
        json!({"secret_type": "astra_token", "client_id": "x", "config": ["default"]}),
    ];
    for layout in layouts {
        for operation in [Operation::Revoke, Operation::Renew] {
            let mut request = on_lease(operation, &credential);
            let internal_data = layout.as_object().unwrap().clone();
            request.lease.as_mut().unwrap().internal_data = internal_data;
            assert_eq!(
                mount.handle(request).await.err(),
                Some(Error::Internal(
                    "the lease's internal data is not what this engine wrote".to_owned()
                )),
                "{layout}"
            );
        }
    }
    // Whatever the client id is, it does not reach another path.
    let mut request = on_lease(Operation::Revoke, &credential);
    let lease = request.lease.as_mut().unwrap();
    lease
        .internal_data
        .insert("client_id".to_owned(), "../currentOrg".into());
    let error = mount.handle(request).await.err().unwrap();
    assert!(
        error.to_string().contains("no request was sent to Astra"),
        "{error}"
    );
    mount.assert_clean(&[&credential], "nothing is deleted");
}

#[tokio::test]
async fn without_its_config_a_lease_says_what_to_do() {
    let mount = AstraMount::mounted().await;
    let credential = mount.mint("reader").await.unwrap();
    mount
        .delete("config", json!({"force": true}))
        .await
        .unwrap();
    let text = mount.revoke(&credential).await.err().unwrap().to_string();
    let expected = format!(
        "config \"default\" is gone, so the token with client id {} cannot be deleted: write the \
         config again, or delete the token in Astra and then force the revocation; it ends by \
         itself at {}",
        credential.client_id,
        credential.text("expires_at")
    );
    assert_eq!(text, expected);
    let config = mount.config(json!({}));
    mount.write("config", config).await.unwrap();
    mount.revoke(&credential).await.unwrap();
    mount.assert_clean(&[], "revoked");
}

#[tokio::test]
async fn in_another_organization_nothing_is_deleted() {
    let mount = AstraMount::mounted().await;
    let orgs = mount.astra.seeds().organizations;
    let credential = mount.mint("reader").await.unwrap();
    let forced = json!({"token": orgs[2].root_token, "force": true});
    mount.write("config", forced).await.unwrap();
    let text = mount.revoke(&credential).await.err().unwrap().to_string();
    let start = format!(
        "the token with client id {} is in organization {}, but config \"default\" is now for {}",
        credential.client_id, orgs[0].id, orgs[2].id
    );
    assert!(text.starts_with(&start), "{text}");
    mount.assert_clean(&[&credential], "it stays");
}

/// A moved config's leases end by another config of their organization, whichever root token of it works.
#[tokio::test]
async fn a_token_in_the_organization_of_another_config_is_revoked_with_its_root_token() {
    for is_broken in [false, true] {
        let mount = AstraMount::mounted().await;
        let orgs = mount.astra.seeds().organizations;
        let credential = mount.mint("reader").await.unwrap();
        let roots: Vec<String> = (0..2).map(|_| mount.another_root_token()).collect();
        for (name, root) in ["a", "b"].into_iter().zip(&roots) {
            mount.write_config(name, root).await;
        }
        let forced = json!({"token": orgs[2].root_token, "force": true});
        let moved = warnings(mount.write("config", forced).await.unwrap());
        let tells = |text: &String| text.contains("leased tokens");
        assert!(!moved.iter().any(tells), "{moved:?}");
        for root in &roots[..if is_broken { 2 } else { 1 }] {
            let client_id = root.split(':').nth(1).unwrap();
            mount.astra.revoke_token(client_id).unwrap();
        }
        let revoked = mount.revoke(&credential).await;
        assert_eq!(revoked.is_err(), is_broken);
        assert_eq!(mount.is_live(&credential.client_id), is_broken);
    }
}

/// Written again without being tried, the config does not say for which organization it is.
#[tokio::test]
async fn a_config_of_an_unknown_organization_does_not_lose_a_token_of_another() {
    let mount = AstraMount::mounted().await;
    let orgs = mount.astra.seeds().organizations;
    let credential = mount.mint("reader").await.unwrap().aged();
    let forced = mount.delete("config", json!({"force": true})).await;
    forced.unwrap();
    let untried = mount.config(json!({"token": orgs[2].root_token, "verify": false}));
    mount.write("config", untried).await.unwrap();
    let text = mount.revoke(&credential).await.err().unwrap().to_string();
    let end = format!("give the config a root token of {}", orgs[0].id);
    assert!(text.contains(&end), "{text}");
    assert_eq!(mount.live(), std::slice::from_ref(&credential.client_id));
    let token = mount.config(json!({"force": true}));
    mount.write("config", token).await.unwrap();
    mount.revoke(&credential).await.unwrap();
    mount.assert_clean(&[], "it is revoked");
}

#[tokio::test]
async fn the_list_of_another_organization_is_no_evidence() {
    for is_written_again in [false, true] {
        let mount = AstraMount::mounted().await;
        let other = &mount.astra.seeds().organizations[2];
        let credential = mount.mint("reader").await.unwrap().aged();
        let mut untried =
            json!({"token": other.root_token, "url": mount.astra.url(), "verify": false});
        if is_written_again {
            let force = json!({"force": true});
            mount.delete("config", force).await.unwrap();
        } else {
            untried["force"] = true.into();
        }
        mount.write("config", untried).await.unwrap();
        // As of a token that it does not know, so that only the list can tell.
        mount.fault("DELETE", "*", status(404));
        let text = mount.revoke(&credential).await.err().unwrap().to_string();
        assert!(text.contains("organization"), "{text}");
        mount.assert_clean(&[&credential], "it stays");
    }
}

/// What cannot be deleted counts as ended only once both clocks say so: this node's may have been set.
#[tokio::test]
async fn no_clock_alone_ends_a_token_that_cannot_be_deleted() {
    let longer = Duration::from_secs(40 * 86_400);
    for is_ahead in [true, false] {
        let mut mount = AstraMount::mounted().await;
        let credential = mount.mint("reader").await.unwrap();
        let other = &mount.astra.seeds().organizations[2];
        let untried = json!({"token": other.root_token, "verify": false, "force": true});
        mount.write("config", untried).await.unwrap();
        match is_ahead {
            true => mount.restart_ahead(longer),
            false => mount.astra.advance_clock(longer),
        }
        let text = mount.revoke(&credential).await.err().unwrap().to_string();
        assert!(text.contains("organization"), "{text}");
        if is_ahead {
            mount.astra.advance_clock(longer);
        }
        // A new process has not heard what time it was for Astra.
        mount.restart_ahead(longer);
        mount.revoke(&credential).await.unwrap();
        assert!(mount.live().is_empty());
    }
}

#[tokio::test]
async fn what_astra_ended_by_itself_needs_no_revocation() {
    let mount = AstraMount::mounted().await;
    let credential = mount.mint("reader").await.unwrap();
    mount
        .delete("config", json!({"force": true}))
        .await
        .unwrap();
    let mut request = on_lease(Operation::Revoke, &credential);
    let lease = request.lease.as_mut().unwrap();
    lease
        .internal_data
        .insert("expires_at".to_owned(), "2020-01-01T00:00:00Z".into());
    assert!(mount.handle(request).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_that_ended_by_itself_is_deleted_all_the_same_where_that_can_be_done() {
    let mount = AstraMount::mounted().await;
    let credential = mount.mint("reader").await.unwrap();
    let mut request = on_lease(Operation::Revoke, &credential);
    let lease = request.lease.as_mut().unwrap();
    lease
        .internal_data
        .insert("expires_at".to_owned(), "2020-01-01T00:00:00Z".into());
    // The clock of this node alone does not tell that the token is dead.
    mount.handle(request.clone()).await.unwrap();
    mount.assert_clean(&[], "revoked");
    mount.fault("DELETE", "*", status(403));
    mount.handle(request).await.unwrap();
}

#[test]
fn a_young_token_that_astra_does_not_know_is_not_taken_for_revoked() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines {
            late_create_window: Duration::from_secs(2),
            ..Deadlines::default()
        });
        mount.mount().await;
        let unseen = json!({"create_visible_after_ms": 1_500, "create_visible_scope": "all"});
        mount.astra.set_knobs(unseen).unwrap();
        let credential = mount.mint("reader").await.unwrap();
        let error = mount.revoke(&credential).await.err().unwrap();
        assert!(matches!(error, Error::Internal(_)), "{error:?}");
        assert!(error.to_string().contains("tried again"), "{error}");
        // The host tries again.
        while mount.revoke(&credential).await.is_err() {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        mount.astra.advance_clock(Duration::from_secs(10));
        mount.assert_clean(&[], "no success while the token lives");
    });
}

/// Astra looks when it is asked; that the token is old by the time the answer is here proves nothing.
#[test]
fn a_token_that_gets_old_while_astra_answers_is_not_taken_for_revoked() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let unseen = json!({"create_visible_after_ms": 20_000, "create_visible_scope": "all"});
        mount.astra.set_knobs(unseen).unwrap();
        let credential = mount.mint("reader").await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let slow = Fault::Latency {
            ms: 25_000,
            max_ms: None,
            at: LatencyPoint::AfterCommit,
        };
        mount.fault_once("GET", "/v2/clientIdSecrets", slow);
        let error = mount.revoke(&credential).await.err().unwrap();
        assert!(error.to_string().contains("tried again"), "{error}");
        assert!(mount.is_live(&credential.client_id));
        mount.revoke(&credential).await.unwrap();
        mount.assert_clean(&[], "no success while the token lives");
    });
}

/// A lease that was made while this node's clock was ahead does not stay young for as long as that.
#[tokio::test]
async fn astras_clock_decides_how_old_a_token_is() {
    let ahead = Duration::from_secs(3 * 3_600);
    // Leases of older versions tell only by how much the clocks differed.
    for (is_old, tells) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut mount = AstraMount::mounted().await;
        let credential = mount.mint("reader").await.unwrap();
        let mut request = on_lease(Operation::Revoke, &credential);
        let data = &mut request.lease.as_mut().unwrap().internal_data;
        let time = |text: &Value| OffsetDateTime::parse(text.as_str().unwrap(), &Rfc3339).unwrap();
        let (minted, end) = (data["minted_at"].clone(), data["expires_at"].clone());
        for field in ["minted_at", "expires_at"] {
            let later = time(&data[field]) + ahead;
            data.insert(field.to_owned(), later.format(&Rfc3339).unwrap().into());
        }
        data.insert("astra_expires_at".to_owned(), end);
        if tells {
            data.insert("minted_by_astra".to_owned(), minted);
        }
        // It goes without a process that remembers it.
        mount.revoke(&credential).await.unwrap();
        mount.restart();
        mount.mount().await;
        if is_old {
            mount.astra.advance_clock(Duration::from_secs(3_600));
        }
        let revoked = mount.handle(request).await;
        assert_eq!(revoked.is_ok(), is_old, "{:?}", revoked.err());
    }
}

/// A process that was started since does not know that this node's clock was set forward; the lease tells
/// when its token was minted by Astra's.
#[test]
fn a_clock_that_was_set_forward_before_a_restart_makes_no_token_old() {
    virtual_time::run(1, async {
        let mut mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let unseen = json!({"create_visible_after_ms": 20_000, "create_visible_scope": "all"});
        mount.astra.set_knobs(unseen).unwrap();
        let credential = mount.mint("reader").await.unwrap();
        mount.restart_ahead(Duration::from_secs(40));
        let error = mount.revoke(&credential).await.err().unwrap();
        assert!(error.to_string().contains("tried again"), "{error}");
        assert!(mount.is_live(&credential.client_id));
        tokio::time::sleep(Duration::from_secs(31)).await;
        mount.revoke(&credential).await.unwrap();
        mount.assert_clean(&[], "no success while the token lives");
    });
}
