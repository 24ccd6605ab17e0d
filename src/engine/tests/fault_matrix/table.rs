//! What is expected of each fault at each call.

use super::scenarios::Scenario;
use super::scenarios::Scenario::*;
use Expected::*;
use When::*;

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expected {
    /// It succeeds as if nothing had happened.
    Ok,
    /// It succeeds by sending the request again.
    Again,
    /// It succeeds with another token; the first one, which no caller received, is deleted.
    AnotherToken,
    /// It succeeds, however often the request is sent: the operation itself sends it several times.
    Done,
    /// It succeeds or fails with this class of error.
    Chance(&'static str),
    /// It fails with this class of error.
    Error(&'static str),
}

/// One row per fault, one column per call.  Each cell is what becomes of the operation when the first
/// request fails so, and when every request does:
///
/// * `ok`: success as if nothing had happened;
/// * `again`: success by sending the request again;
/// * `new`: success with another token, the first one is deleted;
/// * anything else: the class of the error that the caller sees.  Nothing is left behind.
const TABLE: &str = "
fault               | POST token                | DELETE token              | GET org                   | GET roles                 | GET tokens                | GET databases             | POST role                 | PUT role                  | DELETE role               | POST bundle
slow                | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
slow-answer         | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
late                | new/timed-out             | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | timed-out/timed-out       | again/timed-out           | again/timed-out           | again/timed-out
late-answer         | new/timed-out             | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | ok/ok                     | again/timed-out           | again/timed-out           | again/timed-out
429                 | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited
429-empty           | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited
429-1s              | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited
429-date            | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited
429-garbage         | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited
429-huge            | rate-limited/rate-limited | rate-limited/rate-limited | rate-limited/rate-limited | rate-limited/rate-limited | rate-limited/rate-limited | rate-limited/rate-limited | rate-limited/rate-limited | rate-limited/rate-limited | rate-limited/rate-limited | rate-limited/rate-limited
500                 | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | unavailable/unavailable   | again/unavailable         | again/unavailable         | again/unavailable
500-string          | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | unavailable/unavailable   | again/unavailable         | again/unavailable         | again/unavailable
500-empty           | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | unavailable/unavailable   | again/unavailable         | again/unavailable         | again/unavailable
500-committed       | new/unavailable           | again/again               | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | ok/ok                     | again/unavailable         | again/unavailable         | again/unavailable
502-html            | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | unavailable/unavailable   | again/unavailable         | again/unavailable         | again/unavailable
503-envoy           | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | unavailable/unavailable   | again/unavailable         | again/unavailable         | again/unavailable
503-2s              | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | unavailable/unavailable   | again/unavailable         | again/unavailable         | again/unavailable
504-committed       | new/unavailable           | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | ok/ok                     | again/unavailable         | again/unavailable         | again/unavailable
401-dead            | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized
401-dead-for-good   | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized | unauthorized/unauthorized
401-null            | forbidden/forbidden       | forbidden/forbidden       | unauthorized/unauthorized | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
403                 | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
403-errors          | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
403-empty           | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
403-html            | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
400-html-committed  | bad-request/bad-request   | ok/ok                     | bad-request/bad-request   | bad-request/bad-request   | bad-request/bad-request   | bad-request/bad-request   | ok/ok                     | bad-request/bad-request   | ok/ok                     | bad-request/bad-request
400-block-committed | bad-request/bad-request   | ok/ok                     | bad-request/bad-request   | bad-request/bad-request   | bad-request/bad-request   | bad-request/bad-request   | ok/ok                     | bad-request/bad-request   | ok/ok                     | bad-request/bad-request
401-null-committed  | forbidden/forbidden       | forbidden/forbidden       | unauthorized/unauthorized | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | ok/ok                     | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
403-html-committed  | forbidden/forbidden       | ok/ok                     | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | ok/ok                     | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
403-block-committed | forbidden/forbidden       | ok/ok                     | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | ok/ok                     | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
403-empty-committed | forbidden/forbidden       | ok/ok                     | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | ok/ok                     | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
403-half-committed  | forbidden/forbidden       | ok/ok                     | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden       | ok/ok                     | forbidden/forbidden       | forbidden/forbidden       | forbidden/forbidden
404-html-committed  | wrong-url/wrong-url       | wrong-url/wrong-url       | wrong-url/wrong-url       | wrong-url/wrong-url       | wrong-url/wrong-url       | wrong-url/wrong-url       | ok/ok                     | wrong-url/wrong-url       | wrong-url/wrong-url       | wrong-url/wrong-url
409-committed       | conflict/conflict         | conflict/conflict         | conflict/conflict         | conflict/conflict         | conflict/conflict         | conflict/conflict         | ok/ok                     | conflict/conflict         | conflict/conflict         | conflict/conflict
413-empty-committed | bad-request/bad-request   | bad-request/bad-request   | bad-request/bad-request   | bad-request/bad-request   | bad-request/bad-request   | bad-request/bad-request   | ok/ok                     | bad-request/bad-request   | bad-request/bad-request   | bad-request/bad-request
429-committed       | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/rate-limited        | again/again               | again/rate-limited        | again/rate-limited        | again/rate-limited
307-committed       | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | ok/ok                     | redirected/redirected     | redirected/redirected     | redirected/redirected
200-errors          | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | again/unavailable         | unavailable/unavailable   | again/unavailable         | again/unavailable         | again/unavailable
200-html            | again/malformed           | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed
reset-before        | again/disconnected        | again/disconnected        | again/disconnected        | again/disconnected        | again/disconnected        | again/disconnected        | disconnected/disconnected | again/disconnected        | again/disconnected        | again/disconnected
reset-after         | new/disconnected          | again/disconnected        | again/disconnected        | again/disconnected        | again/disconnected        | again/disconnected        | ok/ok                     | again/disconnected        | again/disconnected        | again/disconnected
reset-mid-body      | new/disconnected          | ok/ok                     | again/disconnected        | again/disconnected        | again/disconnected        | again/disconnected        | ok/ok                     | again/disconnected        | ok/ok                     | again/disconnected
truncated           | new/disconnected          | ok/ok                     | again/disconnected        | again/disconnected        | again/disconnected        | again/disconnected        | ok/ok                     | again/disconnected        | ok/ok                     | again/disconnected
truncated-chunk     | new/disconnected          | ok/ok                     | again/disconnected        | again/disconnected        | again/disconnected        | again/disconnected        | ok/ok                     | again/disconnected        | ok/ok                     | again/disconnected
truncated-hang      | new/timed-out             | ok/ok                     | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | ok/ok                     | again/timed-out           | ok/ok                     | again/timed-out
slow-body           | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
endless-body        | new/timed-out             | ok/ok                     | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | ok/ok                     | again/timed-out           | ok/ok                     | again/timed-out
cut-json            | new/malformed             | ok/ok                     | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed       | ok/ok                     | ok/ok                     | ok/ok                     | malformed/malformed
garbage-json        | new/malformed             | ok/ok                     | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed       | ok/ok                     | ok/ok                     | ok/ok                     | malformed/malformed
wrong-types         | new/malformed             | ok/ok                     | ok/ok                     | ok/ok                     | malformed/malformed       | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
wrong-hash          | new/malformed             | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
foreign-client      | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
roles-mismatch      | new/malformed             | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
no-token            | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
no-secret           | new/malformed             | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
no-id               | new/malformed             | ok/ok                     | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed       | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
no-extras           | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
huge-body           | new/too-large             | ok/ok                     | too-large/too-large       | too-large/too-large       | ok/ok                     | too-large/too-large       | ok/ok                     | too-large/too-large       | ok/ok                     | too-large/too-large
gzip                | new/malformed             | ok/ok                     | malformed/malformed       | malformed/malformed       | malformed/malformed       | malformed/malformed       | ok/ok                     | malformed/malformed       | ok/ok                     | malformed/malformed
301                 | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected
302                 | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected
303                 | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected
307                 | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected
308                 | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected     | redirected/redirected
closed-idle         | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok                     | ok/ok
reset-idle          | again/disconnected        | again/again               | again/again               | again/again               | again/again               | again/again               | again/disconnected        | again/again               | again/again               | again/disconnected
hang                | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | timed-out/timed-out       | again/timed-out           | again/timed-out           | again/timed-out
hang-committed      | new/timed-out             | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | again/timed-out           | ok/ok                     | again/timed-out           | again/timed-out           | again/timed-out
no-listen           | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable
tls-wrong-host      | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable
tls-expired         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable
tls-unknown-ca      | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable         | again/unreachable
";

/// When a cell counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    Once,
    Always,
    Both,
}

/// Cells of single scenarios that differ from their column.
const EXCEPTIONS: &[(Scenario, &str, When, Expected)] = &[
    // The probe of a new config deletes a token that does not exist, and how Astra answers that is not
    // documented.  So a 500 says nothing, and neither does a 403 if the root token's own roles show
    // the right.
    (ConfigProbe, "403", Both, Ok),
    (ConfigProbe, "403-errors", Both, Ok),
    (ConfigProbe, "403-empty", Both, Ok),
    (ConfigProbe, "403-html", Both, Ok),
    (ConfigProbe, "500", Both, Again),
    (ConfigProbe, "500-string", Both, Again),
    (ConfigProbe, "500-empty", Both, Again),
    (ConfigProbe, "500-committed", Both, Again),
    // Its answer is a 404 with a body.
    (ConfigProbe, "endless-body", Once, Again),
    (ConfigProbe, "endless-body", Always, Error("timed-out")),
    (ConfigProbe, "truncated-hang", Once, Again),
    (ConfigProbe, "truncated-hang", Always, Error("timed-out")),
    // Who waits for a shared list has less time than the list.
    (RepeatedMintList, "429", Always, Error("timed-out")),
    (RepeatedMintList, "429-empty", Always, Error("timed-out")),
    (RepeatedMintList, "429-1s", Always, Error("timed-out")),
    (RepeatedMintList, "429-date", Always, Error("timed-out")),
    (RepeatedMintList, "429-garbage", Always, Error("timed-out")),
    (RevokeOfVanished, "429", Always, Error("timed-out")),
    (RevokeOfVanished, "429-empty", Always, Error("timed-out")),
    (RevokeOfVanished, "429-1s", Always, Error("timed-out")),
    (RevokeOfVanished, "429-date", Always, Error("timed-out")),
    (RevokeOfVanished, "429-garbage", Always, Error("timed-out")),
    // Where lists are refused permanently a mint is not refused as well; what the first try left is for
    // a tick.
    (RepeatedMintList, "401-dead", Both, Ok),
    (RepeatedMintList, "401-null", Both, Ok),
    (RepeatedMintList, "403", Both, Ok),
    (RepeatedMintList, "403-errors", Both, Ok),
    (RepeatedMintList, "403-empty", Both, Ok),
    (RepeatedMintList, "403-html", Both, Ok),
    (RepeatedMintList, "cut-json", Both, Ok),
    (RepeatedMintList, "garbage-json", Both, Ok),
    (RepeatedMintList, "wrong-types", Both, Ok),
    (RepeatedMintList, "no-id", Both, Ok),
    (RepeatedMintList, "huge-body", Both, Ok),
    (RepeatedMintList, "gzip", Both, Ok),
    (RepeatedMintList, "200-html", Both, Ok),
    (RepeatedMintList, "301", Both, Ok),
    (RepeatedMintList, "302", Both, Ok),
    (RepeatedMintList, "303", Both, Ok),
    (RepeatedMintList, "307", Both, Ok),
    (RepeatedMintList, "308", Both, Ok),
    (RepeatedMintList, "307-committed", Both, Ok),
    (RepeatedMintList, "400-html-committed", Both, Ok),
    (RepeatedMintList, "400-block-committed", Both, Ok),
    (RepeatedMintList, "401-null-committed", Both, Ok),
    (RepeatedMintList, "403-html-committed", Both, Ok),
    (RepeatedMintList, "403-block-committed", Both, Ok),
    (RepeatedMintList, "403-empty-committed", Both, Ok),
    (RepeatedMintList, "403-half-committed", Both, Ok),
    (RepeatedMintList, "404-html-committed", Both, Ok),
    (RepeatedMintList, "409-committed", Both, Ok),
    (RepeatedMintList, "413-empty-committed", Both, Ok),
    // The late one may have taken effect by the time that the list is looked at.
    (PolicyRole, "late", Both, Chance("timed-out")),
    // The new root token does not work, which its proof shows.
    (RotateRoot, "foreign-client", Both, Error("unauthorized")),
    (
        StaticRotation,
        "foreign-client",
        Both,
        Error("unauthorized"),
    ),
    (StaticRole, "foreign-client", Both, Error("unauthorized")),
    // After each answer the next request breaks, also the mint's, unless the engine
    // sees in time that the connection is broken.
    (FirstMint, "reset-idle", Always, Chance("disconnected")),
    (LostMintList, "reset-idle", Always, Chance("disconnected")),
    (LostMintDelete, "reset-idle", Always, Chance("disconnected")),
    (
        RepeatedMintList,
        "reset-idle",
        Always,
        Chance("disconnected"),
    ),
    (
        RepeatedMintDelete,
        "reset-idle",
        Always,
        Chance("disconnected"),
    ),
    (Mint, "reset-idle", Always, Chance("disconnected")),
    (RotateRoot, "reset-idle", Always, Chance("disconnected")),
    (StaticRole, "reset-idle", Always, Chance("disconnected")),
    (StaticRotation, "reset-idle", Always, Chance("disconnected")),
    (PolicyRole, "reset-idle", Always, Chance("disconnected")),
    (Bundle, "reset-idle", Always, Chance("disconnected")),
    // By the time that the late one would take effect, the token that asked for it has been replaced.
    (RotateRoot, "late", Once, Done),
    // As before, unless the engine sees the end of the connection in time.
    (Mint, "closed-idle", Always, Chance("disconnected")),
    (RotateRoot, "closed-idle", Always, Chance("disconnected")),
    (StaticRole, "closed-idle", Always, Chance("disconnected")),
    (
        StaticRotation,
        "closed-idle",
        Always,
        Chance("disconnected"),
    ),
    (PolicyRole, "closed-idle", Always, Chance("disconnected")),
    (Bundle, "closed-idle", Always, Chance("disconnected")),
    (FirstMint, "closed-idle", Always, Chance("disconnected")),
    (LostMintList, "closed-idle", Always, Chance("disconnected")),
    (
        LostMintDelete,
        "closed-idle",
        Always,
        Chance("disconnected"),
    ),
    (
        RepeatedMintList,
        "closed-idle",
        Always,
        Chance("disconnected"),
    ),
    (
        RepeatedMintDelete,
        "closed-idle",
        Always,
        Chance("disconnected"),
    ),
];

/// Rotations send a request for several reasons, which their columns do not tell apart.
fn of_rotation(scenario: Scenario, fault: &str, now: When) -> Option<Expected> {
    // Their other requests go wrong as well where connections do, and a mint is not sent again.
    match (scenario, fault, now) {
        (
            RotateRootDelete | RotateRootList | RotateRootProof | StaticDelete | StaticProof,
            _,
            _,
        ) => {}
        _ => return None,
    }
    match (fault, now) {
        ("no-listen" | "tls-wrong-host" | "tls-expired" | "tls-unknown-ca", Always) => {
            return Some(Error("unreachable"));
        }
        ("reset-idle" | "closed-idle", Always) => return Some(Chance("disconnected")),
        _ => {}
    }
    match (scenario, fault, now) {
        // A new token that is not known yet may be known a moment later; no other failure says that it
        // does not work.
        (StaticProof, "401-dead" | "401-null" | "401-null-committed", Always) => {
            Some(Error("unauthorized"))
        }
        (StaticProof, "401-dead-for-good", _) => Some(Error("unauthorized")),
        // No one waits for a new token because an old one cannot be deleted.
        (StaticProof | StaticDelete, _, _) => Some(Done),
        // What the next root token is to be able to do, the present one's list tells.
        (RotateRootList, "no-extras", _) => Some(Error("without-roles")),
        // The first is the new token's proof, as when a config is written; the last deletes.
        (RotateRootDelete, "401-dead" | "403" | "403-errors" | "403-empty" | "403-html", Once) => {
            Some(Done)
        }
        (RotateRootDelete, "endless-body" | "truncated-hang", Once) => Some(Done),
        (RotateRootDelete, "endless-body" | "truncated-hang", _) => Some(Error("timed-out")),
        _ => None,
    }
}

/// The cell for `fault` at the scenario's call; fails where nothing is expected.
pub fn expected(fault: &str, scenario: Scenario, every_time: bool) -> Expected {
    let now = if every_time { Always } else { Once };
    if let Some(expected) = of_rotation(scenario, fault, now) {
        return expected;
    }
    for (at, name, when, expected) in EXCEPTIONS {
        if *at == scenario && *name == fault && (*when == now || *when == Both) {
            return *expected;
        }
    }
    let call = scenario.call();
    let mut lines = TABLE.lines().filter(|line| !line.is_empty());
    let cells = |line: &'static str| line.split('|').map(str::trim);
    let mut heads = cells(lines.next().expect("a head"));
    let column = heads
        .position(|head| head == call.name())
        .unwrap_or_else(|| panic!("no column for {}", call.name()));
    let row = lines
        .find(|line| cells(line).next() == Some(fault))
        .unwrap_or_else(|| panic!("no row for {fault}"));
    let cell = cells(row)
        .nth(column)
        .unwrap_or_else(|| panic!("no cell for {fault} at {}", call.name()));
    let (first, all) = cell.split_once('/').expect("two outcomes");
    match if every_time { all } else { first } {
        "ok" | "again" if scenario.sends_several() => Done,
        "ok" => Ok,
        "again" => Again,
        "new" => AnotherToken,
        class => Error(class),
    }
}
