use std::collections::VecDeque;

/// Outputs of a sans-IO core that were not drained yet, in order.
///
/// The first lies inline and the rest's heap is given back when drained: the usual single output allocates
/// nothing, and an idle connection holds no heap.
#[derive(Debug)]
pub struct Outputs<T> {
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Outputs<T> {
    pub const fn new() -> Self {
        Self {
            first: None,
            rest: VecDeque::new(),
        }
    }

    pub fn push(&mut self, output: T) {
        if self.is_empty() {
            self.first = Some(output);
        } else {
            self.rest.push_back(output);
        }
    }

    pub fn pop(&mut self) -> Option<T> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let next = self.rest.pop_front();
        if self.rest.is_empty() && self.rest.capacity() > 0 {
            self.rest = VecDeque::new();
        }
        next
    }

    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }
}

impl<T> Default for Outputs<T> {
    fn default() -> Self {
        Self::new()
    }
}
