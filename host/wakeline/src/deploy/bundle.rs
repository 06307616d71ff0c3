use std::{
    fs, io,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

/// The files below `folder` as a compressed tar archive; `None` if there are none. The same files make the same bytes,
/// whenever and wherever they are packed. Links are followed within the folder only; hidden files (`.git`, `.env`)
/// stay at home.
pub(super) fn pack(folder: &Path) -> io::Result<Option<Vec<u8>>> {
    let root = folder.canonicalize()?;
    let mut files = Vec::new();
    walk(&root, &root, Path::new(""), 0, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Ok(None);
    }
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, path) in files {
        let bytes = fs::read(&path).map_err(|error| named(&path, &error))?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, &name, bytes.as_slice())?;
    }
    archive.into_inner()?.finish().map(Some)
}

/// Folders within folders, against links that lead to themselves.
const DEPTH_MAX: usize = 32;

/// Names in the archive, and where the files are.
fn walk(
    root: &Path,
    folder: &Path,
    name: &Path,
    depth: usize,
    files: &mut Vec<(PathBuf, PathBuf)>,
) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other(format!(
            "{}: more than {DEPTH_MAX} folders within each other",
            folder.display()
        )));
    }
    for entry in fs::read_dir(folder).map_err(|error| named(folder, &error))? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") && entry.file_name() != ".well-known" {
            continue;
        }
        let path = entry
            .path()
            .canonicalize()
            .map_err(|error| named(&entry.path(), &error))?;
        if !path.starts_with(root) {
            return Err(io::Error::other(format!(
                "{} leads to {}, which is not in the folder",
                entry.path().display(),
                path.display()
            )));
        }
        let name = name.join(entry.file_name());
        if path.is_dir() {
            walk(root, &path, &name, depth + 1, files)?;
        } else {
            files.push((name, path));
        }
    }
    Ok(())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
