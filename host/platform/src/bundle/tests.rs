use std::{collections::BTreeMap, fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use crate::{ASSETS_BYTES_MAX, read_bundle, unpack_assets};

/// An archive that says what it likes: `tar`'s own builder would refuse some of it.
fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_entry_type(*kind);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if kind.is_symlink() || kind.is_hard_link() {
            header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
        }
        header.set_mode(0o777);
        header.set_mtime(1_700_000_000);
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

fn files(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(path, content)| (*path, EntryType::Regular, content.as_bytes()))
        .collect();
    archive(&entries)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn refusal(archive: &[u8]) -> String {
    read_bundle(archive).unwrap_err().to_string()
}

#[test]
fn same_files_same_digest() {
    let one = read_bundle(&files(&[("./index.html", "hi"), ("css/a.css", "x")])).unwrap();
    let two = read_bundle(&gzip(&files(&[("css/a.css", "x"), ("index.html", "hi")]))).unwrap();
    assert_eq!(one, two);
    assert_eq!((one.files, one.bytes), (2, 3));
    let again = read_bundle(&one.tar).unwrap();
    assert_eq!(again, one, "what is kept reads as itself");
}

#[test]
fn folders_are_passed_over() {
    let bundle = archive(&[
        ("./", EntryType::Directory, b""),
        ("css/", EntryType::Directory, b""),
        ("css/a.css", EntryType::Regular, b"x"),
    ]);
    assert_eq!(read_bundle(&bundle).unwrap().files, 1);
}

#[test]
fn paths_that_lead_elsewhere() {
    for (path, reason) in [
        ("/etc/passwd", "relative"),
        ("../up", "upwards"),
        ("a/../../up", "upwards"),
        ("a//b", "empty parts"),
        ("a/./b", "empty parts"),
        ("a/", "empty parts"),
        ("..\\up", "backslash"),
        ("a\nb", "control"),
    ] {
        let said = refusal(&files(&[(path, "x")]));
        assert!(said.contains(reason), "{path:?}: {said}");
    }
    assert!(refusal(&files(&[("a", "x"), ("a", "y")])).contains("twice"));
    assert!(refusal(&files(&[("a", "x"), ("a/b", "y")])).contains("a file and a folder"));
}

#[test]
fn only_files() {
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::GNUSparse,
    ] {
        let said = refusal(&archive(&[("a", kind, b"")]));
        assert!(
            said.contains("is no file") || said.contains("tar"),
            "{kind:?}: {said}"
        );
    }
}

#[test]
fn what_is_no_archive() {
    for bytes in [&b"hello"[..], &[0x1f, 0x8b, 8], &[b'x'; 2048]] {
        assert!(refusal(bytes).contains("neither tar nor tar.gz"));
    }
    assert!(refusal(b"").contains("no files"));
    assert!(refusal(&archive(&[])).contains("no files"));
    let whole = files(&[("a", &"x".repeat(5_000))]);
    assert!(refusal(&whole[..3_000]).contains("ends early"));
}

#[test]
fn bombs() {
    // One file that unpacks to more than fits, a header that promises it, and a stream of nothing but folders.
    let large = gzip(&archive(&[(
        "a",
        EntryType::Regular,
        &vec![0; ASSETS_BYTES_MAX + 1],
    )]));
    assert!(large.len() < ASSETS_BYTES_MAX / 100);
    assert!(refusal(&large).contains("more than"));

    let mut header = Header::new_gnu();
    header.set_path("a").unwrap();
    header.set_size(u64::MAX / 4);
    header.set_cksum();
    assert!(refusal(header.as_bytes()).contains("more than"));

    let folder = archive(&[("a/", EntryType::Directory, b"")]);
    let mut folders = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..200_000 {
        folders.write_all(&folder[..512]).unwrap();
    }
    assert!(refusal(&folders.finish().unwrap()).contains("more than"));

    let names: Vec<_> = (0..5_001).map(|n| format!("f{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert!(refusal(&files(&many)).contains("5000 files"));
}

#[test]
fn long_names_survive() {
    let name = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    tar.append_data(&mut header, &name, &b"x"[..]).unwrap();
    let bundle = read_bundle(&tar.into_inner().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let unpacked = unpack_assets(&bundle.tar, folder.path()).unwrap();
    assert_eq!(fs::read(unpacked.join(name)).unwrap(), b"x");
}

#[test]
fn unpacked_once_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = read_bundle(&files(&[("index.html", "hi"), ("css/a.css", "x")])).unwrap();
    let unpacked = unpack_assets(&bundle.tar, folder.path()).unwrap();
    assert_eq!(unpacked, folder.path().join(bundle.digest.to_string()));
    let contents = |root: &std::path::Path| -> BTreeMap<String, Vec<u8>> {
        ["index.html", "css/a.css"]
            .map(|name| (name.to_owned(), fs::read(root.join(name)).unwrap()))
            .into()
    };
    let before = contents(&unpacked);
    assert_eq!(before["index.html"], b"hi");
    // As a crash of the machine leaves it.
    fs::write(unpacked.join("index.html"), "").unwrap();
    fs::remove_file(unpacked.join("css/a.css")).unwrap();
    unpack_assets(&bundle.tar, folder.path()).unwrap();
    assert_eq!(contents(&unpacked), before);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn unpacked_by_several_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = read_bundle(&files(&[("a/b/c", "hi"), ("d", "x")])).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let unpacked = unpack_assets(&bundle.tar, folder.path()).unwrap();
                assert_eq!(fs::read(unpacked.join("d")).unwrap(), b"x");
            });
        }
    });
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
