//! The handout: the tree that students start from.
//!
//! `grader/handout.toml` is the one list of what is theirs. Signatures and documentation stay, bodies go; what is private
//! goes altogether, since how a file does its work inside is part of the exercise.

use crate::source::{Edit, Outline};
use crate::tree;
use serde::Deserialize;
use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Where the list is, in the tree.
const LIST: &str = "grader/handout.toml";

/// Mistakes to plant, each with the right line beside it.
const MUTANTS: &str = "grader/mutants";

/// Traits whose implementations stay: they are words, not work.
const KEPT_TRAITS: [&str; 2] = ["Display", "Debug"];

/// What stands at the top of a file until its bodies are written.
const WHILE_UNWRITTEN: &str = "// Until the bodies are written. Take this out when they are.\n\
                               #![allow(unused)]\n";

/// What is handed out, and what is taken back.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Handout {
    /// The files that are the students': the only ones that are taken from a submission.
    #[serde(rename = "file")]
    pub files: Vec<File>,
    /// Files and directories that students do not get.
    leave_out: Vec<String>,
    /// Directories in which every file is either the students' or kept.
    pub watch: Vec<String>,
    /// Files of those directories that are not the students'.
    kept: Vec<String>,
    /// What must change since something was left out.
    #[serde(rename = "edit", default)]
    edits: Vec<Edit>,
}

/// A file that is the students'.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// From the root of the tree.
    pub path: String,
    /// What they get of it.
    give: Give,
}

/// What students get of a file.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Give {
    /// Types, signatures and documentation.
    Signatures,
    /// All of it; they may change it.
    Whole,
}

impl Handout {
    /// Reads the list of the project at `root`.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is not well-formed.
    pub fn load(root: &Path) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(root.join(LIST)).map_err(|error| format!("{LIST}: {error}"))?;
        Ok(toml::from_str(&text).map_err(|error| format!("{LIST}: {error}"))?)
    }

    /// Makes `to` the tree that submissions are graded with by others: students' files as they are handed out, but with all
    /// that grading takes.
    ///
    /// # Errors
    ///
    /// As for [`make`](Self::make).
    pub fn make_for_grading(&self, from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
        self.empty(from, to, &[MUTANTS.into()])
    }

    /// Makes `to` a copy of the project at `from` without what `leave_out` names and without the students' work.
    fn empty(&self, from: &Path, to: &Path, leave_out: &[String]) -> Result<(), Box<dyn Error>> {
        self.check(from)?;
        tree::copy(from, to, leave_out)?;
        for file in &self.files {
            let path = to.join(&file.path);
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", file.path))?;
            let text = match file.give {
                Give::Signatures => without_bodies(&text).map_err(|error| format!("{}: {error}", file.path))?,
                Give::Whole => text,
            };
            fs::write(path, allow_unwritten(&text))?;
        }
        Ok(())
    }

    /// Demands that each file of the watched directories is listed.
    fn check(&self, root: &Path) -> Result<(), Box<dyn Error>> {
        let listed: Vec<&str> =
            self.files.iter().map(|file| &file.path).chain(&self.kept).map(String::as_str).collect();
        for file in tree::files(root)? {
            let is_watched = self.watch.iter().any(|directory| file.starts_with(directory));
            if is_watched && !listed.iter().any(|path| Path::new(path) == file) {
                return Err(format!("{LIST} doesn't say whose {} is", file.display()).into());
            }
        }
        Ok(())
    }

    /// Makes `to` the tree that students start from, out of the project at `from`.
    ///
    /// # Errors
    ///
    /// If something cannot be read or written, or doesn't fit the list any more.
    pub fn make(&self, from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
        self.empty(from, to, &self.leave_out)?;
        for edit in &self.edits {
            let path = to.join(&edit.file);
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", edit.file))?;
            fs::write(path, edit.apply(&text)?)?;
        }
        Ok(())
    }
}

/// Replaces what public functions do by a panic with their names, and takes out private functions and tests.
fn without_bodies(text: &str) -> Result<String, String> {
    let outline = Outline::parse(text)?;
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    for function in &outline.functions {
        let is_words = function.of_trait.as_deref().is_some_and(|name| KEPT_TRAITS.contains(&name));
        if is_words {
            continue;
        }
        if function.is_public {
            let indent = indent_of(text, function.body.end - 1);
            let body = format!("{{\n{indent}    panic!(\"to do: {}\")\n{indent}}}", function.name);
            changes.push((function.body.clone(), body));
        } else {
            changes.push((with_blank_line(text, &function.whole), String::new()));
        }
    }
    changes.extend(outline.tests.iter().map(|tests| (with_blank_line(text, tests), String::new())));
    let left = changed(text, changes);
    let empty = Outline::parse(&left)?.empty;
    let changes = empty.iter().map(|block| (with_blank_line(&left, block), String::new())).collect();
    Ok(changed(&left, changes))
}

/// Returns `text` with each range replaced.
fn changed(text: &str, mut changes: Vec<(Range<usize>, String)>) -> String {
    changes.sort_by_key(|(range, _)| range.start);
    let mut changed = text.to_owned();
    for (range, replacement) in changes.into_iter().rev() {
        changed.replace_range(range, &replacement);
    }
    changed
}

/// Returns the spaces at the start of the line that holds byte `at`.
fn indent_of(text: &str, at: usize) -> &str {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let rest = &text[line..];
    &rest[..rest.len() - rest.trim_start_matches(' ').len()]
}

/// Widens `range` by the line's indentation and by the blank line before it.
fn with_blank_line(text: &str, range: &Range<usize>) -> Range<usize> {
    let before = text[..range.start].trim_end_matches(' ');
    let before = before.strip_suffix('\n').unwrap_or(before);
    let start = before.strip_suffix('\n').unwrap_or(before).len();
    start..range.end
}

/// Puts [`WHILE_UNWRITTEN`] behind the documentation at the top.
fn allow_unwritten(text: &str) -> String {
    if text.contains(WHILE_UNWRITTEN) {
        return text.into();
    }
    let documentation: usize =
        text.split_inclusive('\n').take_while(|line| line.starts_with("//!")).map(str::len).sum();
    format!("{}{WHILE_UNWRITTEN}{}", &text[..documentation], &text[documentation..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "//! Words.\n\nuse core::fmt;\n\n/// A pool.\npub struct Pool {\n    free: u32,\n}\n\nimpl Pool {\n    \
                        /// Counts.\n    pub fn free(&self) -> u32 {\n        self.own()\n    }\n\n    /// Mine.\n    \
                        #[cold]\n    fn own(&self) -> u32 {\n        self.free\n    }\n}\n\nimpl Pool {\n    fn other() {}\n}\n\nimpl fmt::Display for Pool {\n    \
                        fn fmt(&self) { kept() }\n}\n\n#[cfg(test)]\nmod tests {\n    fn f() {}\n}\n";

    #[test]
    fn bodies_go_and_documentation_stays() {
        let left = without_bodies(TEXT).unwrap();
        assert_eq!(
            left,
            "//! Words.\n\nuse core::fmt;\n\n/// A pool.\npub struct Pool {\n    free: u32,\n}\n\nimpl Pool {\n    \
             /// Counts.\n    pub fn free(&self) -> u32 {\n        panic!(\"to do: Pool::free\")\n    }\n}\n\n\
             impl fmt::Display for Pool {\n    fn fmt(&self) { kept() }\n}\n"
        );
        assert!(allow_unwritten(&left).starts_with("//! Words.\n// Until"));
    }
}
