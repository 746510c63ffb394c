//! A machine for host tests: memory full of junk, CR3, and a TLB that forgets nothing unasked.
//!
//! It walks directory and tables as the processor does, through the self-map too, and knows nothing of what the kernel
//! means to do. A missing flush, a table that wasn't cleared or a wrong window address therefore shows here as it would
//! on a real machine, only at once and every time: a real TLB drops entries when it likes, this one keeps each for ever.
//!
//! Decision: docs/src/decisions/0010-scenarios-for-two-machines.md.

use super::entry::Entry;
use super::mmu::{Fault, Mmu, MmuView};
use super::window::Slot;
use crate::addr::{Frame, PAGES_IN_SPACE, Page, PhysAddr, VirtAddr};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

/// Memory, CR3 and a TLB.
pub struct SoftMmu {
    state: RefCell<State>,
}

struct State {
    /// Frames of memory, made full of junk when first used.
    ram: Vec<Option<Box<[u32; 1024]>>>,
    root: Frame,
    /// What the TLB keeps for each page, and in which generation it was seen.
    tlb: Vec<Translation>,
    generation: u32,
}

#[derive(Clone, Copy, Default)]
struct Translation {
    generation: u32,
    entry: Entry,
}

impl SoftMmu {
    /// Makes a machine with `frames` frames of memory whose boot directory, in `root`, identity-maps the first 4 MiB by
    /// the table in the frame after it. That is what the boot stub leaves behind.
    pub fn booted(frames: u32, root: Frame) -> Self {
        let mut state = State {
            ram: (0..frames).map(|_| None).collect(),
            root,
            tlb: vec![Translation::default(); PAGES_IN_SPACE as usize],
            generation: 1,
        };
        let table = Frame::new(root.number() + 1);
        *state.frame(root) = [0; 1024];
        state.frame(root)[0] = Entry::writable(table).bits();
        *state.frame(table) = core::array::from_fn(|number| Entry::writable(Frame::new(number as u32)).bits());
        Self { state: RefCell::new(state) }
    }

    /// Reads the word at `address` as an instruction does.
    ///
    /// # Errors
    ///
    /// The page fault that the processor would raise.
    pub fn try_read(&self, address: VirtAddr) -> Result<u32, Fault> {
        let mut state = self.state.borrow_mut();
        let at = state.translate(address, false)?;
        Ok(*state.word(at))
    }

    /// Writes the word at `address` as an instruction does.
    ///
    /// # Errors
    ///
    /// The page fault that the processor would raise.
    pub fn try_write(&self, address: VirtAddr, word: u32) -> Result<(), Fault> {
        let mut state = self.state.borrow_mut();
        let at = state.translate(address, true)?;
        *state.word(at) = word;
        Ok(())
    }

    /// Reads physical memory, past all translation, as a debugger does.
    pub fn peek(&self, at: PhysAddr) -> u32 {
        *self.state.borrow_mut().word(at)
    }

    /// Returns what the TLB keeps of `page`.
    pub fn translation(&self, page: Page) -> Option<Entry> {
        let state = self.state.borrow();
        let known = state.tlb.get(page.number() as usize)?;
        (known.generation == state.generation).then_some(known.entry)
    }

    /// Returns all that the TLB keeps, the lowest page first.
    pub fn translations(&self) -> Vec<(Page, Entry)> {
        let state = self.state.borrow();
        let known = (0..).zip(&state.tlb).filter(|(_, known)| known.generation == state.generation);
        known.map(|(number, known)| (Page::new(number), known.entry)).collect()
    }

    /// Demands an access that must not fault: the kernel's own to what it keeps mapped.
    fn must<T>(result: Result<T, Fault>) -> T {
        match result {
            Ok(value) => value,
            Err(fault) => panic!("the kernel itself faulted: {fault:?}"),
        }
    }
}

impl State {
    fn frame(&mut self, frame: Frame) -> &mut [u32; 1024] {
        let number = frame.number();
        let Some(contents) = self.ram.get_mut(number as usize) else {
            panic!("frame {number:#x} is not memory");
        };
        contents.get_or_insert_with(|| Box::new(core::array::from_fn(|index| junk(1024 * number + index as u32))))
    }

