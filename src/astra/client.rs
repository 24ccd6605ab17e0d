//! The client of one organization.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::Method;
use reqwest::header::HeaderValue;
use reqwest::redirect;
use reqwest::tls;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::base_url::BaseUrl;
use super::batched_call::BatchedCall;
use super::batched_list::Listed;
use super::batched_list::Question;
use super::ca_cert;
use super::ca_cert::CaCertError;
use super::deadline::Deadline;
use super::error::Error;
use super::http_service::Http;
use super::http_service::HttpService;
use super::list_facts::ListFacts;
use super::observer::Observer;
use super::proxy;
use super::response::check;
use super::response_body::BodyReader;
use super::response_body::Buffered;
use super::retry::Failure;
use super::retry::Policy;
use super::retry::RateLimitWaits;
use super::shared_lists::Lists;
use super::shared_lists::SharedLists;
use super::token_format;
use super::transport::OBJECT_LIMIT;
use super::transport::Request;
use super::transport::Transport;
use crate::secret::Secret;

/// Name resolution, TCP and TLS together may take this long, and never more than half of an
/// attempt: then it is known that nothing was sent, which an attempt that runs out of time is not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An idle connection is kept this long: the API's front closes them after about a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a [`Client`] needs to know.
#[derive(Clone)]
pub struct ClientConfig {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// Certificates in PEM that are trusted besides the system's.
    pub ca_cert_pem: Option<String>,
    /// How many requests may run at once; at least one.
    pub max_concurrent_requests: usize,
    /// The organization that the root token must belong to; without it any.  Checked once, before the
    /// first token is listed, made or deleted.
    pub org_id: Option<String>,
    /// How long one attempt of one request may take, from connecting to the last byte.
    pub request_timeout: Duration,
    /// The root token.
    pub token: Secret,
    /// The `User-Agent` header: product and version.
    pub user_agent: String,
}

/// Why a client cannot be set up; the operator's to correct.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SetupError {
    /// `ca_cert_pem` is no list of certificates.
    #[error("ca_cert: {0}")]
    CaCert(#[from] CaCertError),
    /// `max_concurrent_requests` is zero or absurd.
    #[error("max_concurrent_requests must be between 1 and {max}, not \
        {0}", max = Semaphore::MAX_PERMITS)]
    Concurrency(usize),
    /// The HTTP client cannot be built, for instance because the system has no root certificates.
    #[error(
        "the HTTPS client cannot be set up: {0}; install the system's root certificates or set \
         ca_cert"
    )]
    Http(String),
    /// `request_timeout` is zero.
    #[error("request_timeout must be longer than zero")]
    Timeout,
    /// The root token has characters that cannot travel in a header.
    #[error("the root token is empty or contains characters that no application token has")]
    Token,
    /// The user agent has characters that cannot travel in a header.
    #[error("{0:?} cannot be a User-Agent header")]
    UserAgent(String),
}

/// Speaks to the DevOps API for one organization with one root token.
///
/// Cheap to clone; all clones share connections and the limit on concurrent requests.
///
/// Requests use HTTP/1.1, the only version the API has, follow no redirect and ask for no
/// compression.  As Go programs do, they honour `HTTPS_PROXY`, `NO_PROXY` and their lower-case
/// forms of the process environment, but a loopback address is never sent to a proxy.
#[derive(Clone)]
pub struct Client(pub(super) Arc<Inner>);

