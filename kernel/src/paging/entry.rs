//! One entry of a page directory or a page table.
//!
//! Decision: docs/src/decisions/0006-own-entry-type.md.

use crate::addr::{Frame, PhysAddr, SwapSlot};
use core::fmt;

/// An entry of a page directory or of a page table: 32 bits, as the processor reads them.
///
/// ```text
///  31                                 12 11  9 8 7 6 5 4 3 2 1 0
/// +-------------------------------------+-----+-+-+-+-+-+-+-+-+-+
/// | frame number                        | ours|G|S|D|A|C|T|U|W|P|
/// +-------------------------------------+-----+-+-+-+-+-+-+-+-+-+
/// P present   W writable   U user   T write-through   C cache disabled
/// A accessed  D dirty      S size (directory) or PAT (table)   G global
/// ours: bit 9 kept, bit 10 shared, both of a file, bit 11 shares
/// ```
///
/// While P is clear the processor ignores the other 31 bits. In a page table, an absent entry is 0, or names a slot of
/// the drive where a present one names a frame, and keeps W, or says that the page is in a file.
///
/// Source: Intel SDM volume 3, section 4.3, table 4-5 and 4-6.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Entry(u32);

impl Entry {
    /// The entry that maps nothing.
    pub const ABSENT: Self = Self(0);

    /// Bit 0: the entry is used by the processor.
    pub const PRESENT: u32 = 1 << 0;
    /// Bit 1: writes are allowed.
    pub const WRITABLE: u32 = 1 << 1;
    /// Bit 2: ring 3 has access, if both entries say so.
    pub const USER: u32 = 1 << 2;
    /// Bit 5: set by the processor at the first access.
    pub const ACCESSED: u32 = 1 << 5;
    /// Bit 6: set by the processor at the first write. Only in a table.
    pub const DIRTY: u32 = 1 << 6;
    /// Bit 7 of a directory entry: it maps 4 MiB itself.
    pub const LARGE: u32 = 1 << 7;

    /// Bit 9, which the processor ignores: a page of the kernel's own records. A clone gets a copy at once.
    pub const KEPT: u32 = 1 << 9;
    /// Bit 10, which the processor ignores: W was taken away since another entry leads to the frame, or did. The page's
    /// first write gives it back.
    pub const SHARED: u32 = 1 << 10;
    /// Bit 11 of a directory entry, which the processor ignores: the table was cloned, or is a clone's: its pages may
    /// be shared.
    pub const SHARES: u32 = 1 << 11;

    /// Bits 9 and 10 together, which no entry of a page has: of a directory entry, that its table is a file's.
    pub const FILE: u32 = Self::KEPT | Self::SHARED;

    /// The absent entry of a page that is in the file whose table this is, and may be written to.
    pub const IN_FILE: Self = Self(Self::FILE | Self::WRITABLE);

    const FLAGS: u32 = 0xFFF;

    /// Makes an entry from its 32 bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Makes a present, writable, supervisor entry for `frame`.
    pub const fn writable(frame: Frame) -> Self {
        Self(frame.start().as_u32() | Self::PRESENT | Self::WRITABLE)
    }

    /// Makes a present, read-only, supervisor entry for `frame`.
    pub const fn read_only(frame: Frame) -> Self {
        Self(frame.start().as_u32() | Self::PRESENT)
    }

    /// Returns the 32 bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns the entry with all of `flags` set.
    pub const fn with(self, flags: u32) -> Self {
        Self(self.0 | flags)
    }

    /// Returns the entry with all of `flags` clear.
    pub const fn without(self, flags: u32) -> Self {
        Self(self.0 & !flags)
    }

    /// Says whether one of `flags` is set.
    pub const fn has(self, flags: u32) -> bool {
        self.0 & flags != 0
    }

    /// Says whether the processor follows this entry.
    pub const fn is_present(self) -> bool {
        self.0 & Self::PRESENT != 0
    }

    /// Says whether it is present and allows writes.
    pub const fn is_writable(self) -> bool {
        self.0 & (Self::PRESENT | Self::WRITABLE) == Self::PRESENT | Self::WRITABLE
    }

    /// Returns the frame of a present entry; of an absent one, `None`.
    pub const fn frame(self) -> Option<Frame> {
        if self.is_present() { Some(Frame::containing(PhysAddr::new(self.0))) } else { None }
    }

    /// Returns the slot of the drive that the page of an absent entry is in; of a present one, of 0 and of a note,
    /// `None`.
    pub const fn slot(self) -> Option<SwapSlot> {
        if self.has(Self::FLAGS & !Self::WRITABLE) { None } else { SwapSlot::new(self.0 >> 12) }
    }

    /// Says whether it is of a file: the directory entry of its table, or the absent entry of its page.
    pub const fn is_of_file(self) -> bool {
        self.0 & Self::FILE == Self::FILE
    }

    /// Says whether it is the absent entry of a page that is in a file.
    pub const fn is_in_file(self) -> bool {
        self.is_of_file() && !self.is_present()
    }

