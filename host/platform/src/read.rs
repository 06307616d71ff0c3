//! From text to checked values by the table of keys; every problem of the text is found, not only the first.
use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use crate::{
    Ceilings, Problem, auth,
    keys::{Check, Default, KEYS, Key, Kind, SECTIONS, split},
};

/// Checked values by path: of the text where it has them, defaults where it is silent.
pub(crate) struct Values(HashMap<&'static str, Value>);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Flag(bool),
    Integer(u64),
    Text(String),
    Texts(Vec<String>),
    Map(BTreeMap<String, String>),
}

pub(crate) fn read(source: &str, ceilings: &Ceilings) -> Result<Values, Vec<Problem>> {
    let mut reader = Reader {
        source,
        ceilings,
        found: HashMap::new(),
        spans: HashMap::new(),
        sections: HashMap::new(),
        problems: Vec::new(),
    };
    reader.document();
    reader.raw_paths_differ();
    reader.auth_is_whole();
    if !reader.problems.is_empty() {
        reader
            .problems
            .sort_by_key(|problem| (problem.line, problem.column));
        return Err(reader.problems);
    }
    let mut values = reader.found;
    for key in KEYS {
        if let (false, Default::Toml(literal)) = (values.contains_key(key.path), &key.default) {
            values.insert(key.path, default_value(key, literal, ceilings));
        }
    }
    Ok(Values(values))
}

