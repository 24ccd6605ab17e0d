//! Tables of constant rows, and how results carry them.

use uuid::Uuid;

use crate::cql::encode;

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Boolean,
    Double,
    Inet,
    Int,
    Text,
    Uuid,
    TextSet,
    /// Text to text.
    TextMap,
    /// Text to blob.
    BlobMap,
}

impl Type {
    fn encode(self, out: &mut Vec<u8>) {
        let options: &[usize] = match self {
            Self::Boolean => &[0x04],
            Self::Double => &[0x07],
            Self::Inet => &[0x10],
            Self::Int => &[0x09],
            Self::Text => &[0x0D],
            Self::Uuid => &[0x0C],
            Self::TextSet => &[0x22, 0x0D],
            Self::TextMap => &[0x21, 0x0D, 0x0D],
            Self::BlobMap => &[0x21, 0x0D, 0x03],
        };
        for option in options {
            encode::short(out, *option);
        }
    }

    /// Its name in `system_schema.columns`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Double => "double",
            Self::Inet => "inet",
            Self::Int => "int",
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::TextSet => "set<text>",
            Self::TextMap => "map<text, text>",
            Self::BlobMap => "map<text, blob>",
        }
    }
}

/// The bytes of a value; `None` is null.
pub(super) type Value = Option<Vec<u8>>;

pub(super) fn text(text: &str) -> Value {
    Some(text.as_bytes().to_vec())
}

pub(super) fn int(number: i32) -> Value {
    Some(number.to_be_bytes().to_vec())
}

pub(super) fn double(number: f64) -> Value {
    Some(number.to_be_bytes().to_vec())
}

pub(super) fn boolean(value: bool) -> Value {
    Some(vec![u8::from(value)])
}

pub(super) fn uuid(uuid: Uuid) -> Value {
    Some(uuid.into_bytes().to_vec())
}

pub(super) fn loopback() -> Value {
    Some(vec![127, 0, 0, 1])
}

pub(super) fn set(members: &[&str]) -> Value {
    let mut out = Vec::new();
    encode::length(&mut out, members.len());
    for member in members {
        encode::bytes(&mut out, Some(member.as_bytes()));
    }
    Some(out)
}

pub(super) fn map(entries: &[(&str, &str)]) -> Value {
    let mut out = Vec::new();
    encode::length(&mut out, entries.len());
    for (key, value) in entries {
        encode::bytes(&mut out, Some(key.as_bytes()));
        encode::bytes(&mut out, Some(value.as_bytes()));
    }
    Some(out)
}

/// A column of a table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Type,
}

/// A table with all its rows.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) keyspace: String,
    pub(super) name: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Table {
    pub(super) fn new(
        keyspace: &str,
        name: &'static str,
        columns: &[(&'static str, Type)],
    ) -> Self {
        Self {
            keyspace: keyspace.to_owned(),
            name,
            columns: columns
                .iter()
                .map(|(name, kind)| Column { name, kind: *kind })
                .collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn with(mut self, row: Vec<Value>) -> Self {
        self.rows.push(row);
        self
    }

    /// Keeps the rows whose column of text is `wanted`; an unknown column keeps all.
    pub(super) fn keep(&mut self, column: &str, wanted: &str) {
        let found = self
            .columns
            .iter()
            .position(|own| own.name == column && own.kind == Type::Text);
        if let Some(index) = found {
            self.rows
                .retain(|row| row.get(index).and_then(Option::as_deref) == Some(wanted.as_bytes()));
        }
    }

    /// The columns of these names only; the name of one that there is not is the error.
    pub(super) fn select(&self, names: &[String]) -> Result<Self, String> {
        let indexes = names
            .iter()
            .map(|name| {
                self.columns
                    .iter()
                    .position(|column| column.name == name.as_str())
                    .ok_or_else(|| name.clone())
            })
            .collect::<Result<Vec<usize>, String>>()?;
        let pick = |row: &Vec<Value>| -> Vec<Value> {
            indexes
                .iter()
                .map(|index| row.get(*index).cloned().flatten())
                .collect()
        };
        Ok(Self {
            keyspace: self.keyspace.clone(),
            name: self.name,
            columns: indexes
                .iter()
                .filter_map(|index| self.columns.get(*index).cloned())
                .collect(),
            rows: self.rows.iter().map(pick).collect(),
        })
    }

    /// Flags, count, and the columns of one table.
    pub(super) fn metadata(&self, out: &mut Vec<u8>) {
        const GLOBAL_TABLE: i32 = 1;
        encode::int(out, GLOBAL_TABLE);
        encode::length(out, self.columns.len());
        encode::string(out, &self.keyspace);
        encode::string(out, self.name);
        for column in &self.columns {
            encode::string(out, column.name);
            column.kind.encode(out);
        }
    }

    /// The content of a result of kind Rows, after its kind.
    pub(super) fn content(&self, out: &mut Vec<u8>) {
        self.metadata(out);
        encode::length(out, self.rows.len());
        for value in self.rows.iter().flatten() {
            encode::bytes(out, value.as_deref());
        }
    }
}
