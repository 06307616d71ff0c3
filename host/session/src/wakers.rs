use std::task::Waker;

/// Who wait for something of a session: mostly nobody, which takes one word.
#[derive(Default)]
pub(crate) struct Wakers(
    #[expect(
        clippy::box_collection,
        reason = "a list that is not there is to take one word"
    )]
    Option<Box<Vec<Waker>>>,
);

impl Wakers {
    /// Answers whether it is new here.
    pub(crate) fn add(&mut self, waker: &Waker) -> bool {
        let known = self.0.iter().flat_map(|wakers| wakers.iter());
        if known.into_iter().any(|known| known.will_wake(waker)) {
            return false;
        }
        self.0.get_or_insert_default().push(waker.clone());
        true
    }

    pub(crate) fn wake(&mut self) {
        if let Some(wakers) = self.0.take() {
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}
