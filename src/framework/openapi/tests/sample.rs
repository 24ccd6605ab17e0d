//! An engine with every kind of field, path and operation.

use serde_json::json;

use crate::framework::Builder;
use crate::framework::Field;
use crate::framework::FieldType;
use crate::framework::Path;
use crate::framework::testing::Shelf;
use crate::framework::testing::builder;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Operation;
use crate::vault::SpecialPaths;

fn receipt() -> [Field; 2] {
    [
        Field::string("receipt", "What brings it back.")
            .required()
            .secret(),
        Field::json("note", "Anything."),
    ]
}

pub(super) fn declared() -> Builder<Shelf> {
    let all = [
        Field::new(FieldType::Bool, "bool", "A bool.").default(true),
        Field::new(FieldType::CommaIntSlice, "comma_int_slice", "Integers."),
        Field::new(FieldType::CommaStringSlice, "comma_string_slice", "Texts.")
            .default(json!(["a"])),
        Field::new(FieldType::Duration, "duration", "A duration.").default(30),
        Field::new(FieldType::Float, "float", "A float."),
        Field::new(FieldType::Header, "header", "Headers."),
        Field::new(FieldType::Int, "int", "An integer.").default(32),
        Field::new(FieldType::Int64, "int64", "An integer."),
        Field::new(FieldType::KvPairs, "kvpairs", "Pairs."),
        Field::new(FieldType::Lowercase, "lowercase", "Text."),
        Field::new(FieldType::Map, "map", "A map."),
        Field::new(FieldType::SignedDuration, "signed", "A duration.").deprecated(),
        Field::new(FieldType::Slice, "slice", "Anything."),
        Field::new(FieldType::String, "string", "Text.").required(),
        Field::new(FieldType::StringSlice, "string_slice", "Texts."),
        Field::new(FieldType::Time, "time", "A time."),
        Field::new(FieldType::String, "token", "A secret.")
            .secret()
            .required()
            .default("hush"),
        Field::new(FieldType::Bool, "force", "Delete anyway.")
            .query()
            .only_for([Operation::Delete]),
    ];
    let nothing = |_, _| async { HandlerResult::Ok(None) };
    builder()
        .description("Lends books.")
        .license("Apache-2.0")
        .special_paths(SpecialPaths {
            root: vec!["rooms/*".to_owned()],
            unauthenticated: vec!["hours".to_owned()],
            ..SpecialPaths::default()
        })
        .path(Path::new("hours").on(Operation::Read, "Read the hours.", nothing))
        .path(
            Path::new("books/")
                .synopsis("List books.")
                .field(Field::string("after", "Begin after.").query())
                .on(Operation::List, "List books.", nothing),
        )
        .path(
            Path::new("books/{name}")
                .synopsis("Manage books.")
                .field(Field::name("name", "The name."))
                .fields(all)
                .exists(|_, _| async { Ok::<_, Error>(true) })
                .on(Operation::Create, "Add a book.", nothing)
                .on(Operation::Update, "Change a book.", nothing)
                .on(Operation::Patch, "Change parts.", nothing)
                .on(Operation::Read, "Read a book.", nothing)
                .on(Operation::Delete, "Remove a book.", nothing),
        )
        .path(
            Path::new("loans/{name}")
                .field(Field::name("name", "The name."))
                .field(Field::duration("ttl", "How long.").query())
                .on(Operation::Read, "Lend.", nothing)
                .returns(receipt())
                .on(Operation::Update, "Lend.", nothing)
                .returns(receipt()),
        )
        .path(
            Path::new("rooms{name?}")
                .field(Field::name("name", "The room.").default("main"))
                .on(Operation::Update, "Count.", nothing),
        )
        .path(
            Path::new("scraps/{rest*}")
                .field(Field::string("rest", "Anything."))
                .takes_any_parameters()
                .on(Operation::List, "List scraps.", nothing)
                .on(Operation::Read, "Read a scrap.", nothing)
                .on(Operation::Update, "Store a scrap.", nothing),
        )
}
