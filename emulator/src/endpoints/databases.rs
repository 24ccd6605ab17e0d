//! `/v2/databases`.

use crate::auth::Caller;
use crate::endpoints::call::Call;
use crate::endpoints::database_page::Page;
use crate::endpoints::database_view::DatabaseView;
use crate::endpoints::database_view::DatacenterView;
use crate::ids;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::state::database::Database;

pub(super) fn list(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    let scoped = call
        .state
        .records
        .databases
        .iter()
        .filter(|database| database.org_id == caller.org)
        .any(|database| caller.rights.resource("org-db-view", &database.resource()));
    if !scoped {
        // With no database in reach, the right on the organization decides.
        call.permit(endpoint, caller, "org-db-view")?;
    }
    call.well_formed(endpoint)?;
    let page = Page::parse(call)?;
    let state = &*call.state;
    let visible: Vec<&Database> = state
        .records
        .databases
        .iter()
        .filter(|database| database.org_id == caller.org)
        .filter(|database| caller.rights.resource("org-db-view", &database.resource()))
        .collect();
    let start = match &page.after {
        None => 0,
        Some(id) => match visible.iter().position(|database| database.id == *id) {
            Some(index) => index + 1,
            None => {
                return Err(call.deviation("starting_after", "starting_after is not a known id"));
            }
        },
    };
    let views: Vec<DatabaseView<'_>> = visible
        .into_iter()
        .skip(start)
        .filter(|database| page.includes(database))
        .take(page.limit)
        .map(|database| DatabaseView::new(state, database))
        .collect();
    Ok(Reply::json(200, &views).into())
}

/// The database of that id, if the caller holds `action` on it.
pub(super) fn accessible(
    call: &mut Call<'_>,
    caller: &Caller,
    id: &str,
    action: &str,
) -> Result<Database, Reply> {
    if !ids::is_uuid(id) {
        let text = "the database id is not a UUID";
        if call.state.strict() {
            return Err(call.deviation("database_id", text));
        }
        // Astra answers 404: the Java client takes that, and nothing else, for "does not exist".
        call.record_violation("database_id", text);
        return Err(not_found());
    }
    let found = call
        .state
        .records
        .database(id)
        .filter(|database| database.org_id == caller.org);
    match found {
        Some(database) if caller.rights.resource(action, &database.resource()) => {
            Ok(database.clone())
        }
        Some(_) => Err(Reply::null(401)),
        None if !caller.rights.organization(action) => Err(Reply::null(401)),
        None => Err(not_found()),
    }
}

fn not_found() -> Reply {
    Reply::errors(404, 340_004, "database not found")
}

pub(super) fn get(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    id: &str,
) -> Result<Handled, Reply> {
    let database = accessible(call, caller, id, "org-db-view")?;
    call.well_formed(endpoint)?;
    Ok(Reply::json(200, &DatabaseView::new(call.state, &database)).into())
}

pub(super) fn datacenters(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    id: &str,
) -> Result<Handled, Reply> {
    let database = accessible(call, caller, id, "org-db-view")?;
    call.well_formed(endpoint)?;
    all_parameter(call)?;
    Ok(Reply::json(200, &DatacenterView::all(call.state, &database)).into())
}

/// The only parameter of some operations, `all=true|false`.
pub(super) fn all_parameter(call: &mut Call<'_>) -> Result<bool, Reply> {
    let mut all = false;
    let request = call.request;
    for (name, value) in request.parameters() {
        match (name, value) {
            ("all", "true") => all = true,
            ("all", "false") => all = false,
            _ if call.state.strict() => {
                let text = format!("parameter {name} has a bad value or does not exist");
                return Err(call.deviation("query", &text));
            }
            _ => {}
        }
    }
    Ok(all)
}
