use router::Failure;

use super::Trial;

const OK: Result<(), Failure> = Ok(());

fn trap() -> Result<(), Failure> {
    Err(Failure::Trapped("unreachable".to_owned()))
}

#[test]
fn a_version_that_traps_at_once_fails_once() {
    let trial = Trial::default();
    assert!(!trial.fails(&trap()));
    assert!(!trial.fails(&trap()));
    assert!(trial.fails(&trap()));
    assert!(!trial.fails(&trap()), "it is said once");
}

#[test]
fn one_that_mostly_works_stays() {
    let trial = Trial::default();
    for _ in 0..10 {
        assert!(!trial.fails(&OK));
        assert!(!trial.fails(&trap()));
    }
}

#[test]
fn later_traps_are_the_authors() {
    let trial = Trial::default();
    (0..20).for_each(|_| assert!(!trial.fails(&OK)));
    (0..20).for_each(|_| assert!(!trial.fails(&trap())));
}

#[test]
fn errors_and_limits_are_no_traps() {
    let trial = Trial::default();
    for _ in 0..10 {
        assert!(!trial.fails::<()>(&Err(Failure::Returned("no".to_owned()))));
        assert!(!trial.fails::<()>(&Err(Failure::Limit("cpu_ms_per_call = 50".to_owned()))));
    }
}
