//! `import` and `org/token`.

use super::import;
use super::org_token;
use crate::engine::Engine;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;

/// The paths.
pub(crate) fn paths() -> Vec<Path<Engine>> {
    vec![import_path(), org_token_path()]
}

/// What a run of the import tells.
fn report_fields() -> Vec<Field> {
    vec![
        Field::bool("dry_run", "Whether nothing was written.").required(),
        Field::bool("complete", "Whether nothing is left to be done.").required(),
        Field::int("problems", "How many things cannot be taken over."),
        Field::map(
            "configs",
            "What becomes of each config of the archived engine, by its org_id.",
        ),
        Field::map(
            "roles",
            "What becomes of each role of the archived engine, by its org_id and name.",
        ),
        Field::map(
            "tokens",
            "Where the tokens are that the archived engine stored.",
        ),
        Field::string("finished_at", "When the takeover was finished."),
        Field::map(
            "removed",
            "How many entries of the archived engine were removed.",
        ),
    ]
}

/// What a read of it tells.
fn state_fields() -> Vec<Field> {
    vec![
        Field::string("state", "none, open, imported or finished.").required(),
        Field::map(
            "configs",
            "The config that took the place of each old one, by its org_id.",
        )
        .required(),
        Field::map(
            "roles",
            "The role that took the place of each old one, by its org_id and name.",
        )
        .required(),
        Field::string_slice("left_out", "What the operator left out.").required(),
        Field::map(
            "left",
            "How many entries of the archived engine are still stored.",
        )
        .required(),
        Field::string(
            "finished_at",
            "When the takeover was finished. Empty before.",
        )
        .required(),
        Field::int(
            "org_token_uses",
            "How often org/token was used since this process started.",
        )
        .required(),
    ]
}

fn import_path() -> Path<Engine> {
    Path::new("import")
        .field(Field::bool("dry_run", "Only report: nothing is written.").default(false))
        .field(Field::json(
            "names",
            "New names, as a JSON object: \"<org_id>\" for configs, \"<org_id>:<role>\" for roles. \
             An empty name leaves the thing out.",
        ))
        .field(
            Field::bool(
                "verify",
                "Try each root token, and look up the Astra roles.",
            )
            .default(true),
        )
        .field(
            Field::bool(
                "allow_token_admin",
                "Import roles that may make tokens, and allow them on their configs.",
            )
            .default(false),
        )
        .field(
            Field::bool(
                "finish",
                "Remove what the archived engine left. There is no way back to it then.",
            )
            .default(false),
        )
        .field(
            Field::bool(
                "force",
                "Finish although something is neither imported nor left out, or tokens are stored.",
            )
            .default(false),
        )
        .on(
            Operation::Read,
            "Read how far the takeover is.",
            import::read,
        )
        .returns(state_fields())
        .on(
            Operation::Update,
            "Take over what the archived engine left, or finish that.",
            import::update,
        )
        .refuses_unknown_parameters()
        .returns(report_fields())
        .synopsis("Take over a mount of the archived Go engine.")
        .help(
            "Makes configs and roles of what vault-plugin-secrets-datastax-astra has stored in \
             this mount. Its entries stay as they are until finish=true, so that its plugin can be \
             taken back. What cannot be taken over is a problem in the answer and stops nothing \
             else; the import can be repeated at will. Leases of the archived engine are renewed \
             and revoked without any import.",
        )
}

/// What `org/token` answers, in the words of the archived engine.
fn answer_fields() -> [Field; 7] {
    [
        Field::string("token", "The application token.")
            .secret()
            .required(),
        Field::string("clientId", "Its client id.").required(),
        Field::string("orgId", "Key of the config of the archived engine.").required(),
        Field::string("roleName", "Name of the role in the archived engine.").required(),
        Field::string(
            "logicalName",
            "Name that the caller gave the token. Empty in sidecar mode.",
        )
        .required(),
        Field::string("generatedOn", "When the token was made.").required(),
        Field::map("metadata", "What the caller noted.").required(),
    ]
}

fn org_token_path() -> Path<Engine> {
    Path::new("org/token")
        .field(
            Field::string("org_id", "Key of the config of the archived engine.")
                .query()
                .deprecated(),
        )
        .field(
            Field::lowercase("role_name", "Name of the role in the archived engine.")
                .query()
                .deprecated(),
        )
        .field(
            Field::lowercase("logical_name", "Name of the token, in standard mode.")
                .query()
                .deprecated(),
        )
        .field(
            Field::string(
                "client_id",
                "Client id of a token that the archived engine stored.",
            )
            .query()
            .deprecated(),
        )
        .field(
            Field::kvpairs("metadata", "What the caller notes, as key=value.")
                .query()
                .deprecated(),
        )
        .on(
            Operation::Read,
            "Mint a token in sidecar mode, or read one that the archived engine stored.",
            org_token::read,
        )
        .returns(answer_fields())
        .on(
            Operation::Update,
            "Mint a token under a lease.",
            org_token::update,
        )
        .returns(answer_fields())
        .synopsis("Tokens for callers of the archived Go engine. Deprecated.")
        .help(
            "Answers as the archived engine did, for roles that were imported, until the takeover \
             is finished: read creds/<role> instead. New tokens are not stored, so in standard \
             mode a read finds only those that the archived engine has minted.",
        )
}
