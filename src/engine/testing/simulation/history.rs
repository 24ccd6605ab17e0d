//! A history: what happens, when, and the seed of all else.

use std::time::Duration;

use fastrand::Rng;
use serde::Deserialize;
use serde::Serialize;

use super::chance;
use super::durable::WriteFault;
use super::operation::CONFIGS;
use super::operation::Folder;
use super::operation::ORGS;
use super::operation::Operation;
use super::operation::RootToken;
use super::trouble::fail;
use super::trouble::lag;
use super::trouble::lasting_refusal;
use super::trouble::limit;

/// What happens in one run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct History {
    /// Decides ids, delays and orders.
    pub seed: u64,
    /// How many configs there are.
    pub orgs: usize,
    /// Whether another cluster uses the first organization as well.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_neighbour: bool,
    /// The `max_active` of each role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_active: Option<u64>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// An operation and when it begins.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Step {
    /// Its number in the first history: its stream of chance.
    pub number: u64,
    /// Milliseconds since the operation before.
    pub after_ms: u64,
    /// What happens.
    pub operation: Operation,
    /// Whether it happens to the other cluster.
    #[serde(default, skip_serializing_if = "is_false")]
    pub elsewhere: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl History {
    /// The history of `seed` with so many operations.
    pub fn generate(seed: u64, operations: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut mix = Mix::draw(&mut rng);
        // A stream of its own, so that histories stay what they were before there was another cluster.
        let mut places = Rng::with_seed(chance::mix(seed, u64::MAX - 1));
        let has_neighbour = places.u8(..4) == 0;
        // So have changes by hand.
        let mut hands = Rng::with_seed(chance::mix(seed, u64::MAX - 3));
        let has_hands = hands.u8(..4) == 0;
        let mut habits = Habits::draw(seed);
        let steps = (0..operations as u64).map(|number| {
            let after_ms = pause(&mut rng).as_millis() as u64;
            let mut operation = mix.operation(&mut rng);
            if has_hands && hands.u8(..40) == 0 {
                operation = Operation::EditCustomRoles {
                    org: hands.usize(..CONFIGS),
                    role: hands.usize(..3),
                };
            }
            habits.change(&mut operation, mix.troubled.first().copied());
            let moves = has_neighbour && places.u8(..4) == 0;
            let moved = if moves { operation.elsewhere() } else { None };
            Step {
                number,
                after_ms,
                elsewhere: moved.is_some(),
                operation: moved.unwrap_or(operation),
            }
        });
        let steps = steps.collect();
        Self {
            seed,
            orgs: CONFIGS,
            has_neighbour,
            max_active: habits.max_active,
            steps,
        }
    }

    /// Reads what [`History::text`] has written.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// One line that says it all.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap()
    }
}

fn pause(rng: &mut Rng) -> Duration {
    Duration::from_millis(match rng.u8(..10) {
        0..3 => rng.u64(..50),
        3..8 => rng.u64(50..3_000),
        8 => rng.u64(3_000..20_000),
        _ => rng.u64(20_000..60_000),
    })
}

/// What a history is made of: each has some of the troubles and much of them, instead of a little of
/// all.
struct Mix {
    weights: Vec<(u32, Kind)>,
    total: u32,
    /// The organizations that have trouble of their own.
    troubled: Vec<usize>,
}

/// What only some histories have.  It draws from a stream of its own, so that the others stay what they
/// are.
struct Habits {
    rng: Rng,
    max_active: Option<u64>,
    /// Custom roles are refused for long.
    has_refusals: bool,
    /// Root tokens that were replaced are written again.
    has_former_tokens: bool,
    /// Roles move between configs of one organization.
    has_moves: bool,
}

