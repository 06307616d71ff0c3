use bytes::Bytes;
use futures_util::StreamExt;

use super::{Subject, entry, list, next};
use crate::{Change, Condition, Error, NAME_BYTES_MAX, VALUE_BYTES_MAX};

list![hostile_names, limits, large_entries];

/// Names that mean something to file systems, subjects, queries or careless concatenation.
fn names(subject: &Subject) -> Vec<String> {
    let tails = [
        ".",
        "..",
        "/",
        "../../etc",
        "a.b",
        "a.*",
        ">",
        "*",
        " ",
        "\0",
        "\n",
        "é",
        "\u{10FFFF}",
        "%2f",
        "a\0b",
        "'",
        "$",
    ];
    let own = subject.name("");
    let mut names: Vec<String> = tails.iter().map(|tail| format!("{own}{tail}")).collect();
    names.push(format!("{own}{}", "x".repeat(NAME_BYTES_MAX - own.len())));
    names
}

fn set(key: &str, value: impl Into<Bytes>) -> Vec<Change> {
    vec![Change {
        key: key.into(),
        value: Some(value.into()),
        condition: Condition::Always,
    }]
}

async fn hostile_names(subject: Subject) {
    let names = names(&subject);
    for name in &names {
        let mut tail = subject.backplane.tail(name).await.unwrap();
        subject.append(name, &[name]).await;
        assert_eq!(next(&mut tail).await.1, *name);
        let mut stream = subject.backplane.subscribe(name).await.unwrap();
        subject
            .backplane
            .publish(name, Bytes::copy_from_slice(name.as_bytes()))
            .await
            .unwrap();
        assert_eq!(stream.next().await.unwrap(), name.as_bytes());
        for key in &names {
            subject
                .backplane
                .write(name, set(key, format!("{name}|{key}")))
                .await
                .unwrap();
        }
    }
    let mut sorted = names.clone();
    sorted.sort();
    for name in &names {
        assert_eq!(subject.backplane.keys(name, "", None, 100).await.unwrap(), sorted);
        for key in &names {
            let value = subject.backplane.get(name, key).await.unwrap().unwrap();
            assert_eq!(value.bytes, format!("{name}|{key}"));
        }
    }
}

async fn limits(subject: Subject) {
    let (backplane, name) = (&subject.backplane, subject.name("name"));
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    let refused =
        |outcome: Result<(), Error>| assert!(matches!(outcome, Err(Error::Invalid(_))), "{outcome:?}");
    for bad in ["", &long] {
        refused(backplane.append(bad, vec![entry("a")], None).await.map(drop));
        refused(
            backplane
                .append(&name, vec![entry("a")], Some(bad.into()))
                .await
                .map(drop),
        );
        refused(backplane.head(bad).await.map(drop));
        refused(backplane.tail(bad).await.map(drop));
        refused(backplane.publish(bad, Bytes::new()).await);
        refused(backplane.subscribe(bad).await.map(drop));
        refused(backplane.get(bad, "k").await.map(drop));
        refused(backplane.get(&name, bad).await.map(drop));
        refused(backplane.write(&name, set(bad, "v")).await.map(drop));
        refused(backplane.write(bad, set("k", "v")).await.map(drop));
        refused(backplane.keys(bad, "", None, 1).await.map(drop));
    }
    refused(backplane.keys(&name, &long, None, 1).await.map(drop));
    refused(
        backplane
            .write(&name, set("k", vec![0; VALUE_BYTES_MAX + 1]))
            .await
            .map(drop),
    );
    backplane
        .write(&name, set("k", vec![0; VALUE_BYTES_MAX]))
        .await
        .unwrap();
    let many = (0..=crate::APPEND_ENTRIES_MAX).map(|_| entry("a")).collect();
    refused(backplane.append(&name, many, None).await.map(drop));
}

async fn large_entries(subject: Subject) {
    let app = subject.name("app");
    let mut tail = subject.backplane.tail(&app).await.unwrap();
    let large = "x".repeat(crate::ENTRY_BYTES_MAX - 100);
    let start = subject.append(&app, &["small"]).await[0];
    subject.append(&app, &[&large]).await;
    assert_eq!(next(&mut tail).await.1, "small");
    assert_eq!(next(&mut tail).await.1, large);
    assert_eq!(subject.read(&app, start).await.unwrap(), [large]);
}
