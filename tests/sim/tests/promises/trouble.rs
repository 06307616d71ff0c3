//! What a client is told where nodes cannot ask each other, or their backplane.
use std::sync::Arc;

use backplane::{Backplane, Embedded};
use session::Protocol;
use sim::{Faults, Frame, Net, Rig, run, settings};
use tokio::time::{Duration, sleep};

#[test]
fn p2_nobody_recovers_a_socket_whose_end_was_told() {
    run(async {
        let backplane: Arc<dyn Backplane> = Arc::new(Embedded::in_memory());
        let home = Rig::cut_off(backplane.clone()).await;
        let other = Rig::cut_off(backplane).await;
        let mut client = home.join(0).await;
        client.cut();
        home.goodbye.set(Duration::from_secs(60));
        while home.calls.borrow().len() < 2 {
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(home.calls.borrow()[1], "disconnect TransportError");
        let next = other.recover(0, &client).await;
        assert!(!next.recovered, "its end is being told");
        assert_ne!(next.sid, client.sid);
    });
}

#[test]
fn p2_a_home_that_cannot_be_asked_loses_its_socket_and_says_nothing() {
    run(async {
        let backplane: Arc<dyn Backplane> = Arc::new(Embedded::in_memory());
        let home = Rig::cut_off(backplane.clone()).await;
        let other = Rig::cut_off(backplane).await;
        let mut client = home.join(0).await;
        client.cut();
        let next = other.recover(0, &client).await;
        assert!(next.recovered);
        sleep(settings().recovery.unwrap().window * 2).await;
        assert_eq!(*home.calls.borrow(), ["connect /"]);
    });
}

/// Stock clients do not come again after a CONNECT_ERROR; they do when their connection ends.
#[test]
fn a_client_that_cannot_be_served_now_is_sent_away_and_may_come_again() {
    run(async {
        let net = Net::new(1, Faults::NONE);
        tokio::spawn(net.clone().run());
        let handle = net.node();
        handle.cut();
        let rig = Rig::on(Arc::new(handle.clone()), 1, settings());
        let mut client = rig.dial(0).await;
        client.send("40");
        assert!(matches!(client.frame().await, Frame::Close(_)));
        // One that would have to be told in another way, too.
        let raw = rig.hubs[0]
            .open_websocket(rig.request(Protocol::WebSocket))
            .unwrap();
        sleep(Duration::from_secs(60)).await;
        let stats = rig.hubs[0].shards().stats(rig.app.name.clone()).await;
        assert_eq!((stats.sessions, stats.sockets, stats.away), (0, 0, 0));
        drop(raw);
        handle.mend();
        rig.join(0).await;
    });
}
