use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr,
    jetstream::{self, Context, context::RequestErrorKind},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot, watch},
    time::sleep,
};

use crate::{
    ConnectError, Nats, NatsConfig, ServerInfo,
    config::version,
    inner::Inner,
    link::{Lane, Link},
    names::Names,
    stats::Counters,
    streams::Streams,
};

/// Starts the thread that everything of NATS runs on, and has it connect. It ends when `Nats` is dropped.
pub(crate) async fn connect(config: NatsConfig) -> Result<Nats, ConnectError> {
    config.check()?;
    let (answer, connected) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("wakeline-nats".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(live(config, answer)),
                Err(error) => drop(answer.send(Err(ConnectError::Thread(error.to_string())))),
            }
        });
    thread.map_err(|error| ConnectError::Thread(error.to_string()))?;
    let ended = |_| Err(ConnectError::Thread("it ended".into()));
    connected.await.unwrap_or_else(ended)
}

async fn live(config: NatsConfig, answer: oneshot::Sender<Result<Nats, ConnectError>>) {
    // Dropped with the last `Nats`.
    let (alive, mut ends) = watch::channel(());
    let connected = establish(config).await.map(|(inner, server)| {
        let inner = Arc::new(inner);
        let closing = Arc::downgrade(&inner);
        (Nats::new(inner, server, alive), closing)
    });
    let closing = match connected {
        Ok((nats, closing)) => {
            drop(answer.send(Ok(nats)));
            closing
        }
        Err(error) => {
            drop(answer.send(Err(error)));
            return;
        }
    };
    while ends.changed().await.is_ok() {}
    if let Some(inner) = closing.upgrade() {
        inner.close();
    }
}

async fn establish(config: NatsConfig) -> Result<(Inner, ServerInfo), ConnectError> {
    let counters = Arc::new(Counters::default());
    let control = open(&config, "control", Arc::clone(&counters), None).await?;
    let data = lane(&config, "data", &counters).await?;
    let info = control.server_info();
    let jetstream = context(&control);
    check_jetstream(&jetstream, &config, &info.server_name).await?;
    let streams = Streams::make(&jetstream, &config).await?;
    if let Some(cluster) = &info.cluster
        && config.replicas == 0
        && streams.replicas() == 1
    {
        // Servers that still looked for each other when the streams were made count as one.
        tracing::warn!(
            cluster,
            "one copy of everything, though NATS is a cluster: run all nodes with --nats-replicas 3 if it has three servers"
        );
    }
    let server = ServerInfo {
        advice: ServerInfo::advice(&info.version),
        name: info.server_name,
        version: info.version,
        replicas: streams.replicas(),
    };
    let link = Link {
        control,
        jetstream,
        data,
        names: Names::new(&config.prefix, config.partitions),
        streams,
        counters,
        taken: OnceLock::new(),
        config,
        fences: server.replicas == 1 || version(&server.version) >= (2, 12, 0),
        handle: Handle::current(),
    };
    let link = Arc::new(link);
    let kept = Arc::clone(&link);
    tokio::spawn(async move { kept.streams.keep(&kept.jetstream).await });
    let servers = link.config.servers.clone();
    let inner = Inner::start(link)
        .await
        .map_err(|error| ConnectError::Unreachable {
            servers: without_user(&servers),
            cause: error.to_string(),
        })?;
    Ok((inner, server))
}

/// Has the current thread's runtime drive a connection of its own, by which logs are read and appended to.
pub(crate) async fn take_logs(link: &Link) -> Result<(), ConnectError> {
    let taken = lane(&link.config, "logs", &link.counters).await?;
    // A second time changes nothing.
    drop(link.taken.set(taken));
    Ok(())
}

async fn lane(
    config: &NatsConfig,
    role: &'static str,
    counters: &Arc<Counters>,
) -> Result<Lane, ConnectError> {
    let (returns, returned) = watch::channel(0);
    let client = open(config, role, Arc::clone(counters), Some(returns)).await?;
    Ok(Lane {
        jetstream: context(&client),
        client,
        returned,
        handle: Handle::current(),
    })
}

fn context(client: &Client) -> Context {
    jetstream::ContextBuilder::new()
        .timeout(REQUEST_TIMEOUT)
        .ack_timeout(REQUEST_TIMEOUT)
        .max_ack_inflight(IN_FLIGHT_MAX)
        .backpressure_on_inflight(true)
        .build(client.clone())
}

/// What async-nats has for this does not read the answer of servers before 2.10.
async fn check_jetstream(context: &Context, config: &NatsConfig, server: &str) -> Result<(), ConnectError> {
    let none = || ConnectError::NoJetStream {
        server: server.to_owned(),
    };
    let answer = context
        .request::<_, _, serde_json::Value>("INFO", &serde_json::json!({}))
        .await;
    match answer {
        Ok(answer) if answer.get("error").is_none() => Ok(()),
        Ok(_) => Err(none()),
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Err(none()),
        Err(error) => Err(ConnectError::Unreachable {
            servers: without_user(&config.servers),
            cause: format!("JetStream does not answer: {error}"),
        }),
    }
}

