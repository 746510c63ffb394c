//! The handout: the tree that students start from.
//!
//! `grader/handout.toml` is the one list of what is theirs. Signatures and documentation stay, bodies go; what is private
//! goes altogether, since how a file does its work inside is part of the exercise.
//!
//! A tree may be for one lab: then what earlier labs ask for is done, by the solution or by the student, and what later
//! labs ask for is neither there nor theirs.

use crate::labs;
use crate::source::{Edit, Outline};
use crate::tree;
use grader::manifest::Manifest;
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

/// What a body that is to be written panics with, before the function's name: the grader knows it.
const TO_DO: &str = "to do: ";

/// What one of a later lab says.
fn not_yet(lab: u32) -> String {
    format!("comes with lab {lab}: ")
}

/// What stands at the top of a file until its bodies are written.
const WHILE_UNWRITTEN: &str = "// Until the bodies are written. Take this out when they are.\n\
                               #![allow(unused)]\n";

/// What is handed out, and what is taken back.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Handout {
    /// The files that are the students': the only ones that are taken from a submission.
    #[serde(rename = "file")]
    files: Vec<File>,
    /// Functions in them of another lab than the rest of the file, or of none.
    #[serde(rename = "function")]
    functions: Vec<FunctionOf>,
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
    /// The lab in which it is theirs, and from then on.
    lab: u32,
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

/// A function that is of another lab than the rest of its file.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct FunctionOf {
    /// The file's path.
    file: String,
    /// The function, as [`Function::name`](crate::source::Function::name) has it.
    name: String,
    /// The lab in which it is to be written; without one it is given.
    lab: Option<u32>,
    /// What it does before its lab, if earlier ones call it.
    before: Option<String>,
}

/// What becomes of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Body<'a> {
    /// It stays: it is given, or of a lab that is over.
    Kept,
    /// It is to be written.
    ToDo,
    /// It is of this lab, which is not yet, and does this until then; without it, it panics.
    Later(u32, Option<&'a str>),
}

/// Which part of the course a tree is for.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The lab; without one all of them are open.
    pub lab: Option<u32>,
    /// Where the files of earlier labs are, if they are not to be the solution's.
    pub own: Option<&'a Path>,
}

