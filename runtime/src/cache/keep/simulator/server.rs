//! A server for all processes, and the network: requests, answers and messages that are under way.

use super::rule::Rule;
use super::{Dice, Trouble};
use crate::clock::{Clock, ManualClock};
use crate::error::{Error, ErrorKind};
use crate::store::command::{Call, Command, Effect, Reply};
use crate::store::memory::Memory;
use crate::store::subscription::Heard;
use crate::store::{Batch, Replies, Store as _};
use crate::sync;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Commands that were sent together, of which the server has run some.
struct Request {
    commands: VecDeque<Command>,
    effects: Vec<Effect>,
    replies: Replies,
    /// Whether the last command runs first.
    is_reordered: bool,
    is_slow: bool,
    /// Nobody waits if the answer was lost.
    answer: Option<oneshot::Sender<Replies>>,
}

/// What the server and the network know of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Asked,
    /// What is published reaches it.
    Stands,
    /// Its connection was cut, and another is to take its place unnoticed.
    Replaced,
    /// One of both sides is gone without the other's knowing: nothing arrives any more.
    HalfOpen,
}

/// A subscription as the server and the network have it.
struct Subscription {
    state: State,
    /// Whether what was sent waits somewhere.
    is_stalled: bool,
    /// What the process has asked.
    asked: VecDeque<u64>,
    /// What is under way to the process, in order.
    told: VecDeque<Heard>,
    process: mpsc::UnboundedSender<Heard>,
    questions: mpsc::UnboundedReceiver<u64>,
}

#[derive(Default)]
struct UnderWay {
    requests: Vec<Request>,
    subscriptions: Vec<Subscription>,
}

pub(super) struct Server {
    without: Option<Rule>,
    /// Whether messages are lost on connections that stand.
    is_lossy: bool,
    clock: ManualClock,
    memory: Memory,
    under_way: Mutex<UnderWay>,
}

impl Server {
    pub(super) fn new(without: Option<Rule>, is_lossy: bool) -> Self {
        let clock = ManualClock::new();
        Self {
            without,
            is_lossy,
            memory: Memory::new(Clock::Manual(clock.clone()), 1 << 20, Arc::default()),
            clock,
            under_way: Mutex::default(),
        }
    }

    pub(super) fn advance(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// A process sends commands; what comes back.
    pub(super) fn send(&self, batch: Batch) -> oneshot::Receiver<Replies> {
        let (answer, answered) = oneshot::channel();
        let effects = batch.commands.iter().map(|it| it.effect).collect();
        let mut commands = VecDeque::from(batch.commands);
        let is_reordered =
            self.without == Some(Rule::TellsLast) && commands.back().and_then(message).is_some();
        if is_reordered {
            commands.rotate_right(1);
        }
        sync::lock(&self.under_way).requests.push(Request {
            commands,
            effects,
            replies: Replies::new(),
            is_reordered,
            is_slow: false,
            answer: Some(answer),
        });
        answered
    }

    /// A process subscribes: what it hears, and where it asks for proofs.
    pub(super) fn subscribe(&self) -> (mpsc::UnboundedReceiver<Heard>, mpsc::UnboundedSender<u64>) {
        let (process, heard) = mpsc::unbounded_channel();
        let (asks, questions) = mpsc::unbounded_channel();
        sync::lock(&self.under_way)
            .subscriptions
            .push(Subscription {
                state: State::Asked,
                is_stalled: false,
                asked: VecDeque::new(),
                told: VecDeque::new(),
                process,
                questions,
            });
        (heard, asks)
    }

    /// One request goes on: its next command runs, or its answer arrives, or something of it is lost.
    pub(super) fn serve(&self, dice: &mut Dice, trouble: Trouble) {
        let under_way = &mut *sync::lock(&self.under_way);
        if under_way.requests.is_empty() {
            return;
        }
        let at = dice.below(under_way.requests.len());
        let request = &mut under_way.requests[at];
        if request.is_slow && dice.below(16) != 0 {
            return;
        }
        let is_calm = trouble == Trouble::None;
        let slow = if trouble == Trouble::Delays { 4 } else { 20 };
        request.is_slow |= !is_calm && dice.below(slow) == 0;
        // The process hears of an error, and what is left is lost, or runs later.
        if !is_calm && dice.below(60) == 0 {
            let answer = request.answer.take();
            let nothing_ran = request.replies.is_empty();
            let is_gone = dice.below(2) == 0;
            let lost = |effect: &Effect| {
                let kind = match effect {
                    Effect::Read => ErrorKind::Timeout,
                    _ if nothing_ran && is_gone => ErrorKind::Unavailable,
                    _ => ErrorKind::OutcomeUnknown,
                };
                Err(Error::new(kind, "no answer"))
            };
            let replies = request.effects.iter().map(lost).collect();
            if let Some(answer) = answer {
                drop(answer.send(replies));
            }
            if is_gone {
                under_way.requests.swap_remove(at);
            }
            return;
        }
        let Some(command) = request.commands.pop_front() else {
            let mut request = under_way.requests.swap_remove(at);
            if request.is_reordered {
                request.replies.rotate_left(1);
            }
            if let Some(answer) = request.answer {
                drop(answer.send(request.replies));
            }
            return;
        };
        let reply = if let Some(message) = message(&command) {
            if is_calm || dice.below(8) != 0 {
                Ok(Reply::Int(publish(&mut under_way.subscriptions, &message)))
            } else if self.without == Some(Rule::OwesUntold) {
                Ok(Reply::Int(0))
            } else {
                Err(Error::new(ErrorKind::OutcomeUnknown, "not published"))
            }
        } else {
            let batch = Batch {
                commands: vec![command],
                within: Duration::ZERO,
            };
            let mut sent = self.memory.send(batch);
            match sent.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(mut replies) => replies.pop().expect("a reply"),
                Poll::Pending => panic!("the embedded engine answers at once"),
            }
        };
        under_way.requests[at].replies.push(reply);
    }

