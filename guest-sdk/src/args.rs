use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{Bytes, Error, Result, bytes};

/// Arguments of an event or of an answer, as they travel: a JSON array, and the binary attachments that its
/// placeholders name.
///
/// Passing `Args` on (`ack.send(event.into_args())`, `socket.to(room).emit("msg", args)`) costs no parsing.
#[derive(Clone, Default, PartialEq)]
pub struct Args {
    json: String,
    attachments: Vec<Bytes>,
}

impl Args {
    /// Arguments from values: see [`IntoArgs`] for what `values` may be.
    pub fn new(values: impl IntoArgs) -> Result<Self> {
        values.into_args()
    }

    /// Arguments from their parts. `json` must be a JSON array.
    pub fn from_raw(json: String, attachments: Vec<Bytes>) -> Self {
        Self { json, attachments }
    }

    /// The JSON array's text.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Binary attachments, in the order of the placeholders' `num`.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The JSON array's text and the attachments.
    pub fn into_raw(self) -> (String, Vec<Bytes>) {
        (self.json, self.attachments)
    }

    /// All arguments as one JSON value, placeholders included. For tests and logs: typed arguments are faster.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    /// Reads a tuple of arguments. More arguments than the tuple has are ignored, as JavaScript does.
    ///
    /// ```
    /// # use wakeline_sdk::Args;
    /// let args = Args::new(("lobby", 3))?;
    /// let (room, count): (String, u32) = args.parse()?;
    /// assert_eq!((room.as_str(), count), ("lobby", 3));
    /// # Ok::<(), wakeline_sdk::Error>(())
    /// ```
    pub fn parse<'a, T: FromArgs<'a>>(&'a self) -> Result<T> {
        T::from_args(&mut self.reader("")?)
    }

    /// Reads the argument at `index`, counted from 0.
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        self.reader("")?.nth(index)
    }

    /// The same arguments without the first `count`, attachments as they were: the rest is passed on without
    /// being parsed. For arguments that are not binary themselves.
    pub fn without_first(self, count: usize) -> Result<Self> {
        let values: Vec<&RawValue> = serde_json::from_str(&self.json)?;
        let mut json = String::with_capacity(self.json.len());
        json.push('[');
        for (position, value) in values.iter().skip(count).enumerate() {
            if position > 0 {
                json.push(',');
            }
            json.push_str(value.get());
        }
        json.push(']');
        Ok(Self {
            json,
            attachments: self.attachments,
        })
    }

    pub(crate) fn reader<'a>(&'a self, event: &'a str) -> Result<ArgsReader<'a>> {
        let values = serde_json::from_str(&self.json)?;
        Ok(ArgsReader {
            event,
            values,
            attachments: &self.attachments,
            position: 0,
        })
    }
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)?;
        match self.attachments.len() {
            0 => Ok(()),
            count => write!(f, " + {count} attachments"),
        }
    }
}

/// `assert_eq!(args, json!(["hi"]))`: compares as JSON.
impl PartialEq<serde_json::Value> for Args {
    fn eq(&self, other: &serde_json::Value) -> bool {
        self.to_value() == *other
    }
}

/// Reads arguments one after the other; what [`crate::handler`] generates uses it.
#[doc(hidden)]
pub struct ArgsReader<'a> {
    event: &'a str,
    values: Vec<&'a RawValue>,
    attachments: &'a [Bytes],
    position: usize,
}

impl<'a> ArgsReader<'a> {
    pub(crate) fn nth<T: Deserialize<'a>>(mut self, index: usize) -> Result<T> {
        self.position = index;
        self.next("")
    }

    /// The next argument. A missing one reads as `null`, so an `Option` is an optional argument.
    #[doc(hidden)]
    pub fn next<T: Deserialize<'a>>(&mut self, name: &str) -> Result<T> {
        let value = self.values.get(self.position).copied();
        self.position += 1;
        let text = value.map_or("null", RawValue::get);
        let parsed = if self.attachments.is_empty() {
            serde_json::from_str(text)
        } else {
            bytes::providing(self.attachments, || serde_json::from_str(text))
        };
        parsed.map_err(|source| Error::Argument {
            event: self.event.to_owned(),
            position: self.position,
            name: name.to_owned(),
            source: value.map(|_| source),
        })
    }
}

/// What can be sent as arguments of an event or an answer.
///
/// | you write | the client gets |
/// |---|---|
/// | `&value` | one argument, whatever `value` is |
/// | `(a, b, c)` | three arguments |
/// | `"text"`, a `String`, a number, `bool`, [`Bytes`], `serde_json::Value` | one argument |
/// | `()` | none |
/// | [`Args`] | what they are, unparsed |
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as arguments",
    label = "neither a reference nor a tuple",
    note = "pass one argument by reference (`&value`, where `value: serde::Serialize`) or several as a tuple (`(a, b)`)"
)]
pub trait IntoArgs {
    /// Writes the arguments as they travel.
    fn into_args(self) -> Result<Args>;
}

impl IntoArgs for Args {
    fn into_args(self) -> Result<Args> {
        Ok(self)
    }
}

impl IntoArgs for () {
    fn into_args(self) -> Result<Args> {
        Ok(Args {
            json: "[]".to_owned(),
            attachments: Vec::new(),
        })
    }
}

impl<T: Serialize + ?Sized> IntoArgs for &T {
    fn into_args(self) -> Result<Args> {
        write(|json| serde_json::to_writer(json, self))
    }
}

fn write(values: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) -> Result<Args> {
    let mut json = Vec::with_capacity(64);
    json.push(b'[');
    let (written, attachments) = bytes::collecting(|| values(&mut json));
    written?;
    json.push(b']');
    let json = String::from_utf8(json)?;
    Ok(Args { json, attachments })
}

macro_rules! one_argument {
    ($($type:ty),*) => { $(impl IntoArgs for $type {
        fn into_args(self) -> Result<Args> {
            (&self).into_args()
        }
    })* };
}

one_argument!(
    String,
    bool,
    i32,
    i64,
    u32,
    u64,
    usize,
    f64,
    Bytes,
    serde_json::Value
);

/// What [`Args::parse`] can read: tuples of up to eight arguments.
pub trait FromArgs<'a>: Sized {
    #[doc(hidden)]
    fn from_args(reader: &mut ArgsReader<'a>) -> Result<Self>;
}

impl<'a> FromArgs<'a> for () {
    fn from_args(_reader: &mut ArgsReader<'a>) -> Result<Self> {
        Ok(())
    }
}

macro_rules! tuples {
    ($($first:ident $($rest:ident)*)?) => { $(
        impl<$first: Serialize, $($rest: Serialize),*> IntoArgs for ($first, $($rest,)*) {
            #[allow(non_snake_case, reason = "the type parameters name the values, too")]
            fn into_args(self) -> Result<Args> {
                let ($first, $($rest,)*) = self;
                write(|json| {
                    serde_json::to_writer(&mut *json, &$first)?;
                    $(
                        json.push(b',');
                        serde_json::to_writer(&mut *json, &$rest)?;
                    )*
                    Ok(())
                })
            }
        }

        impl<'a, $first: Deserialize<'a>, $($rest: Deserialize<'a>),*> FromArgs<'a> for ($first, $($rest,)*) {
            fn from_args(reader: &mut ArgsReader<'a>) -> Result<Self> {
                Ok((reader.next::<$first>("")?, $(reader.next::<$rest>("")?,)*))
            }
        }

        tuples!($($rest)*);
    )? };
}

tuples!(A B C D E F G H);