struct Reader<'a> {
    source: &'a str,
    ceilings: &'a Ceilings,
    found: HashMap<&'static str, Value>,
    spans: HashMap<&'static str, Range<usize>>,
    /// Where the text has a section, empty or not.
    sections: HashMap<&'static str, Range<usize>>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn document(&mut self) {
        let (document, errors) = DeTable::parse_recoverable(self.source);
        if !errors.is_empty() {
            for error in errors {
                let problem = Problem::new(self.source, error.span().unwrap_or(0..0), "", error.message());
                self.problems.push(problem);
            }
            return;
        }
        for (name, value) in document.get_ref() {
            self.top_level(name, value);
        }
    }

    fn top_level(&mut self, name: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let text = name.get_ref().as_ref();
        if let Some(key) = KEYS.iter().find(|key| key.path == text) {
            return self.key(key, value);
        }
        let Some((section, _)) = SECTIONS
            .iter()
            .find(|(section, _)| *section == text && !text.is_empty())
        else {
            return self.unknown(name, "", text);
        };
        let DeValue::Table(table) = value.get_ref() else {
            return self.mismatch(value, section, "a section");
        };
        self.sections.insert(*section, name.span());
        if let Some(key) = KEYS
            .iter()
            .find(|key| matches!(key.kind, Kind::Map) && split(key.path).0 == *section)
        {
            return self.map(key, table);
        }
        for (name, value) in table {
            let key = KEYS
                .iter()
                .find(|key| split(key.path) == (*section, name.get_ref().as_ref()));
            match key {
                Some(key) => self.key(key, value),
                None => self.unknown(name, section, name.get_ref()),
            }
        }
    }

    fn key(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>) {
        let read = match &key.kind {
            Kind::Flag => self.flag(key, value),
            Kind::Integer { min, max } => self.integer(key, value, *min, *max),
            Kind::Text(check) => self.text(key, value, *check).map(Value::Text),
            Kind::Texts { min, check } => self.texts(key, value, *min, *check),
            Kind::Map => unreachable!("maps are read whole, in `map`"),
        };
        if let Some(read) = read {
            self.found.insert(key.path, read);
            self.spans.insert(key.path, value.span());
        }
    }

    fn flag(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.mismatch(value, key.path, "`true` or `false`");
        }
        flag.map(Value::Flag)
    }

    fn integer(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, min: u64, max: u64) -> Option<Value> {
        let ceiling = self.ceilings.get(key.path).filter(|ceiling| *ceiling < max);
        let highest = ceiling.unwrap_or(max);
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|n| i128::from_str_radix(n.as_str(), n.radix()).ok());
        let number = number.and_then(|n| u64::try_from(n).ok());
        let held = number.map(|n| if self.ceilings.holds() { n.min(highest) } else { n });
        let fits = held.filter(|n| (min..=highest).contains(n));
        if fits.is_none() {
            let who = if ceiling.is_some() {
                ", this server's ceiling"
            } else {
                ""
            };
            self.mismatch(
                value,
                key.path,
                &format!("a whole number of {}, {min} to {highest}{who}", key.unit),
            );
        }
        fits.map(Value::Integer)
    }

    fn text(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, check: Check) -> Option<String> {
        let Some(text) = value.get_ref().as_str() else {
            self.mismatch(value, key.path, "a text in quotes");
            return None;
        };
        if let Err(expected) = check(text) {
            self.mismatch(value, key.path, expected);
            return None;
        }
        Some(text.to_owned())
    }

    fn texts(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, min: usize, check: Check) -> Option<Value> {
        let Some(array) = value.get_ref().as_array() else {
            self.mismatch(value, key.path, "a list of texts in brackets");
            return None;
        };
        if array.len() < min {
            self.mismatch(value, key.path, &format!("a list of at least {min}"));
            return None;
        }
        let texts: Vec<_> = items(array)
            .filter_map(|item| self.text(key, item, check))
            .collect();
        (texts.len() == array.len()).then_some(Value::Texts(texts))
    }

    fn map(&mut self, key: &'static Key, table: &DeTable<'_>) {
        let mut map = BTreeMap::new();
        for (name, value) in table {
            if let Some(text) = value.get_ref().as_str() {
                map.insert(name.get_ref().to_string(), text.to_owned());
            } else {
                let path = format!("{}.{}", split(key.path).0, name.get_ref());
                self.mismatch(value, &path, "a text in quotes");
            }
        }
        self.found.insert(key.path, Value::Map(map));
    }

    fn mismatch(&mut self, value: &Spanned<DeValue<'_>>, path: &str, expected: &str) {
        let message = format!("expected {expected}, found {}", describe(value.get_ref()));
        self.problems
            .push(Problem::new(self.source, value.span(), path, message));
    }

    fn unknown(&mut self, name: &Spanned<std::borrow::Cow<'_, str>>, section: &str, text: &str) {
        let path = if section.is_empty() {
            text.to_owned()
        } else {
            format!("{section}.{text}")
        };
        let problem = Problem::new(self.source, name.span(), path, "there is no such key");
        self.problems.push(problem.help(suggestion(section, text)));
    }

    fn raw_paths_differ(&mut self) {
        let path = |key| match self.found.get(key) {
            Some(Value::Text(path)) => Some(path.trim_end_matches('/')),
            _ => None,
        };
        let same = path("raw.websocket").is_some_and(|websocket| path("raw.engineio") == Some(websocket));
        if let (true, Some(span)) = (same, self.spans.get("raw.engineio")) {
            let message = "expected another path than that of raw.websocket";
            self.problems
                .push(Problem::new(self.source, span.clone(), "raw.engineio", message));
        }
    }
}

/// What keys ask of each other.
impl Reader<'_> {
    /// A section that asks for a check must say which: no app is served without the check it asked for.
    fn auth_is_whole(&mut self) {
        let Some(section) = self.sections.get("auth").cloned() else {
            return;
        };
        // What is wrong by itself is told already.
        if self
            .problems
            .iter()
            .any(|problem| problem.key.starts_with("auth"))
        {
            return;
        }
        for (key, problem) in auth::problems(&self.found) {
            let at = self.spans.get(key).unwrap_or(&section).clone();
            self.problems.push(Problem::new(self.source, at, key, problem));
        }
    }
}

fn items<'a, 'i>(array: &'a DeArray<'i>) -> impl Iterator<Item = &'a Spanned<DeValue<'i>>> {
    array.iter()
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {text:?}"),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(array) if array.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a section".to_owned(),
    }
}

