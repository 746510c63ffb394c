//! A machine with a prompt, as commands see it.

use super::space_list::Spaces;
use crate::addr::VirtAddr;
use crate::fault::Layout;
use crate::frames::FramePool;
use crate::paging::{Memory, Mmu};
use core::fmt;

/// The memory of a machine with a prompt.
pub type PromptMemory<M> = Memory<<M as PromptMachine>::Mmu, FramePool<'static>>;

/// A machine that somebody sits at: its memory, accesses as a program makes them, and a console.
///
/// What it lends, it lends to one at a time; it may be printed to meanwhile.
pub trait PromptMachine {
    /// Its MMU.
    type Mmu: Mmu;

    /// Works on the memory. No access happens meanwhile (rule **no-lock-across-touch**).
    fn with<R>(&self, work: impl FnOnce(&mut PromptMemory<Self>) -> R) -> R;

    /// Works on the list of the prompt's address spaces.
    fn with_spaces<R>(&self, work: impl FnOnce(&mut Spaces) -> R) -> R;

    /// Returns how many faults were answered with a frame since the machine was started.
    fn faults(&self) -> u32;

    /// Returns what lies where in the first 4 MiB, for a look at `address`.
    fn layout(&self, address: Option<VirtAddr>) -> Layout;

    /// Reads the word at `address`, or writes back what is there, and says whether that was granted. A refusal is reported
    /// on the console.
    fn touch(&self, address: VirtAddr, write: bool) -> bool;

    /// Reads the aligned word at `address`. A refusal is reported on the console, and is `None`.
    fn read(&self, address: VirtAddr) -> Option<u32>;

    /// Writes the aligned word at `address`, in a page that pools may hold and that [`touch`](Self::touch) has granted.
    fn write(&self, address: VirtAddr, word: u32);

    /// Prints on the console.
    fn print(&self, words: fmt::Arguments<'_>);
}

/// Prints a line on the console of a machine.
macro_rules! say {
    ($machine:expr, $($words:tt)*) => { $machine.print(format_args!("{}\n", format_args!($($words)*))) };
}

pub(super) use say;
