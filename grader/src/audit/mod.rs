//! The auditor: looks into the machine at checkpoints, while it stands still, and believes nothing that it is told.
//!
//! At a checkpoint the kernel [claims] what is in its memory. The auditor walks the page tables itself (`tables`), looks
//! who has each frame (`frames`), finds the page faults in QEMU's own log, and predicts the contents of pages from the seed
//! that it gave the kernel when it asked. What the kernel must claim at least is in the manifest, so it can't get by with
//! claiming little.

pub mod claims;
mod findings;
mod frames;
mod image;
mod tables;

use crate::backtrace::backtrace;
use crate::memory::{FRAME, Ram};
use crate::qemu::registers::Registers;
use crate::qemu::{FreezeHandler, Session, Step, log};
use crate::run::{Check, Checkpoint};
use crate::symbols::Symbols;
use claims::Claim;
use findings::Findings;
use frames::Owners;
use image::Image;
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use tables::Space;

/// How many address spaces are looked at together.
const SPACES: usize = 16;

/// CR0.WP: read-only pages are read-only for the kernel too.
const WRITE_PROTECT: u32 = 1 << 16;

/// Where the code of programs lies, which runs in ring 3.
const PROGRAM_CODE: Range<u32> = 0x0800_0000..0x1000_0000;

/// The function of the kernel that says that a test has passed.
const SAYS_PASS: &str = "system::tests::run_test";

/// The auditor of one run.
pub struct Auditor {
    kernel: PathBuf,
    /// How many frames the files of programs take, whose code is run, too.
    pub programs: u32,
    seed: u32,
    planned: Vec<Checkpoint>,
    /// How far the control channel has been read.
    read: usize,
    /// Frames of the kernel pool in use at the first checkpoint, without those of the heap.
    kernel_frames: Option<usize>,
    /// What was found wrong.
    pub findings: Vec<Check>,
    /// The names of the checkpoints at which nothing was.
    pub held: Vec<String>,
    /// Whether the kernel was seen where a pass is said, and nothing was found wrong there.
    pub passed: bool,
}

/// What there is to see at a checkpoint.
struct Snapshot<'a> {
    /// What the kernel said since the last one.
    said: &'a str,
    /// QEMU's log.
    log: &'a str,
    registers: &'a Registers,
    ram: &'a Ram,
    /// What is on its drive, if it has one.
    drive: Option<&'a Ram>,
    image: &'a Image,
}

impl Auditor {
    /// Makes the auditor of a run of `kernel`, without programs, which is to come to the `planned` checkpoints.
    pub fn new(kernel: PathBuf, seed: u32, planned: &[Checkpoint]) -> Self {
        let planned = planned.to_vec();
        Self {
            kernel,
            programs: 0,
            seed,
            planned,
            read: 0,
            kernel_frames: None,
            findings: Vec::new(),
            held: Vec::new(),
            passed: false,
        }
    }

