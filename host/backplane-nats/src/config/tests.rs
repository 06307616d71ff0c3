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

/// The servers' own advisories: what we can do is to say so at the start.
#[track_caller]
fn warned(versions: &[&str]) {
    for version in versions {
        let advice = ServerInfo::advice(version).unwrap_or_default();
        assert!(advice.contains("lacks security fixes"), "{version}");
        assert!(
            advice.contains("neither its WebSocket nor its leaf node port"),
            "{version}"
        );
    }
}

#[test]
fn cve_2025_30215_servers_that_mix_accounts_are_named() {
    warned(&["2.10.26", "2.11.0"]);
}

#[test]
fn cve_2026_27571_servers_that_a_compression_bomb_kills_are_named() {
    warned(&["2.11.11", "2.12.2"]);
}

#[test]
fn cve_2026_27889_servers_that_a_frames_length_kills_are_named() {
    warned(&["2.11.13", "2.12.4"]);
}

#[test]
fn cve_2026_29785_servers_that_a_leaf_nodes_compression_kills_are_named() {
    warned(&["2.11.13", "2.12.4"]);
}

#[test]
fn cve_2026_33246_servers_that_believe_a_clients_request_info_are_named() {
    warned(&["2.11.13", "2.12.4"]);
}

#[test]
fn ghsa_9983_vrx2_fg9c_servers_that_restore_to_another_stream_are_named() {
    warned(&["2.11.14", "2.12.5"]);
}

#[test]
fn nats_2026_16_servers_with_routes_for_everybody_are_named() {
    warned(&["2.11.14", "2.12.5"]);
}

#[test]
fn nats_2026_18_servers_whose_queues_pass_denials_are_named() {
    warned(&["2.11.15", "2.12.6"]);
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
