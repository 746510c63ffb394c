//! Addresses and numbers: physical and virtual, never mixed up.
//!
//! A *frame* is 4 KiB of physical memory, a *page* is 4 KiB of virtual memory. Both are counted, so a [`Frame`] and a
//! [`Page`] are 20-bit *numbers*; [`PhysAddr`] and [`VirtAddr`] are 32-bit *addresses*. Converting between a number and
//! an address is always a named step, and nothing converts a frame into a page.
//!
//! Ranges are half-open and made of numbers, so the end of the 4 GiB space, 0x10_0000, fits in a `u32`
//! (rule **numbers-not-ends**).

use core::fmt;

/// Bytes in a page and in a frame.
pub const PAGE_SIZE: u32 = 4096;

/// Shift between an address and its page or frame number.
pub const PAGE_SHIFT: u32 = 12;

/// Pages in 4 GiB: one past the last page or frame number.
pub const PAGES_IN_SPACE: u32 = 1 << 20;

/// Entries in a page table, and in a directory.
pub const ENTRIES: u32 = 1024;

macro_rules! address {
    ($(#[$doc:meta])* $address:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $address(u32);

        impl $address {
            /// Makes an address from its 32 bits.
            pub const fn new(bits: u32) -> Self {
                Self(bits)
            }

            /// Returns the 32 bits.
            pub const fn as_u32(self) -> u32 {
                self.0
            }

            /// Returns the bytes between the start of its page or frame and this address: 0 to 4095.
            pub const fn offset(self) -> u32 {
                self.0 & (PAGE_SIZE - 1)
            }
        }

        /// Prints as the memory map does: the kind's letter, then hexadecimal in groups of four.
        impl fmt::Debug for $address {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "0x{:04X}_{:04X}"), self.0 >> 16, self.0 & 0xFFFF)
            }
        }

        impl fmt::Display for $address {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "0x{:04X}_{:04X}", self.0 >> 16, self.0 & 0xFFFF)
            }
        }
    };
}

macro_rules! number {
    ($(#[$doc:meta])* $number:ident, $address:ident, $range:ident, $(#[$range_doc:meta])*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $number(u32);

        impl $number {
            /// Makes it from its number. The number 0x10_0000, one past the last, is allowed as the end of a range.
            pub const fn new(number: u32) -> Self {
                debug_assert!(number <= PAGES_IN_SPACE);
                Self(number)
            }

            /// Returns the one that holds `address`.
            pub const fn containing(address: $address) -> Self {
                Self(address.0 >> PAGE_SHIFT)
            }

            /// Returns the one that starts at `address`, or `None` if `address` is not aligned to 4 KiB.
            pub const fn from_start(address: $address) -> Option<Self> {
                if address.offset() == 0 { Some(Self::containing(address)) } else { None }
            }

            /// Returns its number: 0 to 0xF_FFFF, or 0x10_0000 for the end of a range.
            pub const fn number(self) -> u32 {
                self.0
            }

            /// Returns its first address. The end of the space, number 0x10_0000, has none and wraps to 0.
            pub const fn start(self) -> $address {
                $address(self.0 << PAGE_SHIFT)
            }
        }

        impl fmt::Debug for $number {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($number), "({:#x})"), self.0)
            }
        }

        $(#[$range_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $range {
            /// The first in the range.
            pub start: $number,
            /// One past the last.
            pub end: $number,
        }

        impl $range {
            /// Makes the range `start..end`; it is empty if `end` is not above `start`.
            pub const fn new(start: $number, end: $number) -> Self {
                Self { start, end }
            }

            /// Returns how many there are.
            pub const fn len(self) -> u32 {
                self.end.0.saturating_sub(self.start.0)
            }

            /// Says whether there are none.
            pub const fn is_empty(self) -> bool {
                self.len() == 0
            }

            /// Says whether `one` lies inside.
            pub const fn contains(self, one: $number) -> bool {
                self.start.0 <= one.0 && one.0 < self.end.0
            }

            /// Says whether every one of `other` lies inside. An empty range lies inside any.
            pub const fn contains_range(self, other: Self) -> bool {
                other.is_empty() || (self.start.0 <= other.start.0 && other.end.0 <= self.end.0)
            }

            /// Returns what the two have in common, which may be empty.
            pub const fn intersection(self, other: Self) -> Self {
                let start = if self.start.0 > other.start.0 { self.start } else { other.start };
                let end = if self.end.0 < other.end.0 { self.end } else { other.end };
                Self { start, end }
            }

            /// Says whether the two have any in common.
            pub const fn overlaps(self, other: Self) -> bool {
                !self.intersection(other).is_empty()
            }

            /// Walks through the range in ascending order.
            pub fn iter(self) -> impl DoubleEndedIterator<Item = $number> + ExactSizeIterator {
                (self.start.0..self.end.0.max(self.start.0)).map($number)
            }
        }

        impl fmt::Debug for $range {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($number), "s({:#x}..{:#x})"), self.start.0, self.end.0)
            }
        }
    };
}

