//! Statements: just as much of CQL as the drivers' own statements and a test's first ones need.

use crate::cql::encode;
use crate::cql::frame::code;
use crate::cql::plane::Place;
use crate::cql::rows::Table;
use crate::cql::system_tables;
use crate::policy::Rights;
use crate::state::database::Database;
use crate::state::service_state::ServiceState;

/// Kinds of results.
mod kind {
    pub(super) const VOID: i32 = 1;
    pub(super) const ROWS: i32 = 2;
    pub(super) const SET_KEYSPACE: i32 = 3;
    pub(super) const PREPARED: i32 = 4;
}

/// A statement that is refused; the connection goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: i32,
    pub(super) message: String,
}

impl Refusal {
    fn new(code: i32, message: String) -> Self {
        Self { code, message }
    }
}

/// What a statement gives.
#[derive(Debug)]
pub(super) enum Outcome {
    Void,
    Keyspace(String),
    Rows(Table),
}

impl Outcome {
    /// The body of its result.
    pub(super) fn result(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Void => encode::int(&mut out, kind::VOID),
            Self::Keyspace(name) => {
                encode::int(&mut out, kind::SET_KEYSPACE);
                encode::string(&mut out, name);
            }
            Self::Rows(table) => {
                encode::int(&mut out, kind::ROWS);
                table.content(&mut out);
            }
        }
        out
    }

    /// The body of the result of its preparation: no bind markers, and the metadata of the result,
    /// from which gocql takes the columns.
    pub(super) fn prepared(&self, version: u8, id: &[u8]) -> Vec<u8> {
        const NO_METADATA: i32 = 4;
        let mut out = Vec::new();
        encode::int(&mut out, kind::PREPARED);
        encode::short(&mut out, id.len());
        out.extend(id);
        // Flags and number of the bind markers; version 4 adds the number of key columns.
        encode::int(&mut out, 0);
        encode::int(&mut out, 0);
        if version >= 4 {
            encode::int(&mut out, 0);
        }
        // The table of the bind markers is absent: the flag for a common table is not set.
        match self {
            Self::Rows(table) => table.metadata(&mut out),
            Self::Void | Self::Keyspace(_) => {
                encode::int(&mut out, NO_METADATA);
                encode::int(&mut out, 0);
            }
        }
        out
    }
}

/// The body of a result without content.
pub(super) fn void() -> Vec<u8> {
    Outcome::Void.result()
}

/// An authenticated client. Its rights are those of the moment when it connected.
pub(super) struct Session {
    place: Place,
    rights: Rights,
    keyspace: Option<String>,
}

impl Session {
    pub(super) fn new(place: Place, rights: Rights) -> Self {
        Self {
            place,
            rights,
            keyspace: None,
        }
    }

    /// What a statement gives; `USE` changes the keyspace of the session.
    pub(super) fn execute(&mut self, state: &ServiceState, text: &str) -> Result<Outcome, Refusal> {
        let outcome = self.prepare(state, text)?;
        if let Outcome::Keyspace(name) = &outcome {
            self.keyspace = Some(name.clone());
        }
        Ok(outcome)
    }

    /// The same without its effect.
    pub(super) fn prepare(&self, state: &ServiceState, text: &str) -> Result<Outcome, Refusal> {
        let words = words(text);
        let Some(database) = state.records.database(&self.place.database) else {
            return Err(Refusal::new(code::INVALID, "the database is gone".into()));
        };
        let first = words.first().map(|word| word.to_ascii_lowercase());
        let after = |keyword: &str| after(&words, keyword);
        match first.as_deref() {
            Some("use") => {
                let name = identifier(after("use").unwrap_or_default());
                self.enter(database, &name)?;
                Ok(Outcome::Keyspace(name))
            }
            Some("select") => self.select(database, &words).map(Outcome::Rows),
            Some("insert") => self.write(database, after("into")),
            Some("update") => self.write(database, after("update")),
            Some("delete") => self.write(database, after("from")),
            _ => Err(Refusal::new(
                code::SYNTAX,
                "the emulator knows USE, SELECT, INSERT, UPDATE and DELETE only".into(),
            )),
        }
    }

