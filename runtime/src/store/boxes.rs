//! Deliveries in boxes that serve the next one, too. Such a future is larger than what an allocator has at hand, and is
//! made for each request that leaves.

use crate::sync;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// Most boxes that are kept while nothing is in them.
const MOST_SPARE: usize = 8;

/// A delivery on its way.
pub(crate) type Delivering<O = ()> = Pin<Box<dyn InBox<O>>>;

/// What is in such a box.
pub(crate) trait InBox<O>: Future<Output = O> + Send {
    /// It is over, and the next one may have the box.
    fn give_back(self: Pin<Box<Self>>);
}

/// The boxes of deliveries that are made of a `W`.
pub(crate) struct Boxes<W, O = ()> {
    spare: Mutex<Vec<Spare<W, O>>>,
}

type Spare<W, O> = Pin<Box<dyn Reusable<W, O>>>;

trait Reusable<W, O>: InBox<O> {
    fn start(self: Pin<&mut Self>, work: W, home: Arc<Boxes<W, O>>);
}

pin_project! {
    struct Room<W, O, M, F> {
        make: M,
        // Nothing while it is spare.
        home: Option<Arc<Boxes<W, O>>>,
        #[pin]
        delivery: Option<F>,
    }
}

impl<W: Send + 'static, O: 'static> Boxes<W, O> {
    pub(crate) fn new() -> Self {
        Self {
            spare: Mutex::default(),
        }
    }

    /// The delivery that this makes, the same each time.
    pub(crate) fn start<F>(
        self: &Arc<Self>,
        work: W,
        make: impl Fn(W) -> F + Send + 'static,
    ) -> Delivering<O>
    where
        F: Future<Output = O> + Send + 'static,
    {
        let spare = sync::lock(&self.spare).pop();
        let mut room = spare.unwrap_or_else(|| {
            Box::pin(Room {
                make,
                home: None,
                delivery: None,
            })
        });
        room.as_mut().start(work, Arc::clone(self));
        room
    }
}

impl<W, O, M: Fn(W) -> F, F> Reusable<W, O> for Room<W, O, M, F>
where
    Self: InBox<O>,
{
    fn start(self: Pin<&mut Self>, work: W, home: Arc<Boxes<W, O>>) {
        let mut this = self.project();
        *this.home = Some(home);
        this.delivery.set(Some((this.make)(work)));
    }
}

impl<W, O, M, F> InBox<O> for Room<W, O, M, F>
where
    W: Send + 'static,
    O: 'static,
    M: Fn(W) -> F + Send + 'static,
    F: Future<Output = O> + Send + 'static,
{
    fn give_back(mut self: Pin<Box<Self>>) {
        let mut this = self.as_mut().project();
        this.delivery.set(None);
        let Some(home) = this.home.take() else {
            return;
        };
        let mut spare = sync::lock(&home.spare);
        if spare.len() < MOST_SPARE {
            spare.push(self);
        }
    }
}

impl<W, O, M, F: Future<Output = O>> Future for Room<W, O, M, F> {
    type Output = O;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        match self.project().delivery.as_pin_mut() {
            Some(delivery) => delivery.poll(cx),
            // Spare, and then nobody polls it.
            None => Poll::Pending,
        }
    }
}

/// A delivery as a task.
pub(crate) async fn to_its_end<O>(mut delivery: Delivering<O>) -> O {
    let output = delivery.as_mut().await;
    delivery.give_back();
    output
}