pub(super) struct Inner {
    /// What the newest complete token list showed.
    pub(super) last_list: Mutex<Option<ListFacts>>,
    /// The newest token that was made with a description, which lists must show too.
    pub(super) described: Mutex<Option<String>>,
    /// The token list, shared by all callers of this client that need one at the same time.
    pub(super) own_lists: BatchedCall<Question, Listed>,
    /// The same, shared with other clients of the organization.
    pub(super) shared_lists: Arc<Lists>,
    /// Where the clients of an organization find each other.
    pub(super) others: OnceLock<SharedLists>,
    /// Which client it is, among those that share lists.
    pub(super) identity: Arc<()>,
    /// Until when lists are not shared, because another client failed to list.
    pub(super) alone_until: Mutex<Option<Instant>>,
    /// The organization that the configuration names.
    pub(super) org_id: Option<String>,
    /// The root token's own organization, once it is known.
    pub(super) own_org: OnceLock<String>,
    /// The root token's client id, when its form shows it.
    pub(super) root_client_id: Option<String>,
    transport: Transport,
}

impl Client {
    /// Sets up a client; nothing is sent yet.
    pub fn new(config: ClientConfig) -> Result<Self, SetupError> {
        #[cfg(not(test))]
        let service = None;
        #[cfg(test)]
        let service = super::http_service::simulated::service();
        Self::with_policy(config, Policy::default(), service)
    }

    /// A client whose requests are answered by `service` in this process instead of the network; all
    /// else is as with [`Client::new`].
    pub fn in_process(
        config: ClientConfig,
        service: Arc<dyn HttpService>,
    ) -> Result<Self, SetupError> {
        Self::with_policy(config, Policy::default(), Some(service))
    }

    pub(super) fn with_policy(
        config: ClientConfig,
        policy: Policy,
        service: Option<Arc<dyn HttpService>>,
    ) -> Result<Self, SetupError> {
        let limit = config.max_concurrent_requests;
        if limit == 0 || limit > Semaphore::MAX_PERMITS {
            return Err(SetupError::Concurrency(limit));
        }
        if config.request_timeout.is_zero() {
            return Err(SetupError::Timeout);
        }
        let user_agent = HeaderValue::from_str(&config.user_agent)
            .map_err(|_| SetupError::UserAgent(config.user_agent.clone()))?;
        let transport = Transport {
            authorization: authorization(&config.token)?,
            http: Http {
                client: http_client(&config, &user_agent)?,
                service,
                user_agent,
            },
            observer: OnceLock::new(),
            proxy: match config.base_url.is_loopback() {
                true => None,
                false => proxy::for_url(config.base_url.as_str()),
            },
            base_url: config.base_url,
            limit,
            permits: Semaphore::new(limit),
            policy,
            request_timeout: config.request_timeout,
            clock: Mutex::default(),
        };
        let root_client_id = token_format::client_id(config.token.expose()).ok();
        Ok(Self(Arc::new(Inner {
            last_list: Mutex::default(),
            described: Mutex::default(),
            own_lists: BatchedCall::new(),
            shared_lists: Arc::new(BatchedCall::new()),
            others: OnceLock::new(),
            identity: Arc::default(),
            alone_until: Mutex::default(),
            org_id: config.org_id,
            own_org: OnceLock::new(),
            root_client_id: root_client_id.map(str::to_owned),
            transport,
        })))
    }