    fn write(&self, database: &Database, table: Option<&str>) -> Result<Outcome, Refusal> {
        self.table(database, table).map(|_| Outcome::Void)
    }

    fn select(&self, database: &Database, words: &[String]) -> Result<Table, Refusal> {
        let mut table = self.table(database, after(words, "from"))?;
        for (column, wanted) in equalities(words) {
            table.keep(&column, &wanted);
        }
        let list: Vec<String> = words
            .iter()
            .skip(1)
            .take_while(|word| !word.eq_ignore_ascii_case("from"))
            .flat_map(|word| word.split(','))
            .filter(|name| !name.is_empty())
            .map(identifier)
            .collect();
        if list == ["*"] {
            return Ok(table);
        }
        if list.is_empty() {
            return Err(Refusal::new(code::SYNTAX, "SELECT names no columns".into()));
        }
        table.select(&list).map_err(|name| {
            let message = format!("Undefined column name {name} in table {}", table.name);
            Refusal::new(code::INVALID, message)
        })
    }

    /// The table of a name, with or without a keyspace.
    fn table(&self, database: &Database, name: Option<&str>) -> Result<Table, Refusal> {
        let name = name.unwrap_or_default();
        // `t(k, v)` and `t (k, v)` are the same.
        let name = name.split('(').next().unwrap_or_default();
        let (keyspace, table) = match name.split_once('.') {
            Some((keyspace, table)) => (identifier(keyspace), identifier(table)),
            None => match &self.keyspace {
                Some(keyspace) => (keyspace.clone(), identifier(name)),
                None => {
                    let message = "No keyspace has been specified. USE a keyspace, or explicitly \
                                   specify keyspace.tablename";
                    return Err(Refusal::new(code::INVALID, message.into()));
                }
            },
        };
        if !keyspace.starts_with("system") {
            self.enter(database, &keyspace)?;
        }
        system_tables::find(&keyspace, &table, &self.place, database).ok_or_else(|| {
            let message = format!("table {keyspace}.{table} does not exist");
            Refusal::new(code::INVALID, message)
        })
    }

    /// A keyspace that the database has and the credential covers.
    fn enter(&self, database: &Database, keyspace: &str) -> Result<(), Refusal> {
        if keyspace == "system" || keyspace == "system_schema" {
            return Ok(());
        }
        if !database.keyspaces.iter().any(|own| own == keyspace) {
            let message = format!("Keyspace '{keyspace}' does not exist");
            return Err(Refusal::new(code::INVALID, message));
        }
        let resource = format!("{}:keyspace:{keyspace}", database.resource());
        if self.rights.resource("db-cql", &resource) {
            return Ok(());
        }
        let message = format!("the token's roles do not cover keyspace {keyspace}");
        Err(Refusal::new(code::UNAUTHORIZED, message))
    }
}

/// The words of a statement, signs of equality among them.
fn words(text: &str) -> Vec<String> {
    text.trim()
        .trim_end_matches(';')
        .replace('=', " = ")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

fn after<'a>(words: &'a [String], keyword: &str) -> Option<&'a str> {
    words
        .iter()
        .skip_while(|word| !word.eq_ignore_ascii_case(keyword))
        .nth(1)
        .map(String::as_str)
}

/// A name: as it is in quotes, in lower case without.
fn identifier(text: &str) -> String {
    match text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(quoted) => quoted.to_owned(),
        None => text.to_ascii_lowercase(),
    }
}

/// The conditions `column = 'text'` of a statement.
fn equalities(words: &[String]) -> Vec<(String, String)> {
    words
        .windows(3)
        .filter(|window| window.get(1).is_some_and(|sign| sign == "="))
        .filter_map(|window| {
            let value = window.get(2)?.strip_prefix('\'')?.strip_suffix('\'')?;
            Some((identifier(window.first()?), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_conditions() {
        let words = words("SELECT a,b FROM x WHERE  k='local' AND n = 1;");
        assert_eq!(after(&words, "from"), Some("x"));
        assert_eq!(equalities(&words), [("k".to_owned(), "local".to_owned())]);
        assert_eq!(identifier("\"App\""), "App");
        assert_eq!(identifier("App"), "app");
    }
}
