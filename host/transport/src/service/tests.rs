/// A poll waits for its answer within this future, by the thousand.
#[test]
fn a_request_in_flight_is_small() {
    let size = size(super::handle);
    assert!(size <= 3584, "{size} bytes");
}

fn size<A, B, F: Future>(_: impl Fn(A, B) -> F) -> usize {
    size_of::<F>()
}
