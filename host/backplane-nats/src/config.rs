use std::{path::PathBuf, time::Duration};

/// How to reach NATS and what to keep there.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// A URL or several, separated by commas: `nats://one:4222,nats://two:4222`.
    pub servers: String,
    /// First token of every subject, and of every stream's name in upper case: letters, digits, `-` and `_`, at
    /// most 32. Wakelines that share a NATS account keep apart by it.
    pub prefix: String,
    /// Copies of each stream: 1 or 3. 0: three where the cluster has as many servers, else one.
    pub replicas: u8,
    /// Streams that apps, and streams that buckets, are spread over: 1 to 256. The same on every node, and never
    /// changed while data is there: names are looked for in the stream that their hash gives.
    pub partitions: u16,
    /// A `.creds` file.
    pub credentials: Option<PathBuf>,
    /// What one partition's log keeps at most; the oldest leave first.
    pub log_bytes_max: u64,
    /// How long a log stream keeps entries at least; raised where an app's window is longer.
    pub log_age: Duration,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            servers: "nats://127.0.0.1:4222".into(),
            prefix: "wakeline".into(),
            replicas: 0,
            partitions: 8,
            credentials: None,
            log_bytes_max: 256 << 20,
            log_age: Duration::from_mins(10),
        }
    }
}

impl NatsConfig {
    pub(crate) fn check(&self) -> Result<(), ConnectError> {
        let invalid = |what: &str| Err(ConnectError::Invalid(what.to_owned()));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=32).contains(&self.prefix.len()) || !self.prefix.bytes().all(plain) {
            return invalid("the prefix is 1 to 32 letters, digits, - and _");
        }
        if ![0, 1, 3].contains(&self.replicas) {
            return invalid("replicas are 1 or 3, or 0 for as many as the cluster has");
        }
        if !(1..=256).contains(&self.partitions) {
            return invalid("partitions are 1 to 256");
        }
        // Below, an append of the largest size could push itself out.
        if self.log_bytes_max < 1 << 20 || i64::try_from(self.log_bytes_max).is_err() {
            return invalid("a log of less than 1 MiB a partition keeps nothing");
        }
        if self.log_age < Duration::from_secs(1) {
            return invalid("a log age below one second keeps nothing");
        }
        Ok(())
    }
}

/// Why there is no backplane. Unless it says otherwise, trying again later may help.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The operator's: nothing helps but another configuration.
    #[error("NATS configuration: {0}")]
    Invalid(String),
    #[error(
        "NATS at {servers} cannot be reached: {cause}; is it running, and does the URL name its client port?"
    )]
    Unreachable { servers: String, cause: String },
    /// The operator's: the account, or the file.
    #[error("NATS at {servers} refused the credentials: {cause}")]
    Refused { servers: String, cause: String },
    /// The operator's: start the server with `-js`, or enable JetStream for the account.
    #[error("NATS server {server} has no JetStream: start it with -js, or enable it for the account")]
    NoJetStream { server: String },
    /// The operator's: fewer replicas, or more servers.
    #[error("{replicas} replicas need as many JetStream servers in the cluster: {cause}")]
    TooFewServers { replicas: u8, cause: String },
    #[error("stream {stream} cannot be made or updated: {cause}")]
    Stream { stream: String, cause: String },
    /// Ours: the machine gives no thread.
    #[error("no background thread: {0}")]
    Thread(String),
}

/// What answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    pub name: String,
    pub version: String,
    /// What the operator should know of that version.
    pub advice: Option<String>,
    /// Copies of each stream, as made.
    pub replicas: u8,
}

impl ServerInfo {
    pub(crate) fn advice(version: &str) -> Option<String> {
        // 2.13 was never released; the security fixes of 2026 are in 2.12.7 and in 2.14.
        let old = self::version(version) < (2, 12, 7);
        old.then(|| {
            format!(
                "NATS server {version} lacks security fixes of 2026: run 2.12.7, 2.14 or later, and expose neither \
                 its WebSocket nor its leaf node port"
            )
        })
    }
}

/// What is no number counts as 0.
pub(crate) fn version(text: &str) -> (u32, u32, u32) {
    let mut numbers = text.split(['.', '-']).map(|number| number.parse().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    (number(), number(), number())
}

#[cfg(test)]
mod tests;
