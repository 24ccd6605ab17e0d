//! `metrics`.

use std::sync::Arc;

use prometheus::TextEncoder;
use serde_json::Map;

use super::gauges;
use crate::engine::Engine;
use crate::engine::error::Classified;
use crate::engine::error::Fault;
use crate::engine::error::HandlerResult;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

/// The metrics cannot be written down.
#[derive(Debug, thiserror::Error)]
#[error("the metrics cannot be written down: {0}")]
struct MetricsError(#[from] prometheus::Error);

impl Classified for MetricsError {
    fn fault(&self) -> Fault {
        Fault::Engine
    }
}

/// The path.
pub(crate) fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("metrics")
            .on(
                Operation::Read,
                "Read the mount's metrics in the text format of Prometheus.",
                read,
            )
            // The host sends the body as it is, and these with it.
            .returns([
                Field::string("http_content_type", "The media type.").required(),
                Field::string("http_raw_body", "The body.").required(),
                Field::int("http_status_code", "The HTTP status.").required(),
            ])
            .synopsis("The mount's metrics, for Prometheus.")
            .help(
                "The body is text in the exposition format of Prometheus, not JSON: curl shows it, \
                 and vault read -format=raw. Metrics are of this node, since its plugin process \
                 began. No request to Astra is made.",
            ),
    ]
}

async fn read(engine: Arc<Engine>, _call: Call) -> HandlerResult {
    engine.metrics.read_now();
    let mut families = gauges::gather(&engine).await.map_err(MetricsError)?;
    families.extend(engine.metrics.gather());
    // A family without a series has no line, not even its name.
    families.retain(|family| !family.get_metric().is_empty());
    let body = TextEncoder::new()
        .encode_to_string(&families)
        .map_err(MetricsError)?;
    let mut data = Map::new();
    data.insert("http_content_type".into(), prometheus::TEXT_FORMAT.into());
    data.insert("http_raw_body".into(), body.into());
    data.insert("http_status_code".into(), 200.into());
    Ok(Some(Response::new(data)))
}
