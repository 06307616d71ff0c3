use router::{Action, Target};

use super::*;

fn entry(offset: u64) -> Entry {
    let target = Target {
        namespace: "/".into(),
        rooms: Vec::new(),
        except: Vec::new(),
    };
    let delivery = Delivery {
        target,
        action: Action::Disconnect { close: true },
    };
    Entry {
        offset,
        at: Instant::now(),
        delivery: Arc::new(delivery),
    }
}

fn kept(packets_max: u64) -> Kept {
    let mut kept = Kept::new(Window {
        packets_max,
        ..Window::INITIAL
    });
    kept.reset(Epoch(1), 100);
    kept
}

fn older(offsets: &[u64], complete_after: u64) -> Kept {
    let mut older = Kept::new(Window::INITIAL);
    offsets.iter().for_each(|&offset| older.push(entry(offset)));
    older.incomplete_before(complete_after);
    older
}

fn since(kept: &mut Kept, after: u64) -> Result<Vec<u64>, Error> {
    let after = kept.position(after);
    let found = kept.since(after, usize::MAX)?;
    Ok(found.iter().map(|(position, _)| position.offset).collect())
}

#[test]
fn older_entries_go_first() {
    let mut kept = kept(10);
    kept.push(entry(200));
    assert_eq!(since(&mut kept, 99), Err(Error::Gone));
    kept.prepend(older(&[50, 60], 40), 100);
    assert_eq!(since(&mut kept, 40), Ok(vec![50, 60, 200]));
    assert_eq!(since(&mut kept, 39), Err(Error::Gone));
    assert_eq!(kept.head().offset, 200);
}

#[test]
fn older_entries_are_the_head_if_none_came() {
    let mut kept = kept(10);
    kept.prepend(older(&[50], 0), 100);
    assert_eq!(kept.head().offset, 50);
    assert_eq!(since(&mut kept, 0), Ok(vec![50]));
}

#[test]
fn older_entries_left_the_window() {
    let mut kept = kept(1);
    kept.push(entry(200));
    kept.push(entry(300));
    kept.prepend(older(&[50], 0), 100);
    assert_eq!(since(&mut kept, 100), Err(Error::Gone));
    assert_eq!(since(&mut kept, 200), Ok(vec![300]));
}

#[test]
fn ends_of_messages_are_given_out() {
    let mut kept = kept(10);
    kept.push(entry(200));
    assert_eq!(since(&mut kept, 201), Err(Error::Gone));
    assert_eq!(since(&mut kept, 4095), Ok(Vec::new()));
}
