//! What strangers upload: manifests, files, components, and the bodies of the admin API. Of a component, only what is
//! looked at before the compiler: wasmtime is fuzzed by those who make it, and would be most of this workspace.
use platform::{
    Ceilings, Manifest, read_bundle,
    requests::{
        check_component_header, parse_emit, parse_live, parse_new_token, parse_push, parse_query,
        parse_rollback, percent_decode,
    },
};
use tar::{Builder, EntryType, Header};

/// Any text: a manifest, or problems that each have a place and can be shown.
pub fn platform_manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let ceilings = Ceilings::none()
        .with("limits.memory_bytes", 32 << 20)
        .expect("a number of the manifest");
    match Manifest::parse(text, "wakeline.toml", "chat", &ceilings) {
        Ok(manifest) => {
            assert!(platform::check_app_name(&manifest.name).is_ok());
            assert!(manifest.limits.memory_bytes <= 32 << 20, "above the ceiling");
            assert!(!Manifest::limits_of(text, &ceilings).is_empty());
        }
        Err(errors) => {
            assert!(!errors.problems.is_empty());
            let lines = text.matches('\n').count() + 1;
            assert!(
                errors
                    .problems
                    .iter()
                    .all(|problem| (1..=lines).contains(&problem.line))
            );
            assert!(!errors.to_string().is_empty());
        }
    }
}

/// Any archive, and any that `entries` makes: what is taken has paths that stay within, and reads as itself again.
pub fn platform_assets(data: &[u8]) {
    check_archive(data);
    check_archive(&entries(data));
}

fn check_archive(archive: &[u8]) {
    let Ok(bundle) = read_bundle(archive) else { return };
    assert!(bundle.files > 0);
    assert_eq!(read_bundle(&bundle.tar).expect("what is kept"), bundle);
    let mut tar = tar::Archive::new(&*bundle.tar);
    for entry in tar.entries().expect("what is kept") {
        let entry = entry.expect("what is kept");
        assert_eq!(entry.header().entry_type(), EntryType::Regular);
        let path = entry.path().expect("a path").into_owned();
        let stays = |part| matches!(part, std::path::Component::Normal(_));
        assert!(path.components().all(stays), "{}", path.display());
    }
}

/// A tar whose sums are right, which no fuzzer would come upon: for each entry its kind, the lengths of its path and its
/// content, then both.
fn entries(mut data: &[u8]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    while let Some((&[kind, path, length], rest)) = data.split_first_chunk() {
        let path = usize::from(path % 101).min(rest.len());
        let (path, rest) = rest.split_at(path);
        let (content, rest) = rest.split_at(usize::from(length).min(rest.len()));
        data = rest;
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.set_entry_type(EntryType::new(b"0512Lxg7S\0KV"[usize::from(kind) % 12]));
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).expect("memory takes it");
    }
    tar.into_inner().expect("memory takes it")
}

/// Any bytes as a component: taken if they begin as one.
pub fn platform_component(data: &[u8]) {
    let begins = data.starts_with(b"\0asm\x0d\0\x01\0");
    assert_eq!(check_component_header(data).is_ok(), begins);
}

/// Any body of the admin API, and any query: the first byte says which it is taken for. What is taken keeps to its bounds.
pub fn platform_requests(data: &[u8]) {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    match which % 6 {
        0 => {
            if let Ok(live) = parse_live(data) {
                assert!((1..=100).contains(&live.percent) && live.wait.as_secs() <= 60);
            }
        }
        1 => {
            if let Ok(back) = parse_rollback(data) {
                assert!(back.wait.as_secs() <= 60);
            }
        }
        2 => _ = parse_new_token(data),
        3 => {
            if let Ok(emit) = parse_emit(data) {
                assert!(emit.rooms.iter().all(|room| (1..=256).contains(&room.len())));
                serde_json::from_str::<&serde_json::value::RawValue>(emit.args.get())
                    .expect("JSON within JSON");
            }
        }
        4 => {
            if let Ok(push) = parse_push(data) {
                assert!((1..=256).contains(&push.topic.len()));
                assert!(
                    push.idempotency_key
                        .is_none_or(|key| (1..=400).contains(&key.len()))
                );
            }
        }
        _ => {
            let Ok(query) = std::str::from_utf8(data) else {
                return;
            };
            if let Ok(parameters) = parse_query(query, &["after", "limit"]) {
                assert!(parameters.len() <= 2);
            }
            if !query.contains('%') {
                assert_eq!(percent_decode(query).as_deref(), Some(query));
            }
        }
    }
}
