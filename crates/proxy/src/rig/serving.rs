//! The task of a rig, on the worker that serves it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use orepass_stratum::dialect::Dialect;

use super::task::{Leave, ServedRig};

/// Serves a rig on its worker, and on the next one where it belongs to that.
pub(super) fn serve<D: Dialect>(served: ServedRig<D>) {
    let route = served.route.clone();
    let runtime = route.workers().runtime(served.worker()).clone();
    route.sessions.spawn_on(Serving(Some(served)), &runtime);
}

/// Made by hand: the future of an async function holds what it is given once for each function that
/// hands it on, and that is most of what a rig takes in memory.
struct Serving<D: Dialect>(Option<ServedRig<D>>);

/// Nothing in it is pinned, whatever a dialect keeps of a rig.
impl<D: Dialect> Unpin for Serving<D> {}

impl<D: Dialect> Future for Serving<D> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let serving = &mut self.get_mut().0;
        let Some(served) = serving else { return Poll::Ready(()) };
        match ready!(served.poll(context)) {
            Leave::Close(reason) => served.end(&reason),
            Leave::Move(worker) => {
                served.go_to(worker);
                serving.take().into_iter().for_each(serve);
            }
        }
        Poll::Ready(())
    }
}
