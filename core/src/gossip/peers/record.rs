//! The record of one peer, and the table of the records.

use super::{Pending, Resume};
use crate::gossip::filling::Filling;
use crate::id::NodeIndex;
use crate::storage::{Buf, Storage};
use crate::time::Instant;

/// What is known about one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(super) session: Option<u64>,
    pub(super) heard_at: Option<Instant>,
    pub(super) sent_at: Option<Instant>,
    /// The digest and view, as 64 bits, that it was sent last.
    pub(super) sent_sum: u64,
    /// Messages sent since the peer was heard.
    pub(super) unheard: u8,
    /// How many of this node's own changes the peer is known to have.
    pub(super) own_acked: u64,
    pub(super) known: Option<u32>,
    pub(super) pending: Option<Pending>,
    pub(super) resume: Resume,
    /// This node's digest in short when the peer showed the same vector with another state, and how often in a row it
    /// did.
    pub(super) diverged: (u64, u8),
    /// The highest `msg_id` heard.
    pub(super) newest: i64,
    /// The name of the view that it showed last; 0 for none.
    pub(super) view: u64,
    /// The version of this node's view that it is known to include.
    pub(super) view_version: u64,
    /// The view of this node that it was sent, and when.
    pub(super) told: (u64, Instant),
    /// Rows that moved up to this version were listed to it.
    pub(super) listed: u64,
    /// The next row of a past life that is listed to it.
    pub(super) past_from: u32,
    /// The member with which the next list of sessions for it begins, when not all of them fit.
    pub(super) lives_from: u32,
    /// Its vector differs although all rows that it listed are equal. So all rows are to be listed, in turn.
    pub(super) list_all: bool,
    /// It has no room for a row of this node.
    pub(super) no_row: bool,
    /// It wrote from an older session than the newest known, and has to be told so.
    pub(super) old_session: bool,
    pub(super) filling: Filling,
}

/// A peer of which nothing is known.
pub(super) const STRANGER: Peer = Peer {
    session: None,
    heard_at: None,
    sent_at: None,
    sent_sum: 0,
    unheard: 0,
    own_acked: 0,
    known: None,
    pending: None,
    resume: Resume { row: 0, repaired_to: 0 },
    diverged: (0, 0),
    newest: i64::MIN,
    view: 0,
    view_version: 0,
    told: (0, Instant::ZERO),
    listed: 0,
    past_from: 0,
    lives_from: 0,
    list_all: false,
    no_row: false,
    old_session: false,
    filling: Filling::NEW,
};

/// A record for each peer that was ever written to or heard; the others share [`STRANGER`]. So a node pays memory only
/// for the peers that it meets.
#[derive(Clone)]
pub(super) struct Records<S: Storage> {
    pub(super) places: S::PerNode<u32>,
    pub(super) met: S::PerNode<Peer>,
}

/// The place of a peer that has no record.
pub(super) const NOWHERE: u32 = u32::MAX;

impl<S: Storage> Records<S> {
    #[inline(always)]
    pub(super) fn unfilled(nodes: usize) -> Self {
        Self { places: S::PerNode::with_limit(nodes), met: S::PerNode::with_limit(nodes) }
    }

    pub(super) fn get(&self, peer: NodeIndex) -> &Peer {
        self.places.get(peer.at()).and_then(|place| self.met.get(*place as usize)).unwrap_or(&STRANGER)
    }

    pub(super) fn get_mut(&mut self, peer: NodeIndex) -> &mut Peer {
        let place = &mut self.places[peer.at()];
        if *place == NOWHERE {
            *place = self.met.len() as u32;
            // There is room for every node.
            let _ = self.met.push(STRANGER);
        }
        &mut self.met[*place as usize]
    }

    pub(super) fn met(&self) -> impl Iterator<Item = &Peer> {
        self.met.iter()
    }

    pub(super) fn met_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.met.iter_mut()
    }
}
