//! The control API: what the library API can do, by HTTP on its own port.

mod bodies;
mod extract;
mod handlers;
mod routes;

pub(crate) use routes::serve;
