use std::sync::Arc;

use super::Lines;

#[test]
fn a_line_is_found_by_any_copy_of_its_name() {
    let mut lines = Lines::default();
    let (one, same, other) = (Arc::from("one"), Arc::from("one"), Arc::from("other"));
    assert!(lines.get(&one).is_none() && lines.get_mut(&one).is_none());
    lines.of(&one).sessions = 1;
    lines.of(&other).sessions = 2;
    for _ in 0..2 {
        for (name, sessions) in [(&one, 1), (&same, 1), (&other, 2), (&one, 1), (&one, 1)] {
            assert_eq!(lines.get(name).map(|line| line.sessions), Some(sessions));
            assert_eq!(lines.get_mut(name).map(|line| line.sessions), Some(sessions));
            assert_eq!(lines.of(name).sessions, sessions);
        }
    }
}

#[test]
fn a_line_that_was_removed_is_not_found() {
    let mut lines = Lines::default();
    let (one, same): (Arc<str>, Arc<str>) = (Arc::from("one"), Arc::from("one"));
    lines.of(&one).sessions = 1;
    assert_eq!(lines.of(&one).sessions, 1);
    assert_eq!(lines.remove(&same).map(|line| line.sessions), Some(1));
    assert!(lines.get(&one).is_none() && lines.get(&same).is_none());
    assert!(lines.remove(&one).is_none());
    // Made anew, under another copy of the name.
    assert_eq!(lines.of(&same).sessions, 0);
    assert_eq!(lines.get_mut(&one).map(|line| line.sessions), Some(0));
}
