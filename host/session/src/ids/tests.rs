use super::*;

#[test]
fn a_sid_names_its_home() {
    for shard in [0, 1, 7, 63, 64, SHARDS_MAX as u16 - 1] {
        for incarnation in [1, 63, 64, 0x1234_5678, (1 << INCARNATION_BITS) - 1] {
            let home = Home { incarnation, shard };
            let sid = new_sid(home);
            assert_eq!(sid.len(), 28);
            assert_eq!(home_of(&sid), Some(home));
        }
    }
    for bad in [
        "",
        "AAAAAAAA",
        "nope",
        "ÄÄÄÄ45678901234567890123",
        "A*345678901234567890abcdefgh",
    ] {
        assert_eq!(home_of(bad), None, "{bad}");
    }
}

#[test]
fn a_pid_finds_and_proves() {
    let (secret, id) = (new_secret(), new_socket_id());
    let pid = pid(&secret, &id);
    assert_eq!(parse_pid(&pid), Some((secret, id)));
    for bad in ["", "x", &pid[1..], &format!("{pid}x"), &"ä".repeat(30)] {
        assert_eq!(parse_pid(bad), None, "{bad}");
    }
    assert!(same_secret(&secret, &secret));
    assert!(!same_secret(&secret, &new_secret()));
}

#[test]
fn no_random_bytes_are_given_twice() {
    // Several pools' worth, in pieces that do not fill one.
    let mut all: Vec<[u8; 15]> = (0..1000).map(|_| random()).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 1000);
    // None is what is left of a piece that was given out.
    assert!(all.iter().all(|piece| piece.iter().any(|byte| *byte != 0)));
}
