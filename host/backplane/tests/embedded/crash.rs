use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use backplane::{Backplane, Embedded, Fsync};
use router::Position;

use crate::{entry, text};

const DIRECTORY: &str = "WAKELINE_TEST_CRASH_DIRECTORY";

/// Not a test of its own: what [`killed_in_mid_append`] runs and kills. Says each answer on its standard output.
#[tokio::test]
async fn appends_until_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let backplane = Embedded::open_with(directory, Fsync::EverySecond).unwrap();
    let mut output = std::io::stdout().lock();
    loop {
        let next = backplane.head("app").await.unwrap().offset + 1;
        let entries = (next..=next + next % 3)
            .map(|offset| entry(&offset.to_string()))
            .collect();
        let appended = backplane
            .append("app", entries, Some(format!("key{next}")))
            .await
            .unwrap();
        writeln!(
            output,
            "answered {:x} {}",
            appended.epoch.0,
            appended.offsets.last().unwrap()
        )
        .unwrap();
    }
}

#[tokio::test]
async fn killed_in_mid_append() {
    let directory = tempfile::tempdir().unwrap();
    let mut answered = 0;
    for (round, answers) in [1, 700, 50, 3000].into_iter().enumerate() {
        let last = append_and_kill(directory.path(), answers);
        let backplane = Embedded::open(directory.path()).unwrap();
        let head = backplane.head("app").await.unwrap();
        assert_eq!(
            head.epoch.0, last.epoch.0,
            "round {round}: a kill loses nothing, so the log is the same"
        );
        assert!(
            head.offset >= last.offset,
            "round {round}: {} was answered, {} is there",
            last.offset,
            head.offset
        );
        assert!(last.offset > answered);
        answered = head.offset;
        let start = Position {
            offset: head.offset.saturating_sub(5000),
            ..head
        };
        let read = backplane.read("app", start, usize::MAX).await.unwrap();
        assert_eq!(read.len() as u64, head.offset - start.offset);
        for (position, delivery) in read {
            assert_eq!(text(&delivery), position.offset.to_string());
        }
    }
}

/// The last answer that the process gave before it was killed, in the midst of more.
fn append_and_kill(directory: &Path, answers: usize) -> Position {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::appends_until_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = None;
    let mut killed = false;
    let mut seen = 0;
    // After the kill, the pipe still has the answers that were given before it.
    while let Some(Ok(line)) = lines.next() {
        let Some((_, answer)) = line.split_once("answered ") else {
            continue;
        };
        let Some((epoch, offset)) = answer.split_once(' ') else {
            continue;
        };
        let epoch = router::Epoch(u32::from_str_radix(epoch, 16).unwrap());
        last = Some(Position {
            epoch,
            offset: offset.parse().unwrap(),
        });
        seen += 1;
        if seen >= answers && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    last.unwrap()
}