address!(
    /// A physical address: what the memory bus sees.
    PhysAddr,
    "p"
);
address!(
    /// A virtual address: what an instruction names.
    VirtAddr,
    "v"
);
number!(
    /// The number of a frame: 4 KiB of physical memory.
    Frame,
    PhysAddr,
    FrameRange,
    /// A half-open range of frame numbers.
);
number!(
    /// The number of a page: 4 KiB of virtual memory.
    ///
    /// ```text
    ///  31        22 21        12 11         0
    /// +------------+------------+------------+
    /// | directory  | table      | offset     |   a virtual address
    /// | entry      | entry      | in page    |
    /// +------------+------------+------------+
    /// |<---- page number ------>|
    /// ```
    Page,
    VirtAddr,
    PageRange,
    /// A half-open range of page numbers.
);

impl Page {
    /// Returns which directory entry leads to this page: 0 to 1023.
    pub const fn directory_index(self) -> u32 {
        self.0 >> 10
    }

    /// Returns the first page above this one that another page table maps.
    pub const fn end_of_table(self) -> Self {
        Self((self.0 | (ENTRIES - 1)).wrapping_add(1))
    }

    /// Returns which entry of its page table maps this page: 0 to 1023.
    pub const fn table_index(self) -> u32 {
        self.0 & (ENTRIES - 1)
    }
}

impl PageRange {
    /// Returns the 1024 pages that directory entry `index` leads to.
    pub const fn of_table(index: u32) -> Self {
        Self::new(Page::new(index * ENTRIES), Page::new((index + 1) * ENTRIES))
    }
}

/// A place for a page on a drive. Slot 0 is never used, so that the entry of a page on the drive is never 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SwapSlot(u32);

impl SwapSlot {
    /// Returns slot `number`, or `None` for 0 and for numbers of more than 20 bits.
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 || number >= 1 << 20 { None } else { Some(Self(number)) }
    }

    /// Returns its number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for SwapSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn addresses_print_as_the_memory_map_does() {
        assert_eq!(format!("{:?}", PhysAddr::new(0x20_0000)), "p0x0020_0000");
        assert_eq!(format!("{:?}", VirtAddr::new(0x4000_0000)), "v0x4000_0000");
    }

    #[test]
    fn an_address_inside_a_page_is_contained_but_does_not_start_it() {
        let inside = VirtAddr::new(0x40_1FFF);
        assert_eq!(Page::containing(inside), Page::new(0x401));
        assert_eq!(Page::from_start(inside), None);
        assert_eq!(Page::from_start(VirtAddr::new(0x40_1000)), Some(Page::new(0x401)));
    }

    #[test]
    fn the_last_page_is_inside_a_range_that_ends_with_the_space() {
        let all = PageRange::new(Page::new(0), Page::new(PAGES_IN_SPACE));
        assert_eq!(all.len(), 0x10_0000);
        assert!(all.contains(Page::containing(VirtAddr::new(u32::MAX))));
    }

    #[test]
    fn a_page_number_splits_ten_and_ten() {
        let page = Page::containing(VirtAddr::new(0xFFBF_FFFF));
        assert_eq!((page.directory_index(), page.table_index()), (1022, 1023));
    }
}
