use crate::{
    reply, text,
    wakeline::app::types::{Error, Socket},
    wasi::keyvalue::{atomics, store},
};

pub fn run<'a>(name: &str, socket: &Socket, arg: &impl Fn(usize) -> &'a str) -> Result<(), Error> {
    let failed = |error: store::Error| Error::Failed(format!("{error:?}"));
    let bucket = store::open("").map_err(failed)?;
    match name {
        "kv-get" => {
            let value = bucket.get(arg(0)).map_err(failed)?;
            reply(socket, &value.map_or("none".into(), |value| text(&value)))
        }
        "kv-set" => bucket.set(arg(0), arg(1).as_bytes()).map_err(failed),
        "kv-set-fail" => {
            bucket.set(arg(0), arg(1).as_bytes()).map_err(failed)?;
            Err(Error::Failed("after writing".into()))
        }
        "kv-set-trap" => {
            bucket.set(arg(0), arg(1).as_bytes()).map_err(failed)?;
            core::arch::wasm32::unreachable()
        }
        "kv-increment" => {
            let sum = atomics::increment(&bucket, arg(0), 1).map_err(failed)?;
            reply(socket, &sum.to_string())
        }
        // So many keys of so many bytes, named after the third argument.
        "kv-fill" => {
            let value = vec![b'x'; arg(1).parse().unwrap()];
            (0..arg(0).parse().unwrap()).try_for_each(|n: u32| {
                let key = format!("{}{n}", arg(2));
                bucket.set(&key, &value).map_err(failed)
            })
        }
        "kv-delete" => bucket.delete(arg(0)).map_err(failed),
        "kv-own-writes" => {
            let mut seen = vec![];
            bucket.set("b", b"2").map_err(failed)?;
            bucket.set("c", b"3").map_err(failed)?;
            bucket.delete("a").map_err(failed)?;
            seen.push(format!("{:?}", bucket.exists("a").map_err(failed)?));
            seen.push(text(&bucket.get("b").map_err(failed)?.unwrap_or_default()));
            bucket.delete("b").map_err(failed)?;
            seen.push(format!("{:?}", bucket.get("b").map_err(failed)?));
            let other = store::open("other").map_err(failed)?;
            seen.push(format!("{:?}", other.get("c").map_err(failed)?));
            let mut keys = bucket.list_keys(None).map_err(failed)?.keys;
            keys.sort();
            seen.push(keys.join("+"));
            reply(socket, &seen.join(" "))
        }
        "kv-list" => {
            let (mut count, mut cursor) = (0, None);
            loop {
                let page = bucket.list_keys(cursor).map_err(failed)?;
                count += page.keys.len();
                cursor = page.cursor;
                if cursor.is_none() {
                    return reply(socket, &count.to_string());
                }
            }
        }
        other => Err(Error::Other(format!("no such event: {other}"))),
    }
}
