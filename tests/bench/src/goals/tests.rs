use super::*;
use crate::figures::Figures;

fn verdict(figure: Option<f64>, limit: Limit) -> (String, Option<f64>, &'static str) {
    let row = row("x", figure, limit);
    (row.figure, row.ratio, row.verdict)
}

#[test]
fn a_goal_is_met_missed_or_not_measured() {
    assert_eq!(
        verdict(Some(1.0), Limit::Times(1.25)),
        ("1.00 ×".into(), Some(0.8), "met")
    );
    assert_eq!(
        verdict(Some(3.0), Limit::Most(2.0, "µs")),
        ("3.00 µs".into(), Some(1.5), "missed")
    );
    assert_eq!(
        verdict(Some(2.0), Limit::AtLeast(1.0)),
        ("2.00 ×".into(), Some(0.5), "met")
    );
    assert_eq!(verdict(Some(0.5), Limit::AtLeast(1.0)).2, "missed");
    assert_eq!(
        verdict(None, Limit::Times(1.0)),
        (String::new(), None, "not measured")
    );
    assert_eq!(verdict(Some(f64::NAN), Limit::Times(1.0)).2, "not measured");
    assert_eq!(verdict(Some(7.0), Limit::Told("MiB")).2, "told");
}

#[test]
fn ratios_are_of_servers_of_one_run() {
    let mut all = Readings::default();
    for (peer, cpu) in [(Wakeline, 6.0), (Epoll, 5.0), (WakelinePlain, 4.0)] {
        let mut figures = Figures::default();
        figures.set(CPU, cpu);
        all.add(peer, vec![(echo::SATURATED, figures)]);
    }
    let rows = rows(&all);
    assert_eq!(rows[0].figure, "1.20 ×");
    assert_eq!(rows[1].verdict, "not measured");
    assert_eq!(rows[9].figure, "1.50 ×");
    assert_eq!(rows[9].verdict, "missed");
}
