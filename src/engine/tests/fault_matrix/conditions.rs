//! Every operation while the whole organization behaves in another way than usual: lists that hide
//! fields, expiries that are rewritten, clocks that differ, another organization that does not answer.

use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;
use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use serde_json::Value;
use serde_json::json;

use super::DEADLINES;
use super::TIMEOUT;
use super::assert_even;
use super::assert_none;
use super::changes;
use super::scenarios::Scenario;
use super::scenarios::Scenario::*;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::virtual_time;
use crate::vault::Error;

/// Seconds for one attempt.
const ATTEMPT: u64 = 5;

/// What is different.
#[derive(Clone, Copy)]
enum Change {
    /// The service has other knobs.
    Knobs(&'static str),
    /// Astra's clock is ahead of the node's by so many seconds.
    AstraAhead(u64),
    /// The node's clock is ahead of Astra's by so many seconds.
    NodeAhead(u64),
    /// Another organization of the mount never answers.
    OtherHangs,
    /// Another organization of the mount refuses everything.
    OtherRefuses,
}

/// All of them.
const CONDITIONS: &[(&str, Change)] = &[
    ("list-legacy", Change::Knobs(r#"{"list_fields": "legacy"}"#)),
    ("list-oas", Change::Knobs(r#"{"list_fields": "oas"}"#)),
    (
        "list-no-description",
        Change::Knobs(r#"{"list_fields": "no_description"}"#),
    ),
    (
        "list-empty-description",
        Change::Knobs(r#"{"list_fields": "empty_description"}"#),
    ),
    (
        "list-no-expiry",
        Change::Knobs(r#"{"list_fields": "no_expiry"}"#),
    ),
    (
        "no-description",
        Change::Knobs(r#"{"ignore_description": true}"#),
    ),
    ("no-expiry", Change::Knobs(r#"{"ignore_expiry": true}"#)),
    (
        "no-expiry-echo",
        Change::Knobs(r#"{"expiry_echo": "absent"}"#),
    ),
    (
        "expiry-sooner",
        Change::Knobs(r#"{"rewrite_expiry": {"life_s": 3600}}"#),
    ),
    (
        "expiry-later",
        Change::Knobs(r#"{"rewrite_expiry": {"life_s": 315360000}}"#),
    ),
    (
        "expiry-capped",
        Change::Knobs(r#"{"org_max_token_expiry_s": 3600, "org_max_token_expiry_mode": "clamp"}"#),
    ),
    (
        "expiry-refused",
        Change::Knobs(r#"{"org_max_token_expiry_s": 3600, "org_max_token_expiry_mode": "refuse"}"#),
    ),
    (
        "generated-on-absent",
        Change::Knobs(r#"{"generated_on_echo": "absent"}"#),
    ),
    (
        "generated-on-earlier",
        Change::Knobs(r#"{"generated_on_echo": {"shift_s": -86400}}"#),
    ),
    (
        "generated-on-later",
        Change::Knobs(r#"{"generated_on_echo": {"shift_s": 86400}}"#),
    ),
    ("roles-oas", Change::Knobs(r#"{"role_case": "oas"}"#)),
    ("roles-pascal", Change::Knobs(r#"{"role_case": "pascal"}"#)),
    (
        "roles-policy-text",
        Change::Knobs(r#"{"role_case": "policy_as_string"}"#),
    ),
    ("astra-ahead", Change::AstraAhead(3 * 3600)),
    ("node-ahead", Change::NodeAhead(3 * 3600)),
    ("other-hangs", Change::OtherHangs),
    ("other-refuses", Change::OtherRefuses),
];

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expected {
    /// It succeeds.
    Ok,
    /// It succeeds with a warning, which [`changes::act`] tells as an error.
    Warns(&'static str),
    /// It fails with these words.
    Fails(&'static str),
    /// It succeeds, and the token of an answer that was lost stays until its expiry, as the response says: a
    /// token without a description cannot be found.
    LeavesOne,
    /// Nothing is shown, and `status` says why.
    Blind,
}

/// Lists that do not show which tokens are this mount's.
const HIDING: &[&str] = &[
    "list-legacy",
    "list-oas",
    "list-no-description",
    "list-empty-description",
];

fn expected(scenario: Scenario, condition: &str) -> Expected {
    let is_mint = matches!(
        scenario,
        Mint | FirstMint
            | LostMintList
            | LostMintDelete
            | RepeatedMintList
            | RepeatedMintDelete
            | Bundle
    );
    let is_static = matches!(
        scenario,
        StaticRole | StaticRotation | StaticProof | StaticDelete
    );
    match condition {
        // Ticks find the first token of a repeated request once lists show what belongs to the mount.
        hiding if HIDING.contains(&hiding) => match scenario {
            TickList | TickDelete => Expected::Warns("a token is left"),
            // Where nothing was minted, an empty description is no reason to think that it is hidden.
            StatusOrg if hiding == "list-empty-description" => Expected::Ok,
            Tokens | StatusOrg | StatusTokens => Expected::Blind,
            _ => Expected::Ok,
        },
        "no-description" if matches!(scenario, LostMintList | LostMintDelete) => {
            Expected::LeavesOne
        }
        "no-expiry" | "no-expiry-echo" if is_static => {
            Expected::Warns("the organization does not keep expiries")
        }
        "expiry-sooner" | "expiry-capped" | "expiry-refused" | "astra-ahead" if is_static => {
            Expected::Warns("it is rotated before that, whatever the schedule says")
        }
        "expiry-later" if is_mint || is_static => Expected::Fails("later than the"),
        _ => Expected::Ok,
    }
}

/// An operation under a condition.
struct Cell {
    scenario: Scenario,
    name: &'static str,
    change: Change,
}

impl Display for Cell {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}, {}", self.scenario, self.name)
    }
}

#[test]
#[ignore = "a step of its own in scripts/test, as it is long: cargo test --lib \
    fault_matrix -- --ignored"]
fn every_operation_under_every_condition_ends_as_expected() {
    let only = std::env::var("FAULT_ROWS").unwrap_or_default();
    let conditions = CONDITIONS.iter().filter(|(name, _)| name.contains(&only));
    let cells = conditions.flat_map(|&(name, change)| {
        Scenario::ALL.map(|scenario| Cell {
            scenario,
            name,
            change,
        })
    });
    let cells: Vec<Cell> = cells.collect();
    let count = cells.len();
    let run = |cell: &Cell| {
        virtual_time::run(1, run(cell.scenario, cell.name, cell.change));
    };
    assert_none(virtual_time::failures(&cells, run), count);
}

async fn run(scenario: Scenario, name: &str, change: Change) {
    let mut mount = AstraMount::in_virtual_time(DEADLINES);
    let mut prepared = scenario.prepare(&mut mount, ATTEMPT).await;
    begin(&mut mount, change).await;
    let expected = expected(scenario, name);
    let outcome = match expected {
        Expected::Blind => look(&mount).await,
        _ => scenario.act(&mount, &mut prepared).await,
    };
    let is_revoked_late = scenario == Revoke && outcome.is_err();
    end(&mount);
    check(scenario, expected, outcome);
    let lost = usize::from(expected == Expected::LeavesOne);
    // What takes longer than one tick is for those after it.
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    loop {
        mount.tick().await;
        let own = changes::own(&mount).await.len();
        let is_even = mount.live().len() <= prepared.issued.len() + own + lost;
        if is_even || tokio::time::Instant::now() > deadline {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    if is_revoked_late {
        for credential in prepared.issued.drain(..) {
            mount.revoke(&credential).await.unwrap();
        }
    }
    let violations = mount.astra.violations();
    assert!(violations.is_empty(), "{violations:?}");
    if expected == Expected::LeavesOne {
        let own = changes::own(&mount).await.len();
        assert_eq!(
            mount.live().len(),
            prepared.issued.len() + own + 1,
            "one is left"
        );
        return mount.assert_told_truly("one is left");
    }
    let issued: Vec<_> = prepared.issued.iter().collect();
    assert_even(&mount, &issued, &prepared).await;
    changes::check_custom_roles(&mount).await;
    for credential in &prepared.issued {
        mount.revoke(&credential.clone().aged()).await.unwrap();
    }
    assert_even(&mount, &[], &prepared).await;
}

fn check(scenario: Scenario, expected: Expected, outcome: Result<(), Error>) {
    match (expected, outcome) {
        (Expected::Ok | Expected::LeavesOne | Expected::Blind, Ok(())) => {}
        (Expected::Warns(words) | Expected::Fails(words), Err(error)) => {
            let is_warning = matches!(error, Error::Internal(_));
            assert_eq!(
                is_warning,
                matches!(expected, Expected::Warns(_)),
                "{error:?}"
            );
            assert!(
                error.to_string().contains(words),
                "{words} expected, but: {error}"
            );
        }
        (expected, outcome) => panic!("{scenario:?}: {expected:?} expected, but: {outcome:?}"),
    }
}

/// The mount cannot see its tokens, and says so.
async fn look(mount: &AstraMount) -> Result<(), Error> {
    let shown = mount.read("tokens/default/").await.unwrap();
    assert!(shown.get("keys").is_none(), "{shown}");
    let status = mount.read("status").await.unwrap();
    let status = &status["configs"]["default"];
    assert_eq!(status["ignores_description"], true, "{status}");
    Ok(())
}

async fn begin(mount: &mut AstraMount, change: Change) {
    match change {
        Change::Knobs(knobs) => {
            let knobs: Value = serde_json::from_str(knobs).unwrap();
            mount.astra.set_knobs(knobs).unwrap();
        }
        Change::AstraAhead(seconds) => mount.astra.advance_clock(Duration::from_secs(seconds)),
        Change::NodeAhead(seconds) => mount.restart_ahead(Duration::from_secs(seconds)),
        Change::OtherHangs => {
            add_other(mount, Fault::Hang { committed: false }).await;
        }
        Change::OtherRefuses => {
            let refusal = Fault::Status {
                status: 403,
                body: Default::default(),
                retry_after: None,
                committed: false,
            };
            add_other(mount, refusal).await;
        }
    }
}

/// A second organization, in which there is work for each tick, goes wrong.
async fn add_other(mount: &AstraMount, fault: Fault) {
    let second = mount.astra.seeds().organizations[1].clone();
    let config =
        json!({"token": second.root_token, "url": mount.astra.url(), "request_timeout": 1});
    mount.write("config/second", config).await.unwrap();
    let role = json!({"config": "second", "astra_roles": READER});
    mount.write("roles/other", role).await.unwrap();
    let rule = FaultRule::new(fault).of_org(&second.id);
    mount.astra.add_fault(rule).unwrap();
    // Its answer is lost, so that it is looked for.
    let lost = mount.mint("other").await;
    assert!(lost.is_err(), "{lost:?}");
}

fn end(mount: &AstraMount) {
    mount.astra.clear_faults();
    let usual = serde_json::to_value(astra_emulator::Knobs::default()).unwrap();
    mount.astra.set_knobs(usual).unwrap();
}
