//! A pool's words on their way to a log or a rig: what it was told in confidence is taken out of them.
//! Some pools quote what they refuse.

use super::{DownReason, Notice, UpstreamEvent};
use crate::error::{ParseError, Reject};
use crate::rpc::PoolError;
use crate::secret::masked;

/// The one place that all words of a pool pass. What is borrowed or a number is none of its.
pub(super) fn mask<T>(event: &mut UpstreamEvent<T>, secret: &str) {
    match event {
        UpstreamEvent::Verdict { outcome, .. } => {
            if let Err(reject) = &mut outcome.told {
                mask_reject(reject, secret);
            }
        }
        UpstreamEvent::Reconnect { host: Some(host), .. } => mask_text(host, secret),
        UpstreamEvent::Evidence { reason, .. } => mask_text(reason, secret),
        UpstreamEvent::Down(reason) => mask_reason(reason, secret),
        UpstreamEvent::Notice(notice) => mask_notice(notice, secret),
        UpstreamEvent::View
        | UpstreamEvent::LateVerdict
        | UpstreamEvent::Resent
        | UpstreamEvent::ResentDuplicate
        | UpstreamEvent::Reconnect { host: None, .. } => {}
    }
}

fn mask_notice(notice: &mut Notice, secret: &str) {
    match notice {
        Notice::Learnt { why: text, .. }
        | Notice::BadLine(text)
        | Notice::Message(text)
        | Notice::Job(text) => {
            mask_text(text, secret);
        }
        Notice::Unusable { method, error } => {
            mask_text(method, secret);
            mask_parse_error(error, secret);
        }
        Notice::UnusableAnswer(error) => mask_parse_error(error, secret),
        Notice::Ground { .. }
        | Notice::Live
        | Notice::AuthorizeUnanswered
        | Notice::Overlong { .. }
        | Notice::Target(_)
        | Notice::BrakeOn { .. }
        | Notice::BrakeOff { .. } => {}
    }
}

fn mask_reason(reason: &mut DownReason, secret: &str) {
    match reason {
        DownReason::SubscribeRefused(PoolError { message, .. }) => mask_box(message, secret),
        DownReason::SubscribeUnusable(error) => mask_parse_error(error, secret),
        DownReason::AuthorizeRefused { reason, .. } | DownReason::Barred(reason) => {
            mask_text(reason, secret);
        }
        DownReason::NoJob { unusable: Some(error), .. } => mask_parse_error(error, secret),
        DownReason::NoJob { unusable: None, .. }
        | DownReason::LoginTimeout(..)
        | DownReason::NoRoom(_)
        | DownReason::SameExtranonce(_)
        | DownReason::BadLines
        | DownReason::Overlong { .. }
        | DownReason::NoExtranonce
        | DownReason::Unanswered
        | DownReason::Silent { .. } => {}
    }
}

fn mask_reject(reject: &mut Reject, secret: &str) {
    if let Some(reason) = masked(&reject.reason, secret) {
        reject.reason = reason.into();
    }
}

fn mask_parse_error(error: &mut ParseError, secret: &str) {
    match error {
        ParseError::Arity { method, .. } => {
            if let Some(text) = masked(method, secret) {
                *method = text.into();
            }
        }
        ParseError::Field { value, .. } => mask_box(value, secret),
    }
}

fn mask_text(text: &mut String, secret: &str) {
    if let Some(without) = masked(text, secret) {
        *text = without;
    }
}

fn mask_box(text: &mut Box<str>, secret: &str) {
    if let Some(without) = masked(text, secret) {
        *text = without.into();
    }
}
