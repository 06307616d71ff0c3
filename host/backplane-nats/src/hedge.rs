use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::sleep;

/// Asks again while an answer is overdue, and takes the first that comes. What was asked of a leader that died is
/// never answered, and one of three servers that is down may be given the consumer we ask for: to wait for the time-out
/// would make our pause longer than theirs.
pub(crate) async fn hedged<T, E, F>(overdue: Duration, ask: impl Fn() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut asked = FuturesUnordered::new();
    asked.push(ask());
    loop {
        tokio::select! {
            Some(answer) = asked.next() => return answer,
            () = sleep(overdue), if asked.len() < ASKED_MAX => asked.push(ask()),
        }
    }
}

/// Many times what a busy cluster of three takes to answer.
pub(crate) const OVERDUE: Duration = Duration::from_millis(500);
/// So that a slow NATS is not asked more and more.
const ASKED_MAX: usize = 8;

#[cfg(test)]
mod tests;
