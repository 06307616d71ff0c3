//! JetStream without Wakeline, on the streams of a Wakeline.
use std::time::Duration;

use async_nats::{
    Client, ConnectOptions,
    jetstream::{
        self, Context,
        consumer::{DeliverPolicy, push::OrderedConfig},
        stream::Stream,
    },
};
use futures_util::StreamExt as _;
use tokio::{
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use super::{Ear, PATIENCE, TICK};

/// As many partitions as Wakeline makes by default.
const PARTITIONS: usize = 8;

/// Clients of NATS: one publishes, some read with ordered push consumers, others ask who leads.
pub(super) struct Raw {
    /// Of readers; one whose consumer dies with its server may never hear again.
    pub(super) ears: Vec<Ear>,
    /// Of each replicated group that nodes need: it hears answers, which only a leader gives.
    pub(super) leaders: Vec<Ear>,
    context: Context,
    stream: String,
    tasks: JoinSet<()>,
}

impl Raw {
    /// Joins the one log of the cluster that has entries.
    pub(super) async fn start(urls: &[String]) -> Self {
        let context = jetstream::new(connect(urls).await);
        let (number, stream) = busiest(&context).await;
        let mut raw = Self {
            ears: Vec::new(),
            leaders: Vec::new(),
            context,
            stream: stream.clone(),
            tasks: JoinSet::new(),
        };
        let subject = format!("wakeline.log.{number}.nobody");
        for _ in urls {
            raw.read(connect(urls).await, &subject).await;
        }
        let streams = (0..PARTITIONS).map(|number| format!("WAKELINE_kv_{number}"));
        let asked = streams
            .chain([stream])
            .map(|stream| format!("$JS.API.STREAM.INFO.{stream}"));
        for request in asked.chain(["$JS.API.INFO".to_owned()]) {
            raw.ask(connect(urls).await, request).await;
        }
        let publisher = connect(urls).await;
        raw.tasks.spawn(async move {
            let mut ticks = interval(TICK);
            loop {
                ticks.tick().await;
                // Nobody waits for an acknowledgement: the first that is stored again ends the pause.
                publisher.publish(subject.clone(), "text".into()).await.unwrap();
            }
        });
        raw
    }

    async fn read(&mut self, client: Client, subject: &str) {
        let context = jetstream::new(client.clone());
        let stream = stream(&context, &self.stream).await;
        let create = async || {
            let consumer = stream.create_consumer(OrderedConfig {
                deliver_subject: client.new_inbox(),
                filter_subject: subject.to_owned(),
                deliver_policy: DeliverPolicy::New,
                ..OrderedConfig::default()
            });
            consumer.await.ok()
        };
        let mut messages = eventually(create).await.messages().await.unwrap();
        let ear = Ear::default();
        self.ears.push(ear.clone());
        self.tasks.spawn(async move {
            // An error is a consumer that is being made anew.
            while let Some(message) = messages.next().await {
                if message.is_ok() {
                    ear.hears();
                }
            }
        });
    }

    /// Asks and asks, and hears answers that are none of errors.
    async fn ask(&mut self, client: Client, request: String) {
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.unwrap();
        let ear = Ear::default();
        self.leaders.push(ear.clone());
        self.tasks.spawn(async move {
            while let Some(answer) = answers.next().await {
                if !String::from_utf8_lossy(&answer.payload).contains("\"error\"") && answer.status.is_none()
                {
                    ear.hears();
                }
            }
        });
        self.tasks.spawn(async move {
            let mut ticks = interval(TICK * 5);
            loop {
                ticks.tick().await;
                let asked = client.publish_with_reply(request.clone(), inbox.clone(), "".into());
                asked.await.unwrap();
            }
        });
    }

    /// The name of the server that leads the stream.
    pub(super) async fn leader(&self) -> String {
        let look = async || {
            let stream = self.context.get_stream(&self.stream).await.ok()?;
            stream.cached_info().cluster.as_ref()?.leader.clone()
        };
        eventually(look).await
    }

    /// Until one of the readers has heard so many more.
    pub(super) async fn somebody_hears(&self, more: u64) {
        let goals: Vec<u64> = self.ears.iter().map(|ear| ear.count() + more).collect();
        let heard = async {
            while self
                .ears
                .iter()
                .zip(&goals)
                .all(|(ear, goal)| ear.count() < *goal)
            {
                sleep(TICK).await;
            }
        };
        timeout(PATIENCE, heard).await.expect("nobody hears anything");
    }
}

async fn connect(urls: &[String]) -> Client {
    ConnectOptions::new()
        .reconnect_delay_callback(|_| Duration::from_millis(100))
        .connect(urls)
        .await
        .unwrap()
}

async fn stream(context: &Context, name: &str) -> Stream {
    eventually(async || context.get_stream(name).await.ok()).await
}

/// Asks until there is an answer: in an election there is none.
async fn eventually<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let answered = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(TICK).await;
        }
    };
    timeout(PATIENCE, answered).await.expect("nobody leads")
}

async fn busiest(context: &Context) -> (usize, String) {
    for number in 0..PARTITIONS {
        let name = format!("WAKELINE_log_{number}");
        let stream = stream(context, &name).await;
        if stream.cached_info().state.messages > 0 {
            return (number, name);
        }
    }
    panic!("no log has entries");
}
