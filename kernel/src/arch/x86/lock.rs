//! Locks that mask interrupts while they are held.
//!
//! Decisions: docs/src/decisions/0012-a-taken-lock-is-an-error.md, 0019-types-that-tell-the-truth.md.

use core::ops::{Deref, DerefMut};
use spin::{Mutex, MutexGuard};
use x86::bits32::eflags::{self, EFlags};

/// The knowledge that the code which was interrupted never runs again, nor does any other thread.
#[derive(Debug)]
pub struct Dying(());

impl Dying {
    /// Mints the knowledge.
    ///
    /// # Safety
    ///
    /// 1. The caller never returns to the code that runs now or was interrupted.
    /// 2. From here on no other thread is switched to.
    pub(super) unsafe fn mint() -> Self {
        Self(())
    }
}

/// Masks interrupts until it is dropped, then restores what was before.
#[must_use]
pub struct Masked {
    were_on: bool,
}

impl Masked {
    /// Masks interrupts.
    #[inline]
    pub fn new() -> Self {
        // SAFETY: masking interrupts breaks no one's invariant.
        unsafe {
            let were_on = eflags::read().contains(EFlags::FLAGS_IF);
            x86::irq::disable();
            Self { were_on }
        }
    }
}

impl Default for Masked {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Masked {
    #[inline]
    fn drop(&mut self) {
        if self.were_on {
            // SAFETY: interrupts were on before, so the IDT and the PIC are ready.
            unsafe { x86::irq::enable() };
        }
    }
}

/// A value behind a lock that masks interrupts while it is held.
///
/// There is one processor, and interrupts are masked, so whoever finds the lock taken is called from the holder itself,
/// by a fault or by recursion. Waiting would last for ever.
pub struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    /// Makes a free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Takes the lock.
    ///
    /// # Panics
    ///
    /// If it is already held: the caller then runs inside the holder.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> Guard<'_, T> {
        match self.try_lock() {
            Some(guard) => guard,
            None => taken(),
        }
    }

    /// Takes the lock, or returns `None` if it is already held.
    #[inline]
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        let masked = Masked::new();
        Some(Guard { value: self.0.try_lock()?, _masked: masked })
    }

    /// Takes the lock for a trap, where interrupts are masked already and stay so, or returns `None` if it is already held.
    #[inline]
    pub fn try_lock_in_trap(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock()
    }

    /// Frees the lock whoever holds it. What that one was doing to the value stays half done.
    pub fn force_unlock(&self, _: &Dying) {
        // SAFETY: the holder, if there is one, never runs again, so it never uses the value.
        unsafe { self.0.force_unlock() };
    }
}

#[cold]
#[track_caller]
fn taken() -> ! {
    panic!("a lock is taken by the code that this call interrupted")
}

/// Access to a locked value. Dropping it frees the lock and restores the interrupt flag, in this order.
pub struct Guard<'a, T> {
    value: MutexGuard<'a, T>,
    _masked: Masked,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
