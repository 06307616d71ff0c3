#![expect(clippy::float_cmp, reason = "of values that are made by the same arithmetic")]

use super::*;

#[test]
fn medians_of_few() {
    assert_eq!(median(vec![]), 0.0);
    assert_eq!(median(vec![3.0]), 3.0);
    assert_eq!(median(vec![4.0, 1.0]), 2.5);
    assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
}

#[test]
fn a_figure_is_the_median_of_the_rounds_that_have_it() {
    let round = |pairs: &[(&str, f64)]| {
        let mut figures = Figures::default();
        for (name, value) in pairs {
            figures.set(name, *value);
        }
        figures
    };
    let rounds = [
        round(&[("cpu_us", 5.0), ("errors", 1.0)]),
        round(&[("cpu_us", 7.0), ("errors", 0.0), ("p99_ms", 2.0)]),
        round(&[("cpu_us", 6.0), ("errors", 2.0)]),
    ];
    let expected = round(&[("cpu_us", 6.0), ("errors", 3.0), ("p99_ms", 2.0)]);
    assert_eq!(Figures::medians(&rounds), expected);
}
