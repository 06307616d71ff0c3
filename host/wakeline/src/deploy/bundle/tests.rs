use std::{
    fs::File,
    io::Read,
    os::unix::fs::symlink,
    time::{Duration, SystemTime},
};

use flate2::read::GzDecoder;

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let bytes = pack(folder).unwrap().unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn the_same_files_make_the_same_bytes() {
    let make = |order: [&str; 3], age: u64| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("js")).unwrap();
        for name in order {
            let path = folder.path().join(name);
            fs::write(&path, name).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(age);
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
        let names = names(folder.path());
        assert_eq!(names, ["index.html", "js/a.js", "js/b.js"]);
        pack(folder.path()).unwrap().unwrap()
    };
    let first = make(["index.html", "js/a.js", "js/b.js"], 1);
    assert_eq!(first, make(["js/b.js", "js/a.js", "index.html"], 1_000_000));
    let mut text = String::new();
    let mut archive = tar::Archive::new(GzDecoder::new(first.as_slice()));
    let mut entries = archive.entries().unwrap();
    entries
        .next()
        .unwrap()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "index.html");
}

#[test]
fn long_names_are_kept_and_hidden_files_stay_at_home() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{}.txt", "long".repeat(50));
    fs::write(folder.path().join(&long), "").unwrap();
    fs::write(folder.path().join(".env"), "PASSWORD=1").unwrap();
    fs::create_dir_all(folder.path().join(".well-known")).unwrap();
    fs::write(folder.path().join(".well-known/security.txt"), "").unwrap();
    let found = names(folder.path());
    assert_eq!(found, [".well-known/security.txt".to_owned(), long]);
}

#[test]
fn a_folder_without_files_is_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    assert_eq!(pack(folder.path()).unwrap(), None);
}

#[test]
fn a_link_does_not_lead_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "a").unwrap();
    symlink("a.txt", folder.path().join("b.txt")).unwrap();
    assert_eq!(names(folder.path()), ["a.txt", "b.txt"]);
    symlink("/etc/passwd", folder.path().join("c.txt")).unwrap();
    let error = pack(folder.path()).unwrap_err().to_string();
    assert!(error.contains("not in the folder"), "{error}");
    fs::remove_file(folder.path().join("c.txt")).unwrap();
    symlink(".", folder.path().join("round")).unwrap();
    let error = pack(folder.path()).unwrap_err().to_string();
    assert!(error.contains("within each other"), "{error}");
}
