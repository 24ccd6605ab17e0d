//! The operations, one module per resource.

mod bundle_url;
mod bundles;
mod call;
mod data_api;
mod database_page;
mod database_view;
mod databases;
mod dataplane;
mod dispatch;
mod organization;
mod refusal;
mod regions;
mod roles;
mod token_create;
mod tokens;

pub(crate) use call::Call;
pub(crate) use dataplane::open as open_database;
pub(crate) use dispatch::handle;
pub(crate) use refusal::RefusalShape;
pub(crate) use roles::view as role_view;
