//! What goes wrong.

use crate::scene::{Engine, Scene};
use millpond_gateway::{Fault as Spoiled, Hold, Matcher};

/// How long it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// One request is struck, or the event happens.
    Once,
    /// Every request is struck.
    Lasting,
}

pub(crate) struct Fault {
    pub(crate) name: &'static str,
    what: What,
}

/// What is done to a request or to the server.
enum What {
    /// Over REST, and over RESP: in the order of [`Engine`].
    Spoil([Option<Spoiled>; 2]),
    Refuse,
    Hang,
    Drip,
    Event(Event),
    State(State),
}

#[derive(Clone, Copy)]
enum Event {
    Restart,
    Failover,
    ScriptsGone,
    Evicted,
}

#[derive(Clone, Copy)]
enum State {
    Replica,
    Full,
}

pub(crate) fn all() -> Vec<Fault> {
    let both = |fault: Spoiled| What::Spoil([Some(fault.clone()), Some(fault)]);
    let rest = |fault: Spoiled| What::Spoil([Some(fault), None]);
    let each = |answer: Spoiled, resp: &str| What::Spoil([Some(answer), Some(Spoiled::resp(resp))]);
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Sign in</h1>";
    let list = [
        ("connections refused", What::Refuse),
        ("reset before it ran", both(Spoiled::ResetBefore)),
        ("reset after it ran", both(Spoiled::ResetAfter)),
        ("no answer", What::Hang),
        ("an answer that never ends", What::Drip),
        ("half an answer", both(Spoiled::Truncated)),
        (
            "an answer of another form",
            each(Spoiled::json("{\"x\":1}"), "*1\r\n*0\r\n"),
        ),
        ("a page of HTML", each(Spoiled::html(), html)),
        (
            "401",
            each(
                Spoiled::error(401, "WRONGPASS invalid or missing auth token"),
                "-NOAUTH Authentication required.\r\n",
            ),
        ),
        ("429", rest(Spoiled::status(429))),
        ("429, `Retry-After: 1`", rest(Spoiled::try_later(429, "1"))),
        ("500", rest(Spoiled::status(500))),
        ("503", rest(Spoiled::status(503))),
        (
            "200 with an error",
            each(
                Spoiled::error(200, "ERR something broke"),
                "-ERR something broke\r\n",
            ),
        ),
        ("`READONLY`", What::State(State::Replica)),
        ("`OOM`", What::State(State::Full)),
        ("`NOSCRIPT`", What::Event(Event::ScriptsGone)),
        ("failover", What::Event(Event::Failover)),
        ("restart, empty", What::Event(Event::Restart)),
        ("guards and tags evicted", What::Event(Event::Evicted)),
    ];
    list.map(|(name, what)| Fault { name, what }).into()
}

/// What still has to be done about a fault while the operation is under way.
pub(crate) enum Struck {
    Done,
    /// Nobody is answered until this is dropped.
    Held(Hold),
    Dripping,
}

impl Fault {
    pub(crate) fn has(&self, mode: Mode, engine: Engine) -> bool {
        match (&self.what, mode) {
            (What::Spoil(spoiled), _) => spoiled[engine as usize].is_some(),
            (What::Event(Event::Failover), Mode::Once) => engine == Engine::Resp,
            (What::Event(_), mode) => mode == Mode::Once,
            (What::Refuse | What::Hang | What::Drip | What::State(_), mode) => {
                mode == Mode::Lasting
            }
        }
    }

    /// Whether an answer is waited for that never comes.
    pub(crate) fn is_endless(&self) -> bool {
        matches!(self.what, What::Hang | What::Drip)
    }

    /// Whether none is to be had.
    pub(crate) fn is_of_connections(&self) -> bool {
        matches!(self.what, What::Refuse)
    }

    /// Whether it happens to the server, and not to the requests that fit.
    pub(crate) fn is_of_the_server(&self) -> bool {
        matches!(self.what, What::Refuse | What::Event(_) | What::State(_))
    }

    pub(crate) async fn strike(&self, scene: &Scene, matcher: Matcher, mode: Mode) -> Struck {
        let matcher = match mode {
            Mode::Once => matcher,
            Mode::Lasting => matcher.always(),
        };
        match &self.what {
            What::Spoil(spoiled) => {
                let spoiled = spoiled[scene.engine as usize].clone();
                scene.inject(matcher, spoiled.expect("the engine has it"));
            }
            What::Hang => return Struck::Held(scene.hold_before(matcher)),
            What::Drip => {
                scene.inject(matcher, Spoiled::Drip);
                return Struck::Dripping;
            }
            What::Refuse => scene.refuse().await,
            What::Event(Event::Restart) => scene.restart().await,
            What::Event(Event::Failover) => scene.fail_over().await,
            What::Event(Event::ScriptsGone) => drop(scene.command(&["SCRIPT", "FLUSH"]).await),
            What::Event(Event::Evicted) => scene.evict_companions().await,
            What::State(State::Replica) => scene.become_a_replica().await,
            What::State(State::Full) => {
                drop(scene.command(&["CONFIG", "SET", "maxmemory", "1"]).await);
            }
        }
        Struck::Done
    }
}
