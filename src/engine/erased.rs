//! Analyses of different partial types behind one object type, so that a pass can hold several.

use std::any::Any;

use super::contract::{Analysis, Partial, TileIn, TileOut};
use crate::error::{Error, Result};

/// A partial result whose type only its analysis knows.
pub(super) type AnyPartial = Box<dyn Any + Send>;

/// An [`Analysis`] without its partial type.
pub(super) trait Erased: Send + Sync {
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut) -> Result<AnyPartial>;
    fn empty(&self) -> AnyPartial;
    fn merge(&self, into: &mut AnyPartial, next: AnyPartial) -> Result<()>;
    fn resident_bytes(&self) -> u64;
}

impl<A: Analysis> Erased for A {
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut) -> Result<AnyPartial> {
        let mut partial = A::Partial::default();
        Analysis::tile(self, input, out, &mut partial)?;
        Ok(Box::new(partial))
    }

    fn empty(&self) -> AnyPartial {
        Box::new(A::Partial::default())
    }

    fn merge(&self, into: &mut AnyPartial, next: AnyPartial) -> Result<()> {
        let into = into.downcast_mut::<A::Partial>();
        match (into, next.downcast::<A::Partial>()) {
            (Some(into), Ok(next)) => {
                into.merge(*next);
                Ok(())
            }
            _ => Err(Error::bug("partial results of two analyses were mixed up")),
        }
    }

    fn resident_bytes(&self) -> u64 {
        Analysis::resident_bytes(self)
    }
}