    /// Tells `observer` of every request from now on; the first one stays.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        let _ = self.0.transport.observer.set(observer);
    }

    /// Shares lists of tokens with the other clients of its organization that `lists` knows; the first stays.
    pub fn share_lists(&self, lists: SharedLists) {
        let _ = self.0.others.set(lists);
    }

    /// Where the API is, without the version.
    pub(super) fn base_url(&self) -> &str {
        self.0.transport.base_url.as_str()
    }

    /// What time it is by Astra's clock, as the newest answer told; `None` before the first one.
    pub fn astra_time(&self) -> Option<time::OffsetDateTime> {
        self.0.transport.astra_time()
    }

    /// The waits for a caller that repeats a rate-limited mint under another description.
    pub fn rate_limit_waits(&self) -> RateLimitWaits {
        RateLimitWaits::new(&self.0.transport.policy)
    }

    /// The root token's client id, when its form shows it.
    pub fn root_client_id(&self) -> Option<&str> {
        self.0.root_client_id.as_deref()
    }

    /// Sends a request, again where that is safe, and returns the body of its success.
    pub(super) async fn send(
        &self,
        request: &Request,
        deadline: Deadline,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.receive(request, &Buffered, deadline).await
    }

    /// [`Client::send`] for a body that `reader` takes in as it arrives.
    pub(super) async fn receive<R: BodyReader>(
        &self,
        request: &Request,
        reader: &R,
        deadline: Deadline,
    ) -> Result<R::Output, Failure> {
        // On the heap, so that a future which may send a request, be it seldom, is no larger for it.
        let sent = Box::pin(self.0.transport.send(request, reader, deadline)).await;
        let failure = match sent {
            Ok(taken) => return Ok(taken),
            Err(failure) => failure,
        };
        match failure.ambiguous_401 {
            true => Err(self.explain_401(failure, deadline).await),
            false => Err(failure),
        }
    }

    /// [`Client::send`] for calls of which only the cause of a failure matters.
    pub(super) async fn fetch(
        &self,
        request: &Request,
        deadline: Deadline,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.send(request, deadline)
            .await
            .map_err(|failure| failure.error)
    }

    /// [`Client::fetch`] for calls whose answer tells nothing but that they were carried out.
    pub(super) async fn perform(&self, request: &Request, deadline: Deadline) -> Result<(), Error> {
        let body = self.fetch(request, deadline).await?;
        check(&request.call(1), &body)
    }

    pub(super) fn org_request() -> Request {
        Request::new(Method::GET, "/v2/currentOrg", OBJECT_LIMIT)
    }

    /// Asks for the root token's organization.  Here a 401 can only mean a dead token.
    pub(super) async fn probe(&self, deadline: Deadline) -> Result<Zeroizing<Vec<u8>>, Error> {
        let request = Self::org_request();
        let sent = Box::pin(self.0.transport.send(&request, &Buffered, deadline)).await;
        sent.map_err(|failure| failure.error)
    }

    /// Tells a dead root token from a missing permission: the API answers 401 to both on some
    /// paths, but any live token may ask for its organization (docs/internals/astra-api.md, "Status
    /// codes").
    async fn explain_401(&self, failure: Failure, deadline: Deadline) -> Failure {
        let Error::Unauthorized {
            call,
            detail,
            status,
        } = failure.error
        else {
            return failure;
        };
        let error = match self.probe(deadline).await {
            Ok(_) => Error::Forbidden {
                call,
                detail,
                status,
            },
            Err(Error::Unauthorized { .. }) => Error::Unauthorized {
                call,
                detail,
                status,
            },
            // Unknown for now; the failed probe says why, and is the reason to try again later.
            Err(probe) => probe,
        };
        Failure {
            maybe_applied: failure.maybe_applied,
            ..Failure::not_applied(error)
        }
    }
}

fn authorization(token: &Secret) -> Result<HeaderValue, SetupError> {
    let text = token.expose();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SetupError::Token);
    }
    let header = Zeroizing::new(format!("Bearer {text}"));
    let mut value = HeaderValue::from_str(&header).map_err(|_| SetupError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

fn http_client(
    config: &ClientConfig,
    user_agent: &HeaderValue,
) -> Result<reqwest::Client, SetupError> {
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT.min(config.request_timeout / 2))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .tls_version_min(tls::Version::TLS_1_2)
        .user_agent(user_agent.clone());
    if config.base_url.is_loopback() {
        builder = builder.no_proxy();
    }
    let extra = config.ca_cert_pem.as_deref().map(ca_cert::parse);
    let extra = extra.transpose()?.unwrap_or_default();
    builder = match config.base_url.is_https() {
        true => builder.tls_certs_merge(extra),
        // Nothing to verify, so the system's certificates need not be there nor be loaded.
        false => builder.tls_certs_only(extra),
    };
    builder.build().map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        SetupError::Http(cause.unwrap_or_else(|| error.to_string()))
    })
}
