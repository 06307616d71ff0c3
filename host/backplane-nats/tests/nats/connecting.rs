use std::process::{Command, Stdio};

use backplane_nats::{ConnectError, Nats, NatsConfig};

use crate::server::Server;

async fn refused(change: impl FnOnce(&mut NatsConfig)) -> ConnectError {
    let mut config = NatsConfig::default();
    change(&mut config);
    match Nats::connect(config).await {
        Ok(_) => panic!("it connected"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn nobody_is_there() {
    // Bound and not listening would hang; a port that was just free answers at once.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = refused(|config| config.servers = format!("nats://127.0.0.1:{port}")).await;
    assert!(matches!(&error, ConnectError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn nonsense_is_the_operators() {
    let error = refused(|config| config.servers = "not a url at all".into()).await;
    assert!(matches!(&error, ConnectError::Invalid(_)), "{error}");
    let error = refused(|config| config.credentials = Some("/nowhere/at.creds".into())).await;
    assert!(
        matches!(&error, ConnectError::Invalid(cause) if cause.contains("/nowhere/at.creds")),
        "{error}"
    );
}

#[tokio::test]
async fn one_server_makes_no_three_copies() {
    let server = Server::start();
    let error = refused(|config| {
        config.servers = server.url();
        config.replicas = 3;
    })
    .await;
    assert!(
        matches!(&error, ConnectError::TooFewServers { replicas: 3, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn without_jetstream() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new("nats-server")
        .args(["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir"])
        .arg(directory.path())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server is not on PATH: cargo xtask nats installs it");
    let url = loop {
        let mut files = std::fs::read_dir(directory.path()).unwrap();
        let text = files
            .next()
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        if let Some(start) = text
            .as_ref()
            .and_then(|text| text.find("nats://").map(|at| &text[at..]))
        {
            break start.split('"').next().unwrap().to_owned();
        }
        std::thread::yield_now();
    };
    let error = refused(|config| config.servers = url).await;
    drop(child.kill());
    drop(child.wait());
    assert!(matches!(&error, ConnectError::NoJetStream { .. }), "{error}");
}

#[tokio::test]
async fn wakelines_keep_apart_by_prefix() {
    use backplane::Backplane;
    let server = Server::start();
    let open = async |prefix: &str| {
        let config = NatsConfig {
            servers: server.url(),
            prefix: prefix.into(),
            partitions: 2,
            ..NatsConfig::default()
        };
        Nats::connect(config).await.unwrap()
    };
    let (one, two) = (open("one").await, open("two").await);
    let start = two.head("app").await.unwrap();
    crate::append(&one, "app", "text").await;
    assert_eq!(two.read("app", start, 9).await.unwrap(), []);
}