    /// Looks at what must hold wherever a machine stands still: code and constants are as they were loaded, nobody has
    /// written code, no other code has run, and it is the kernel's own instruction that stopped the machine; where a pass is
    /// said, called by what runs the tests, and by nobody else, on the stack that it runs them on.
    fn inspect(&self, session: &mut Session, passes: bool) -> io::Result<Vec<Check>> {
        let image = Image::read(&self.kernel).map_err(io::Error::other)?;
        let registers = session.registers()?;
        let symbols = Symbols::read(&self.kernel);
        let mut wrong = Vec::new();
        for (start, loaded) in &image.constant {
            let seen = session.ram().bytes(*start, loaded.len())?;
            if let Some(at) = seen.iter().zip(loaded).position(|(seen, loaded)| seen != loaded) {
                let changed = format!("changed at {}", symbols.place(start + at as u32));
                wrong.push(Check::new("code and constants", "as they were loaded", changed));
            }
        }
        let log = session.log();
        if let Some(at) = log::code_written(&log, image.entry).find(|at| image.is_code(*at)) {
            let seen = format!("written at {}", symbols.place(at));
            wrong.push(Check::new("code and constants", "never written", seen));
        }
        let is_programs = |at: u32| self.programs > 0 && PROGRAM_CODE.contains(&at);
        if let Some(at) = log::code_run(&log, image.entry).find(|at| !image.is_code(*at) && !is_programs(*at)) {
            let seen = format!("instructions at {}", symbols.place(at));
            wrong.push(Check::new("what the machine runs", "the kernel's code", seen));
        }
        let called = backtrace(session.ram(), &registers);
        let place =
            |address: Option<&u32>| address.map_or("nowhere".into(), |address| symbols.place(*address).to_string());
        if !image.frozen.contains(&registers.eip) {
            let seen = place(called.first());
            wrong.push(Check::new("the machine stands still", "at the kernel's own instruction", seen));
        } else if passes && !called.get(1).is_some_and(|caller| symbols.function(*caller).ends_with(SAYS_PASS)) {
            wrong.push(Check::new("a pass is said", format!("in {SAYS_PASS}"), place(called.get(1))));
        } else if passes && !image.stack.contains(&registers.ebp) {
            let seen = format!("its frame is at {:#010x}", registers.ebp);
            wrong.push(Check::new("a pass is said", "on the kernel's stack", seen));
        }
        Ok(wrong)
    }

    /// Audits the machine at the checkpoint `name`.
    fn audit(&mut self, session: &mut Session, name: &str) -> io::Result<Vec<Check>> {
        let image = Image::read(&self.kernel).map_err(io::Error::other)?;
        let (heard, log, registers) = (session.heard(), session.log(), session.registers()?);
        let said = &heard[self.read..];
        self.read = heard.len();
        let (ram, drive) = (session.ram(), session.drive());
        let snapshot = Snapshot { said, log: &log, registers: &registers, ram, drive, image: &image };
        let mut wrong = Findings::default();
        self.look(name, &snapshot, &mut wrong)?;
        Ok(wrong.told())
    }

    /// Looks at the snapshot of the checkpoint `name`. What makes all else meaningless ends it.
    fn look(&mut self, name: &str, snapshot: &Snapshot<'_>, wrong: &mut Findings) -> io::Result<()> {
        let claimed: Vec<&str> =
            snapshot.said.lines().filter_map(|line| line.trim_end().strip_prefix("claim ")).collect();
        let Some(claims) = claimed.iter().map(|words| Claim::read(words)).collect::<Option<Vec<Claim>>>() else {
            wrong.add("the claims", "well-formed", claimed.join("; "));
            return Ok(());
        };
        let next = self.planned.get(self.held.len());
        let Some(planned) = next.filter(|planned| planned.name == name).cloned() else {
            wrong.add("the next checkpoint", next.map_or("none", |planned| planned.name.as_str()), name);
            return Ok(());
        };
        let about_pages = claims.iter().filter(|claim| claim.is_about_pages()).count();
        if about_pages != planned.claims {
            wrong.add("claims about pages", planned.claims.to_string(), about_pages.to_string());
            return Ok(());
        }
        let (registers, ram) = (snapshot.registers, snapshot.ram);
        if !registers.paging() || registers.cr0 & WRITE_PROTECT == 0 {
            wrong.add("paging and write protection", "both on", format!("CR0={:#x}", registers.cr0));
            return Ok(());
        }
        let programs =
            claims.iter().filter_map(|claim| if let Claim::Program(root) = claim { Some(*root) } else { None });
        let programs: BTreeSet<u32> = programs.filter(|_| self.programs > 0).collect();
        let roots =
            claims.iter().filter_map(|claim| if let Claim::Directory(root) = claim { Some(*root) } else { None });
        let roots: BTreeSet<u32> = roots.chain(programs.iter().copied()).collect();
        if !roots.contains(&(registers.cr3 >> 12)) || roots.len() > SPACES {
            let expected = format!("the one in CR3, {:#x}, and up to {} others", registers.cr3 >> 12, SPACES - 1);
            wrong.add("claimed directories", expected, format!("{:x?}", roots.iter().take(SPACES).collect::<Vec<_>>()));
            return Ok(());
        }
        let faults = log::page_faults(snapshot.log);
        if planned.is_close() {
            check_faults(&claims, &planned, faults.len(), wrong);
        }
        let mut owners = Owners::default();
        for root in roots {
            let space = Space::walk(ram, root)?;
            space.check(ram, snapshot.image, &programs, wrong)?;
            space.note_owners(&mut owners);
            if root == registers.cr3 >> 12 {
                let faulted = faults.iter().map(|address| address / FRAME).collect();
                let drive = claims.iter().find_map(|claim| match claim {
                    Claim::Slots { drive: Some(start), .. } => Some((ram, *start)),
                    Claim::Slots { drive: None, .. } => Some((snapshot.drive?, 0)),
                    _ => None,
                });
                let pages = Pages { space, ram, seed: self.seed, faulted, drive };
                let backed = pages.check(&claims, wrong)?;
                if let Some(planned) = planned.backed.filter(|planned| *planned != backed) {
                    wrong.add("pages claimed backed", format!("{planned:#x}"), format!("{backed:#x}"));
                }
            }
        }
        owners.check_uses(&claims, ram, wrong)?;
        owners.check_slots(&claims, ram, wrong)?;
        owners.check_files(&claims, wrong);
        owners.check_free(&claims, ram, self.programs, wrong);
        if planned.is_close()
            && let Some([kernel, process]) = frames::books(&claims, ram, wrong)?
        {
            process.check(&owners, self.programs, wrong);
            // The heap may have grown.
            let heap = claims.iter().find_map(|claim| if let Claim::Heap(count) = claim { Some(*count) } else { None });
            let used = kernel.used().saturating_sub(heap.unwrap_or(0) as usize);
            let before = *self.kernel_frames.get_or_insert(used);
            if used != before {
                wrong.add("frames of the kernel pool in use", format!("{before:#x}, as before"), format!("{used:#x}"));
            }
        }
        Ok(())
    }
}

