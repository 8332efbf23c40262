//! JSON objects as tokens need them: no member twice, and no value of the wrong type taken for an absent one.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

use crate::clock::Wall;

/// The last second that tokens may name: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The members of one object, in any order, each exactly once (R10).
#[derive(Debug, PartialEq)]
pub(super) struct Members(BTreeMap<String, Json>);

/// A JSON value in which no object has a member twice.
#[derive(Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool,
    Whole(u64),
    /// Negative or with a fraction: nothing in a token is counted so.
    OtherNumber,
    Text(String),
    List(Vec<Json>),
    Object(Members),
}

/// A member has the wrong type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongType;

impl Members {
    /// Reads one JSON object and nothing after it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        match serde_json::from_slice(bytes).ok()? {
            Json::Object(members) => Some(members),
            Json::Null | Json::Bool | Json::Whole(_) | Json::OtherNumber | Json::Text(_) | Json::List(_) => {
                None
            }
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The member with this name. A name with dots that is not itself a member is a way into nested objects.
    pub(super) fn find(&self, name: &str) -> Option<&Json> {
        self.0.get(name).or_else(|| {
            let (outer, inner) = name.split_once('.')?;
            match self.0.get(outer)? {
                Json::Object(members) => members.find(inner),
                Json::Null
                | Json::Bool
                | Json::Whole(_)
                | Json::OtherNumber
                | Json::Text(_)
                | Json::List(_) => None,
            }
        })
    }

    /// A text; absent is `None`, any other type a fault.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, WrongType> {
        match self.find(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(
                Json::Null
                | Json::Bool
                | Json::Whole(_)
                | Json::OtherNumber
                | Json::List(_)
                | Json::Object(_),
            ) => Err(WrongType),
        }
    }

    /// A whole number; absent is `None`, any other type a fault.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, WrongType> {
        match self.find(name) {
            None => Ok(None),
            Some(Json::Whole(number)) => Ok(Some(*number)),
            Some(
                Json::Null | Json::Bool | Json::OtherNumber | Json::Text(_) | Json::List(_) | Json::Object(_),
            ) => Err(WrongType),
        }
    }

    /// A time in whole seconds before the year 10000; absent is `None`, anything else a fault.
    pub(super) fn time(&self, name: &str) -> Result<Option<Wall>, WrongType> {
        match self.whole(name)? {
            Some(seconds) if seconds > LAST_SECOND => Err(WrongType),
            seconds => Ok(seconds.map(Wall::from_secs)),
        }
    }

    /// One text or a list of texts; absent is the empty list, anything else a fault.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&str>, WrongType> {
        match self.find(name) {
            None => Ok(Vec::new()),
            Some(Json::Text(text)) => Ok(vec![text]),
            Some(Json::List(list)) => list.iter().map(Json::as_text).collect(),
            Some(Json::Null | Json::Bool | Json::Whole(_) | Json::OtherNumber | Json::Object(_)) => {
                Err(WrongType)
            }
        }
    }
}

impl Json {
    pub(super) fn as_object(&self) -> Result<&Members, WrongType> {
        match self {
            Self::Object(members) => Ok(members),
            Self::Null | Self::Bool | Self::Whole(_) | Self::OtherNumber | Self::Text(_) | Self::List(_) => {
                Err(WrongType)
            }
        }
    }

    fn as_text(&self) -> Result<&str, WrongType> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Null
            | Self::Bool
            | Self::Whole(_)
            | Self::OtherNumber
            | Self::List(_)
            | Self::Object(_) => Err(WrongType),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no object has a member twice")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Whole(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = from.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = from.next_entry::<String, Json>()? {
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("a member is there twice"));
            }
        }
        Ok(Json::Object(Members(members)))
    }
}
