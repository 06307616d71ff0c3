use std::{
    collections::BTreeMap,
    future::ready,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use router::{AckToken, Call, CallKind, Effect, Failure, Limit, SocketView, Target};
use socketio::EventData;

use crate::{
    Commit, CommitError, CompileLimits, Component, Condition, Engine, EngineConfig, Fair, Host, Limits,
    LineOf, LogLevel, Page, Quota, TimerChange, Worker,
};

/// Keeps in memory what the server keeps in the backplane.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) kv: Mutex<BTreeMap<(String, String), (Bytes, u64)>>,
    pub(crate) timers: Mutex<Vec<TimerChange>>,
    pub(crate) lines: Mutex<Vec<Line>>,
    pub(crate) config: Arc<BTreeMap<String, String>>,
    pub(crate) http: Vec<String>,
    pub(crate) private: bool,
    /// Another writer: runs before a commit is looked at, while any are left.
    pub(crate) rivals: Mutex<Vec<(&'static str, &'static str)>>,
    pub(crate) refuse_commits: bool,
    /// In any target.
    pub(crate) members: usize,
}

/// Level, context, text, socket.
pub(crate) type Line = (LogLevel, String, String, Option<String>);

impl World {
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let kv = self.kv.lock();
        let (value, _) = kv.get(&("default".to_owned(), key.to_owned()))?;
        Some(String::from_utf8(value.to_vec()).unwrap())
    }

    pub(crate) fn put(&self, key: &str, value: &str) {
        let mut kv = self.kv.lock();
        let revision = kv.values().map(|(_, revision)| *revision).max().unwrap_or(0) + 1;
        kv.insert(
            ("default".to_owned(), key.to_owned()),
            (Bytes::copy_from_slice(value.as_bytes()), revision),
        );
    }

    pub(crate) fn log(&self) -> String {
        let lines = self.lines.lock();
        let texts = lines
            .iter()
            .map(|(_, context, line, _)| [context, ": ", line, "\n"].concat());
        texts.collect()
    }

    fn write(&self, commit: Commit) -> Result<(), CommitError> {
        if self.refuse_commits {
            return Err(CommitError::Failed("the disk is full".to_owned()));
        }
        if let Some((key, value)) = self.rivals.lock().pop() {
            self.put(key, value);
        }
        let mut kv = self.kv.lock();
        let held = commit.kv.iter().all(|write| {
            let known = kv.get(&(write.bucket.to_string(), write.key.clone()));
            match write.condition {
                Condition::Always => true,
                Condition::Absent => known.is_none(),
                Condition::Revision(revision) => known.is_some_and(|(_, current)| *current == revision),
            }
        });
        if !held {
            return Err(CommitError::Conflict);
        }
        let revision = kv.values().map(|(_, revision)| *revision).max().unwrap_or(0) + 1;
        for write in commit.kv {
            let key = (write.bucket.to_string(), write.key);
            match write.value {
                Some(value) => kv.insert(key, (value, revision)),
                None => kv.remove(&key),
            };
        }
        self.timers.lock().extend(commit.timers);
        Ok(())
    }
}

impl Host for World {
    fn kv_get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<(Bytes, u64)>, String>> {
        // Gives others their turn, as a backplane does.
        async move {
            tokio::task::yield_now().await;
            Ok(self.kv.lock().get(&(bucket.to_owned(), key.to_owned())).cloned())
        }
        .boxed()
    }

    fn kv_keys<'a>(
        &'a self,
        bucket: &'a str,
        after: Option<&'a str>,
        keys_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        let kv = self.kv.lock();
        let keys = kv
            .keys()
            .filter(|(of, key)| of == bucket && after.is_none_or(|after| key.as_str() > after));
        ready(Ok(keys.take(keys_max).map(|(_, key)| key.clone()).collect())).boxed()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), CommitError>> {
        ready(self.write(commit)).boxed()
    }

    fn fetch_sockets(&self, target: Target, cursor: Option<String>) -> BoxFuture<'_, Result<Page, String>> {
        let id = Arc::clone(&target.rooms[0]);
        let socket = crate::SocketInfo {
            id,
            rooms: target.rooms,
            state: Bytes::new(),
        };
        ready(Ok(Page {
            sockets: vec![socket],
            cursor,
            partial: vec!["node-2".to_owned()],
        }))
        .boxed()
    }

    fn reach(&self, _: &Target) -> usize {
        self.members
    }

    fn log(&self, level: LogLevel, context: &str, message: &str, of: LineOf<'_>) {
        let line = (
            level,
            context.to_owned(),
            message.to_owned(),
            of.socket.map(str::to_owned),
        );
        self.lines.lock().push(line);
    }

    fn config(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.config)
    }

    fn http_allowed(&self, authority: &str) -> bool {
        self.http.iter().any(|allowed| allowed == authority)
    }

    fn http_private_allowed(&self) -> bool {
        self.private
    }
}