/// What can't be read is as wrong as what differs.
fn unreadable(error: &io::Error) -> Check {
    Check::new("the machine's memory", "readable", error.to_string())
}

/// Checks the number of page faults: what is claimed, what was planned and what QEMU saw must agree.
fn check_faults(claims: &[Claim], planned: &Checkpoint, seen: usize, wrong: &mut Findings) {
    let words =
        |prefix: &str, number: Option<u32>| number.map_or(String::new(), |number| format!("{prefix}{number:#x}"));
    let claimed = claims.iter().find_map(|claim| if let Claim::Faults(count) = claim { Some(*count) } else { None });
    let is_seen = |number: u32| number as usize == seen;
    if !claimed.is_some_and(is_seen) || !planned.faults.is_none_or(is_seen) {
        let expected = format!("as many as the kernel claims{}", words(", and ", planned.faults));
        wrong.add("page faults", expected, format!("{seen:#x} in QEMU's log{}", words(", claimed: ", claimed)));
    }
}

/// The pages of the current address space.
struct Pages<'a> {
    space: Space,
    ram: &'a Ram,
    seed: u32,
    /// Those at which the processor has raised a page fault, in whichever address space.
    faulted: BTreeSet<u32>,
    /// Where the drive for pages starts, in memory or in its own image, if there is one.
    drive: Option<Place<'a>>,
}

/// A place in the memory or in the drive's image.
type Place<'a> = (&'a Ram, u32);

