use std::cell::Cell;

use tokio::time::timeout;

use super::*;

/// Answers only when asked so often.
async fn ask(asked: &Cell<usize>, answers_at: usize) -> Result<usize, ()> {
    asked.set(asked.get() + 1);
    if asked.get() == answers_at {
        return Ok(answers_at);
    }
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn what_is_overdue_is_asked_for_again_and_not_without_end() {
    let asked = Cell::new(0);
    assert_eq!(hedged(OVERDUE, || ask(&asked, 1)).await, Ok(1));
    asked.set(0);
    assert_eq!(hedged(OVERDUE, || ask(&asked, 3)).await, Ok(3));
    asked.set(0);
    let never = timeout(Duration::from_mins(1), hedged(OVERDUE, || ask(&asked, 99))).await;
    assert!(never.is_err());
    assert_eq!(asked.get(), ASKED_MAX);
}
