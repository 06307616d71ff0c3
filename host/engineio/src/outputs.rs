use std::collections::VecDeque;

/// Outputs of a sans-IO core that were not drained yet, in order.
///
/// The first lies inline and the rest's heap is given back when drained: the usual single output allocates
/// nothing, and an idle connection holds no heap.
#[derive(Debug)]
pub struct Outputs<T> {
    first: Option<T>,
    /// Boxed, since it is mostly not there: three of these are held for every session.
    #[expect(
        clippy::box_collection,
        reason = "a list that is not there is to take one word"
    )]
    rest: Option<Box<VecDeque<T>>>,
}

impl<T> Outputs<T> {
    pub const fn new() -> Self {
        Self {
            first: None,
            rest: None,
        }
    }

    pub fn push(&mut self, output: T) {
        if self.is_empty() {
            self.first = Some(output);
        } else {
            self.rest.get_or_insert_default().push_back(output);
        }
    }

    pub fn pop(&mut self) -> Option<T> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let rest = self.rest.as_mut()?;
        let next = rest.pop_front();
        if rest.is_empty() {
            self.rest = None;
        }
        next
    }

    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }
}

impl<T> Default for Outputs<T> {
    fn default() -> Self {
        Self::new()
    }
}
