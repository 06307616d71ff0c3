use super::*;

#[test]
fn only_the_block_is_replaced() {
    let readme = format!("a\n{BEGIN}\nold\n{END}\nz\n");
    let filled = replaced(&readme, &format!("{BEGIN}\nnew\n{END}")).unwrap();
    assert_eq!(filled, format!("a\n{BEGIN}\nnew\n{END}\nz\n"));
    assert!(replaced("no block", "x").is_none());
}

#[test]
fn the_block_can_be_filled_again() {
    let mut all = Readings::default();
    let mut figures = Figures::default();
    figures.set("cpu_us", 12.345);
    all.add(Peer::Wakeline, vec![(crate::echo::SATURATED, figures)]);
    let place = Place {
        date: "1 May 2026".into(),
        commit: "abc".into(),
        machine: "2 cores".into(),
        versions: "node v20".into(),
        command: "cargo xtask bench --readme".into(),
    };
    let block = markdown(&all, &goals::rows(&all), &place);
    assert!(block.starts_with(BEGIN) && block.ends_with(END));
    assert!(
        block.contains("| **Wakeline, Wasm handler, recovery on** | 12.3 |"),
        "{block}"
    );
    assert_eq!(replaced(&block, &block).unwrap(), block);
}

#[test]
fn three_digits_count() {
    let cells = [None, Some(0.5), Some(12.34), Some(370.4)].map(cell);
    assert_eq!(cells, ["", "0.50", "12.3", "370"]);
}