async fn open(
    config: &NatsConfig,
    role: &'static str,
    counters: Arc<Counters>,
    returns: Option<watch::Sender<u64>>,
) -> Result<Client, ConnectError> {
    let mut options = ConnectOptions::new();
    if let Some(path) = &config.credentials {
        let loaded = options.credentials_file(path).await;
        options = loaded.map_err(|error| ConnectError::Invalid(format!("{}: {error}", path.display())))?;
    }
    let servers: Vec<String> = config
        .servers
        .split(',')
        .map(|url| url.trim().to_owned())
        .collect();
    options = with_user(options, &servers);
    let first = AtomicBool::new(true);
    let leaving = Arc::new(Notify::new());
    let leaves = Arc::clone(&leaving);
    let noted = move |event: Event| {
        match &event {
            Event::Connected if first.swap(false, Relaxed) => {}
            Event::Connected => {
                tracing::info!(role, "nats: connected again");
                counters.reconnects.fetch_add(1, Relaxed);
                if let Some(returns) = &returns {
                    returns.send_modify(|count| *count += 1);
                }
            }
            Event::LameDuckMode => {
                tracing::warn!(role, "nats: the server is about to stop");
                leaves.notify_one();
            }
            other => tracing::warn!(role, event = %other, "nats"),
        }
        std::future::ready(())
    };
    let connected = options
        .name(format!("wakeline {role}"))
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
        .connection_timeout(REQUEST_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(noted)
        .connect(servers)
        .await;
    let client = connected.map_err(|error| {
        let (servers, cause) = (without_user(&config.servers), error.to_string());
        match error.kind() {
            ConnectErrorKind::ServerParse => ConnectError::Invalid(format!("{servers}: {cause}")),
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                ConnectError::Refused { servers, cause }
            }
            _ => ConnectError::Unreachable { servers, cause },
        }
    })?;
    tokio::spawn(leave(client.clone(), leaving));
    Ok(client)
}

/// The library does not read what a URL says of the user: `nats://user:password@host` or `nats://token@host`.
fn with_user(options: ConnectOptions, servers: &[String]) -> ConnectOptions {
    let parsed = servers.iter().filter_map(|url| url.parse::<ServerAddr>().ok());
    let Some(url) = parsed.into_iter().find(|url| url.username().is_some()) else {
        return options;
    };
    match (url.username(), url.password()) {
        (Some(user), Some(password)) => options.user_and_password(user.to_owned(), password.to_owned()),
        (Some(token), None) => options.token(token.to_owned()),
        (None, _) => options,
    }
}

/// The servers as they may be logged.
fn without_user(servers: &str) -> String {
    let shown = servers
        .split(',')
        .map(|url| match (url.find("//"), url.rfind('@')) {
            (Some(scheme), Some(at)) if at > scheme => {
                let (scheme, host) = (url.get(..scheme + 2), url.get(at + 1..));
                format!("{}{}", scheme.unwrap_or_default(), host.unwrap_or_default())
            }
            (None, Some(at)) => url.get(at + 1..).unwrap_or_default().to_owned(),
            _ => url.to_owned(),
        });
    shown.collect::<Vec<_>>().join(",")
}

/// Leaves a server that is about to stop, rather than be thrown out with everybody else; if there is another one.
async fn leave(client: Client, leaving: Arc<Notify>) {
    loop {
        leaving.notified().await;
        if client.server_info().connect_urls.len() > 1 {
            sleep(Duration::from_millis(crate::names::random() % 2000)).await;
            drop(client.force_reconnect().await);
        }
    }
}

/// At once, then soon, never more than about a second: a node without NATS is of little use. Spread, since all nodes
/// lose a server at the same time.
fn reconnect_delay(attempts: usize) -> Duration {
    if attempts <= 1 {
        return Duration::from_millis(crate::names::random() % 50);
    }
    let most = 100u64.saturating_mul(1 << attempts.min(4)).min(1000);
    Duration::from_millis(most / 2 + crate::names::random() % (most / 2 + 1))
}

/// What a subscription holds until its reader comes; more is dropped, and then read anew. A server sends a consumer at
/// most 32 MiB ahead: this many messages of 128 bytes.
const SUBSCRIPTION_MESSAGES_MAX: usize = 1 << 18;
/// async-nats' own is a minute, and it takes two missed ones to notice.
const PING_INTERVAL: Duration = Duration::from_secs(3);
/// Of one attempt. Those that matter are made again until a deadline.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Messages without an acknowledgement; more wait. 256 reach 120 thousand a second.
const IN_FLIGHT_MAX: usize = 256;
