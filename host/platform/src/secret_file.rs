use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

const BYTES: usize = 32;

/// Makes a file with 256 random bits in hexadecimal, which only its owner may read; answers the text. Blocking.
///
/// It is written beside its place and linked there, so that whoever reads it reads all of it. An error of the kind
/// `AlreadyExists`: it is there, and stays as it is.
pub fn make(path: &Path) -> io::Result<String> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let text = crate::Digest(random).to_string();
    let scratch = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&scratch)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    let linked = fs::hard_link(&scratch, path);
    fs::remove_file(&scratch)?;
    linked.map(|()| text)
}
