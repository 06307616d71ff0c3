//! Tells when an app's sources change.
use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use notify::{Event, EventKind, RecursiveMode, Watcher};

/// Editors write a file in several steps, and several files at once: a change counts when none followed for this long.
const QUIET: Duration = Duration::from_millis(120);

/// Watches until dropped.
pub(crate) struct Watch {
    paths: Vec<PathBuf>,
    changes: mpsc::Receiver<()>,
    _watcher: Box<dyn Watcher + Send>,
}

impl Watch {
    /// `paths` are absolute; those that do not exist are watched for through their folder.
    pub(crate) fn new(paths: &[PathBuf]) -> Result<Self, notify::Error> {
        let (sender, changes) = mpsc::channel();
        let wanted = paths.to_vec();
        let handler = move |event: Result<Event, notify::Error>| {
            let relevant = event.is_ok_and(|event| {
                !matches!(event.kind, EventKind::Access(_))
                    && event
                        .paths
                        .iter()
                        .any(|path| wanted.iter().any(|wanted| path.starts_with(wanted)))
            });
            if relevant {
                // Nobody listens any more: the watch is being dropped.
                let _ = sender.send(());
            }
        };
        let mut watcher: Box<dyn Watcher + Send> =
            if let Ok(watcher) = notify::recommended_watcher(handler.clone()) {
                Box::new(watcher)
            } else {
                // No inotify left, or none in this container.
                let config = notify::Config::default().with_poll_interval(Duration::from_millis(500));
                Box::new(notify::PollWatcher::new(handler, config)?)
            };
        let mut watched: Vec<(&Path, RecursiveMode)> = Vec::new();
        for path in paths {
            // A file is replaced by many editors, which ends a watch of its own: its folder is watched.
            let (place, mode) = match path.parent() {
                Some(parent) if !path.is_dir() => (parent, RecursiveMode::NonRecursive),
                _ => (path.as_path(), RecursiveMode::Recursive),
            };
            if place.is_dir() && !watched.contains(&(place, mode)) {
                watcher.watch(place, mode)?;
                watched.push((place, mode));
            }
        }
        Ok(Self {
            paths: paths.to_vec(),
            changes,
            _watcher: watcher,
        })
    }

    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Blocks until something changed and then nothing for a moment.
    pub(crate) fn wait(&self) {
        let changed = self.changes.recv();
        debug_assert!(
            changed.is_ok(),
            "the watcher, which holds the sender, lives as long as this"
        );
        while self.changes.recv_timeout(QUIET).is_ok() {}
    }
}
