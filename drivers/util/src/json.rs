//! JSON objects whose nesting is written as dots in their keys, as QEMU's `json:` file names have it.
//!
//! Reading and writing JSON itself is `serde_json`'s.

use serde_json::{Map, Value};

/// Keys that cannot both be: one names a value, the other something inside of that value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key '{key}' is used both for a value and for an object")]
pub struct KeyConflict {
    /// The key, as far as it is in conflict.
    pub key: String,
}

/// Turns dotted keys into nested objects, at every depth, and objects whose keys are the numbers from 0 on into arrays.
///
/// # Errors
/// Two keys contradict each other.
pub fn deflatten(value: Value) -> Result<Value, KeyConflict> {
    match value {
        Value::Object(members) => {
            let mut nested = Map::new();
            for (key, value) in members {
                insert(&mut nested, &key, deflatten(value)?)?;
            }
            Ok(into_arrays(nested))
        }
        Value::Array(items) => items.into_iter().map(deflatten).collect(),
        plain => Ok(plain),
    }
}

fn insert(object: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), KeyConflict> {
    let conflict = |key: &str| KeyConflict {
        key: key.to_owned(),
    };
    let Some((first, rest)) = key.split_once('.') else {
        return match object.get(key) {
            Some(_) => Err(conflict(key)),
            None => {
                object.insert(key.to_owned(), value);
                Ok(())
            }
        };
    };
    let inner = object
        .entry(first)
        .or_insert_with(|| Value::Object(Map::new()));
    match inner {
        Value::Object(inner) => insert(inner, rest, value),
        _ => Err(conflict(first)),
    }
}

/// An array in place of an object whose keys are 0, 1, 2, …, at any depth.
fn into_arrays(object: Map<String, Value>) -> Value {
    let mut object: Map<String, Value> = object
        .into_iter()
        .map(|(key, value)| match value {
            Value::Object(inner) => (key, into_arrays(inner)),
            value => (key, value),
        })
        .collect();
    let numbered =
        !object.is_empty() && (0..object.len()).all(|n| object.contains_key(&n.to_string()));
    if !numbered {
        return Value::Object(object);
    }
    (0..object.len())
        .filter_map(|n| object.remove(&n.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dots_become_objects_and_numbers_arrays() {
        let flat = json!({
            "driver": "nbd",
            "server.host": "a", "server.port": "1",
            "list.1.name": "b", "list.0.name": "a",
            "gap.0": 1, "gap.2": 3,
            "deep": {"x.y": {"0": true}}
        });
        let nested = json!({
            "driver": "nbd",
            "server": {"host": "a", "port": "1"},
            "list": [{"name": "a"}, {"name": "b"}],
            "gap": {"0": 1, "2": 3},
            "deep": {"x": {"y": [true]}}
        });
        assert_eq!(deflatten(flat).unwrap(), nested);
    }

    #[test]
    fn keys_that_contradict_each_other_are_refused() {
        for (conflict, key) in [
            (json!({"a": 1, "a.b": 2}), "a"),
            (json!({"a.b": 1, "a": 2}), "a"),
            (json!({"a": {"b": 1}, "a.b": 2}), "b"),
        ] {
            assert_eq!(deflatten(conflict).unwrap_err().key, key);
        }
    }
}
