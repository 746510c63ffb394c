//! The list of mutants.

use crate::source::Edit;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the lists are, in the tree.
const LISTS: &str = "grader/mutants";

/// Where the plain designs are, in the tree: each has the files in which it differs from the solution.
const DESIGNS: &str = "instructor/designs";

/// A mistake that is planted.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// A word or some, joined by hyphens.
    pub name: String,
    /// What is wrong with it, in a sentence.
    pub mistake: String,
    /// Where the structure of the code excludes the mistake as it is seen in practice: why, and what stands for it.
    pub note: Option<String>,
    /// The tests that must catch it, as GROUP/ID, each with the verdict that it must give.
    pub caught_by: BTreeMap<String, String>,
    /// Words that all are shown of these tests, so that they tell this mistake from others. A design's mutant has some, and one
    /// test, which is the first failure of a run.
    #[serde(default)]
    pub shows: Vec<String>,
    /// The mistake itself.
    #[serde(rename = "edit")]
    pub edits: Vec<Edit>,
    /// The heading under which it is listed: that of its file.
    #[serde(skip)]
    pub part: String,
    /// The directory of the design in which it is planted, if that is not the solution.
    #[serde(skip)]
    pub design: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    part: String,
    /// The plain design that its mistakes are planted in.
    design: Option<String>,
    mutant: Vec<Mutant>,
}

impl Mutant {
    /// Says what is wrong with it.
    fn check(&self) -> Result<(), &'static str> {
        if self.caught_by.is_empty() {
            return Err("says no test that must catch it");
        }
        if self.edits.is_empty() {
            return Err("changes nothing");
        }
        if self.edits.iter().any(|edit| edit.find.trim() == edit.replace.trim()) {
            return Err("replaces a text by itself");
        }
        if self.design.is_some() && (self.shows.is_empty() || self.caught_by.len() != 1) {
            return Err("must say what one failure shows, since it is in a design");
        }
        Ok(())
    }
}

/// Reads the mutants of the project at `root`.
///
/// # Errors
///
/// In words, if a list cannot be read or is not well-formed.
pub fn load(root: &Path) -> Result<Vec<Mutant>, Box<dyn Error>> {
    let mut paths: Vec<_> = fs::read_dir(root.join(LISTS))
        .map_err(|error| format!("{LISTS}: {error}"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut mutants = Vec::new();
    for path in paths {
        let file: File =
            toml::from_str(&fs::read_to_string(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        let design = file.design.map(|name| root.join(DESIGNS).join(name));
        let listed = |mutant| Mutant { part: file.part.clone(), design: design.clone(), ..mutant };
        mutants.extend(file.mutant.into_iter().map(listed));
    }
    let mut names = BTreeSet::new();
    for mutant in &mutants {
        mutant.check().map_err(|wrong| format!("{LISTS}: mutant `{}` {wrong}", mutant.name))?;
        if !names.insert(&mutant.name) {
            return Err(format!("{LISTS}: mutant `{}` is there twice", mutant.name).into());
        }
    }
    Ok(mutants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_fits_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut misfits = Vec::new();
        for mutant in load(&root).unwrap() {
            let mut texts = BTreeMap::new();
            for edit in &mutant.edits {
                let text = texts.entry(edit.file.clone()).or_insert_with(|| {
                    let designs = mutant.design.as_ref().map(|design| design.join(&edit.file));
                    let text = designs.and_then(|file| fs::read_to_string(file).ok());
                    text.unwrap_or_else(|| fs::read_to_string(root.join(&edit.file)).unwrap_or_default())
                });
                match edit.apply(text) {
                    Ok(changed) => *text = changed,
                    Err(why) => misfits.push(format!("{}: {why}", mutant.name)),
                }
            }
        }
        assert!(misfits.is_empty(), "{}", misfits.join("\n"));
    }
}
