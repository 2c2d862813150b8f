//! A JSON object whose values are read only when somebody asks for them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The keys of an object in their order, each with the text of its value.
#[derive(Debug)]
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        /// A key. It is borrowed if it has no escapes.
        #[derive(Deserialize, PartialEq)]
        struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((Key(key), value)) = map.next_entry()? {
                    fields.push((key, value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'a> Fields<'a> {
    /// The value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(other, _)| other == key).map(|(_, value)| *value)
    }

    /// The text of the value under a key, and `null` if there is none.
    pub(crate) fn raw(&self, key: &str) -> &'a str {
        self.get(key).map_or("null", RawValue::get)
    }

    /// The value under a key, if it is a string.
    pub(crate) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        serde_json::from_str::<Text<'_>>(self.get(key)?.get()).ok().map(|Text(text)| text)
    }

    /// The value under a key, if it is an integer.
    pub(crate) fn int(&self, key: &str) -> Option<i64> {
        serde_json::from_str(self.get(key)?.get()).ok()
    }
}