/// One app under test.
pub(crate) struct App {
    pub(crate) world: Arc<World>,
    pub(crate) worker: Worker,
}

impl App {
    pub(crate) async fn hostile(limits: Limits) -> Self {
        Self::new("hostile", World::default(), limits).await
    }

    pub(crate) async fn new(guest: &str, world: World, limits: Limits) -> Self {
        let world = Arc::new(world);
        let host: Arc<dyn Host> = Arc::<World>::clone(&world);
        Self {
            worker: Worker::new(Rc::new(component(guest).await), host, limits),
            world,
        }
    }

    /// One of several apps on a core.
    pub(crate) async fn beside(fair: &Fair, limits: Limits) -> Self {
        let world = Arc::new(World::default());
        let host: Arc<dyn Host> = Arc::<World>::clone(&world);
        let quota = Arc::new(Quota::new(Arc::default()));
        Self {
            worker: Worker::sharing(Rc::new(component("hostile").await), host, limits, fair, &quota),
            world,
        }
    }

    pub(crate) fn hits(&self, limit: Limit) -> u64 {
        self.worker.hits().get(limit)
    }

    /// Calls with an event of socket "s1" and answers what the guest replied, or the failure's text.
    pub(crate) async fn say(&self, event: &str, args: &[&str]) -> String {
        match self.worker.call(&mut event_call(event, args, None)).await {
            Ok(effects) => replies(&effects),
            Err(failure) => failure.to_string(),
        }
    }

    pub(crate) async fn fail(&self, event: &str, args: &[&str]) -> Failure {
        self.worker
            .call(&mut event_call(event, args, None))
            .await
            .unwrap_err()
    }
}

pub(crate) fn event_call(event: &str, args: &[&str], ack: Option<u64>) -> Call {
    let args = serde_json::to_string(args).unwrap();
    let data = EventData::event(event, &args, Vec::new()).unwrap();
    socket_call(CallKind::Event {
        data,
        ack: ack.map(AckToken),
    })
}

pub(crate) fn socket_call(kind: CallKind) -> Call {
    let id: Arc<str> = "s1".into();
    let rooms = [Arc::clone(&id), "lounge".into()];
    let state = Bytes::from_static(b"old");
    Call {
        socket: Some(SocketView {
            id,
            namespace: "/".into(),
            rooms: rooms.to_vec(),
            state,
            state_version: 0,
        }),
        kind,
        trace: None,
    }
}

/// What a guest said by its `reply`.
pub(crate) fn replies(effects: &[Effect]) -> String {
    let said = effects.iter().filter_map(|effect| match effect {
        Effect::Emit { data, .. } if data.split().0 == "reply" => {
            let [text]: [String; 1] = serde_json::from_str(&data.split().1).unwrap();
            Some(text)
        }
        _ => None,
    });
    said.collect::<Vec<_>>().join("\n")
}

/// The process's engine: compiled guests are kept between runs.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(config(Some(guests_dir().join("target/cwasm")))).unwrap())
}

pub(crate) fn config(cache_dir: Option<PathBuf>) -> EngineConfig {
    EngineConfig {
        instances_max: 100,
        calls_max: 100,
        memory_bytes_max: 1 << 30,
        cache_dir,
        compile_threads: 1,
        compile_queue_max: 10,
    }
}

pub(crate) const COMPILE_LIMITS: CompileLimits = CompileLimits {
    wasm_bytes_max: 50 << 20,
    time_max: Duration::from_mins(2),
};

pub(crate) async fn component(guest: &str) -> Component {
    engine().compile(wasm(guest), COMPILE_LIMITS).await.unwrap()
}

/// Builds the guests, once a process (and cargo does it once at all).
pub(crate) fn wasm(guest: &str) -> Bytes {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut build = Command::new(cargo);
        build.args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--target",
            "wasm32-wasip2",
        ]);
        build
            .arg("--target-dir")
            .arg(guests_dir().join("target"))
            .current_dir(guests_dir());
        build
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR");
        assert!(build.status().unwrap().success(), "building tests/guests");
    });
    let file = guests_dir().join(format!("target/wasm32-wasip2/release/guest_{guest}.wasm"));
    std::fs::read(file).unwrap().into()
}

pub(crate) fn guests_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests")
}
