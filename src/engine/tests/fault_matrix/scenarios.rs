//! The operations whose upstream calls go wrong: every call that the engine makes on its way.

use astra_emulator::Fault;
use astra_emulator::PortalToken;
use astra_emulator::WaitFor;
use serde_json::json;

use super::TIMEOUT;
use super::changes;
use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::engine::testing::READER;
use crate::engine::testing::request;
use crate::vault::Entry;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Storage;

/// A call to the API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    PostToken,
    DeleteToken,
    GetOrg,
    GetRoles,
    GetTokens,
    GetDatabases,
    PostRole,
    PutRole,
    DeleteRole,
    PostBundle,
}

impl Call {
    /// The head of its column in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::PostToken => "POST token",
            Self::DeleteToken => "DELETE token",
            Self::GetOrg => "GET org",
            Self::GetRoles => "GET roles",
            Self::GetTokens => "GET tokens",
            Self::GetDatabases => "GET databases",
            Self::PostRole => "POST role",
            Self::PutRole => "PUT role",
            Self::DeleteRole => "DELETE role",
            Self::PostBundle => "POST bundle",
        }
    }

    pub fn method(self) -> &'static str {
        match self {
            Self::PostToken | Self::PostRole | Self::PostBundle => "POST",
            Self::PutRole => "PUT",
            Self::DeleteToken | Self::DeleteRole => "DELETE",
            _ => "GET",
        }
    }

    /// A glob for its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::PostToken | Self::GetTokens => "/v2/clientIdSecrets",
            Self::DeleteToken => "/v2/clientIdSecrets/*",
            Self::GetOrg => "/v2/currentOrg",
            Self::GetRoles | Self::PostRole => "/v2/organizations/roles",
            Self::PutRole | Self::DeleteRole => "/v2/organizations/roles/*",
            Self::GetDatabases => "/v2/databases",
            Self::PostBundle => "/v2/databases/*",
        }
    }
}

/// An operation and the call of it that goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scenario {
    /// The mint itself.
    Mint,
    /// The first mint of a process asks for the organization.
    FirstMint,
    /// A mint's answer is lost, and its token is looked up.
    LostMintList,
    /// A mint's answer is lost, and its token is deleted.
    LostMintDelete,
    /// The host repeats a mint after a crash, and the first try is looked up.
    RepeatedMintList,
    /// The host repeats a mint after a crash, and the first token is deleted.
    RepeatedMintDelete,
    Revoke,
    /// The token is gone already, which the list confirms.
    RevokeOfVanished,
    ConfigOrg,
    ConfigRoles,
    ConfigTokens,
    ConfigProbe,
    RoleWrite,
    /// A tick after a crash looks for tokens that no caller received.
    TickList,
    /// A tick after a crash deletes a token that no caller received.
    TickDelete,
    /// A tick deletes a token whose deletion failed before.
    TickLostDelete,
    AstraRoles,
    Databases,
    Tokens,
    StatusOrg,
    StatusTokens,
    Tidy,
    /// A role with a policy is written, which makes a custom role.
    PolicyRole,
    PolicyChange,
    /// The custom role is deleted with its role.
    PolicyRemoval,
    /// A credential with the link to a secure connect bundle.
    Bundle,
    /// The next root token is minted.
    RotateRoot,
    /// What the present root token is.
    RotateRootList,
    /// The next root token is tried.
    RotateRootProof,
    /// The next root token is tried, and the present one deleted.
    RotateRootDelete,
    /// The token of a new static role is minted.
    StaticRole,
    StaticRotation,
    /// The next token is tried.
    StaticProof,
    /// The replaced token is deleted.
    StaticDelete,
}

use Scenario::*;

/// What a scenario works on.
#[derive(Default)]
pub struct Prepared {
    /// Credentials whose leases live.
    pub issued: Vec<Credential>,
    /// The credential to revoke.
    subject: Option<Credential>,
    /// The request to repeat.
    repeated: Option<Request>,
    /// How many root tokens that the engine did not mint it is to delete.
    pub replaced: u64,
    /// Seconds for one attempt.
    attempt: u64,
    /// The client id of the root token.
    pub root: String,
}

