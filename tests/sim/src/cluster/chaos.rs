//! What goes wrong while it does.
use std::{rc::Rc, time::Duration};

use tokio::{
    task::spawn_local,
    time::{Instant, sleep, timeout},
};

use super::{APP, Host, Order, State, World, now};
use crate::Faults;

impl World {
    /// Lets things go wrong for as long as the shape says.
    pub(super) async fn chaos(&mut self) {
        if self.shape.foul {
            self.net.set_faults(Faults::FOUL);
            self.roads.set_quality(200, 10);
        }
        let end = Instant::now() + self.shape.chaos;
        let loses = self.shape.foul && self.random.chance(10);
        while Instant::now() < end && self.is_right() {
            let pause = self.random.below(4_000) as u64;
            sleep(Duration::from_millis(pause)).await;
            match self.random.below(if self.shape.foul { 30 } else { 20 }) {
                0..=9 => self.trouble_client(),
                10..=17 => self.trouble_node(),
                18 => self.net.others_write(APP, 5),
                19 => self.change_lag(),
                20..=23 => self.cut_node(),
                24..=25 => self.stall(),
                26..=27 => self.block_node(),
                28 if loses => self.lose_log(),
                _ => self.net.others_write(APP, 1),
            }
        }
    }

    /// From here on all is well: everything that was down is up, or begins anew.
    pub(super) fn heal(&mut self) {
        self.stage.calm.set(true);
        self.net.set_faults(Faults::FAIR);
        self.roads.set_quality(3, 0);
        let hosts = self.stage.hosts.borrow().clone();
        for host in hosts {
            self.roads.block(host.incarnation, false);
            host.handle.lag(Duration::ZERO);
            host.handle.mend();
            match host.state.get() {
                State::Paused => host.pause(false),
                State::Dead | State::Silent => self.replace(&host),
                State::Up | State::Draining => {}
            }
        }
    }

    fn trouble_client(&mut self) {
        let who = self.random.below(self.clients.len());
        let order = match self.random.below(20) {
            0..=8 => Order::Cut { silently: false },
            9..=13 => Order::Cut { silently: true },
            14..=17 => Order::Stall(Duration::from_millis(self.random.below(20_000) as u64)),
            _ => Order::Leave,
        };
        _ = self.clients[who].orders.send(order);
    }

    fn trouble_node(&mut self) {
        let Some(host) = self.any_up() else { return };
        match self.random.below(10) {
            0..=3 => {
                let silently = self.random.chance(30);
                self.kill(&host, silently);
            }
            4..=6 => self.pause(host),
            7..=8 => self.drain(host),
            _ => self.change_lag(),
        }
    }

    fn kill(&mut self, host: &Rc<Host>, silently: bool) {
        self.note(format_args!(
            "{} is killed{}",
            host.name,
            if silently { " silently" } else { "" }
        ));
        host.kill(silently);
        let mut book = self.book.borrow_mut();
        book.killed(host);
        book.tally.kills += 1;
        drop(book);
        let successor = self.start_later();
        self.later(successor, host.clone());
    }

    /// A successor takes a dead node's place among those that clients know.
    fn later(&mut self, after: Duration, host: Rc<Host>) {
        let fresh = self.start();
        fresh.pause(true);
        let stage = self.stage.clone();
        spawn_local(async move {
            sleep(after).await;
            replace(&stage.hosts, &host, fresh.clone());
            if fresh.state.get() == State::Paused {
                fresh.pause(false);
            }
        });
    }

    fn replace(&mut self, host: &Rc<Host>) {
        let fresh = self.start();
        replace(&self.stage.hosts, host, fresh);
    }

    fn start_later(&mut self) -> Duration {
        Duration::from_millis(200 + self.random.below(20_000) as u64)
    }

    /// SIGSTOP, and SIGCONT some time later: its clocks have jumped.
    fn pause(&mut self, host: Rc<Host>) {
        let time = if self.random.chance(50) { 5_000 } else { 60_000 };
        let time = Duration::from_millis(self.random.below(time) as u64);
        self.note(format_args!("{} stops for {time:?}", host.name));
        self.book.borrow_mut().tally.pauses += 1;
        host.loses_touch(time);
        host.pause(true);
        let book = self.book.clone();
        spawn_local(async move {
            sleep(time).await;
            if host.state.get() == State::Paused {
                book.borrow_mut().note(format_args!("{} goes on", host.name));
                host.pause(false);
            }
        });
    }

    fn drain(&mut self, host: Rc<Host>) {
        self.note(format_args!("{} drains", host.name));
        self.book.borrow_mut().tally.drains += 1;
        let (book, stage) = (self.book.clone(), self.stage.clone());
        let fresh = self.start();
        fresh.pause(true);
        spawn_local(async move {
            // A process that does not end in its time is killed, as a supervisor does.
            let drained = timeout(Duration::from_secs(30), host.drain()).await.is_ok();
            book.borrow_mut()
                .note(format_args!("{} has drained: {drained}", host.name));
            if !drained {
                book.borrow_mut().killed(&host);
            }
            host.kill(false);
            replace(&stage.hosts, &host, fresh.clone());
            fresh.pause(false);
        });
    }

    fn cut_node(&mut self) {
        let Some(host) = self.any_up() else { return };
        let time = Duration::from_millis(self.random.below(40_000) as u64);
        self.note(format_args!(
            "{} is cut from the backplane for {time:?}",
            host.name
        ));
        self.book.borrow_mut().tally.cuts += 1;
        host.loses_touch(time);
        host.handle.cut();
        spawn_local(async move {
            sleep(time).await;
            host.handle.mend();
        });
    }

    fn block_node(&mut self) {
        let Some(host) = self.any_up() else { return };
        let time = Duration::from_millis(self.random.below(20_000) as u64);
        self.note(format_args!("{} cannot be asked for {time:?}", host.name));
        let roads = self.roads.clone();
        roads.block(host.incarnation, true);
        spawn_local(async move {
            sleep(time).await;
            roads.block(host.incarnation, false);
        });
    }

    fn stall(&mut self) {
        let time = Duration::from_millis(200 + self.random.below(9_000) as u64);
        self.note(format_args!("the backplane stalls for {time:?}"));
        self.net.stall(time);
    }

    fn change_lag(&mut self) {
        let Some(host) = self.any_up() else { return };
        let lag = Duration::from_millis([0, 5, 300, 3_000][self.random.below(4)]);
        self.note(format_args!("{} reads up to {lag:?} late", host.name));
        host.handle.lag(lag);
    }

    fn lose_log(&mut self) {
        self.note(format_args!("the log is lost"));
        self.net.lose_log(APP);
        let mut book = self.book.borrow_mut();
        book.tally.losses += 1;
        book.log_lost = Some(now());
    }

    /// A node that is well, as long as another stays so.
    fn any_up(&mut self) -> Option<Rc<Host>> {
        let up = self.hosts();
        (up.len() > 1).then(|| up[self.random.below(up.len())].clone())
    }
}

fn replace(hosts: &std::cell::RefCell<Vec<Rc<Host>>>, old: &Rc<Host>, new: Rc<Host>) {
    for host in hosts.borrow_mut().iter_mut() {
        if Rc::ptr_eq(host, old) {
            *host = new;
            return;
        }
    }
}
