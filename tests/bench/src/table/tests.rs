use super::*;

#[test]
fn columns_line_up() {
    let rows = [vec!["µs", "1"], vec!["a longer one", "22"]];
    let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect());
    assert_eq!(aligned(&rows), "\nµs             1\na longer one  22\n");
}

#[test]
fn a_table_has_ratios_to_those_that_are_there() {
    let mut readings = Readings::default();
    let reading = |cpu: f64| {
        let mut figures = Figures::default();
        figures.set("cpu_us", cpu);
        vec![("echo", figures)]
    };
    readings.add(Peer::Wakeline, reading(6.0));
    readings.add(Peer::Wakeline, reading(8.0));
    readings.add(Peer::Epoll, reading(5.0));
    expect_test::expect![[r"

        echo      CPU µs  / epoll
        wakeline    7.00     1.40
        epoll       5.00     1.00
    "]]
    .assert_eq(&text(&readings));
}
