//! `GET /v2/regions/serverless`.

use crate::auth::Caller;
use crate::endpoints::call::Call;
use crate::regions::REGIONS;
use crate::regions::Region;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;

/// The parameter `region-type` is `serverless` (the default), `vector` or `all`; `filter-by-org`
/// has no effect, since every region is open to every organization here.
pub(super) fn list(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    call.permit(endpoint, caller, "org-db-create")?;
    call.well_formed(endpoint)?;
    let mut wanted = "serverless";
    let request = call.request;
    for (name, value) in request.parameters() {
        match (name, value) {
            ("region-type", "serverless" | "vector" | "all") => wanted = value,
            ("filter-by-org", _) => {}
            _ if call.state.strict() => {
                let text = format!("parameter {name} has a bad value or does not exist");
                return Err(call.deviation("query", &text));
            }
            _ => {}
        }
    }
    let regions: Vec<&Region> = REGIONS
        .iter()
        .filter(|region| wanted == "all" || region.region_type == wanted)
        .collect();
    Ok(Reply::json(200, &regions).into())
}