/// What the author may have meant by an unknown key: its neighbour by spelling, or the same key elsewhere.
fn suggestion(section: &str, text: &str) -> String {
    let here: Vec<&str> = if section.is_empty() {
        let sections = SECTIONS
            .iter()
            .map(|(section, _)| *section)
            .filter(|section| !section.is_empty());
        KEYS.iter()
            .map(|key| key.path)
            .filter(|path| !path.contains('.'))
            .chain(sections)
            .collect()
    } else {
        KEYS.iter()
            .map(|key| split(key.path))
            .filter(|(of, _)| *of == section)
            .map(|(_, name)| name)
            .collect()
    };
    let nearest = here.iter().map(|name| (distance(name, text), *name)).min();
    if let Some((edits, name)) = nearest.filter(|(edits, name)| *edits <= 1 + name.len() / 4) {
        debug_assert!(edits > 0, "a known key is not unknown");
        return format!("did you mean `{name}`?");
    }
    if let Some(elsewhere) = KEYS.iter().find(|key| split(key.path).1 == text) {
        return match split(elsewhere.path).0 {
            "" => format!("`{text}` stands above all sections"),
            section => format!("`{text}` belongs in [{section}]"),
        };
    }
    match section {
        "" => format!("known here: {}", here.join(", ")),
        section => format!("[{section}] has: {}", here.join(", ")),
    }
}

/// Edits from one to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let edits = (diagonal + usize::from(from != *to)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, edits);
            left = edits;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn default_value(key: &Key, literal: &str, ceilings: &Ceilings) -> Value {
    // A default is our own text: one that does not parse is our fault, and a test reads all of them.
    let parsed = DeValue::parse(literal).ok();
    let value = parsed.as_ref().map(Spanned::get_ref);
    match (&key.kind, value) {
        (Kind::Flag, Some(DeValue::Boolean(flag))) => Value::Flag(*flag),
        (Kind::Integer { .. }, Some(DeValue::Integer(number))) => {
            let number = number.as_str().parse().unwrap_or_default();
            Value::Integer(
                ceilings
                    .get(key.path)
                    .map_or(number, |ceiling| ceiling.min(number)),
            )
        }
        (Kind::Text(_), Some(DeValue::String(text))) => Value::Text(text.to_string()),
        (Kind::Texts { .. }, Some(DeValue::Array(array))) => Value::Texts(
            items(array)
                .filter_map(|item| item.get_ref().as_str())
                .map(str::to_owned)
                .collect(),
        ),
        (Kind::Map, Some(DeValue::Table(_))) => Value::Map(BTreeMap::new()),
        _ => unreachable!("the default of {} is not of its kind", key.path),
    }
}

/// Typed access. Asking for a key that the table does not have, or as another kind, is our own mistake.
impl Values {
    pub(crate) fn flag(&self, path: &'static str) -> bool {
        match self.0.get(path) {
            Some(Value::Flag(flag)) => *flag,
            other => unreachable!("{path} is {other:?}"),
        }
    }

    pub(crate) fn integer(&self, path: &'static str) -> u64 {
        match self.0.get(path) {
            Some(Value::Integer(number)) => *number,
            other => unreachable!("{path} is {other:?}"),
        }
    }

    pub(crate) fn text(&self, path: &'static str) -> Option<String> {
        match self.0.get(path) {
            None => None,
            Some(Value::Text(text)) => Some(text.clone()),
            other => unreachable!("{path} is {other:?}"),
        }
    }

    pub(crate) fn texts(&self, path: &'static str) -> Vec<String> {
        match self.0.get(path) {
            Some(Value::Texts(texts)) => texts.clone(),
            other => unreachable!("{path} is {other:?}"),
        }
    }

    pub(crate) fn map(&self, path: &'static str) -> BTreeMap<String, String> {
        match self.0.get(path) {
            Some(Value::Map(map)) => map.clone(),
            other => unreachable!("{path} is {other:?}"),
        }
    }
}
