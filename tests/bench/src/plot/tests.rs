use super::*;
use crate::figures::Figures;

#[test]
fn nothing_is_no_picture() {
    assert!(cpu(&Readings::default()).is_none());
    assert!(idle(&Readings::default()).is_none());
}

#[test]
fn every_server_has_a_row_with_its_values() {
    let mut all = Readings::default();
    for (peer, value) in [(Peer::Wakeline, 7.04), (Peer::Flask, 370.0)] {
        let mut figures = Figures::default();
        figures.set("cpu_us", value);
        figures.set("session_bytes", value * 1024.0);
        all.add(peer, vec![(echo::SATURATED, figures.clone()), (IDLE, figures)]);
    }
    for svg in [cpu(&all).unwrap(), idle(&all).unwrap()] {
        assert!(svg.contains(Peer::Wakeline.title()) && svg.contains(Peer::Flask.title()));
        assert!(
            svg.contains(">7.0</text>") && svg.contains(">370</text>"),
            "{svg}"
        );
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(svg.ends_with("</svg>\n") && svg.contains("prefers-color-scheme:dark"));
    }
}
