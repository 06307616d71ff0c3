use super::*;

#[test]
fn a_handshake_is_told_as_it_came_however_often() {
    let pair = |name: &str| (name.to_owned(), format!("value of {name}"));
    let given = Handshake {
        auth: None,
        query: [pair("EIO"), pair("EIO")].into(),
        headers: (0..200).map(|n| pair(&format!("x-{n}"))).collect(),
        remote_address: "::1".to_owned(),
        claims: None,
    };
    let text = format!("{given:?}");
    let mut kept = KeptHandshake::new(given);
    assert_eq!(format!("{:?}", kept.open()), text);
    for _ in 0..3 {
        assert_eq!(format!("{:?}", kept.tell()), text);
        assert_eq!(format!("{:?}", kept.open()), text);
    }
}
