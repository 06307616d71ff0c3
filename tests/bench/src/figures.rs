use std::collections::BTreeMap;

/// What one scenario read of one server, by name; each name ends with its unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures(pub(crate) BTreeMap<String, f64>);

impl Figures {
    pub(crate) fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Each figure's median over the rounds that have it; of errors the sum.
    pub(crate) fn medians(rounds: &[Self]) -> Self {
        let mut values: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
        for (name, value) in rounds.iter().flat_map(|round| &round.0) {
            values.entry(name).or_default().push(*value);
        }
        let medians = values.into_iter().map(|(name, values)| {
            let one = if name.ends_with("errors") {
                values.iter().sum()
            } else {
                median(values)
            };
            (name.clone(), one)
        });
        Self(medians.collect())
    }
}

/// Of an even number of values, the mean of the two in the middle; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |place: usize| values.get(place).copied().unwrap_or(0.0);
    if values.len().is_multiple_of(2) {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

#[cfg(test)]
mod tests;