    fn word(&mut self, at: PhysAddr) -> &mut u32 {
        assert!(at.as_u32().is_multiple_of(4), "a word at {at:?} would straddle");
        &mut self.frame(Frame::containing(at))[at.offset() as usize / 4]
    }

    /// Source: Intel SDM volume 3, sections 4.3, 4.6 and 4.10.2.
    fn translate(&mut self, address: VirtAddr, write: bool) -> Result<PhysAddr, Fault> {
        let page = Page::containing(address);
        let known = self.tlb[page.number() as usize];
        let entry = if known.generation == self.generation { Some(known.entry) } else { self.walk(page) };
        let fault = Fault { address, present: entry.is_some(), write };
        let entry = entry.ok_or(fault)?;
        // CR0.WP is set: the kernel may not write to read-only pages either.
        if write && !entry.is_writable() {
            return Err(fault);
        }
        if write && entry.bits() & Entry::DIRTY == 0 {
            self.mark(page, Entry::DIRTY);
        }
        self.tlb[page.number() as usize] = Translation {
            generation: self.generation,
            entry: Entry::from_bits(entry.bits() | if write { Entry::DIRTY } else { 0 }),
        };
        let frame = entry.frame().ok_or(fault)?;
        Ok(PhysAddr::new(frame.start().as_u32() + address.offset()))
    }

    /// Walks the directory and the table. Returns the table's entry, writable only if the directory's is too.
    fn walk(&mut self, page: Page) -> Option<Entry> {
        let root = self.root;
        let upper = &mut self.frame(root)[page.directory_index() as usize];
        let directory = Entry::from_bits(*upper);
        let table = directory.frame()?;
        assert_eq!(directory.bits() & Entry::LARGE, 0, "4 MiB pages are not modelled");
        *upper |= Entry::ACCESSED;
        let lower = &mut self.frame(table)[page.table_index() as usize];
        let entry = Entry::from_bits(*lower);
        entry.frame()?;
        *lower |= Entry::ACCESSED;
        let allowed = if directory.is_writable() { entry.bits() } else { entry.bits() & !Entry::WRITABLE };
        Some(Entry::from_bits(allowed))
    }

    fn mark(&mut self, page: Page, bit: u32) {
        let root = self.root;
        let directory = Entry::from_bits(self.frame(root)[page.directory_index() as usize]);
        if let Some(table) = directory.frame() {
            self.frame(table)[page.table_index() as usize] |= bit;
        }
    }
}

/// Junk that looks like entries more often than not: bit 0 is set in most of it.
fn junk(seed: u32) -> u32 {
    let mut bits = seed.wrapping_mul(0x9E37_79B9) ^ 0x5BD1_E995;
    bits ^= bits >> 15;
    bits.wrapping_mul(0x85EB_CA6B) | u32::from(!seed.is_multiple_of(5))
}

impl MmuView for SoftMmu {
    fn root(&self) -> Frame {
        self.state.borrow().root
    }

    fn read(&self, address: VirtAddr) -> u32 {
        Self::must(self.try_read(address))
    }
}

impl Mmu for SoftMmu {
    fn store(&mut self, slot: Slot, entry: Entry) {
        self.write(slot.address(), entry.bits());
    }

    fn flush(&mut self, page: Page) {
        self.state.get_mut().tlb[page.number() as usize] = Translation::default();
    }

    fn flush_all(&mut self) {
        self.state.get_mut().generation += 1;
    }

    fn set_root(&mut self, root: Frame) {
        self.state.get_mut().root = root;
        self.flush_all();
    }

    fn zero(&mut self, page: Page) {
        let state = self.state.get_mut();
        let start = Self::must(state.translate(page.start(), true));
        state.frame(Frame::containing(start)).fill(0);
    }

    fn copy(&mut self, from: Page, to: Page) {
        let state = self.state.get_mut();
        let start = Self::must(state.translate(from.start(), false));
        let words = *state.frame(Frame::containing(start));
        let start = Self::must(state.translate(to.start(), true));
        *state.frame(Frame::containing(start)) = words;
    }

    fn write(&mut self, address: VirtAddr, word: u32) {
        Self::must(self.try_write(address, word));
    }
}
