//! The files of a secure connect bundle.

use serde_json::json;

use crate::cql::jks;
use crate::cql::plane::Plane;
use crate::error::Error;
use crate::ids;
use crate::state::bundle_source::BundleSource;
use crate::state::database::Database;

impl BundleSource for Plane {
    fn files(
        &self,
        database: &Database,
        region: &str,
        host: &str,
    ) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
        let client = self.client(&database.id, region)?;
        let (ca_pem, ca_der) = self.ca();
        // They protect nothing: they are in the same archive, as in a real bundle.
        let mut rng = fastrand::Rng::new();
        let (key_password, trust_password) = (ids::client_id(&mut rng), ids::client_id(&mut rng));
        let mut salt = [0; 20];
        rng.fill(&mut salt);
        let config = json!({
            "host": host,
            "port": self.metadata_address().port(),
            "cql_port": self.cql_address().port(),
            "keyspace": database.keyspaces.first(),
            "localDC": region,
            "caCertLocation": "./ca.crt",
            "certLocation": "./cert",
            "keyLocation": "./key",
            "keyStoreLocation": "./identity.jks",
            "keyStorePassword": key_password,
            "trustStoreLocation": "./trustStore.jks",
            "trustStorePassword": trust_password,
            "csvLocation": "./data",
            "pfxCertPassword": ids::client_id(&mut rng),
        });
        let cqlshrc = format!(
            "[connection]\nhostname = {host}\nport = {}\nssl = true\n\n\
             [ssl]\nvalidate = true\ncertfile = ./ca.crt\nuserkey = ./key\nusercert = ./cert\n",
            self.cql_address().port()
        );
        let identity = jks::key_store("cert", &client.key_der, &[&client.der], &key_password, salt);
        Ok(vec![
            ("config.json", config.to_string().into_bytes()),
            ("ca.crt", ca_pem.as_bytes().to_vec()),
            ("cert", client.pem.into_bytes()),
            ("key", client.key_pem.into_bytes()),
            ("identity.jks", identity),
            (
                "trustStore.jks",
                jks::trust_store("ca", ca_der, &trust_password),
            ),
            ("cqlshrc", cqlshrc.into_bytes()),
        ])
    }
}
