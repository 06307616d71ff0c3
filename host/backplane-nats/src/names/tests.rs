use super::*;

/// Permissions of the server's are no wall between tenants: no name of theirs is ever part of a subject.
#[test]
fn nats_2026_18_names_of_tenants_are_never_in_a_subject() {
    let names = Names::new("wl", 8);
    let dots = |subject: &str| subject.matches('.').count();
    let honest = [
        names.log_subject("chat"),
        names.kv_key("chat", "key"),
        names.topic("chat"),
    ];
    for odd in [
        "",
        ">",
        "*",
        "a.b.>",
        "a b",
        "x\r\nPUB wl.log.0.x 1\r\n",
        "$JS.API.>",
        "_INBOX.>",
        "é\0",
    ] {
        let subjects = [names.log_subject(odd), names.kv_key(odd, odd), names.topic(odd)];
        for (subject, honest) in subjects.iter().zip(&honest) {
            assert!(
                subject
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'.'),
                "{odd:?}: {subject}"
            );
            assert_eq!(dots(subject), dots(honest), "{odd:?}: {subject}");
            assert_ne!(subject, honest);
        }
        let bucket = names.kv_bucket(odd);
        let bucket = bucket.strip_suffix(".*").unwrap();
        assert!(!bucket.contains(['*', '>', ' ']), "{odd:?}: {bucket}");
    }
}