    /// Returns the entry of the same page when it is in its file and nowhere else. It keeps the right to write, as
    /// [`in_slot`](Self::in_slot) does.
    pub const fn in_file(self) -> Self {
        if self.is_in_file() {
            return self;
        }
        let writable = self.0 & (Self::WRITABLE | Self::SHARED) != 0;
        Self(Self::FILE | if writable { Self::WRITABLE } else { 0 })
    }

    /// Returns the entry of the same page when it is in `slot`. A page that is only read-only since it is shared may be
    /// written to when it comes back: then it has a frame of its own.
    pub const fn in_slot(self, slot: SwapSlot) -> Self {
        let writable = self.0 & (Self::WRITABLE | Self::SHARED) != 0;
        Self(slot.number() << 12 | if writable { Self::WRITABLE } else { 0 })
    }

    /// Returns the entry, which is present, with W as the `absent` one of the same page has it.
    pub const fn with_rights_of(self, absent: Self) -> Self {
        Self(self.0 & !Self::WRITABLE | absent.0 & Self::WRITABLE)
    }
}

/// Prints the frame's address, a letter for each of the processor's flags that is set, and a word for each of ours.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_present() {
            return match self.slot() {
                Some(slot) => write!(f, "absent({:#010x}, {slot:?})", self.0),
                None if self.is_of_file() => write!(f, "absent({:#010x}, in its file)", self.0),
                None => write!(f, "absent({:#010x})", self.0),
            };
        }
        write!(f, "{:?} ", PhysAddr::new(self.0 & !Self::FLAGS))?;
        for (bit, letter) in "PWUTCADSG".chars().enumerate() {
            write!(f, "{}", if self.0 & (1 << bit) != 0 { letter } else { '-' })?;
        }
        let file = self.is_of_file();
        let words = [
            (Self::KEPT, " kept", !file),
            (Self::SHARED, " shared", !file),
            (Self::SHARES, " shares", true),
            (Self::FILE, " file", file),
        ];
        for (flag, word, is_meant) in words {
            f.write_str(if is_meant && self.has(flag) { word } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn an_absent_entry_has_no_frame_whatever_its_other_bits_say() {
        assert_eq!(Entry::from_bits(0xFFFF_FFFE).frame(), None);
    }

    #[test]
    fn an_entry_prints_its_frame_and_its_flags() {
        assert_eq!(format!("{:?}", Entry::writable(Frame::new(0x400))), "p0x0040_0000 PW-------");
        assert_eq!(format!("{:?}", Entry::ABSENT), "absent(0x00000000)");
        let shared = Entry::read_only(Frame::new(0x401)).with(Entry::SHARED | Entry::DIRTY);
        assert_eq!(format!("{shared:?}"), "p0x0040_1000 P-----D-- shared");
        assert_eq!(
            format!("{:?}", Entry::writable(Frame::new(0x402)).with(Entry::KEPT)),
            "p0x0040_2000 PW------- kept"
        );
    }

    #[test]
    fn an_absent_entry_names_a_slot_and_keeps_the_right_to_write() {
        let slot = SwapSlot::new(5).unwrap();
        let page = Entry::writable(Frame::new(0x400)).with(Entry::DIRTY | Entry::ACCESSED);
        let shared = Entry::read_only(Frame::new(0x400)).with(Entry::SHARED);
        assert_eq!((page.in_slot(slot).slot(), page.in_slot(slot).frame()), (Some(slot), None));
        assert_eq!([page, shared].map(|page| page.in_slot(slot).bits()), [0x5002; 2]);
        assert_eq!(Entry::read_only(Frame::new(0x400)).in_slot(slot).bits(), 0x5000);
        assert_eq!(format!("{:?}", page.in_slot(slot)), "absent(0x00005002, slot 0x5)");
    }

    #[test]
    fn two_marks_together_say_that_a_table_or_a_page_is_a_files() {
        let table = Entry::read_only(Frame::new(0x403)).with(Entry::FILE);
        assert_eq!(format!("{table:?}"), "p0x0040_3000 P-------- file");
        assert_eq!((Entry::IN_FILE.frame(), Entry::IN_FILE.slot(), Entry::IN_FILE.is_of_file()), (None, None, true));
        assert_eq!(format!("{:?}", Entry::IN_FILE), "absent(0x00000602, in its file)");
        assert!(![Entry::KEPT, Entry::SHARED].iter().any(|mark| Entry::from_bits(*mark).is_of_file()));
    }

    #[test]
    fn neither_a_frame_nor_nothing_nor_a_note_is_a_slot() {
        let others = [Entry::writable(Frame::new(5)), Entry::ABSENT, Entry::from_bits(0x2000_0022)];
        assert_eq!(others.map(Entry::slot), [None; 3]);
    }

    #[test]
    fn entries_are_made_for_the_kernel_alone() {
        let frame = Frame::new(7);
        assert_eq!((Entry::writable(frame).bits() | Entry::read_only(frame).bits()) & Entry::USER, 0);
    }
}
