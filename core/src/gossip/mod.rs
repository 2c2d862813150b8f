//! Who is told what, and when: peers and what they are known to hold, fanout, rumor mongering, anti-entropy, timers.
//!
//! Knows no data type, only dots and lanes; writes no bytes: it queues *intents* ("send this peer what it lacks"), and a
//! message is made of the state as it is when the intent is polled. A strategy is a scheduler: it is told what happened
//! ([`Rumor::news`], [`Rumor::heard`], [`Rumor::timeout`]) and marks peers in [`Peers`] with the reason to write to them.

mod agreement;
mod fanout;
mod peers;
mod rumor;

pub use agreement::Agreement;
pub use fanout::Sampler;
pub use peers::{Life, Peers, Pending, Resume, Want};
pub use rumor::{Heard, Hot, Rumor, is_news_to};
