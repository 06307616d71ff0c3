use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
};

use super::*;

/// Makes a stream with three copies, in NATS's own words, and returns the answer.
fn make_stream(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let body = r#"{"name":"S","subjects":["s.>"],"storage":"file","num_replicas":3,"retention":"limits","discard":"old","max_consumers":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0}"#;
    write!(
        stream,
        "CONNECT {{\"verbose\":false}}\r\nSUB answer 1\r\nPUB $JS.API.STREAM.CREATE.S answer {}\r\n{body}\r\n",
        body.len()
    )
    .unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.skip_while(|line| !line.starts_with("MSG")).nth(1).unwrap()
}

#[test]
fn three_nats_servers_elect_another_leader_when_theirs_dies() {
    let directory = std::env::temp_dir().join(format!("wakeline-nats-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let mut nats = Nats::start(3, &directory).unwrap();
    let answer = make_stream(&nats.servers[0].address);
    assert!(answer.contains("\"did_create\":true"), "{answer}");
    let leads = |nats: &Nats, not: Option<usize>| {
        let limit = std::time::Duration::from_mins(1);
        until(limit, "a leader", || {
            Ok(nats.leader_of("S")?.filter(|leader| Some(*leader) != not))
        })
        .unwrap()
    };
    let first = leads(&nats, None);
    nats.servers[first].process.kill();
    leads(&nats, Some(first));
    nats.servers[first].process.start_again().unwrap();
    nats.wait_until_ready().unwrap();
    drop(nats);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_documented_nginx_site_takes_other_addresses() {
    let site = nginx::site("127.0.0.1:8080", &["127.0.0.1:1".into(), "127.0.0.1:2".into()]).unwrap();
    assert!(
        site.contains("    server 127.0.0.1:1 fail_timeout=2s;\n    server 127.0.0.1:2 fail_timeout=2s;\n")
    );
    assert!(site.contains("listen 127.0.0.1:8080 "));
    assert!(!site.contains("node-a"), "{site}");
}
