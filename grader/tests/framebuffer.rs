//! What a person sees where there is no text mode: the framebuffer of machines with UEFI, read as a picture.
//!
//! `make check-screen` runs these. The text is read by comparing each cell with the glyphs of the font, so it counts only if its pixels are right.

use grader::qemu::qmp::Qmp;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster};
use serde_json::json;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// When a machine has failed to show what is waited for: the firmware alone takes ten seconds.
const LIMIT: Duration = Duration::from_secs(300);
/// How much later than the serial line the screen may be.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);

const COLUMNS: usize = 80;
const ROWS: usize = 25;
const GLYPH_WIDTH: usize = 7;
const GLYPH_HEIGHT: usize = 16;

type Colour = [u8; 3];
const BLACK: Colour = [0, 0, 0];
const RED: Colour = [0xAA, 0, 0];
const WHITE: Colour = [0xFF, 0xFF, 0xFF];

/// A machine with UEFI. It ends with the test.
struct Machine {
    qemu: Child,
    qmp: Qmp,
    scratch: TempDir,
}

impl Machine {
    /// Boots the kernel by GRUB and `protocol`, with `graphics` as QEMU's words for them.
    fn boot(protocol: &str, graphics: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert!(root.join("build/droste.elf").exists(), "build/droste.elf is missing: run `make build`");
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let file = |name: &str| scratch.path().join(name).display().to_string();
        let packed = Command::new("scripts/make-iso")
            .args(["build/droste.elf", &file("iso"), protocol])
            .current_dir(&root)
            .status()
            .expect("a shell is there");
        assert!(packed.success(), "scripts/make-iso failed");
        let listener = UnixListener::bind(file("qmp")).expect("the directory is ours");
        let qemu = Command::new("qemu-system-x86_64")
            .args(["-bios", "/usr/share/ovmf/OVMF.fd", "-machine", "pc", "-accel", "tcg", "-m", "128", "-nodefaults"])
            .args(["-display", "none", "-no-reboot", "-no-shutdown", "-cdrom", &file("iso")])
            .args(graphics)
            .args(["-serial", &format!("file:{}", file("console"))])
            .args(["-chardev", &format!("socket,id=qmp,path={}", file("qmp")), "-mon", "chardev=qmp,mode=control"])
            .stdin(Stdio::null())
            .spawn()
            .expect("qemu-system-x86_64 is there");
        let (stream, _) = listener.accept().expect("QEMU connects");
        Self { qemu, qmp: Qmp::new(stream).expect("QEMU speaks"), scratch }
    }

    /// Types `line` at the keyboard, and the enter key.
    fn press(&mut self, line: &str) {
        for character in line.chars() {
            let name = match character {
                ' ' => "spc".into(),
                '-' => "minus".into(),
                _ => character.to_string(),
            };
            self.qmp.monitor(&format!("sendkey {name} 20")).expect("QEMU runs");
            sleep(Duration::from_millis(50));
        }
        self.qmp.monitor("sendkey ret").expect("QEMU runs");
    }

    /// Returns what the serial line said.
    fn said(&self) -> String {
        let said = fs::read(self.scratch.path().join("console")).unwrap_or_default();
        String::from_utf8_lossy(&said).replace('\r', "")
    }

    /// Takes a picture of the screen.
    fn picture(&mut self) -> Picture {
        let file = self.scratch.path().join("screen").display().to_string();
        self.qmp.command("screendump", json!({ "filename": file })).expect("there is a screen");
        Picture::read(&fs::read(file).expect("QEMU wrote it")).expect("it is a PPM file")
    }

    /// Waits until the serial line has said `words` last.
    #[track_caller]
    fn wait_for(&self, words: &str) -> String {
        let started = Instant::now();
        loop {
            let said = self.said();
            if said.ends_with(words) {
                return said;
            }
            assert!(started.elapsed() < LIMIT, "\"{words}\" was not said, but:\n{said}");
            sleep(POLL);
        }
    }

