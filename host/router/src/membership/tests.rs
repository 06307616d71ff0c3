use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;

use super::Membership;
use crate::Target;

fn target(rooms: &[&str], except: &[&str]) -> Target {
    let named = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    Target {
        namespace: "/".into(),
        rooms: named(rooms),
        except: named(except),
    }
}

fn check(membership: &Membership<u32>, rooms: &[&str], except: &[&str], expected: &[u32]) {
    let mut found = vec![99];
    membership.resolve(&target(rooms, except), &mut found);
    assert_eq!(found, expected, "rooms {rooms:?} except {except:?}");
}

fn three() -> Membership<u32> {
    let mut membership = Membership::default();
    for (key, id) in [(1, "a"), (2, "b"), (3, "c")] {
        membership.insert(&"/".into(), id.into(), key);
    }
    membership.join("/", 1, &"red".into());
    membership.join("/", 2, &"red".into());
    membership.join("/", 2, &"blue".into());
    membership
}

#[test]
fn targets() {
    let membership = three();
    check(&membership, &[], &[], &[1, 2, 3]);
    check(&membership, &["red"], &[], &[1, 2]);
    check(&membership, &["red", "blue"], &[], &[1, 2]);
    check(&membership, &["c"], &[], &[3]);
    check(&membership, &["c", "red"], &["blue"], &[1, 3]);
    check(&membership, &[], &["a", "blue"], &[3]);
    check(&membership, &["nobody"], &[], &[]);
}

#[test]
fn a_room_named_like_a_socket_reaches_both_once() {
    let mut membership = three();
    membership.join("/", 1, &"c".into());
    membership.join("/", 3, &"c".into());
    check(&membership, &["c", "red"], &[], &[1, 2, 3]);
}

#[test]
fn leaving_leaves_nothing_behind() {
    let mut membership = three();
    membership.leave("/", 2, "blue");
    check(&membership, &["blue"], &[], &[]);
    membership.remove("/", "a", ["red".into()].iter());
    check(&membership, &["red"], &[], &[2]);
    membership.remove("/", "b", ["red".into()].iter());
    membership.remove("/", "c", [].iter());
    assert!(membership.is_empty());
    check(&membership, &[], &[], &[]);
}

proptest! {
    /// Against the definition, read aloud: in any of the rooms and in none of the exceptions.
    #[test]
    fn resolves_like_the_definition(
        joins in proptest::collection::vec((0u32..6, 0usize..4, any::<bool>()), 0..40),
        rooms in proptest::collection::vec(0usize..5, 0..4),
        except in proptest::collection::vec(0usize..5, 0..3),
    ) {
        const ROOMS: [&str; 5] = ["r0", "r1", "r2", "r3", "id0"];
        let mut membership = Membership::default();
        let mut model: Vec<BTreeSet<&str>> = Vec::new();
        for key in 0..6u32 {
            membership.insert(&"/".into(), format!("id{key}").into(), key);
            model.push(if key == 0 { BTreeSet::from(["id0"]) } else { BTreeSet::new() });
        }
        for (key, room, join) in joins {
            if join {
                membership.join("/", key, &ROOMS[room].into());
                model[key as usize].insert(ROOMS[room]);
            } else {
                membership.leave("/", key, ROOMS[room]);
                model[key as usize].remove(ROOMS[room]);
            }
        }
        let pick = |which: &[usize]| which.iter().map(|i| ROOMS[*i]).collect::<Vec<_>>();
        let (rooms, except) = (pick(&rooms), pick(&except));
        let expected: BTreeSet<u32> = (0..6u32)
            .filter(|key| {
                let own = &model[*key as usize];
                (rooms.is_empty() || rooms.iter().any(|room| own.contains(room)))
                    && !except.iter().any(|room| own.contains(room))
            })
            .collect();
        let mut found = Vec::new();
        membership.resolve(&target(&rooms, &except), &mut found);
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}