impl Scenario {
    pub const ALL: [Self; 34] = [
        Mint,
        FirstMint,
        LostMintList,
        LostMintDelete,
        RepeatedMintList,
        RepeatedMintDelete,
        Revoke,
        RevokeOfVanished,
        ConfigOrg,
        ConfigRoles,
        ConfigTokens,
        ConfigProbe,
        RoleWrite,
        TickList,
        TickDelete,
        TickLostDelete,
        AstraRoles,
        Databases,
        Tokens,
        StatusOrg,
        StatusTokens,
        Tidy,
        PolicyRole,
        PolicyChange,
        PolicyRemoval,
        Bundle,
        RotateRoot,
        RotateRootList,
        RotateRootProof,
        RotateRootDelete,
        StaticRole,
        StaticRotation,
        StaticProof,
        StaticDelete,
    ];

    /// The call that goes wrong.
    pub fn call(self) -> Call {
        match self {
            Mint | RotateRoot | StaticRole | StaticRotation => Call::PostToken,
            LostMintDelete | RepeatedMintDelete | Revoke | ConfigProbe | TickDelete
            | TickLostDelete | RotateRootDelete | StaticDelete => Call::DeleteToken,
            FirstMint | ConfigOrg | StatusOrg | RotateRootProof | StaticProof => Call::GetOrg,
            ConfigRoles | RoleWrite | AstraRoles => Call::GetRoles,
            LostMintList | RepeatedMintList | RevokeOfVanished | ConfigTokens | TickList
            | Tokens | StatusTokens | Tidy | RotateRootList => Call::GetTokens,
            Databases => Call::GetDatabases,
            PolicyRole => Call::PostRole,
            PolicyChange => Call::PutRole,
            PolicyRemoval => Call::DeleteRole,
            Bundle => Call::PostBundle,
        }
    }

    pub fn is_config(self) -> bool {
        matches!(self, ConfigOrg | ConfigRoles | ConfigTokens | ConfigProbe)
    }

    /// Ticks tell no one how they fared.
    pub fn is_tick(self) -> bool {
        matches!(self, TickList | TickDelete | TickLostDelete)
    }

    pub fn is_status(self) -> bool {
        matches!(self, StatusOrg | StatusTokens)
    }

    /// What the caller is told is the first failure, not that of the attempt to undo it.
    pub fn undoes(self) -> bool {
        matches!(self, LostMintList | LostMintDelete)
    }

    /// What is left for ticks to do is no error, but a warning.
    pub fn only_warns(self) -> bool {
        matches!(self, PolicyRemoval | RotateRootDelete)
    }

    /// Operations that send the request several times although nothing goes wrong.
    pub fn sends_several(self) -> bool {
        matches!(self, RotateRootDelete | RotateRootList | RotateRootProof)
    }

    /// Operations that keep a custom role for a policy: what the root token may not do is an error in the
    /// policy's field.
    pub fn keeps_policy(self) -> bool {
        matches!(self, PolicyRole | PolicyChange)
    }

    /// Brings about what the operation needs.
    pub async fn prepare(self, mount: &mut AstraMount, attempt: u64) -> Prepared {
        let mut prepared = Prepared {
            attempt,
            ..Prepared::default()
        };
        let unverified = json!({
            "verify": false,
            "org_id": mount.astra.seeds().organizations[0].id,
            "request_timeout": attempt,
            "ca_cert": mount.astra.ca_pem().unwrap_or_default(),
        });
        let config = mount.config(unverified);
        mount.write("config", config).await.unwrap();
        let shown = mount.read("config").await.unwrap();
        prepared.root = shown["token_client_id"].as_str().unwrap().to_owned();
        let role = json!({"astra_roles": READER});
        mount.write("roles/reader", role).await.unwrap();
        match self {
            // A new process does not know yet which organization the root token is of.
            FirstMint => mount.restart(),
            RepeatedMintList | RepeatedMintDelete => {
                let asked = request(Operation::Read, "creds/reader", json!({}));
                // The process dies with the answer.
                mount.mint_for(asked.clone()).await.unwrap();
                prepared.repeated = Some(asked);
                mount.restart();
            }
            Revoke | RevokeOfVanished => {
                // Old enough that its absence proves that it is gone.
                let credential = mount.mint("reader").await.unwrap().aged();
                if self == RevokeOfVanished {
                    mount.astra.revoke_token(&credential.client_id).unwrap();
                } else {
                    prepared.issued.push(credential.clone());
                }
                prepared.subject = Some(credential);
            }
            TickList | TickDelete => {
                mount.fault_once("POST", "*", Fault::Hang { committed: true });
                let asked = request(Operation::Read, "creds/reader", json!({}));
                let made = WaitFor {
                    token_count: Some(1),
                    ..WaitFor::default()
                };
                tokio::select! {
                    _ = mount.handle(asked) => panic!("the mint ended"),
                    in_time = mount.astra.wait(made, TIMEOUT) => assert!(in_time),
                }
                mount.restart();
            }
            TickLostDelete => {
                let credential = mount.mint("reader").await.unwrap();
                mount.storage.set_read_only(true);
                let forbidden = Fault::Status {
                    status: 403,
                    body: Default::default(),
                    retry_after: None,
                    committed: false,
                };
                mount.fault("DELETE", "*", forbidden);
                assert_eq!(mount.mint("reader").await.err(), Some(Error::ReadOnly));
                assert_eq!(mount.live().len(), 2);
                mount.astra.clear_faults();
                mount.storage.set_read_only(false);
                prepared.issued.push(credential);
            }
            Tokens | StatusTokens | Tidy => {
                prepared.issued.push(mount.mint("reader").await.unwrap());
            }
            _ => changes::prepare(self, mount, &mut prepared).await,
        }
        prepared
    }

