use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// Stands between a node's tasks and who polls them: they can be stopped for a while, as by SIGSTOP, or for good.
#[derive(Clone, Default)]
pub(crate) struct Gate(Rc<Inner>);

#[derive(Default)]
struct Inner {
    paused: Cell<bool>,
    ended: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Gate {
    /// Runs `tasks` as long as it is let, then drops them.
    pub(crate) async fn run(self, tasks: impl Future<Output = ()>) {
        let mut tasks = Box::pin(tasks);
        poll_fn(|cx| {
            *self.0.waker.borrow_mut() = Some(cx.waker().clone());
            match (self.0.ended.get(), self.0.paused.get()) {
                (true, _) => Poll::Ready(()),
                (false, true) => Poll::Pending,
                (false, false) => tasks.as_mut().poll(cx),
            }
        })
        .await;
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.0.paused.set(paused);
        self.wake();
    }

    pub(crate) fn end(&self) {
        self.0.ended.set(true);
        self.wake();
    }

    fn wake(&self) {
        let waker = self.0.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
