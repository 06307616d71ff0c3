use super::*;

#[test]
fn a_bar_grows_to_its_end_and_an_empty_one_is_full() {
    assert_eq!(bar(0, 10), format!("[{}] 0 bytes of 10 bytes", " ".repeat(30)));
    assert_eq!(
        bar(1_500_000, 3_000_000),
        format!("[{}{}] 1.5 MB of 3.0 MB", "=".repeat(15), " ".repeat(15))
    );
    assert_eq!(bar(0, 0), format!("[{}] 0 bytes of 0 bytes", "=".repeat(30)));
}

#[test]
fn what_is_read_is_what_was_given() {
    let bytes = vec![7; 100_000];
    let mut read = Vec::new();
    Bar::new("Uploading", "x", &bytes).read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes);
}
