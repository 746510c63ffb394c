//! The auditor: looks into the machine at checkpoints, while it stands still, and believes nothing that it is told.
//!
//! At a checkpoint the kernel [claims] what is in its memory. The auditor walks the page tables itself (`tables`), looks
//! who has each frame (`frames`), counts the page faults in QEMU's own log, and predicts the contents of pages from the seed that it gave the kernel when it asked. What the kernel must claim at least is in the
//! manifest, so it can't get by with claiming little.

pub mod claims;
mod frames;
mod image;
mod tables;

use crate::memory::{FRAME, Ram};
use crate::qemu::{Guide, Session, Step, log};
use crate::verdict::Check;
use claims::Claim;
use frames::Owners;
use image::Image;
use serde::Deserialize;
use std::io;
use std::path::PathBuf;
use tables::Space;

/// How many findings of one checkpoint are told.
const FINDINGS: usize = 5;

/// A checkpoint that a test must come to, and what the manifest says of it.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Its name.
    pub name: String,
    /// How many page faults there were up to here, if that does not depend on the seed.
    pub faults: Option<u32>,
    /// How many pages the claims call backed, if that does not depend on the seed.
    pub backed: Option<u32>,
    /// How many claims there are about pages.
    pub claims: usize,
}

/// The auditor of one run.
pub struct Auditor {
    kernel: PathBuf,
    seed: u32,
    planned: Vec<Checkpoint>,
    /// How far the control channel has been read.
    read: usize,
    /// Frames of the kernel pool in use at the first checkpoint.
    kernel_frames: Option<usize>,
    /// What was found wrong.
    pub findings: Vec<Check>,
    /// The names of the checkpoints at which nothing was.
    pub held: Vec<String>,
}

impl Auditor {
    /// Makes the auditor of a run of `kernel`, which is to come to the `planned` checkpoints.
    pub fn new(kernel: PathBuf, seed: u32, planned: &[Checkpoint]) -> Self {
        let planned = planned.to_vec();
        Self { kernel, seed, planned, read: 0, kernel_frames: None, findings: Vec::new(), held: Vec::new() }
    }

    /// Audits the machine at the checkpoint `name`.
    fn audit(&mut self, session: &mut Session, name: &str) -> io::Result<Vec<Check>> {
        let heard = session.heard();
        let claimed: Vec<&str> =
            heard[self.read..].lines().filter_map(|line| line.trim_end().strip_prefix("claim ")).collect();
        self.read = heard.len();
        let claims: Option<Vec<Claim>> = claimed.iter().map(|words| Claim::read(words)).collect();
        let Some(claims) = claims else {
            return Ok(vec![Check::new("the claims", "well-formed", claimed.join("; "))]);
        };
        let Some(planned) = self.planned.get(self.held.len()).filter(|planned| planned.name == name).cloned() else {
            let next = self.planned.get(self.held.len()).map_or("none", |planned| planned.name.as_str());
            return Ok(vec![Check::new("the next checkpoint", next, name)]);
        };
        let image = match Image::of(&self.kernel) {
            Ok(image) => image,
            Err(error) => return Ok(vec![Check::new("the kernel's file", "its symbols", error)]),
        };
        let mut wrong = Vec::new();
        check_faults(&claims, &planned, &session.log(), &mut wrong);
        let registers = session.registers()?;
        if !registers.paging() || registers.cr0 & WRITE_PROTECT == 0 {
            let seen = format!("CR0={:#x}", registers.cr0);
            wrong.push(Check::new("paging and write protection", "both on", seen));
            return Ok(wrong);
        }
        let ram = session.ram();
        let mut spaces = Vec::new();
        for claim in &claims {
            if let Claim::Directory(root) = claim {
                spaces.push(Space::walk(ram, *root)?);
            }
        }
        let Some(current) = spaces.iter().find(|space| space.root == registers.cr3 >> 12) else {
            let seen = format!("CR3={:#x}, which is none of them", registers.cr3);
            return Ok(vec![Check::new("claimed directories", "the current one among them", seen)]);
        };
        let mut owners = Owners::default();
        for space in &spaces {
            space.check(ram, &image, &mut wrong)?;
            space.note_owners(&mut owners);
        }
        owners.check(&mut wrong);
        match frames::books(&claims, ram)? {
            Ok([kernel, process]) => {
                process.check(&owners, &mut wrong);
                let (used, before) = (kernel.used(), *self.kernel_frames.get_or_insert(kernel.used()));
                if used != before {
                    let what = "frames of the kernel pool in use";
                    wrong.push(Check::new(what, format!("{before:#x}, as before"), format!("{used:#x}")));
                }
            }
            Err(check) => wrong.push(check),
        }
        let backed = self.check_pages(&claims, current, ram, &mut wrong)?;
        let about_pages = claims.iter().filter(|claim| is_about_pages(claim)).count();
        if about_pages != planned.claims || planned.backed.is_some_and(|planned| planned != backed) {
            wrong.push(Check::new(
                "what is claimed",
                format!("{} claims about pages{}", planned.claims, words(", backed: ", planned.backed)),
                format!("{about_pages} claims, backed: {backed:#x}"),
            ));
        }
        Ok(wrong)
    }

