//! What whoever plays the pool, the rigs and the clock wants of sessions.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Buf;

use crate::channel::ChannelView;
use crate::dialect::Dialect;
use crate::downstream::{Downstream, DownstreamConfig};
use crate::rpc::Quoted;
use crate::space::Wish;
use crate::time::Instant;
use crate::transmit::Transmit;

/// A session with a rig that has subscribed, has a seat of this view, and is authorized under this
/// name. What it wrote and told is still to be taken.
///
/// # Panics
/// When no lease is free.
#[must_use]
pub fn seated_rig<D: Dialect>(
    dialect: &Arc<D>,
    config: &Arc<DownstreamConfig>,
    worker: &str,
    view: &ChannelView<D>,
    now: Instant,
    scratch: &mut D::Scratch,
) -> Downstream<D> {
    let mut rig = Downstream::new(Arc::clone(dialect), Arc::clone(config), "00000001".into(), now);
    let subscribe = br#"{"id":1,"method":"mining.subscribe","params":["rig/1"]}"#;
    rig.handle_line(subscribe, now, scratch);
    let mut seat = view.seat(&Wish::default()).expect("a free lease");
    seat.lease.belongs_to(Ipv4Addr::LOCALHOST.into(), None);
    rig.handle_seat(seat, view, now);
    let params = format!("[{},\"x\"]", Quoted(worker));
    let authorize = format!("{{\"id\":2,\"method\":\"mining.authorize\",\"params\":{params}}}");
    rig.handle_line(authorize.as_bytes(), now, scratch);
    rig
}

/// Takes all that waits to be written.
///
/// # Panics
/// When it is no text.
pub fn written(out: &mut Transmit) -> String {
    String::from_utf8(out.copy_to_bytes(out.remaining()).to_vec()).expect("text")
}
