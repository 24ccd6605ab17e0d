//! The messages of `stargate.Stargate/ExecuteQuery`, as far as they are used. The numbers are those
//! of the public API; members that are not named here are passed over.

/// A query.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Query {
    #[prost(string, tag = "1")]
    pub(super) cql: String,
}

/// The answer to a query.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(super) result_set: Option<ResultSet>,
}

/// Columns and rows.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ResultSet {
    #[prost(message, repeated, tag = "1")]
    pub(super) columns: Vec<ColumnSpec>,
    #[prost(message, repeated, tag = "2")]
    pub(super) rows: Vec<Row>,
}

/// A column.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ColumnSpec {
    #[prost(message, optional, tag = "1")]
    pub(super) r#type: Option<TypeSpec>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
}

/// A type, by its number in CQL.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TypeSpec {
    #[prost(int32, optional, tag = "1")]
    pub(super) basic: Option<i32>,
}

/// A row.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Row {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<Value>,
}

/// A text.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Value {
    #[prost(string, optional, tag = "7")]
    pub(super) string: Option<String>,
}

impl Response {
    /// One row with one text.
    pub(super) fn text(column: &str, text: &str) -> Self {
        const VARCHAR: i32 = 13;
        Self {
            result_set: Some(ResultSet {
                columns: vec![ColumnSpec {
                    r#type: Some(TypeSpec {
                        basic: Some(VARCHAR),
                    }),
                    name: column.to_owned(),
                }],
                rows: vec![Row {
                    values: vec![Value {
                        string: Some(text.to_owned()),
                    }],
                }],
            }),
        }
    }
}
