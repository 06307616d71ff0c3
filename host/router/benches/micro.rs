//! What each delivery goes through.
use std::{hint::black_box, sync::Arc};

use router::{Action, Delivery, Membership, Room, Stays, Target, replay};
use socketio::EventData;

fn main() -> anyhow::Result<()> {
    micro::main(&[
        ("the members of a room of ten", resolve_ten),
        ("the members of a room of 1,000", resolve_many),
        ("a message to a room, as an entry of the log", write_entry),
        ("the same, read", read_entry),
        ("an entry that a socket missed", replay_entry),
    ])
}

fn resolve_ten(times: u64) {
    resolve(10, times);
}

fn resolve_many(times: u64) {
    resolve(1_000, times);
}

fn resolve(members: u32, times: u64) {
    let (namespace, room) = (Arc::from("/"), Room::from("room"));
    let mut membership = Membership::default();
    for key in 0..members {
        membership.insert(&namespace, key.to_string().into(), key);
        membership.join(&namespace, key, &room);
    }
    let target = target();
    let mut found = Vec::new();
    for _ in 0..times {
        found.clear();
        membership.resolve(black_box(&target), &mut found);
        black_box(&found);
    }
}

fn write_entry(times: u64) {
    let delivery = delivery();
    for _ in 0..times {
        black_box(black_box(&delivery).encode());
    }
}

fn read_entry(times: u64) {
    let entry = delivery().encode();
    for _ in 0..times {
        _ = black_box(Delivery::decode(black_box(&entry)));
    }
}

fn replay_entry(times: u64) {
    let delivery = delivery();
    let (mut stays, mut forgotten) = (Stays::default(), 0);
    stays.join(&Room::from("room"), 1);
    for offset in 0..times {
        let socket = (&mut stays, &mut forgotten);
        black_box(replay(socket, ("/", "id"), 1, 2 + offset, black_box(&delivery)));
    }
}

fn delivery() -> Delivery {
    match EventData::event("say", r#"["hello"]"#, Vec::new()) {
        Ok(data) => Delivery {
            target: target(),
            action: Action::Emit(data),
        },
        Err(error) => unreachable!("arguments are an array: {error}"),
    }
}

fn target() -> Target {
    Target {
        namespace: Arc::from("/"),
        rooms: vec![Room::from("room")],
        except: Vec::new(),
    }
}
