//! The gRPC API of a database: one query, to see whether a token works there.

mod execute_query;
mod messages;

pub(crate) use execute_query::serve;
