//! The operators' token: who has it may do anything to this node.
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Only the digest is kept: nothing to leak, and digests of one length can be compared in constant time.
pub(crate) struct Token([u8; 32]);

/// There is no token to use. The operator is at fault.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("cannot read the admin token from {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("cannot make an admin token in {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("the admin token in {} is shorter than {TOKEN_CHARS_MIN} characters", path.display())]
    TooShort { path: PathBuf },
    #[error(
        "without a data folder there is no place for an admin token: name a file that has one (--admin-token-file)"
    )]
    NoPlace,
}

const TOKEN_CHARS_MIN: usize = 32;
const FILE: &str = "admin-token";

impl Token {
    /// Reads `file`; without one, the data folder's, which is made on first start and readable by its owner only.
    pub(crate) fn load(file: Option<&Path>, data: Option<&Path>) -> Result<Self, TokenError> {
        if let Some(file) = file {
            return Self::read(file);
        }
        let path = data.ok_or(TokenError::NoPlace)?.join(FILE);
        match platform::make_secret_file(&path).map(|text| Self::of(&text)) {
            Ok(token) => Ok(token),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::read(&path),
            Err(source) => Err(TokenError::Unwritable { path, source }),
        }
    }

    fn read(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |source| TokenError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "the admin token can be read by others: chmod 600");
        }
        let text = text.trim();
        if text.len() < TOKEN_CHARS_MIN {
            return Err(TokenError::TooShort {
                path: path.to_owned(),
            });
        }
        Ok(Self::of(text))
    }

    fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Whether this is the token. Takes as long for a wrong one as for the right one.
    pub(crate) fn admits(&self, token: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(token).into();
        let differences = self
            .0
            .iter()
            .zip(given)
            .fold(0, |differences, (a, b)| differences | (a ^ b));
        differences == 0
    }
}