    /// Waits until the serial line has said `words` last, and the screen shows them last. Returns the picture.
    #[track_caller]
    fn see(&mut self, words: &str) -> Picture {
        self.wait_for(words);
        let started = Instant::now();
        loop {
            let picture = self.picture();
            let text = picture.text();
            if text.lines().next_back().is_some_and(|last| last.starts_with(words)) {
                return picture;
            }
            assert!(started.elapsed() < PATIENCE, "no \"{words}\" on the screen, but:\n{text}");
            sleep(POLL);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// A picture: lines of pixels.
struct Picture {
    width: usize,
    pixels: Vec<Colour>,
}

impl Picture {
    /// Reads a PPM file of 8 bits a colour, as QEMU writes it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
        let mut size = [parts.next()?, parts.next()?, parts.next()?].map(|part| String::from_utf8_lossy(part));
        let width = size[1].to_mut().split_once(' ')?.0.parse().ok()?;
        (size[0] == "P6" && size[2] == "255")
            .then(|| parts.next())
            .flatten()
            .map(|pixels| Self { width, pixels: pixels.as_chunks().0.to_vec() })
    }

    /// Returns the pixels of a cell, and its background. Text is in the middle of the screen, as large as it fits.
    fn cell(&self, row: usize, column: usize) -> Option<(Vec<Colour>, Colour)> {
        let height = self.pixels.len() / self.width;
        let (text_width, text_height) = (COLUMNS * GLYPH_WIDTH, ROWS * GLYPH_HEIGHT);
        let scale = (self.width / text_width).min(height / text_height);
        let left = self.width.checked_sub(text_width * scale)? / 2 + column * GLYPH_WIDTH * scale;
        let top = height.checked_sub(text_height * scale)? / 2 + row * GLYPH_HEIGHT * scale;
        let places = (0..GLYPH_HEIGHT).flat_map(|y| (0..GLYPH_WIDTH).map(move |x| (left + x * scale, top + y * scale)));
        let pixels: Vec<Colour> = places.map(|(x, y)| self.pixels[y * self.width + x]).collect();
        let background = *pixels.first()?;
        Some((pixels, background))
    }

    /// Returns the character of a cell, and `None` if it isn't exactly one glyph in one colour on its background.
    fn character(&self, row: usize, column: usize) -> Option<char> {
        let (pixels, background) = self.cell(row, column)?;
        if pixels.iter().all(|pixel| *pixel == background) {
            return Some(' ');
        }
        let is = |character: &char| {
            let Some(glyph) = get_raster(*character, FontWeight::Regular, RasterHeight::Size16) else { return false };
            let mut inked = glyph.pixels().iter().zip(&pixels);
            let Some((most, ink)) = inked.clone().max_by_key(|(ink, _)| **ink) else { return false };
            inked.all(|(part, pixel)| {
                (0..3).all(|colour| {
                    let (from, to) = (i32::from(background[colour]), i32::from(ink[colour]));
                    let expected = from + (to - from) * i32::from(*part) / i32::from(*most);
                    (expected - i32::from(pixel[colour])).abs() <= 2
                })
            })
        };
        ('!'..='~').find(is)
    }

    /// Returns the text, without blanks at the ends. What is no character shows as `_`, like the cursor.
    fn text(&self) -> String {
        let row = |row| (0..COLUMNS).map(|column| self.character(row, column).unwrap_or('_')).collect::<String>();
        let rows: Vec<String> = (0..ROWS).map(|number| row(number).trim_end().to_owned()).collect();
        rows.join("\n").trim_end().into()
    }
}

/// Boots by `protocol`, waits for the prompt, has `crime` committed there, and demands that the screen shows the report as
/// the serial line does.
#[track_caller]
fn prompt_and_report_are_on_the_screen(protocol: &str, crime: &str, heading: &str) {
    let mut machine = Machine::boot(protocol, &["-vga", "std"]);
    let picture = machine.see("droste> ");
    let text = picture.text();
    assert!(
        text.contains("PASS: every figure is as expected\n\nType help for a list of commands.\ndroste> _"),
        "{text}"
    );
    assert_eq!(picture.cell(0, 0).map(|(_, background)| background), Some(BLACK));

    machine.press(&format!("run {crime}"));
    let picture = machine.see("dead> ");
    let text = picture.text();
    assert!(text.starts_with(heading), "{text}");
    let heading: Vec<_> = (0..heading.len()).filter_map(|column| picture.cell(0, column)).collect();
    assert!(heading.iter().all(|(_, background)| *background == RED), "the heading is not on red");
    assert!(heading.iter().any(|(pixels, _)| pixels.contains(&WHITE)), "the heading is not white");
    let shown = text.trim_end_matches('_');
    assert!(machine.said().trim_end().ends_with(shown.trim_end()), "{text}\nbut said: {}", machine.said());
}

#[test]
fn under_uefi_the_screen_shows_the_prompt_and_a_report() {
    prompt_and_report_are_on_the_screen("multiboot2", "dies-past-a-region", "illegal-access: kernel read");
}

#[test]
fn a_double_fault_is_on_the_screen_too_and_multiboot_1_will_do() {
    prompt_and_report_are_on_the_screen("multiboot", "dies-stack-overflow", "stack-overflow: kernel stack overflow");
}

#[test]
fn a_machine_without_any_screen_says_so_on_the_serial_line() {
    let machine = Machine::boot("multiboot2", &["-vga", "none"]);
    let said = machine.wait_for("droste> ");
    assert!(said.contains("\nThe screen shows nothing: the boot loader gave no framebuffer."), "{said}");
}
