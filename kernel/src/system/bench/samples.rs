//! Samples of one operation's cost, and what is reported of them.

use crate::arch::x86::clock;
use crate::arch::x86::lock::Masked;
use crate::system::console::control;
use alloc::vec::Vec;
use core::fmt::Display;
use core::hint::black_box;

/// The costs of single operations, in ticks.
pub struct Samples(Vec<u32>);

impl Samples {
    /// Makes room for `count` samples, so that the heap stays as it is while they are taken.
    pub fn new(count: u32) -> Self {
        Self(Vec::with_capacity(count as usize))
    }

    /// Does `work` on `subject` with interrupts masked, and adds what it cost.
    ///
    /// The compiler must not know the subject: it would keep parts of it in registers from one sample to the next.
    #[inline(always)]
    pub fn take<T: ?Sized, R>(&mut self, subject: &mut T, work: impl FnOnce(&mut T) -> R) -> R {
        let _masked = Masked::new();
        let nothing = span((), |()| ()).0;
        let (ticks, result) = span(black_box(subject), work);
        // Where ticks are time, they are not the same each time.
        self.add(ticks.saturating_sub(nothing));
        result
    }

    /// Adds a sample that was taken elsewhere.
    pub fn add(&mut self, ticks: u32) {
        self.0.push(ticks);
    }

    /// Returns the sample that was added last.
    pub fn last(&self) -> u32 {
        self.0.last().copied().unwrap_or(0)
    }

    /// Returns the mean, in hundredths.
    fn mean(&self) -> u64 {
        let sum: u64 = self.0.iter().map(|ticks| u64::from(*ticks)).sum();
        (100 * sum).checked_div(self.0.len() as u64).unwrap_or(0)
    }

    /// Reports the samples as a point of the curve `series`.
    pub fn plot(self, series: &str, x: u32) {
        let (mean, max) = (self.mean(), self.0.iter().max().copied().unwrap_or(0));
        control!("point {series} {x} {}.{:02} {max}", mean / 100, mean % 100);
    }

    /// Reports the samples as `name`, if there are any.
    pub fn report(mut self, name: impl Display) {
        if self.0.is_empty() {
            return;
        }
        let mean = self.mean();
        self.0.sort_unstable();
        let ticks = &self.0;
        let [median, p99, max] = [50, 99, 100].map(|percent| ticks[(ticks.len() * percent / 100).min(ticks.len() - 1)]);
        control!(
            "measure {name} samples={} median={median} mean={}.{:02} p99={p99} max={max}",
            ticks.len(),
            mean / 100,
            mean % 100
        );
    }
}

/// Returns the ticks from before `work` to after it. Both readings are the last and the first thing on their side.
#[inline(always)]
fn span<T, R>(subject: T, work: impl FnOnce(T) -> R) -> (u32, R) {
    let start = clock::ticks() as u32;
    let result = work(subject);
    let end = clock::ticks() as u32;
    (end.wrapping_sub(start), result)
}
