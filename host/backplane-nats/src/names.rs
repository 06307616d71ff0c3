use sha2::{Digest, Sha256};

/// Subjects and streams of one Wakeline. Names of apps, buckets, keys and topics are any bytes, so subjects carry
/// their hashes; the name itself travels in the message and is compared by whoever reads it.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
    partitions: u16,
}

impl Names {
    pub(crate) fn new(prefix: &str, partitions: u16) -> Self {
        Self {
            prefix: prefix.to_owned(),
            partitions,
        }
    }

    pub(crate) fn partitions(&self) -> u16 {
        self.partitions
    }

    /// Of an app among the logs, of a bucket among the key-value streams.
    pub(crate) fn partition(&self, name: &str) -> u16 {
        let hash = Sha256::digest(name.as_bytes());
        let number = hash
            .iter()
            .rev()
            .take(8)
            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        (number % u64::from(self.partitions)) as u16
    }

    pub(crate) fn log_stream(&self, partition: u16) -> String {
        format!("{}_log_{partition}", self.prefix.to_uppercase())
    }

    pub(crate) fn log_subjects(&self, partition: u16) -> String {
        format!("{}.log.{partition}.*", self.prefix)
    }

    pub(crate) fn log_subject(&self, app: &str) -> String {
        format!("{}.log.{}.{}", self.prefix, self.partition(app), token(app))
    }

    pub(crate) fn kv_stream(&self, partition: u16) -> String {
        format!("{}_kv_{partition}", self.prefix.to_uppercase())
    }

    pub(crate) fn kv_subjects(&self, partition: u16) -> String {
        format!("{}.kv.{partition}.*.*", self.prefix)
    }

    pub(crate) fn kv_bucket(&self, bucket: &str) -> String {
        format!(
            "{}.kv.{}.{}.*",
            self.prefix,
            self.partition(bucket),
            token(bucket)
        )
    }

    pub(crate) fn kv_key(&self, bucket: &str, key: &str) -> String {
        let (partition, bucket) = (self.partition(bucket), token(bucket));
        format!("{}.kv.{partition}.{bucket}.{}", self.prefix, token(key))
    }

    /// The record that decides a transaction. `txn` is no hash, so no bucket has it.
    pub(crate) fn kv_transaction(&self, bucket: &str, id: u64) -> String {
        format!("{}.kv.{}.txn.{id:016x}", self.prefix, self.partition(bucket))
    }

    /// Whose stream has the subject.
    pub(crate) fn kv_partition(&self, subject: &str) -> Option<u16> {
        let rest = subject.strip_prefix(self.prefix.as_str())?.strip_prefix(".kv.")?;
        rest.split_once('.')?.0.parse().ok()
    }

    pub(crate) fn topic(&self, topic: &str) -> String {
        format!("{}.t.{}", self.prefix, token(topic))
    }

    pub(crate) fn blob_stream(&self) -> String {
        format!("{}_blobs", self.prefix.to_uppercase())
    }

    pub(crate) fn blob_subjects(&self) -> Vec<String> {
        vec![
            format!("{}.blob.*", self.prefix),
            format!("{}.blob.*.*", self.prefix),
        ]
    }

    pub(crate) fn blob(&self, digest: &str) -> String {
        format!("{}.blob.{digest}", self.prefix)
    }

    pub(crate) fn emits(&self) -> String {
        format!("{}.emit.>", self.prefix)
    }

    /// The app that an event published on `subject` is for.
    pub(crate) fn emit_app<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix(self.prefix.as_str())?.strip_prefix(".emit.")
    }
}

/// 128 bits of a name, as 32 hex digits: of fixed length, and none of NATS's special characters.
pub(crate) fn token(name: &str) -> String {
    hex(Sha256::digest(name.as_bytes()).iter().take(16))
}

pub(crate) fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Tells one write, or one node's life, from all others.
pub(crate) fn random() -> u64 {
    // Where the system has no randomness left, time still tells writes apart.
    getrandom::u64().unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |since| since.as_nanos() as u64)
    })
}

#[cfg(test)]
mod tests;
