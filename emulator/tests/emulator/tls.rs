//! TLS: the good certificate and the bad ones.

use astra_emulator::Certificate;
use astra_emulator::Options;
use serde_json::json;

use crate::harness::*;

fn trusting(astra: &Astra) -> reqwest::Client {
    let pem = astra.emulator.ca_pem().unwrap();
    let ca = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    // A kept connection would hide the certificate.
    client()
        .tls_certs_only([ca])
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

async fn status(http: &reqwest::Client, url: &str, token: &str) -> Result<u16, String> {
    let sent = http
        .get(format!("{url}/v2/currentOrg"))
        .bearer_auth(token)
        .send()
        .await;
    sent.map(|response| response.status().as_u16())
        .map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn the_main_listener_changes_its_certificate() {
    let options = Options {
        tls: true,
        ..Options::default()
    };
    let astra = Astra::with(options).await;
    assert!(astra.emulator.url().starts_with("https://127.0.0.1:"));
    let (http, url, token) = (
        trusting(&astra),
        astra.emulator.url(),
        astra.emulator.root_token(),
    );
    assert_eq!(status(&http, &url, &token).await, Ok(200));
    for (kind, text) in [
        ("tls_wrong_host", "NotValidForName"),
        ("tls_expired", "Expired"),
        ("tls_unknown_ca", "UnknownIssuer"),
    ] {
        let id = astra.fault(json!({"fault": {"kind": kind}}));
        let error = status(&http, &url, &token).await.unwrap_err();
        assert!(error.contains(text), "{kind}: {error}");
        assert!(astra.emulator.remove_fault(id).unwrap());
        assert_eq!(status(&http, &url, &token).await, Ok(200), "{kind} is over");
    }
    // Without the CA nothing is trusted.
    assert!(status(&astra.http, &url, &token).await.is_err());
}

#[tokio::test]
async fn alternative_listeners() {
    let astra = Astra::new().await;
    assert_eq!(astra.emulator.ca_pem(), None);
    let url = astra.emulator.tls_url(Certificate::Good).unwrap();
    assert_eq!(astra.emulator.tls_url(Certificate::Good).unwrap(), url);
    let (http, token) = (trusting(&astra), astra.emulator.root_token());
    assert_eq!(status(&http, &url, &token).await, Ok(200));
    for certificate in [
        Certificate::WrongHost,
        Certificate::Expired,
        Certificate::UnknownCa,
    ] {
        let url = astra.emulator.tls_url(certificate).unwrap();
        assert!(
            status(&http, &url, &token).await.is_err(),
            "{certificate:?}"
        );
    }
    let control = format!("{}/control/listeners", astra.emulator.control_url());
    let listener = astra
        .http
        .post(control)
        .json(&json!({"kind": "tls_expired"}));
    let listener = parsed(&got(listener.send().await.unwrap()).await);
    assert!(
        listener["url"]
            .as_str()
            .unwrap()
            .starts_with("https://127.0.0.1:")
    );
    assert!(
        listener["ca_pem"]
            .as_str()
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
}

#[tokio::test]
async fn resets_and_delivery_work_under_tls() {
    let options = Options {
        tls: true,
        ..Options::default()
    };
    let astra = Astra::with(options).await;
    let http = trusting(&astra);
    let create = || {
        http.post(format!("{}/v2/clientIdSecrets", astra.emulator.url()))
            .bearer_auth(astra.emulator.root_token())
            .json(&json!({"roles": [API_RO_USER]}))
            .send()
    };
    assert_eq!(create().await.unwrap().status(), 200);
    assert_eq!(astra.emulator.invariants().orphans, 0);
    astra.fault(json!({"fault": {"kind": "reset_after_commit"}, "times": 1}));
    assert!(create().await.is_err());
    let found = astra.emulator.invariants();
    assert_eq!((found.live_tokens, found.orphans), (2, 1));
}
