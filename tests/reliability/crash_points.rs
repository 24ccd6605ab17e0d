//! The plugin dies at every point between two awaits that matter.

use std::time::Duration;

use harness::Credential;
use harness::Storage;
use harness::wait_until;
use vault_plugin_secrets_astra::engine::crash::POINTS;

use crate::balance::Balance;
use crate::balance::assert_kept;
use crate::binary;
use crate::stage::SOON;
use crate::stage::Stage;
use crate::stage::TICK;
use crate::stage::server;

/// How long an impatient caller waits, and how much longer than that Astra takes.
const PATIENCE: Duration = Duration::from_millis(400);
const SLOW: Duration = Duration::from_secs(2);

/// One point, and what was done while it was armed.
struct Case {
    point: &'static str,
    stage: Stage,
    /// Credentials that were handed out and never revoked.
    kept: Vec<Credential>,
    /// Credentials whose revocation was asked for.
    ended: Vec<Credential>,
    /// Whether the protocol's window may leave a token at this point.
    is_window: bool,
}

#[tokio::test]
async fn wherever_the_plugin_dies_nothing_is_left_behind() {
    let server = server(Storage::Memory).await;
    // All at once, because they all wait for the same tick.
    let cases = POINTS.iter().map(async |point| {
        let stage = Stage::new(&server, binary::with_crash_points(), point).await;
        Case::play(point, stage).await
    });
    let cases = futures_util::future::join_all(cases).await;
    let (_, offset) = server.log_since(0);
    let checks = cases.iter().map(async |case| {
        case.stage.until_ticked(offset).await;
        case.check().await;
    });
    futures_util::future::join_all(checks).await;
    println!(
        "{} points, 0 orphans, 0 lost revocations, 0 handed-out tokens deleted",
        cases.len()
    );
}

impl Case {
    /// Sets the scene, arms the point and does what leads there.
    async fn play(point: &'static str, stage: Stage) -> Self {
        let warm = stage.credential("reader").await;
        let mut case = Self {
            point,
            stage,
            kept: vec![warm],
            ended: Vec::new(),
            is_window: matches!(point, "mint.completed" | "take-back.begun"),
        };
        match point.split('.').next() {
            Some("mint") => case.mint().await,
            Some("take-back") => case.take_back().await,
            Some("revoke") => case.revoke().await,
            Some("tick") => case.tick().await,
            Some("tidy") => case.tidy().await,
            _ => panic!("nothing leads to {point}"),
        }
        case
    }

    async fn mint(&mut self) {
        let stage = &self.stage;
        match self.point {
            "mint.block-reserved" => {
                // Only the first mint of a process reserves a block.
                let before = stage.process();
                before.kill();
                wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;
            }
            "mint.outcome-unknown" | "mint.found-deleted" => stage.astra.lose_mint_answers(1),
            _ => {}
        }
        stage.arm(self.point);
        let reply = stage.read("creds/reader").await;
        assert!(!stage.is_armed(), "{} was not hit", self.point);
        // Vault sends the request again when it sees the process die before it sees the call fail.
        if reply.is_ok() {
            self.kept.push(Credential::parse(&reply.ok()));
        }
    }

    /// A token whose caller went away while it was made.
    async fn take_back(&self) {
        self.stage.astra.set_mint_answer_delay(SLOW);
        self.stage.arm(self.point);
        self.stage.read_impatiently(PATIENCE).await;
        self.stage.until_hit(self.point, SOON).await;
        self.stage.astra.set_mint_answer_delay(Duration::ZERO);
    }

    async fn revoke(&mut self) {
        let ended = self.stage.credential("reader").await;
        self.stage.arm(self.point);
        // Whether it succeeds at once or Vault has to try it again later, it must not get lost.
        let reply = self.stage.revoke(&ended.lease_id).await;
        assert!(!self.stage.is_armed(), "{} was not hit", self.point);
        println!("{}: the revocation gave {}", self.point, reply.status);
        if !reply.is_ok() {
            assert!(self.stage.revoke(&ended.lease_id).await.is_ok());
        }
        self.ended.push(ended);
    }

    /// A process that dies while it clears up behind another that died.
    async fn tick(&self) {
        self.leave_a_token_behind().await;
        self.stage.arm(self.point);
    }

    /// A token that no process has marked: the plugin is killed before Astra's answer, and the caller
    /// is gone, so that nothing repeats the request.
    async fn leave_a_token_behind(&self) {
        let Self { stage, .. } = self;
        let live = stage.astra.live().len();
        let before = stage.process();
        stage.astra.set_mint_answer_delay(SLOW);
        tokio::join!(stage.read_impatiently(PATIENCE), async {
            stage.astra.until_live(live + 1, SOON).await;
        });
        before.kill();
        wait_until("the plugin is dead", SOON, async || !before.is_alive()).await;
        stage.astra.set_mint_answer_delay(Duration::ZERO);
    }

    async fn tidy(&mut self) {
        crate::tidying::leave_an_unheld_token(&self.stage).await;
        self.stage.arm(self.point);
        let reply = self.stage.write("tidy", serde_json::json!({})).await;
        assert!(!self.stage.is_armed(), "{} was not hit", self.point);
        if !reply.is_ok() {
            self.stage.write("tidy", serde_json::json!({})).await.ok();
        }
    }

    async fn check(&self) {
        let Self { stage, .. } = self;
        assert!(!stage.is_armed(), "{} was not hit", self.point);
        let balance = Balance::settled(&stage.stored, &stage.astra, TICK).await;
        let most = usize::from(self.is_window);
        assert!(
            balance.window.len() <= most,
            "{}: {:?}",
            self.point,
            balance.window
        );
        assert_kept(&stage.stored, &stage.astra, &self.kept).await;
        for credential in &self.ended {
            assert!(
                !stage.astra.accepts(&credential.token).await,
                "{}: a revocation got lost",
                self.point
            );
        }
        // And it goes on working.
        let last = stage.credential("reader").await;
        assert!(stage.astra.accepts(&last.token).await);
    }
}
