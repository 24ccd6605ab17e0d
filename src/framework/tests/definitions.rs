//! Declarations that are refused.

use crate::framework::Builder;
use crate::framework::DefinitionError;
use crate::framework::Field;
use crate::framework::Path;
use crate::framework::SecretType;
use crate::framework::testing::Shelf;
use crate::framework::testing::builder;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Operation;

fn refused(builder: Builder<Shelf>) -> String {
    builder
        .build()
        .err()
        .expect("the declarations are wrong")
        .to_string()
}

fn path(template: &str) -> Path<Shelf> {
    Path::new(template)
}

trait Handled {
    /// Handles `operation` by doing nothing.
    fn handled(self, operation: Operation) -> Self;
}

impl Handled for Path<Shelf> {
    fn handled(self, operation: Operation) -> Self {
        self.on(operation, "", |_, _| async { HandlerResult::Ok(None) })
    }
}

#[test]
fn mistakes_are_named() {
    for (wrong, message) in [
        (path("a/{b"), r#"path "a/{b": a brace is not closed"#),
        (
            path("a/{name}"),
            r#"path "a/{name}" captures "name" but declares no field of that name"#,
        ),
        (
            path("a")
                .field(Field::int("n", ""))
                .field(Field::bool("n", "")),
            r#"path "a" declares field "n" twice"#,
        ),
        (
            path("a").field(Field::int("n", "").default("many")),
            r#"path "a": the default of field "n" does not convert: "many" is not a whole number in decimal digits, of at most 64 bits"#,
        ),
        (
            path("a").handled(Operation::Create),
            r#"path "a" handles create but has no existence check"#,
        ),
        (
            path("a")
                .handled(Operation::Update)
                .exists(|_, _| async { Ok::<_, Error>(true) }),
            r#"path "a" has an existence check but does not handle both create and update"#,
        ),
        (
            path("a").handled(Operation::Read).handled(Operation::Read),
            r#"path "a" handles read twice"#,
        ),
        (
            path("a").handled(Operation::List),
            r#"path "a" handles list, so its template has to end in a slash or in a match-all"#,
        ),
        (
            path("a").handled(Operation::Revoke),
            r#"path "a" cannot handle revoke: it is not routed by path"#,
        ),
    ] {
        assert_eq!(refused(builder().path(wrong)), message);
    }
}

#[test]
fn nothing_is_declared_twice() {
    let twice = builder()
        .path(path("a{n?}").field(Field::name("n", "")))
        .path(path("a/{n?}").field(Field::name("n", "")));
    assert_eq!(
        twice.build().err(),
        Some(DefinitionError::DuplicatePath {
            path: "a/{n?}".to_owned()
        })
    );

    let kind = || SecretType::new("loan").on_revoke(|_, _| async { HandlerResult::Ok(None) });
    assert_eq!(
        refused(builder().secret(kind()).secret(kind())),
        r#"secret kind "loan" is declared twice"#
    );
}

#[test]
fn a_secret_can_always_be_revoked() {
    let renew_only = SecretType::new("loan").on_renew(|_, _| async { HandlerResult::Ok(None) });
    assert_eq!(
        refused(builder().secret(renew_only)),
        r#"secret kind "loan" has no revoke handler"#
    );
}
