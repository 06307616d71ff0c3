use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

use crate::{PlatformError, secret_file, tokens::fill};

/// The key that secrets are sealed with where they are stored. All nodes of a cluster need the same one.
pub struct SecretsKey {
    key: LessSafeKey,
    /// Says which key it was, and nothing of the key.
    id: [u8; ID_BYTES],
}

/// There is no key to use. The operator is at fault.
#[derive(Debug, thiserror::Error)]
pub enum SecretsKeyError {
    #[error("cannot read the key of secrets from {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("cannot make a key of secrets in {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{} is no key of secrets: 64 hexadecimal digits (openssl rand -hex 32)", path.display())]
    Malformed { path: PathBuf },
}

const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;
/// Of the sealed form: version, key's id, nonce, then what ChaCha20-Poly1305 made of the value.
const VERSION: u8 = 1;
const FILE: &str = "secrets-key";

impl SecretsKey {
    /// Reads a file that an operator made.
    pub fn read(path: &Path) -> Result<Self, SecretsKeyError> {
        let unreadable = |source| SecretsKeyError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "the key of secrets can be read by others: chmod 600");
        }
        let digest = crate::Digest::from_hex(&text.trim().to_ascii_lowercase());
        let key = digest.and_then(|key| Self::of(&key.0));
        key.ok_or_else(|| SecretsKeyError::Malformed {
            path: path.to_owned(),
        })
    }

    /// Reads the data folder's, which is made on first start and readable by its owner only. For a node on its own.
    pub fn read_or_make(data: &Path) -> Result<Self, SecretsKeyError> {
        let path = data.join(FILE);
        if !path.exists()
            && let Err(source) = secret_file::make(&path)
            && source.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(SecretsKeyError::Unwritable { path, source });
        }
        Self::read(&path)
    }

    /// For a node that keeps nothing.
    pub fn random() -> Result<Self, PlatformError> {
        let mut key = [0; KEY_BYTES];
        fill(&mut key)?;
        Self::of(&key).ok_or_else(|| PlatformError::Unavailable("no key for secrets".to_owned()))
    }

    fn of(key: &[u8; KEY_BYTES]) -> Option<Self> {
        let mut id = [0; ID_BYTES];
        let digest = Sha256::new()
            .chain_update(b"wakeline secrets key id\0")
            .chain_update(key)
            .finalize();
        id.iter_mut().zip(digest).for_each(|(id, byte)| *id = byte);
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).ok()?;
        Some(Self {
            key: LessSafeKey::new(key),
            id,
        })
    }

    /// `bound_to` must be the same when it is opened.
    pub(crate) fn seal(&self, value: &[u8], bound_to: &str) -> Result<Vec<u8>, PlatformError> {
        // Random: the values ever sealed with one key are far fewer than the 2^32 at which 96 bits would be few.
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce)?;
        let mut sealed = value.to_vec();
        let aad = Aad::from(bound_to.as_bytes());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| PlatformError::Unavailable("the value could not be sealed".to_owned()))?;
        Ok([&[VERSION][..], &self.id, &nonce, &sealed].concat())
    }

    /// `Err` says why not, without a word of the value.
    pub(crate) fn open(&self, sealed: &[u8], bound_to: &str) -> Result<Vec<u8>, String> {
        let parts = sealed.split_first().and_then(|(version, rest)| {
            let (id, rest) = rest.split_at_checked(ID_BYTES)?;
            let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
            Some((*version, id, nonce, sealed))
        });
        let Some((VERSION, id, nonce, sealed)) = parts else {
            return Err("a newer node sealed it, or it is damaged".to_owned());
        };
        if id != self.id {
            return Err(
                "it was sealed with another key: start this node with the key file it was stored under, or set it again"
                    .to_owned(),
            );
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|error| error.to_string())?;
        let mut value = sealed.to_vec();
        let aad = Aad::from(bound_to.as_bytes());
        let opened = self.key.open_in_place(nonce, aad, &mut value);
        let length = opened
            .map_err(|_| "it is damaged, or was moved there from elsewhere".to_owned())?
            .len();
        value.truncate(length);
        Ok(value)
    }
}

impl fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretsKey(…)")
    }
}

#[cfg(test)]
mod tests;
