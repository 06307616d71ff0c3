use super::*;

#[test]
fn old_servers_are_named() {
    for old in ["2.9.10", "2.12.6", "2.11.16", "2", "garbage", ""] {
        assert!(ServerInfo::advice(old).is_some(), "{old}");
    }
    for new in ["2.12.7", "2.14.0", "2.15.1", "3.0.0-beta.1"] {
        assert_eq!(ServerInfo::advice(new), None, "{new}");
    }
}

#[test]
fn bad_configurations() {
    let bad = |change: fn(&mut NatsConfig)| {
        let mut config = NatsConfig::default();
        change(&mut config);
        assert!(
            matches!(config.check(), Err(ConnectError::Invalid(_))),
            "{config:?}"
        );
    };
    NatsConfig::default().check().unwrap();
    bad(|config| config.prefix = "a.b".into());
    bad(|config| config.prefix = String::new());
    bad(|config| config.replicas = 2);
    bad(|config| config.partitions = 0);
    bad(|config| config.log_bytes_max = 1);
    bad(|config| config.log_age = Duration::ZERO);
}
