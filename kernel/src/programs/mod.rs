//! Programs, as far as any machine knows them: their calls, their files, and where things are in their address spaces.

pub mod calls;
mod image;
mod layout;

pub use image::{BadImage, Image, Segment};
pub use layout::{FILES, HEAP, IMAGE_PAGES, STACK};
