use std::collections::HashMap;

use expect_test::{Expect, expect};

use crate::{Config, File, Strings};

/// A layer of settings that needs no environment.
struct Given(&'static str, HashMap<&'static str, &'static str>);

impl Strings for Given {
    fn get(&self, name: &str) -> Option<String> {
        self.1.get(name).map(|value| (*value).to_owned())
    }

    fn spell(&self, name: &str) -> String {
        format!("{}{name}", self.0)
    }
}

fn check(layers: &[&dyn Strings], expected: &Expect) {
    let said = match Config::from_layers(layers, &["chat".into()]) {
        Ok(config) => format!(
            "{} {:?} {:?} {:?} {:?} {:?}\n",
            config.listen, config.admin, config.data, config.tls, config.trusted_proxies, config.drain
        ),
        Err(error) => format!("{error}\n"),
    };
    expected.assert_eq(&said);
}

#[test]
fn defaults() {
    check(
        &[],
        &expect![[r#"
        127.0.0.1:3000 Some(Admin { listen: 127.0.0.1:3001, token_file: None }) Some("wakeline-data") None [] 25s
    "#]],
    );
}

#[test]
fn several_nodes() {
    let cluster = |pairs: &[(&'static str, &'static str)]| {
        let given = Given("--", pairs.iter().copied().collect());
        let config = Config::from_layers(&[&given], &["chat".into()]);
        config
            .map(|config| config.cluster)
            .map_err(|error| error.to_string())
    };
    assert_eq!(cluster(&[]), Ok(None));
    let found = cluster(&[
        ("nats", "nats://a:4222,nats://b:4222"),
        ("cluster_listen", "10.0.0.5:7"),
    ]);
    let found = found.unwrap().unwrap();
    assert_eq!(found.listen, "10.0.0.5:7".parse().unwrap());
    assert_eq!((found.nats_prefix.as_str(), found.nats_replicas), ("wakeline", 0));
    for alone in ["cluster_listen", "nats_prefix", "nats_replicas"] {
        let refused = cluster(&[(alone, "1")]).unwrap_err();
        assert_eq!(refused, format!("--{alone}: is of no use without --nats"));
    }
    let replicas = |count| cluster(&[("nats", "a:4222"), ("nats_replicas", count)]);
    assert_eq!(replicas("3").unwrap().unwrap().nats_replicas, 3);
    for wrong in ["2", "5", "three"] {
        let expected = "1 or 3 copies, or 0 for as many as there can be";
        let expected = format!("--nats_replicas: expected {expected}, found {wrong:?}");
        assert_eq!(replicas(wrong).unwrap_err(), expected);
    }
}

#[test]
fn any_number_of_connections_can_be_counted() {
    let most = usize::MAX.to_string();
    let given = Given("--", HashMap::from([("connections", most.leak() as &str)]));
    let config = Config::from_layers(&[&given], &["chat".into()]).unwrap();
    let transport = crate::rooms::transport_config(&config).unwrap()();
    for permits in [transport.connections, transport.cluster_connections] {
        assert_eq!(permits.available_permits(), tokio::sync::Semaphore::MAX_PERMITS);
    }
}

#[test]
fn the_first_layer_wins() {
    let flags = Given("--", HashMap::from([("listen", "0.0.0.0:80")]));
    let env = Given(
        "WAKELINE_",
        HashMap::from([
            ("listen", "0.0.0.0:81"),
            ("data", "/var/lib/w"),
            ("drain_ms", "5"),
        ]),
    );
    let file = File::parse(
        "node.toml",
        "data = \"/srv\"\ntrusted_proxy = [\"10.0.0.0/8\", \"::1\"]\ndrain_ms = 7",
    )
    .unwrap();
    check(
        &[&flags, &env, &file],
        &expect![[r#"
        0.0.0.0:80 Some(Admin { listen: 127.0.0.1:3001, token_file: None }) Some("/var/lib/w") None ["10.0.0.0/8", "::1"] 5ms
    "#]],
    );
}

#[test]
fn what_is_wrong_is_named_as_it_was_written() {
    let flags = Given("--", HashMap::from([("listen", "localhost")]));
    check(
        &[&flags],
        &expect![[r#"
        --listen: expected an address and port such as 127.0.0.1:3000, found "localhost"
    "#]],
    );
    let env = Given("WAKELINE_", HashMap::from([("cores", "0")]));
    check(
        &[&env],
        &expect![[r#"
        WAKELINE_cores: expected a number of threads, at least 1, found "0"
    "#]],
    );
    let half = Given("--", HashMap::from([("tls_cert", "cert.pem")]));
    check(
        &[&half],
        &expect![[r#"
        --tls_cert: is of no use without --tls_key
    "#]],
    );
    let file = File::parse("node.toml", "drain_ms = \"soon\"").unwrap();
    check(
        &[&file],
        &expect![[r#"
        node.toml: drain_ms: expected a number of milliseconds, found "soon"
    "#]],
    );
}

#[test]
fn files() {
    let say = |text: &str| {
        File::parse("node.toml", text)
            .and_then(|file| file.ceilings())
            .map_or_else(|error| error.to_string(), |_| "ok".to_owned())
    };
    assert_eq!(say("[ceilings]\n\"limits.memory_bytes\" = 33554432"), "ok");
    expect![[r#"node.toml: ceilings: no number of the manifest is called "limits.memory""#]]
        .assert_eq(&say("[ceilings]\n\"limits.memory\" = 1"));
    expect![[r#"node.toml: ceilings: expected lines such as `"limits.memory_bytes" = 33554432`, found limits = { memory_bytes = 1 }"#]].assert_eq(&say("[ceilings]\nlimits.memory_bytes = 1"));
    expect![[r#"node.toml: there is no setting "lissen"; there are: listen, admin, data, node, nats, nats_credentials, nats_prefix, nats_replicas, cluster_listen, cluster_advertise, tls_cert, tls_key, trusted_proxy, admin_token_file, cores, connections, drain_ms, url, secrets_key_file, code_bytes, instances, log_format, trace and [ceilings]"#]].assert_eq(&say("lissen = 1"));
}
