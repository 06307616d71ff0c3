//! What a host answers, as a person reads it.
use serde_json::{Value, json};

use crate::ui;

/// Null where there is none.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

pub(crate) fn set(value: &mut Value, name: &str, to: impl serde::Serialize) {
    if let Value::Object(fields) = value {
        fields.insert(name.to_owned(), json!(to));
    }
}

/// The answer itself, or what `person` makes of it.
pub(crate) fn show(json: bool, answer: &Value, person: impl FnOnce(&Value)) {
    if json {
        ui::json(answer);
    } else {
        person(answer);
    }
}

/// One row for each element of the answer's field `name`.
pub(crate) fn rows(answer: &Value, name: &str, row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    let elements = field(answer, name)
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    elements.iter().map(row).collect()
}

/// Texts without quotes, nothing for null.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    }
}

pub(crate) fn time(value: &Value) -> String {
    value.as_u64().map(ui::time).unwrap_or_default()
}
