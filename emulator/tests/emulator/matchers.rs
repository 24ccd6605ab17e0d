//! Which requests a fault rule hits, and which rules are refused.

use serde_json::json;

use crate::harness::*;

async fn statuses(astra: &Astra, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(astra.get("/v2/currentOrg").await.0);
    }
    statuses
}

#[tokio::test]
async fn matchers() {
    let astra = Astra::new().await;
    let fault = json!({"kind": "status", "status": 503});
    astra.fault(json!({"match": {"nth": 2}, "fault": fault}));
    assert_eq!(statuses(&astra, 4).await, [200, 503, 200, 200]);
    astra.emulator.clear_faults();
    astra.fault(json!({"match": {"after": 1}, "fault": fault, "times": 2}));
    assert_eq!(statuses(&astra, 4).await, [200, 503, 503, 200]);
    assert!(astra.emulator.faults().is_empty(), "the rule vanished");
    astra.fault(json!({"match": {"method": "POST"}, "fault": fault}));
    astra.fault(json!({"match": {"path": "/v2/org*"}, "fault": fault}));
    assert_eq!(statuses(&astra, 1).await, [200]);
    assert_eq!(astra.get("/v2/organizations/users").await.0, 503);
    let users: Vec<(u64, u64)> = astra
        .emulator
        .faults()
        .iter()
        .map(|rule| (rule.matched, rule.fired))
        .collect();
    assert_eq!(users, [(0, 0), (1, 1)]);
    astra.emulator.clear_faults();
    let admin = astra.emulator.seeds().tokens["db_admin"].client_id.clone();
    astra.fault(json!({"match": {"client_id": admin}, "fault": fault}));
    assert_eq!(statuses(&astra, 1).await, [200]);
    let got = astra
        .call_as(&astra.seed("db_admin"), "GET", "/v2/currentOrg", None)
        .await;
    assert_eq!(got.0, 503);
    astra.emulator.clear_faults();
    astra.fault(json!({"match": {"probability": 0.5}, "fault": fault}));
    let hit = statuses(&astra, 100)
        .await
        .iter()
        .filter(|status| **status == 503)
        .count();
    assert!((25..75).contains(&hit), "{hit}");
}

#[tokio::test]
async fn bad_rules_are_refused() {
    let astra = Astra::new().await;
    for rule in [
        json!({"fault": {"kind": "status", "status": 99}}),
        json!({"fault": {"kind": "redirect", "status": 300, "to": "same_host"}}),
        json!({"fault": {"kind": "slow_body", "bytes": 0, "every_ms": 1}}),
        json!({"fault": {"kind": "huge_body", "mib": 0}}),
        json!({"fault": {"kind": "latency", "ms": 2, "max_ms": 1}}),
        json!({"fault": {"kind": "hang"}, "times": 0}),
        json!({"fault": {"kind": "hang"}, "match": {"nth": 0}}),
        json!({"fault": {"kind": "hang"}, "match": {"probability": 2.0}}),
        json!({"fault": {"kind": "tls_expired"}}),
    ] {
        let rule = serde_json::from_value(rule).unwrap();
        assert!(astra.emulator.add_fault(rule).is_err());
    }
    for rule in [
        json!({"fault": {"kind": "nonsense"}}),
        json!({"fault": {"kind": "hang"}, "x": 1}),
        json!({"fault": {"kind": "gzip", "x": 1}}),
        json!({"match": {"x": 1}, "fault": {"kind": "gzip"}}),
    ] {
        assert!(serde_json::from_value::<astra_emulator::FaultRule>(rule).is_err());
    }
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
}