impl Part<'_> {
    /// All labs at once, or `lab` with the earlier ones solved.
    pub fn new(lab: Option<u32>) -> Self {
        Self { lab, own: None }
    }

    /// Says what becomes of a body that is to be written in the lab `own`.
    fn body(self, own: u32) -> Body<'static> {
        match self.lab {
            Some(lab) if own < lab => Body::Kept,
            Some(lab) if own > lab => Body::Later(own, None),
            _ => Body::ToDo,
        }
    }

    /// Says what becomes of the body of a function that is listed by itself.
    fn body_of(self, function: &FunctionOf) -> Body<'_> {
        match function.lab.map_or(Body::Kept, |lab| self.body(lab)) {
            Body::Later(lab, None) => Body::Later(lab, function.before.as_deref()),
            body => body,
        }
    }
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

    /// Returns the files that are the students' in `lab`; all of them for `None`.
    pub fn files(&self, lab: Option<u32>) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| lab.is_none_or(|lab| file.lab <= lab))
    }

    /// Makes `to` the tree that submissions are graded with by others: students' files as they are handed out, but with all
    /// that grading takes.
    ///
    /// # Errors
    ///
    /// As for [`make`](Self::make).
    pub fn make_for_grading(&self, from: &Path, to: &Path, lab: Option<u32>) -> Result<(), Box<dyn Error>> {
        self.empty(from, to, &[MUTANTS.into()], Part::new(lab))
    }

    /// Makes `to` a copy of the project at `from` without what `leave_out` names and without the students' work.
    fn empty(&self, from: &Path, to: &Path, leave_out: &[String], part: Part<'_>) -> Result<(), Box<dyn Error>> {
        self.check(from)?;
        if let Some(lab) = part.lab {
            Manifest::load(None)?.check_lab(lab)?;
        }
        self.check_own(part)?;
        tree::copy(from, to, leave_out)?;
        for file in &self.files {
            let path = to.join(&file.path);
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", file.path))?;
            let given = self.given(file, &text, part).map_err(|error| format!("{}: {error}", file.path))?;
            fs::write(path, given)?;
        }
        if let Some(lab) = part.lab {
            labs::mark(to, lab)?;
        }
        Ok(())
    }

    /// Returns what students get of `file`, whose text is this in the solution.
    fn given(&self, file: &File, text: &str, part: Part<'_>) -> Result<String, String> {
        let rest = part.body(file.lab);
        let is_over = rest == Body::Kept;
        if let (Some(own), Some(lab), true) = (part.own, part.lab, is_over) {
            let own = fs::read_to_string(own.join(&file.path)).map_err(|error| error.to_string())?;
            // What came later has come, in this lab or in one that was left out.
            return Ok((1..=lab).fold(own, |text, lab| text.replace(&not_yet(lab), TO_DO)));
        }
        let listed = |name: &str| {
            let function = self.functions.iter().find(|of| of.file == file.path && of.name == name);
            function.map(|function| part.body_of(function))
        };
        match file.give {
            Give::Whole if is_over => Ok(text.into()),
            Give::Whole => Ok(allow_unwritten(text)),
            Give::Signatures => {
                let left = without_bodies(text, rest, listed)?;
                Ok(if left == text { left } else { allow_unwritten(&left) })
            }
        }
    }

    /// Demands that the student's own tree has each file of the labs that are over: for one that it lacks, nobody wants the
    /// solution unasked.
    fn check_own(&self, part: Part<'_>) -> Result<(), String> {
        let Some(own) = part.own else { return Ok(()) };
        let over = self.files.iter().filter(|file| part.body(file.lab) == Body::Kept).map(|file| file.path.as_str());
        let missing: Vec<&str> = over.filter(|path| !own.join(path).is_file()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} lacks files of earlier labs: {}. FROM is a tree as it was handed in, with kernel/ in it; without FROM earlier \
             labs are the solution's",
            own.display(),
            missing.join(", ")
        ))
    }

    /// Demands that each file of the watched directories is listed, and that each function that is listed is there.
    fn check(&self, root: &Path) -> Result<(), Box<dyn Error>> {
        let listed: Vec<&str> =
            self.files.iter().map(|file| &file.path).chain(&self.kept).map(String::as_str).collect();
        for file in tree::files(root)? {
            let is_watched = self.watch.iter().any(|directory| file.starts_with(directory));
            if is_watched && !listed.iter().any(|path| Path::new(path) == file) {
                return Err(format!("{LIST} doesn't say whose {} is", file.display()).into());
            }
        }
        for FunctionOf { file, name, .. } in &self.functions {
            let text = fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
            let outline = Outline::parse(&text).map_err(|error| format!("{file}: {error}"))?;
            if outline.function(name).is_none() {
                return Err(format!("{LIST} names the function {name}, which {file} hasn't").into());
            }
        }
        Ok(())
    }

    /// Makes `to` the tree that students start from, out of the project at `from`.
    ///
    /// # Errors
    ///
    /// If something cannot be read or written, or doesn't fit the list any more.
    pub fn make(&self, from: &Path, to: &Path, part: Part<'_>) -> Result<(), Box<dyn Error>> {
        self.empty(from, to, &self.leave_out, part)?;
        for edit in &self.edits {
            let path = to.join(&edit.file);
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", edit.file))?;
            fs::write(path, edit.apply(&text)?)?;
        }
        match part.lab {
            Some(lab) => labs::explain(to, lab, part.own.is_some()),
            None => Ok(()),
        }
    }
}

