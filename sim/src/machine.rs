//! What the simulator needs of a node.

use rumormill_core::causality::Sum;
use rumormill_core::data_type::Application;
use rumormill_core::{Instant, Member, Node, Now, Rejected, Transmit};

/// A node as the simulator drives it: the inputs and outputs of [`Node`], and getters that show its state.
pub trait Machine {
    /// Handles a line, without its newline.
    ///
    /// # Errors
    /// Why the node refused it.
    fn handle_line(&mut self, now: Now, line: &[u8]) -> Result<(), Rejected>;

    /// Handles the timers that are due.
    fn handle_timeout(&mut self, now: Now);

    /// Appends the next message that waits, newline included; `None` if there is none.
    fn poll_transmit(&mut self, now: Now, line: &mut Vec<u8>) -> Option<Transmit>;

    /// When [`Machine::handle_timeout`] has to be called at the latest. After an input this lies in the future, because
    /// timers that were due have run.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The digest in short form: equal on nodes that hold the same state.
    fn digest(&self) -> Sum;

    /// Whether the node knows that all members hold its state.
    fn is_settled(&self) -> bool;

    /// The largest number of bytes that a message to a peer may have, newline included.
    fn max_message_bytes(&self) -> usize;

    /// Its state in a few words, for the message of a test that fails.
    fn summary(&self) -> String {
        format!("{:?}, settled: {}, next: {:?}", self.digest(), self.is_settled(), self.poll_timeout())
    }
}

/// The methods that a node and a member have in common.
macro_rules! driven {
    () => {
        fn handle_line(&mut self, now: Now, line: &[u8]) -> Result<(), Rejected> {
            Self::handle_line(self, now, line)
        }

        fn handle_timeout(&mut self, now: Now) {
            Self::handle_timeout(self, now);
        }

        fn poll_transmit(&mut self, now: Now, line: &mut Vec<u8>) -> Option<Transmit> {
            // A `Vec` is never full.
            Self::poll_transmit(self, now, line).unwrap_or_default()
        }

        fn poll_timeout(&self) -> Option<Instant> {
            Self::poll_timeout(self).map(|wakeup| wakeup.at)
        }

        fn is_settled(&self) -> bool {
            Self::is_settled(self)
        }

        fn max_message_bytes(&self) -> usize {
            self.config().max_message_bytes
        }
    };
}

/// A node that waits for its cluster holds nothing.
impl<S: Application> Machine for Node<S> {
    driven!();

    fn digest(&self) -> Sum {
        self.member().map_or_else(Sum::default, Member::digest)
    }

    fn summary(&self) -> String {
        self.member().map_or_else(|| "waits for its cluster".to_owned(), Machine::summary)
    }
}

impl<S: Application> Machine for Member<S> {
    driven!();

    fn digest(&self) -> Sum {
        Self::digest(self)
    }

    fn summary(&self) -> String {
        let store = self.store();
        format!(
            "{:?}, set: {}, counter: {}, map: {}, settled: {}, next: {:?}",
            self.digest(),
            store.set.len(),
            store.counter.value(),
            store.map.len(),
            self.is_settled(),
            self.poll_timeout()
        )
    }
}

impl<M: Machine + ?Sized> Machine for Box<M> {
    fn handle_line(&mut self, now: Now, line: &[u8]) -> Result<(), Rejected> {
        (**self).handle_line(now, line)
    }

    fn handle_timeout(&mut self, now: Now) {
        (**self).handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Now, line: &mut Vec<u8>) -> Option<Transmit> {
        (**self).poll_transmit(now, line)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn digest(&self) -> Sum {
        (**self).digest()
    }

    fn is_settled(&self) -> bool {
        (**self).is_settled()
    }

    fn max_message_bytes(&self) -> usize {
        (**self).max_message_bytes()
    }

    fn summary(&self) -> String {
        (**self).summary()
    }
}
