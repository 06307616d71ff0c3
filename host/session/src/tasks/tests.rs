use tokio::task::LocalSet;

use super::*;

#[tokio::test]
async fn tasks_count_until_they_end_or_are_ended() {
    let local = LocalSet::new();
    local
        .run_until(async {
            let before = tasks_alive();
            let (done, waits) = (
                spawn_local(async { 5 }),
                spawn_local(std::future::pending::<()>()),
            );
            assert_eq!(tasks_alive(), before + 2);
            assert_eq!(done.await.unwrap(), 5);
            assert_eq!(tasks_alive(), before + 1);
            waits.abort();
            assert!(waits.await.unwrap_err().is_cancelled());
            assert_eq!(tasks_alive(), before);
        })
        .await;
}