/// Replaces what public functions do by a panic with their names, unless it stays; and takes out private functions and tests,
/// unless the lab is over. `rest` is what becomes of the functions of which `listed` says nothing. What it says holds for
/// private ones, too. A function whose type only its body tells goes: none that is given calls one.
fn without_bodies<'a>(text: &str, rest: Body<'a>, listed: impl Fn(&str) -> Option<Body<'a>>) -> Result<String, String> {
    let outline = Outline::parse(text)?;
    let is_over = rest == Body::Kept;
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    for function in &outline.functions {
        let is_words = function.of_trait.as_deref().is_some_and(|name| KEPT_TRAITS.contains(&name));
        if is_words {
            continue;
        }
        let (name, is_own) = (&function.name, !function.is_public || function.returns_unnamed);
        let indent = indent_of(text, function.body.end - 1);
        let does = match listed(name).unwrap_or(rest) {
            _ if is_own && listed(name).is_none() && !is_over => {
                changes.push((with_blank_line(text, &function.whole), String::new()));
                continue;
            }
            Body::Kept => continue,
            Body::ToDo => format!("panic!(\"{TO_DO}{name}\")"),
            Body::Later(lab, None) => format!("panic!(\"{}{name}\")", not_yet(lab)),
            Body::Later(lab, Some(before)) => format!("// {}{name}\n{indent}    {before}", not_yet(lab)),
        };
        changes.push((function.body.clone(), format!("{{\n{indent}    {does}\n{indent}}}")));
    }
    let tests = outline.tests.iter().filter(|_| !is_over);
    changes.extend(tests.map(|tests| (with_blank_line(text, tests), String::new())));
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
        let left = without_bodies(TEXT, Body::ToDo, |_| None).unwrap();
        assert_eq!(
            left,
            "//! Words.\n\nuse core::fmt;\n\n/// A pool.\npub struct Pool {\n    free: u32,\n}\n\nimpl Pool {\n    \
             /// Counts.\n    pub fn free(&self) -> u32 {\n        panic!(\"to do: Pool::free\")\n    }\n}\n\n\
             impl fmt::Display for Pool {\n    fn fmt(&self) { kept() }\n}\n"
        );
        assert!(allow_unwritten(&left).starts_with("//! Words.\n// Until"));
    }
    #[test]
    fn a_function_whose_type_only_its_body_tells_goes() {
        let free =
            "    pub fn all(&self) -> impl Iterator<Item = u32> {\n        0..self.free\n    }\n\n    /// Counts.\n";
        let text = TEXT.replacen("    /// Counts.\n", free, 1);
        let left = without_bodies(&text, Body::ToDo, |_| None).unwrap();
        assert!(!left.contains("impl Iterator") && left.contains("to do: Pool::free"), "{left}");
    }

    #[test]
    fn the_students_page_has_a_row_for_each_file_that_is_theirs() {
        let page = include_str!("../../docs/src/handout.md");
        let handout = Handout::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))).unwrap();
        for file in handout.files(None) {
            let (folder, name) = file.path.rsplit_once('/').unwrap();
            let is_row = |line: &str| line.starts_with(&format!("| `{folder}/")) && line.contains(&format!("{name}`"));
            assert!(page.lines().any(is_row), "{}", file.path);
        }
    }

    #[test]
    fn of_a_lab_that_is_over_only_what_comes_later_goes() {
        let part = Part::new(Some(3));
        assert_eq!([2, 3, 4].map(|own| part.body(own)), [Body::Kept, Body::ToDo, Body::Later(4, None)]);
        assert_eq!([1, 4].map(|own| Part::new(None).body(own)), [Body::ToDo; 2]);
        assert_eq!(without_bodies(TEXT, Body::Kept, |_| None).unwrap(), TEXT);
        let later = |name: &str| (name == "Pool::free").then_some(Body::Later(4, None));
        let left = without_bodies(TEXT, Body::Kept, later).unwrap();
        assert_eq!(left, TEXT.replace("        self.own()\n", "        panic!(\"comes with lab 4: Pool::free\")\n"));
    }

    #[test]
    fn a_private_function_that_is_listed_is_handed_out_and_until_its_lab_does_what_the_list_says() {
        let own = |body| move |name: &str| (name == "Pool::own").then_some(body);
        let with = |does: &str| TEXT.replace("        self.free\n", &format!("        {does}\n"));
        for rest in [Body::Kept, Body::ToDo] {
            let left = without_bodies(TEXT, rest, own(Body::ToDo)).unwrap();
            assert!(left.contains("fn own(&self) -> u32 {\n        panic!(\"to do: Pool::own\")\n"), "{left}");
        }
        let left = without_bodies(TEXT, Body::Kept, own(Body::Later(5, Some("0")))).unwrap();
        assert_eq!(left, with("// comes with lab 5: Pool::own\n        0"));
    }

    #[test]
    fn the_students_own_file_stays_and_what_came_later_comes_now() {
        let own = tempfile::tempdir().unwrap();
        let file = File { path: "pool.rs".into(), give: Give::Signatures, lab: 2 };
        let handout: Handout =
            toml::from_str("leave_out = []\nwatch = []\nkept = []\nfile = []\nfunction = []\n").unwrap();
        let given = |lab| handout.given(&file, TEXT, Part { lab: Some(lab), own: Some(own.path()) }).unwrap();
        assert_eq!(handout.given(&file, TEXT, Part::new(Some(3))).unwrap(), TEXT);
        fs::write(own.path().join("pool.rs"), "// mine\nfn f() {\n    panic!(\"comes with lab 4: f\")\n}\n").unwrap();
        assert!(given(3).contains("// mine") && given(3).contains("comes with lab 4: f"));
        for lab in [4, 5] {
            assert!(given(lab).contains("panic!(\"to do: f\")"), "lab 4 has come in lab {lab}");
        }
        assert!(!given(2).contains("// mine"), "the lab's own files are as they are handed out");
    }

    #[test]
    fn a_tree_of_the_students_that_lacks_a_file_of_an_earlier_lab_is_refused_by_name() {
        let own = tempfile::tempdir().unwrap();
        let file = |path: &str, lab| File { path: path.into(), give: Give::Signatures, lab };
        let handout = Handout {
            files: vec![file("map.rs", 1), file("pool.rs", 1), file("table.rs", 2)],
            ..toml::from_str("leave_out = []\nwatch = []\nkept = []\nfile = []\nfunction = []\n").unwrap()
        };
        let check = |lab| handout.check_own(Part { lab: Some(lab), own: Some(own.path()) });
        fs::write(own.path().join("map.rs"), "").unwrap();
        assert_eq!(check(1), Ok(()));
        let words = check(3).unwrap_err();
        assert!(
            words.contains("lacks files of earlier labs: pool.rs, table.rs.") && !words.contains("map.rs"),
            "{words}"
        );
        assert_eq!(handout.check_own(Part::new(Some(3))), Ok(()));
    }
}
