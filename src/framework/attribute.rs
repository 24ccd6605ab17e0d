//! What an object of an engine consists of: each attribute is declared, written and shown in one place.

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;

use super::Field;
use super::FieldType;
use super::Fields;

/// An attribute of an `E`: a parameter that writes take, and a field that reads show.
///
/// `X` is the error of a value that does not fit.  Help, OpenAPI, conversion and the default are the
/// [`Field`]'s.
pub struct Attribute<E, X> {
    field: Field,
    shown: Option<&'static str>,
    write: Option<Write<E, X>>,
    show: Show<E>,
}

type Write<E, X> = Box<dyn Fn(&Fields, &'static str, &mut E) -> Result<(), X> + Send + Sync>;
type Show<E> = Box<dyn Fn(&E) -> Value + Send + Sync>;

/// A type that an attribute can have.
///
/// It is implemented for `bool` ([`FieldType::Bool`]), `i64` (whole numbers), `String` (texts and names
/// that are no secret) and [`Duration`] ([`FieldType::Duration`], shown in seconds), which is optional
/// where the field has no default.
pub trait AttributeValue: Sized {
    /// What was sent for the field `name`, else its default, else what is empty.
    fn read(fields: &Fields, name: &str) -> Self;

    /// As a read shows it.
    fn show(self) -> Value;
}

/// The attributes of an object: the one table that its paths and handlers share.
///
/// ```
/// use std::time::Duration;
///
/// use vault_plugin_secrets_astra::framework::{Attribute, Attributes, Field};
///
/// #[derive(Default)]
/// struct Book {
///     title: String,
///     loan: Duration,
/// }
///
/// let attributes = Attributes::<Book, std::convert::Infallible>::new([
///     Attribute::new(
///         Field::string("title", "What it is called."),
///         |book: &Book| book.title.clone(),
///         |book, title| book.title = title,
///     ),
///     Attribute::new(
///         Field::duration("loan", "How long it is lent.").default("14d"),
///         |book: &Book| book.loan,
///         |book, loan| book.loan = loan,
///     )
///     .shown("Seconds that it is lent."),
/// ]);
/// let mut data = serde_json::Map::new();
/// attributes.show(&Book::default(), &mut data);
/// assert_eq!(data["loan"], 0);
/// ```
pub struct Attributes<E, X>(Vec<Attribute<E, X>>);

impl<E: 'static, X: 'static> Attribute<E, X> {
    /// The attribute that `field` declares, which `get` reads from an object and `set` puts there.
    pub fn new<T: AttributeValue>(
        field: Field,
        get: impl Fn(&E) -> T + Send + Sync + 'static,
        set: impl Fn(&mut E, T) + Send + Sync + 'static,
    ) -> Self {
        Self::checked(field, get, move |object, value| {
            set(object, value);
            Ok(())
        })
    }

    /// As [`Attribute::new`], where `set` may refuse a value.
    pub fn checked<T: AttributeValue>(
        field: Field,
        get: impl Fn(&E) -> T + Send + Sync + 'static,
        set: impl Fn(&mut E, T) -> Result<(), X> + Send + Sync + 'static,
    ) -> Self {
        Self {
            field,
            shown: None,
            write: Some(Box::new(move |fields, name, object| {
                set(object, T::read(fields, name))
            })),
            show: Box::new(move |object| get(object).show()),
        }
    }

    /// What reads show and no write takes.
    pub fn read_only<T: AttributeValue>(
        field: Field,
        get: impl Fn(&E) -> T + Send + Sync + 'static,
    ) -> Self {
        Self {
            field,
            shown: None,
            write: None,
            show: Box::new(move |object| get(object).show()),
        }
    }

    /// What a read says of it, where that differs from what a write does.
    pub fn shown(mut self, description: &'static str) -> Self {
        self.shown = Some(description);
        self
    }
}

impl<E, X> Attributes<E, X> {
    /// The table of these `attributes`.
    pub fn new(attributes: impl IntoIterator<Item = Attribute<E, X>>) -> Self {
        Self(attributes.into_iter().collect())
    }

    /// The parameters of a write, for [`super::Path::fields`].
    pub fn parameters(&self) -> impl Iterator<Item = Field> {
        self.writable()
            .map(|(attribute, _)| attribute.field.clone())
    }

    /// The fields of a read's answer, for [`super::Path::returns`].
    pub fn answer(&self) -> impl Iterator<Item = Field> {
        self.0.iter().map(|attribute| {
            let Field {
                name,
                kind,
                description,
                ..
            } = attribute.field;
            let kind = match kind {
                FieldType::Duration => FieldType::Int,
                FieldType::Name => FieldType::String,
                kind => kind,
            };
            Field::new(kind, name, attribute.shown.unwrap_or(description)).required()
        })
    }

    /// Gives a new `object` what was sent, and the defaults of the rest.
    ///
    /// # Errors
    /// What an attribute says of a value that does not fit.
    pub fn fill(&self, fields: &Fields, object: &mut E) -> Result<(), X> {
        self.writable()
            .try_for_each(|(attribute, write)| write(fields, attribute.field.name, object))
    }

    /// Changes in an `object` what was sent; what was sent as `null`, as in a merge patch, gets its
    /// default.
    ///
    /// # Errors
    /// What an attribute says of a value that does not fit.
    pub fn change(&self, fields: &Fields, object: &mut E) -> Result<(), X> {
        self.writable()
            .filter(|(attribute, _)| fields.was_sent(attribute.field.name))
            .try_for_each(|(attribute, write)| write(fields, attribute.field.name, object))
    }

    /// What a write makes of the `stored` object, or a new one.
    ///
    /// # Errors
    /// What an attribute says of a value that does not fit.
    pub fn merged(&self, fields: &Fields, stored: Option<&E>) -> Result<E, X>
    where
        E: Clone + Default,
    {
        let mut object = stored.cloned().unwrap_or_default();
        match stored {
            Some(_) => self.change(fields, &mut object)?,
            None => self.fill(fields, &mut object)?,
        }
        Ok(object)
    }

    /// Adds to `data` what a read of `object` shows.
    pub fn show(&self, object: &E, data: &mut Map<String, Value>) {
        for attribute in &self.0 {
            data.insert(attribute.field.name.to_owned(), (attribute.show)(object));
        }
    }

    fn writable(&self) -> impl Iterator<Item = (&Attribute<E, X>, &Write<E, X>)> {
        self.0
            .iter()
            .filter_map(|attribute| Some((attribute, attribute.write.as_ref()?)))
    }
}

impl AttributeValue for bool {
    fn read(fields: &Fields, name: &str) -> Self {
        fields.bool(name).unwrap_or_default()
    }

    fn show(self) -> Value {
        self.into()
    }
}

impl AttributeValue for i64 {
    fn read(fields: &Fields, name: &str) -> Self {
        fields.integer(name).unwrap_or_default()
    }

    fn show(self) -> Value {
        self.into()
    }
}

impl AttributeValue for String {
    fn read(fields: &Fields, name: &str) -> Self {
        fields.string(name).unwrap_or_default()
    }

    fn show(self) -> Value {
        self.into()
    }
}

impl AttributeValue for Option<Duration> {
    fn read(fields: &Fields, name: &str) -> Self {
        fields.duration(name)
    }

    fn show(self) -> Value {
        self.map(|duration| duration.as_secs()).into()
    }
}

impl AttributeValue for Duration {
    fn read(fields: &Fields, name: &str) -> Self {
        fields.duration(name).unwrap_or_default()
    }

    fn show(self) -> Value {
        self.as_secs().into()
    }
}
