use router::Failure;

use super::Trial;

const OK: Result<(), Failure> = Ok(());

fn trap() -> Result<(), Failure> {
    Err(Failure::Trapped("unreachable".to_owned()))
}

#[test]
fn a_version_that_traps_at_once_fails_once() {
    let trial = Trial::since(0, 0);
    assert!(!trial.fails(&trap()));
    assert!(!trial.fails(&trap()));
    assert!(trial.fails(&trap()));
    assert!(!trial.fails(&trap()), "it is said once");
}

#[test]
fn one_that_mostly_works_stays() {
    let trial = Trial::since(0, 0);
    for _ in 0..10 {
        assert!(!trial.fails(&OK));
        assert!(!trial.fails(&trap()));
    }
}

#[test]
fn later_traps_are_the_authors() {
    let trial = Trial::since(0, 0);
    (0..20).for_each(|_| assert!(!trial.fails(&OK)));
    (0..20).for_each(|_| assert!(!trial.fails(&trap())));
}

#[test]
fn errors_and_limits_are_no_traps() {
    let trial = Trial::since(0, 0);
    for _ in 0..10 {
        assert!(!trial.fails::<()>(&Err(Failure::Returned("no".to_owned()))));
        assert!(!trial.fails::<()>(&Err(Failure::Limit("cpu_ms_per_call = 50".to_owned()))));
    }
}

#[test]
fn what_went_live_long_ago_is_not_on_trial_when_it_wakes() {
    let minute = 60_000;
    for (now_ms, on_trial) in [(9 * minute, true), (10 * minute, false)] {
        let trial = Trial::since(0, now_ms);
        let failed = (0..3).filter(|_| trial.fails(&trap())).count();
        assert_eq!(failed == 1, on_trial, "{now_ms}");
    }
    let trial = Trial::since(minute, 0);
    assert_eq!(
        (0..3).filter(|_| trial.fails(&trap())).count(),
        1,
        "another clock is ahead"
    );
}