    /// Something happens to one subscription.
    pub(super) fn tell(&self, dice: &mut Dice, trouble: Trouble) {
        let under_way = &mut *sync::lock(&self.under_way);
        under_way.subscriptions.retain(|it| !it.process.is_closed());
        if under_way.subscriptions.is_empty() {
            return;
        }
        let at = dice.below(under_way.subscriptions.len());
        let it = &mut under_way.subscriptions[at];
        while let Ok(number) = it.questions.try_recv() {
            it.asked.push_back(number);
        }
        let often = |is: Trouble| if trouble == is { 10 } else { 2 };
        let (cut, stalled) = (often(Trouble::Cuts), often(Trouble::Freezes));
        let (half_open, stalled) = (cut + 2, cut + 2 + stalled);
        let least = if trouble == Trouble::None { 32 } else { 0 };
        match least + dice.below(400 - least) {
            lot if lot < cut => {
                if self.without == Some(Rule::EndsWithConnection) && it.state == State::Stands {
                    it.told.clear();
                    it.state = State::Replaced;
                } else {
                    under_way.subscriptions.swap_remove(at);
                }
            }
            lot if lot < half_open => it.state = State::HalfOpen,
            _ if it.state == State::HalfOpen => {}
            lot if lot < stalled => it.is_stalled = true,
            0..32 => it.is_stalled = false,
            32..140 => self.goes_on(it, dice),
            140..150 => {
                // The same message twice, as from a publisher that repeats it.
                if let Some(told @ Heard::Message(_)) = it.told.front() {
                    let told = told.clone();
                    it.told.push_front(told);
                }
            }
            _ if !it.is_stalled => {
                if let Some(heard) = it.told.pop_front() {
                    let is_message = matches!(heard, Heard::Message(_));
                    if is_message && self.is_lossy && dice.below(3) == 0 {
                        return;
                    }
                    drop(it.process.send(heard));
                }
            }
            _ => {}
        }
    }

    /// The server gets what the process asks for: the subscription, then proofs.
    fn goes_on(&self, it: &mut Subscription, dice: &mut Dice) {
        if it.state != State::Stands {
            if dice.below(3) != 0 {
                return;
            }
            if it.state == State::Asked {
                it.told.push_back(Heard::Subscribed);
            }
            it.state = State::Stands;
        } else if let Some(number) = it.asked.pop_front() {
            if self.without == Some(Rule::ProvesInOrder) {
                drop(it.process.send(Heard::Proof(number)));
            } else {
                it.told.push_back(Heard::Proof(number));
            }
        }
    }
}

/// What a command publishes, if it does.
fn message(command: &Command) -> Option<Bytes> {
    let Call::Plain(words) = &command.call else {
        return None;
    };
    (words.first()? == "PUBLISH").then(|| words[2].clone())
}

fn publish(subscriptions: &mut [Subscription], message: &Bytes) -> i64 {
    let mut heard = 0;
    for subscription in subscriptions
        .iter_mut()
        .filter(|it| it.state == State::Stands)
    {
        subscription.told.push_back(Heard::Message(message.clone()));
        heard += 1;
    }
    heard
}
