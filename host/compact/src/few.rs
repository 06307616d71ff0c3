/// A list that mostly has one element, or none: the first lies inline, and only more have a heap, of which an empty list
/// knows by one word (`smallvec`'s has three).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T> {
    first: Option<T>,
    /// Empty unless there is a first; boxed, since it is mostly not there.
    #[expect(
        clippy::box_collection,
        reason = "a list that is not there is to take one word"
    )]
    rest: Option<Box<Vec<T>>>,
}

impl<T> Few<T> {
    pub const fn new() -> Self {
        Self {
            first: None,
            rest: None,
        }
    }

    pub fn push(&mut self, element: T) {
        if self.first.is_none() {
            self.first = Some(element);
        } else {
            self.rest.get_or_insert_default().push(element);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    pub fn first(&self) -> Option<&T> {
        self.first.as_ref()
    }

    /// In the order in which they were pushed.
    pub fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        let rest = self.rest.as_ref().map_or(&[][..], |rest| rest.as_slice());
        self.first.iter().chain(rest)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let rest = self.rest.as_mut().map_or(&mut [][..], |rest| rest.as_mut_slice());
        self.first.iter_mut().chain(rest)
    }

    /// Takes the element at a place, if there is one; what is behind moves up.
    pub fn remove(&mut self, place: usize) -> Option<T> {
        let Some(behind) = place.checked_sub(1) else {
            let next = self.remove(1);
            return std::mem::replace(&mut self.first, next);
        };
        let rest = self.rest.as_mut()?;
        let removed = (behind < rest.len()).then(|| rest.remove(behind));
        if rest.is_empty() {
            self.rest = None;
        }
        removed
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        if let Some(rest) = &mut self.rest {
            rest.retain(&mut keep);
            if rest.is_empty() {
                self.rest = None;
            }
        }
        if self.first.as_ref().is_some_and(|first| !keep(first)) {
            self.remove(0);
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut few = Self::new();
        elements.into_iter().for_each(|element| few.push(element));
        few
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let rest = self.rest.map(|rest| *rest).unwrap_or_default();
        self.first.into_iter().chain(rest)
    }
}