impl<'a> Pages<'a> {
    /// Checks the claims about pages. Returns how many pages they call backed.
    fn check(&self, claims: &[Claim], wrong: &mut Findings) -> io::Result<u32> {
        let mut backed = 0;
        for claim in claims {
            match claim {
                Claim::Backed(pages) => {
                    backed += pages.len() as u32;
                    pages.clone().for_each(|page| _ = self.place(page, wrong));
                }
                Claim::Absent(pages) => pages.clone().for_each(|page| self.check_absent(page, wrong)),
                Claim::Filled(pages, salt) => {
                    backed += pages.len() as u32;
                    for page in pages.clone() {
                        self.check_contents(page, |address| claims::word(self.seed, *salt, address), wrong)?;
                    }
                }
                Claim::Scattered { pages, draws, salt } => {
                    let touched = claims::scattered(self.seed, pages, *draws, *salt);
                    backed += touched.len() as u32;
                    let first_word = |address| {
                        if address % FRAME == 0 { claims::word(self.seed, *salt, address) } else { 0 }
                    };
                    for page in pages.clone() {
                        if touched.contains(&page) {
                            self.check_contents(page, first_word, wrong)?;
                        } else {
                            self.check_absent(page, wrong);
                        }
                    }
                }
                Claim::Pool { .. }
                | Claim::Uses { .. }
                | Claim::Heap(_)
                | Claim::Free(_)
                | Claim::Directory(_)
                | Claim::Program(_)
                | Claim::Faults(_)
                | Claim::Slots { .. }
                | Claim::Table { .. } => {}
            }
        }
        Ok(backed)
    }

    fn check_absent(&self, page: u32, wrong: &mut Findings) {
        if let Some(frame) = self.space.frame(page) {
            wrong.add(format!("page {page:#x}"), "absent", format!("frame {frame:#x}"));
        } else if let Some((_, at)) = self.place_on_drive(page) {
            wrong.add(format!("page {page:#x}"), "absent", format!("on the drive, at {at:#x}"));
        }
    }

    /// Returns where the words of `page` are, if it is on the drive.
    fn place_on_drive(&self, page: u32) -> Option<Place<'a>> {
        let (drive, start) = self.drive?;
        Some((drive, start.checked_add(self.space.slot(page)?.checked_mul(FRAME)?)?))
    }

    /// Checks that `page` is backed, and since a page fault. Returns where its words are.
    fn place(&self, page: u32, wrong: &mut Findings) -> Option<Place<'a>> {
        let in_frame = self.space.frame(page).map(|frame| (self.ram, frame * FRAME));
        let place = in_frame.or_else(|| self.place_on_drive(page));
        if place.is_none() {
            wrong.add(format!("page {page:#x}"), "backed", "absent");
        } else if !self.faulted.contains(&page) {
            wrong.add(format!("page {page:#x}"), "backed at a page fault", "backed without one");
        }
        place
    }

    /// Checks that `page` is backed and that each of its words is what `expected` says of its address.
    fn check_contents(&self, page: u32, expected: impl Fn(u32) -> u32, wrong: &mut Findings) -> io::Result<()> {
        // A frame outside the memory has been found wrong already.
        let place = self.place(page, wrong).filter(|(all, at)| at / FRAME < all.frames());
        let Some((all, at)) = place else { return Ok(()) };
        let words = (page * FRAME..=u32::MAX).step_by(4).zip(all.words(at, FRAME / 4)?);
        if let Some((address, word)) = words.into_iter().find(|(address, word)| expected(*address) != *word) {
            let expected = format!("{:#010x}, by the seed", expected(address));
            wrong.add(format!("word at {address:#010x}"), expected, format!("{word:#010x}"));
        }
        Ok(())
    }
}

impl FreezeHandler for Auditor {
    fn frozen(&mut self, session: &mut Session, last: &str) -> io::Result<Step> {
        let inspected = self.inspect(session, last.trim_end() == "end pass");
        self.findings = inspected.unwrap_or_else(|error| vec![unreadable(&error)]);
        if !self.findings.is_empty() {
            return Ok(Step::End);
        }
        match last.trim_end().split_once(' ') {
            Some(("end", "pass")) => {
                self.passed = true;
                Ok(Step::GoOn)
            }
            Some(("ask", "seed")) => Ok(Step::Tell(self.seed.to_string())),
            Some(("audit", name)) => {
                let mut wrong = self.audit(session, name).unwrap_or_else(|error| vec![unreadable(&error)]);
                if wrong.is_empty() {
                    self.held.push(name.into());
                    return Ok(Step::GoOn);
                }
                wrong.iter_mut().for_each(|check| check.what = format!("at checkpoint \"{name}\": {}", check.what));
                self.findings = wrong;
                Ok(Step::End)
            }
            _ => Ok(Step::End),
        }
    }
}

#[cfg(test)]
mod tests;
