use super::*;

#[test]
fn columns_stand_under_each_other() {
    let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
    let found = lines(
        &["APP", "LIVE", "URL"],
        &[
            row(["hello", "3", "http://x/"]),
            row(["a-long-name", "", "\x1b[2J"]),
        ],
    );
    assert_eq!(
        found,
        [
            "APP          LIVE  URL",
            "hello        3     http://x/",
            "a-long-name        \u{fffd}[2J"
        ]
    );
}
