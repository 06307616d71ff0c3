use super::{Cost, Measured, Ratchet, Verdict};

#[test]
fn a_figure_is_held_to_its_ratchet() {
    let ratchet = Ratchet {
        most: 19.0,
        slack: 0.5,
    };
    assert_eq!(ratchet.judge(19.5), Verdict::Held);
    assert_eq!(ratchet.judge(18.5), Verdict::Held);
    // One allocation more.
    assert_eq!(ratchet.judge(20.0), Verdict::Dear);
    assert_eq!(ratchet.judge(18.0), Verdict::Cheap);
    assert_eq!(ratchet.judge(f64::NAN), Verdict::Dear);
}

#[test]
fn one_allocation_more_is_too_much_and_said() {
    let ratchet = Cost::EchoAllocations.ratchet();
    let measured = |value| Measured {
        cost: Cost::EchoAllocations,
        value,
    };
    assert!(!measured(ratchet.most).is_dear());
    assert!(measured(ratchet.most + 1.0).is_dear());
    assert!(measured(ratchet.most + 1.0).to_string().ends_with("TOO MUCH"));
    assert!(
        measured(ratchet.most - 1.0)
            .to_string()
            .ends_with("lower the ratchet")
    );
}