    /// The operation.  A tick or `status`, which tell in another way how they fared, are an error
    /// when they did not do what they should.
    pub async fn act(self, mount: &AstraMount, prepared: &mut Prepared) -> Result<(), Error> {
        match self {
            LostMintList | LostMintDelete => {
                mount.fault_once("POST", "*", Fault::ResetAfterCommit {});
                prepared.issued.push(mount.mint("reader").await?);
            }
            Mint | FirstMint => prepared.issued.push(mount.mint("reader").await?),
            RepeatedMintList | RepeatedMintDelete => {
                let repeated = prepared.repeated.clone().unwrap();
                prepared.issued.push(mount.mint_for(repeated).await?);
            }
            Revoke | RevokeOfVanished => {
                let subject = prepared.subject.clone().unwrap();
                mount.revoke(&subject).await?;
                prepared.issued.clear();
            }
            ConfigOrg | ConfigRoles | ConfigTokens | ConfigProbe => {
                let verified = json!({"verify": true, "request_timeout": prepared.attempt});
                let before = stored(mount, "v1/config/default").await;
                let written = mount.write("config", verified).await;
                if written.is_err() {
                    assert!(stored(mount, "v1/config/default").await == before);
                }
                written?;
            }
            RoleWrite => {
                let role = json!({"astra_roles": "R/W User"});
                let before = stored(mount, "v1/role/reader").await;
                let written = mount.write("roles/reader", role).await;
                if written.is_err() {
                    assert!(stored(mount, "v1/role/reader").await == before);
                }
                written?;
            }
            TickList | TickDelete | TickLostDelete => {
                mount.tick().await;
                if mount.live().len() > prepared.issued.len() {
                    return Err(Error::Internal("a token is left".to_owned()));
                }
            }
            AstraRoles => list(mount, "astra-roles/default/").await?,
            Databases => list(mount, "databases/default/").await?,
            Tokens => list(mount, "tokens/default/").await?,
            StatusOrg | StatusTokens => {
                let status = mount.read("status").await.unwrap();
                let status = &status["configs"]["default"];
                if status["live_tokens"].is_null() {
                    let class = status["last_error"].as_str().unwrap();
                    return Err(Error::Internal(class.to_owned()));
                }
                assert_eq!(status["live_tokens"], prepared.issued.len());
            }
            Tidy => {
                mount.write("tidy", json!({})).await?;
            }
            _ => changes::act(self, mount, prepared).await?,
        }
        Ok(())
    }
}

async fn stored(mount: &AstraMount, key: &str) -> Option<Entry> {
    mount.storage.get(key).await.unwrap()
}

async fn list(mount: &AstraMount, path: &str) -> Result<(), Error> {
    let listed = mount.call(Operation::List, path, json!({})).await?.unwrap();
    assert!(listed.data().contains_key("keys"));
    Ok(())
}

/// Gives the config a new root token, as an operator does whose old one has died.
pub async fn replace_root_token(mount: &AstraMount) {
    let portal = PortalToken {
        roles: vec!["Organization Administrator".to_owned()],
        ..PortalToken::default()
    };
    let token = mount.astra.create_token(portal).unwrap().token;
    let config = json!({"token": token, "verify": false});
    mount.write("config", config).await.unwrap();
}
