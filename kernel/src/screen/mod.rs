//! The text screen, whatever shows it: the cells that text is put into, and how cells become pixels.
//!
//! [`cells`] is the text; [`framebuffer`] draws it where there is no text mode. What shows it on the machine is in
//! `arch/x86`: `vga` holds the screen, `pixels` reaches a framebuffer's memory.

pub mod cells;
pub mod framebuffer;

use crate::addr::{Frame, FrameRange};
use framebuffer::{Framebuffer, Unusable};

/// The display that the boot loader left.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Display {
    /// VGA's text mode: so the boot loader says, or nothing.
    #[default]
    Text,
    /// Pixels.
    Pixels(Framebuffer),
    /// Pixels that can't be used.
    Unusable(Unusable),
    /// Nothing: UEFI has no text mode, and there is no framebuffer.
    Nothing,
}

impl Display {
    /// Returns the frames that pixels lie in; none if there are no pixels.
    pub fn frames(&self) -> FrameRange {
        match self {
            Self::Pixels(framebuffer) => framebuffer.frames(),
            Self::Text | Self::Unusable(_) | Self::Nothing => FrameRange::new(Frame::new(0), Frame::new(0)),
        }
    }
}