    /// Checks the claims about pages. Returns how many pages they call backed.
    fn check_pages(&self, claims: &[Claim], space: &Space, ram: &Ram, wrong: &mut Vec<Check>) -> io::Result<u32> {
        let mut backed = 0;
        for claim in claims {
            match claim {
                Claim::Backed(pages) => {
                    backed += pages.len() as u32;
                    for page in pages.clone().filter(|page| space.frame(*page).is_none()) {
                        wrong.push(Check::new(format!("page {page:#x}"), "backed", "absent"));
                    }
                }
                Claim::Absent(pages) => {
                    for page in pages.clone() {
                        if let Some(frame) = space.frame(page) {
                            wrong.push(Check::new(format!("page {page:#x}"), "absent", format!("frame {frame:#x}")));
                        }
                    }
                }
                Claim::Filled(pages, salt) => {
                    backed += pages.len() as u32;
                    for page in pages.clone() {
                        check_contents(space, ram, page, |address| claims::word(self.seed, *salt, address), wrong)?;
                    }
                }
                Claim::Scattered { pages, draws, salt } => {
                    let touched = claims::scattered(self.seed, pages, *draws, *salt);
                    backed += touched.len() as u32;
                    for page in pages.clone() {
                        if touched.contains(&page) {
                            let first = |address| {
                                if address % FRAME == 0 { claims::word(self.seed, *salt, address) } else { 0 }
                            };
                            check_contents(space, ram, page, first, wrong)?;
                        } else if let Some(frame) = space.frame(page) {
                            let seen = format!("frame {frame:#x}");
                            wrong.push(Check::new(format!("untouched page {page:#x}"), "absent", seen));
                        }
                    }
                }
                Claim::Pool { .. } | Claim::Directory(_) | Claim::Faults(_) => {}
            }
        }
        Ok(backed)
    }
}

/// CR0.WP: read-only pages are read-only for the kernel too.
const WRITE_PROTECT: u32 = 1 << 16;

fn is_about_pages(claim: &Claim) -> bool {
    !matches!(claim, Claim::Pool { .. } | Claim::Directory(_) | Claim::Faults(_))
}

/// Checks that `page` is backed and that each of its words is what `expected` says of its address.
fn check_contents(
    space: &Space,
    ram: &Ram,
    page: u32,
    expected: impl Fn(u32) -> u32,
    wrong: &mut Vec<Check>,
) -> io::Result<()> {
    let Some(frame) = space.frame(page) else {
        wrong.push(Check::new(format!("page {page:#x}"), "backed", "absent"));
        return Ok(());
    };
    let words = ram.frame(frame)?;
    let differs = (page * FRAME..).step_by(4).zip(words).find(|(address, word)| expected(*address) != *word);
    if let Some((address, word)) = differs {
        let expected = format!("{:#010x}, by the seed", expected(address));
        wrong.push(Check::new(format!("word at {address:#010x}"), expected, format!("{word:#010x}")));
    }
    Ok(())
}

/// Checks the number of page faults: what is claimed, what was planned and what QEMU saw must agree.
fn check_faults(claims: &[Claim], planned: &Checkpoint, log: &str, wrong: &mut Vec<Check>) {
    let seen = log::page_faults(log);
    let claimed = claims.iter().find_map(|claim| if let Claim::Faults(count) = claim { Some(*count) } else { None });
    if claimed != Some(seen) || planned.faults.is_some_and(|planned| planned != seen) {
        wrong.push(Check::new(
            "page faults",
            format!("as many as the kernel claims{}", words(", and ", planned.faults)),
            format!("{seen:#x} in QEMU's log{}", words(", claimed: ", claimed)),
        ));
    }
}

/// Returns `prefix` and the number, if there is one.
fn words(prefix: &str, number: Option<u32>) -> String {
    number.map_or(String::new(), |number| format!("{prefix}{number:#x}"))
}

impl Guide for Auditor {
    fn frozen(&mut self, session: &mut Session, last: &str) -> io::Result<Step> {
        match last.trim_end().split_once(' ') {
            Some(("ask", "seed")) => Ok(Step::Tell(self.seed.to_string())),
            Some(("audit", name)) => {
                // What can't be read, since a claim or a table leads out of the memory, is as wrong as what differs.
                let mut wrong = self
                    .audit(session, name)
                    .unwrap_or_else(|error| vec![Check::new("the machine's memory", "readable", error.to_string())]);
                if wrong.is_empty() {
                    self.held.push(name.into());
                    return Ok(Step::GoOn);
                }
                wrong.truncate(FINDINGS);
                wrong.iter_mut().for_each(|check| check.what = format!("at checkpoint \"{name}\": {}", check.what));
                self.findings = wrong;
                Ok(Step::End)
            }
            _ => Ok(Step::End),
        }
    }
}
