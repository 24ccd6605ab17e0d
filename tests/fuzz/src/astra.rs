//! An Astra that answers at once and remembers what it made: what a script does not answer, it does.

use serde_json::Value;
use serde_json::json;
use vault_plugin_secrets_astra::astra::token_from_secret;
use vault_plugin_secrets_astra::secret::Secret;

/// The organization.
pub const ORG: &str = "2dc9f3ab-7d3c-4a57-9e9b-3e0c3c8a6a10";
/// Its only database.
pub const DATABASE: &str = "ad0566b5-2a67-49de-89e8-92258c2f2c98";
/// The name of a built-in role.
pub const READER: &str = "API RO User";
/// The root token, unlike anything in the corpus.
pub const ROOT: &str = "AstraCS:RootTokenOfTheFuzzTarget:a7d0f1c95e2b48639f70d1c2b3a4958677665544332211ffeeddccbbaa998877";
/// How each client secret that is minted here begins.
pub const CLIENT_SECRET: &str = "client-secret-that-must-not-leak-";
/// How the link to a bundle begins.
pub const BUNDLE: &str = "https://bundle.invalid/signature-that-must-not-leak";

/// The client ids of root tokens: of [`ROOT`], and of two in the corpus.
const ROOTS: [&str; 3] = [
    "RootTokenOfTheFuzzTarget",
    "AAAAAAAAAAAAAAAAAAAAAAAA",
    "NNNNNNNNNNNNNNNNNNNNNNNN",
];
const READER_ID: &str = "b73e44b2-b9e9-43b8-a7c1-c6a2fe2dab50";

/// The service's state.
#[derive(Default)]
pub struct Astra {
    tokens: Vec<Value>,
    roles: Vec<Value>,
    made: usize,
}

impl Astra {
    /// Answers one request.
    pub fn answer(&mut self, method: &str, path: &str, body: &[u8]) -> http::Response<Vec<u8>> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let segments: Vec<&str> = path.trim_start_matches("/v2/").split('/').collect();
        let answer = match (method, segments.as_slice()) {
            ("GET", ["currentOrg"]) => json!({"id": ORG}),
            ("GET", ["clientIdSecrets" | "tokens"]) => {
                let roots = ROOTS
                    .iter()
                    .map(|id| json!({"clientId": id, "roles": [READER_ID]}));
                let tokens: Vec<Value> = self.tokens.iter().cloned().chain(roots).collect();
                json!({"clients": tokens})
            }
            ("POST", ["clientIdSecrets" | "tokens"]) => self.mint(&body),
            ("DELETE", ["clientIdSecrets", id]) => {
                self.tokens.retain(|token| token["clientId"] != **id);
                json!({})
            }
            ("GET", ["organizations", "roles"]) => {
                let policy = json!({
                    "actions": ["db-cql"], "description": "", "effect": "allow", "resources": [],
                });
                let reader = json!({"id": READER_ID, "name": READER, "policy": policy});
                let roles = self.roles.iter().cloned().chain([reader]);
                roles.collect()
            }
            ("POST", ["organizations", "roles"]) => {
                let mut role = body;
                role["id"] = format!("00000000-0000-4000-8000-{:012}", self.count()).into();
                self.roles.push(role.clone());
                role
            }
            ("DELETE", ["organizations", "roles", id]) => {
                self.roles.retain(|role| role["id"] != **id);
                json!({})
            }
            ("PUT", ["organizations", "roles", _]) => json!({}),
            ("GET", ["databases"]) => json!([database()]),
            ("GET", ["databases", _]) => database(),
            ("POST", ["databases", _, "secureBundleURL"]) => json!({"downloadURL": BUNDLE}),
            _ => return status(404, b"404 page not found".to_vec()),
        };
        status(200, answer.to_string().into_bytes())
    }

    fn count(&mut self) -> usize {
        self.made += 1;
        self.made
    }

    fn mint(&mut self, asked: &Value) -> Value {
        let number = self.count();
        let digits = format!("{number:024}");
        let letters = digits.bytes().map(|digit| b'a' + (digit - b'0'));
        let id: String = letters.map(char::from).collect();
        let secret = format!("{CLIENT_SECRET}{number}");
        let token = token_from_secret(&id, &Secret::new(secret.clone()));
        let mut answer = json!({
            "clientId": id,
            "description": asked["description"],
            "generatedOn": "2026-11-26T05:00:00Z",
            "orgId": ORG,
            "roles": asked["roles"],
            "tokenExpiry": asked["tokenExpiry"],
        });
        self.tokens.push(answer.clone());
        answer["secret"] = secret.into();
        answer["token"] = token.expose().into();
        answer
    }
}

/// An answer without headers.
pub fn status(status: u16, body: Vec<u8>) -> http::Response<Vec<u8>> {
    let mut answer = http::Response::new(body);
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    answer
}

fn database() -> Value {
    json!({
        "id": DATABASE,
        "orgId": ORG,
        "status": "ACTIVE",
        "dataEndpointUrl": format!("https://{DATABASE}-us-east1.apps.astra.datastax.com/api/rest"),
        "info": {
            "name": "shop", "keyspace": "main", "keyspaces": ["main"], "cloudProvider": "GCP",
            "dbType": "vector", "region": "us-east1",
            "datacenters": [{"id": format!("{DATABASE}-1"), "region": "us-east1", "cloudProvider": "GCP", "status": "ACTIVE"}],
        },
    })
}