impl Habits {
    fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(chance::mix(seed, u64::MAX - 4));
        Self {
            max_active: (rng.u8(..6) == 0).then(|| rng.u64(1..4)),
            has_refusals: rng.u8(..4) == 0,
            has_former_tokens: rng.u8(..4) == 0,
            has_moves: rng.u8(..3) == 0,
            rng,
        }
    }

    fn change(&mut self, operation: &mut Operation, troubled: Option<usize>) {
        let rng = &mut self.rng;
        match operation {
            Operation::WriteConfig { token, .. }
                if self.has_former_tokens && *token != RootToken::Foreign && rng.bool() =>
            {
                *token = RootToken::Former;
            }
            Operation::WriteRole { org, config, .. } if self.has_moves && rng.bool() => {
                *config = (0..CONFIGS).find(|other| other != org && other % ORGS == *org % ORGS);
            }
            Operation::FailWrites(fault) if fault.written => fault.hidden = rng.bool(),
            Operation::Fail { .. } if self.has_refusals && rng.u8(..8) == 0 => {
                *operation = lasting_refusal(troubled.unwrap_or(0), rng);
            }
            _ => {}
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Mint,
    Abandon,
    Renew,
    Revoke,
    Tick,
    Crash,
    HostCrash,
    Reload,
    StepDown,
    FailWrites,
    Fail,
    Lag,
    Limit,
    Snapshot,
    Restore,
    Damage,
    Clock,
    WriteConfig,
    ForeignToken,
    DeleteConfig,
    RotateRoot,
    WriteRole,
    DeleteRole,
    WriteStatic,
    DeleteStatic,
    RotateStatic,
    ReadStatic,
    Tidy,
    Status,
}

impl Mix {
    fn draw(rng: &mut Rng) -> Self {
        // What every history has, and what it has with a chance of so many in ten.
        let kinds = [
            (30, 10, Kind::Mint),
            (6, 5, Kind::Abandon),
            (10, 8, Kind::Renew),
            (12, 9, Kind::Revoke),
            (3, 5, Kind::Tick),
            (5, 5, Kind::Crash),
            (2, 3, Kind::HostCrash),
            (2, 3, Kind::Reload),
            (3, 3, Kind::StepDown),
            (4, 3, Kind::FailWrites),
            (14, 7, Kind::Fail),
            (4, 3, Kind::Lag),
            (4, 3, Kind::Limit),
            (2, 1, Kind::Snapshot),
            (1, 1, Kind::Restore),
            (1, 2, Kind::Damage),
            (2, 1, Kind::Clock),
            (3, 5, Kind::WriteConfig),
            (2, 2, Kind::ForeignToken),
            (2, 3, Kind::DeleteConfig),
            (3, 5, Kind::RotateRoot),
            (8, 8, Kind::WriteRole),
            (4, 5, Kind::DeleteRole),
            (6, 7, Kind::WriteStatic),
            (3, 5, Kind::DeleteStatic),
            (4, 6, Kind::RotateStatic),
            (10, 7, Kind::ReadStatic),
            (2, 4, Kind::Tidy),
            (1, 3, Kind::Status),
        ];
        let weights: Vec<(u32, Kind)> = kinds
            .into_iter()
            .filter(|(_, chance, _)| rng.u32(..10) < *chance)
            .map(|(weight, _, kind)| (weight, kind))
            .collect();
        let total = weights.iter().map(|(weight, _)| weight).sum();
        let mut troubled: Vec<usize> = (0..CONFIGS).filter(|_| rng.bool()).collect();
        if troubled.is_empty() {
            troubled.push(rng.usize(..CONFIGS));
        }
        Self {
            weights,
            total,
            troubled,
        }
    }

    fn operation(&mut self, rng: &mut Rng) -> Operation {
        let mut at = rng.u32(..self.total);
        let kind = self
            .weights
            .iter()
            .find(|(weight, _)| match at.checked_sub(*weight) {
                Some(rest) => {
                    at = rest;
                    false
                }
                None => true,
            });
        let kind = kind.map_or(Kind::Mint, |(_, kind)| *kind);
        let org = rng.usize(..CONFIGS);
        let troubled = *rng.choice(&self.troubled).unwrap_or(&0);
        made(kind, org, troubled, rng)
    }
}

fn made(kind: Kind, org: usize, troubled: usize, rng: &mut Rng) -> Operation {
    let role = rng.usize(..3);
    match kind {
        Kind::Mint => Operation::Mint {
            org,
            role,
            gives_up_ms: None,
        },
        Kind::Abandon => Operation::Mint {
            org,
            role,
            gives_up_ms: Some(rng.u64(..400)),
        },
        Kind::Renew => Operation::Renew {
            lease: rng.usize(..64),
            increment: *rng.choice([0, 0, 60, 3_600].iter()).unwrap_or(&0),
        },
        Kind::Revoke => Operation::Revoke {
            lease: rng.usize(..64),
        },
        Kind::Tick => Operation::Tick,
        Kind::Crash => Operation::Crash {
            repeats: rng.u8(..4) == 0,
        },
        Kind::HostCrash => Operation::HostCrash,
        Kind::Reload => Operation::Reload,
        Kind::StepDown => Operation::StepDown {
            lingers: rng.bool(),
        },
        Kind::FailWrites => Operation::FailWrites(WriteFault {
            after: rng.u8(..4),
            times: rng.u8(1..4),
            written: rng.bool(),
            hidden: false,
        }),
        Kind::Fail => fail(troubled, rng),
        Kind::Lag => lag(troubled, rng),
        Kind::Limit => limit(troubled, rng),
        Kind::Snapshot => Operation::Snapshot,
        Kind::Restore => Operation::Restore,
        Kind::Damage => Operation::Damage {
            org,
            role,
            folder: *rng
                .choice([Folder::Config, Folder::Role, Folder::StaticRole].iter())
                .unwrap_or(&Folder::Role),
            newer: rng.bool(),
            seconds: rng.u64(20..300),
        },
        Kind::Clock => Operation::SetClock {
            ahead: *rng
                .choice([0, 0, -40, 40, -10_800, 10_800].iter())
                .unwrap_or(&0),
        },
        Kind::WriteConfig => Operation::WriteConfig {
            org,
            token: if rng.bool() {
                RootToken::New
            } else {
                RootToken::Kept
            },
            verify: rng.u8(..4) > 0,
            rotation_period: rng.bool().then(|| rng.u64(60..900)),
        },
        Kind::ForeignToken => Operation::WriteConfig {
            org: troubled,
            token: RootToken::Foreign,
            verify: rng.bool(),
            rotation_period: None,
        },
        Kind::DeleteConfig => Operation::DeleteConfig {
            org: troubled,
            force: rng.u8(..4) == 0,
        },
        Kind::RotateRoot => Operation::RotateRoot { org },
        Kind::WriteRole => Operation::WriteRole {
            org,
            role,
            policy: rng.bool().then(|| rng.usize(..3)),
            ttl: rng.u64(20..400),
            max_ttl: rng.u64(60..1_200),
            config: None,
        },
        Kind::DeleteRole => Operation::DeleteRole { org, role },
        Kind::WriteStatic => {
            let period = rng.u64(60..900);
            Operation::WriteStatic {
                org,
                role,
                policy: rng.bool().then(|| rng.usize(..3)),
                period,
                overlap: rng.bool().then(|| rng.u64(..period)),
            }
        }
        Kind::DeleteStatic => Operation::DeleteStatic { org, role },
        Kind::RotateStatic => Operation::RotateStatic { org, role },
        Kind::ReadStatic => Operation::ReadStatic { org, role },
        Kind::Tidy => Operation::Tidy { org },
        Kind::Status => Operation::Status,
    }
}
