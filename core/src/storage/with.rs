//! A storage for a node with a data type of a user.

use core::marker::PhantomData;

use super::{Limits, Storage};

/// The storage of a node that holds the data type `T` besides the set, the counter and the map: see
/// [`data_type`](crate::data_type). Capacities and containers are those of the storage `S`.
pub struct With<S, T>(PhantomData<(S, T)>);

impl<S, T> Clone for With<S, T> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

names_itself!(impl[S, T] With<S, T>, "With");

impl<S: Storage, T: Clone + 'static> Storage for With<S, T> {
    const LIMITS: Limits = S::LIMITS;
    const ADJUSTABLE: bool = S::ADJUSTABLE;
    type PerNode<U: Clone> = S::PerNode<U>;
    type NodeBits = S::NodeBits;
    type IdBytes = S::IdBytes;
    type PerRow<U: Clone> = S::PerRow<U>;
    type PerCell<U: Clone> = S::PerCell<U>;
    type PerKnown<U: Clone> = S::PerKnown<U>;
    type PerValue<U: Clone> = S::PerValue<U>;
    type ValueIndex = S::ValueIndex;
    type DenseBits = S::DenseBits;
    type SetText = S::SetText;
    type PerKey<U: Clone> = S::PerKey<U>;
    type KeyIndex = S::KeyIndex;
    type Texts = S::Texts;
    type Scratch = S::Scratch;
    type PerRumor<U: Clone> = S::PerRumor<U>;
    type PerEvent<U: Clone> = S::PerEvent<U>;
    type Payload = S::Payload;
    type Own = T;
}
