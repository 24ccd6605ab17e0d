//! The sixteen built-in roles of production Astra: ids, names, resources and actions as recorded in
//! 2022, with the permissions that two of them have gained since (seen in 2025).

/// One built-in role; resources are what follows `drn:astra:org:__ORG_ID__`.
pub(crate) struct BuiltIn {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) resources: &'static [&'static str],
    /// Separated by white space.
    pub(crate) actions: &'static str,
}

const ORGANIZATION: &[&str] = &["", ":db:*"];
const DATA: &[&str] = &["", ":db:*", ":db:*:keyspace:*", ":db:*:keyspace:*:table:*"];
const STREAM: &[&str] = &[
    "",
    ":db:*",
    ":db:*:keyspace:*",
    ":db:*:keyspace:*:table:*",
    ":stream:*",
];
const EVERYTHING: &[&str] = &[
    "",
    ":db:*",
    ":db:*:keyspace:*",
    ":db:*:keyspace:*:table:*",
    ":stream:*",
    ":role:*",
];

/// In the order in which the role list shows them.
pub(crate) const BUILT_IN: [BuiltIn; 16] = [
    BuiltIn {
        id: "b4ed0e9e-67e8-47b6-8b58-c6629be961a9",
        name: "R/W Svc Acct",
        resources: DATA,
        actions: "accesslist-read db-all-keyspace-describe db-keyspace-describe db-table-select \
            db-table-modify db-table-describe db-graphql db-rest db-cql",
    },
    BuiltIn {
        id: "43745b73-ad46-46e4-b826-c15d06d2cea0",
        name: "Admin User",
        resources: DATA,
        actions: "org-read org-billing-read org-billing-write org-cmk-read org-cmk-write \
            org-user-read org-user-write org-db-create org-db-passwordreset org-db-terminate \
            org-db-suspend org-db-addpeering org-db-managemigratorproxy org-db-expand org-db-view \
            db-all-keyspace-create db-all-keyspace-describe db-manage-privateendpoint \
            db-keyspace-grant db-keyspace-modify db-keyspace-describe db-keyspace-create \
            db-keyspace-authorize db-keyspace-alter db-keyspace-drop db-manage-region \
            db-table-select db-table-grant db-table-modify db-table-describe db-table-create \
            db-table-authorize db-table-alter db-table-drop db-graphql db-rest db-cql \
            db-manage-thirdpartymetrics db-data-import",
    },
    BuiltIn {
        id: "67c4b5dc-dd3f-4b2d-be51-09be12836d57",
        name: "API Admin User",
        resources: STREAM,
        actions: "accesslist-read org-billing-read org-billing-write org-user-read org-user-write \
            org-db-view org-db-create org-db-passwordreset org-db-terminate org-db-suspend \
            org-db-addpeering org-db-managemigratorproxy org-db-expand org-db-view \
            org-stream-manage db-manage-privateendpoint db-all-keyspace-create \
            db-all-keyspace-describe db-keyspace-grant db-keyspace-modify db-keyspace-describe \
            db-keyspace-create db-keyspace-authorize db-keyspace-alter db-keyspace-drop \
            db-manage-region db-table-select db-table-grant db-table-modify db-table-describe \
            db-table-create db-table-authorize db-table-alter db-table-drop db-graphql db-rest",
    },
    BuiltIn {
        id: "ad0566b5-2a67-49de-89e8-92258c2f2c98",
        name: "Organization Administrator",
        resources: EVERYTHING,
        actions: "accesslist-read accesslist-write org-read org-write org-audits-read org-cmk-read \
            org-cmk-write org-role-read org-role-write org-role-delete org-external-auth-read \
            org-external-auth-write org-notification-write org-token-read org-token-write \
            org-billing-read org-billing-write org-user-read org-user-write org-db-create \
            org-db-passwordreset org-db-terminate org-db-suspend org-db-addpeering \
            org-db-managemigratorproxy org-db-expand org-db-view org-stream-manage \
            db-manage-privateendpoint db-all-keyspace-create db-all-keyspace-describe \
            db-keyspace-grant db-keyspace-modify db-keyspace-describe db-keyspace-create \
            db-keyspace-authorize db-keyspace-alter db-keyspace-drop db-manage-region \
            db-table-select db-table-grant db-table-modify db-table-describe db-table-create \
            db-table-authorize db-table-alter db-table-drop db-graphql db-rest db-cql \
            db-manage-thirdpartymetrics org-integrations-read org-integrations-write \
            db-data-import",
    },
    BuiltIn {
        id: "16a4b1d7-a615-41f8-95ca-52b0280f4d77",
        name: "RO Svc Acct",
        resources: DATA,
        actions: "accesslist-read db-all-keyspace-describe db-keyspace-describe db-table-select \
            db-table-describe db-graphql db-rest db-cql",
    },
    BuiltIn {
        id: "74b7d8b1-ecf1-48e5-a35f-0f999d369889",
        name: "API RO Svc Acct",
        resources: DATA,
        actions: "accesslist-read db-all-keyspace-describe db-keyspace-describe db-table-select \
            db-table-describe db-graphql db-rest",
    },
    BuiltIn {
        id: "946cfbde-24cc-4953-9355-d57bfd61bf39",
        name: "API R/W User",
        resources: DATA,
        actions: "accesslist-read org-db-view org-user-read db-all-keyspace-describe \
            db-keyspace-describe db-table-select db-table-modify db-table-describe db-graphql \
            db-rest",
    },
    BuiltIn {
        id: "dde8a0e9-f4ae-4b42-b642-9f257436c8da",
        name: "API Admin Svc Acct",
        resources: STREAM,
        actions: "accesslist-read org-billing-read org-billing-write org-user-read org-user-write \
            org-db-create org-db-passwordreset org-db-view org-db-terminate org-db-suspend \
            org-db-addpeering org-db-managemigratorproxy org-db-expand org-stream-manage \
            db-manage-privateendpoint db-all-keyspace-create db-all-keyspace-describe \
            db-keyspace-grant db-keyspace-modify db-keyspace-describe db-keyspace-create \
            db-keyspace-authorize db-keyspace-alter db-keyspace-drop db-manage-region \
            db-table-select db-table-grant db-table-modify db-table-describe db-table-create \
            db-table-authorize db-table-alter db-table-drop db-graphql db-rest",
    },
    BuiltIn {
        id: "efdfd41f-6184-4891-8400-b5779a0551d9",
        name: "API R/W Svc Acct",
        resources: DATA,
        actions: "accesslist-read db-all-keyspace-describe db-keyspace-describe db-table-select \
            db-table-modify db-table-describe db-graphql db-rest",
    },
    BuiltIn {
        id: "c5fabb3c-1ae1-4648-898f-d3b98167d62e",
        name: "Billing Admin",
        resources: ORGANIZATION,
        actions: "org-billing-read org-billing-write org-db-view org-user-read",
    },
    BuiltIn {
        id: "5dc84d0d-4fdd-4ec2-a223-71341b6d7685",
        name: "API RO User",
        resources: DATA,
        actions: "accesslist-read org-db-view org-user-read db-all-keyspace-describe \
            db-keyspace-describe db-table-select db-table-describe db-graphql db-rest",
    },
    BuiltIn {
        id: "1faa93f2-b889-4190-9585-4bc6e3c3595a",
        name: "Database Administrator",
        resources: DATA,
        actions: "accesslist-read accesslist-write org-cmk-read org-cmk-write org-db-create \
            org-db-passwordreset org-db-terminate org-db-suspend org-db-addpeering \
            org-db-managemigratorproxy org-db-expand org-db-view org-token-read org-token-write \
            org-user-read db-manage-privateendpoint db-all-keyspace-create \
            db-all-keyspace-describe db-keyspace-grant db-keyspace-modify db-keyspace-describe \
            db-keyspace-create db-keyspace-authorize db-keyspace-alter db-keyspace-drop \
            db-manage-region db-table-select db-table-grant db-table-modify db-table-describe \
            db-table-create db-table-authorize db-table-alter db-table-drop db-graphql db-rest \
            db-cql db-manage-thirdpartymetrics",
    },
    BuiltIn {
        id: "b73e44b2-b9e9-43b8-a7c1-c6a2fe2dab50",
        name: "R/W User",
        resources: DATA,
        actions: "accesslist-read org-db-view org-user-read db-all-keyspace-describe \
            db-keyspace-describe db-table-select db-table-modify db-table-describe db-graphql \
            db-rest db-cql",
    },
    BuiltIn {
        id: "d2cfcd63-055c-4a58-b957-8916d4a007a5",
        name: "RO User",
        resources: DATA,
        actions: "accesslist-read org-db-view org-user-read db-all-keyspace-describe \
            db-keyspace-describe db-table-select db-table-describe db-graphql db-rest db-cql",
    },
    BuiltIn {
        id: "a25baf86-1bde-43d2-86ac-647e3d884bac",
        name: "UI View Only",
        resources: ORGANIZATION,
        actions: "org-db-view org-user-read accesslist-read",
    },
    BuiltIn {
        id: "892c45bb-d395-488c-9428-8a50f7013e2b",
        name: "Admin Svc Acct",
        resources: STREAM,
        actions: "org-billing-read org-billing-write org-cmk-read org-cmk-write org-user-read \
            org-user-write org-db-create org-db-passwordreset org-db-view org-db-terminate \
            org-db-suspend org-db-addpeering org-db-managemigratorproxy org-db-expand \
            org-stream-manage db-manage-privateendpoint db-all-keyspace-create \
            db-all-keyspace-describe db-keyspace-grant db-keyspace-modify db-keyspace-describe \
            db-keyspace-create db-keyspace-authorize db-keyspace-alter db-keyspace-drop \
            db-manage-region db-table-select db-table-grant db-table-modify db-table-describe \
            db-table-create db-table-authorize db-table-alter db-table-drop db-graphql db-rest \
            db-cql db-manage-thirdpartymetrics",
    },
];
