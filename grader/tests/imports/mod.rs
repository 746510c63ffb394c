//! The files of a crate, and the arrows between them.
//!
//! A path in the text, in a `use` or anywhere else, is an arrow from its file to the file of the deepest module that it
//! names: `crate::paging::Mmu` leads to `paging/mod.rs`, `crate::paging::mmu::Mmu` to `paging/mmu.rs`. That a module declares
//! another, as in `mod mmu;`, is no arrow; that it re-exports something of it is one.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// The path of a module, from the crate's root on.
type Module = Vec<String>;

/// That a file imports another.
pub struct Arrow {
    /// The module that imports.
    pub from: Module,
    /// The module that it imports.
    pub to: Module,
    files: [PathBuf; 2],
    line: usize,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} imports {}", self.files[0].display(), self.line, self.files[1].display())
    }
}

/// The files of a crate by module, and the arrows between them.
pub struct Crate {
    files: BTreeMap<Module, PathBuf>,
    arrows: Vec<Arrow>,
}

impl Crate {
    /// Reads the crate in the directory `root`, whose files are in `src`.
    ///
    /// # Errors
    ///
    /// In words, if a file can't be read or isn't Rust.
    pub fn read(root: &Path) -> Result<Self, String> {
        let mut tree = Self { files: BTreeMap::new(), arrows: Vec::new() };
        tree.find_files(&root.join("src"), &Module::new())?;
        for (module, file) in &tree.files {
            let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let tokens: TokenStream = text.parse().map_err(|error| format!("{}: {error}", file.display()))?;
            let mut found = Paths { tree: &tree.files, module, inner: 0, arrows: BTreeMap::new() };
            found.read(tokens);
            let relative = |file: &Path| file.strip_prefix(root).unwrap_or(file).to_path_buf();
            tree.arrows.extend(found.arrows.into_iter().map(|(to, line)| {
                let files = [relative(file), relative(&tree.files[&to])];
                Arrow { from: module.clone(), to, files, line }
            }));
        }
        Ok(tree)
    }

    /// Finds the files of `module`'s children in `directory`, and its own `mod.rs`, `lib.rs` or `main.rs`.
    fn find_files(&mut self, directory: &Path, module: &Module) -> Result<(), String> {
        let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let child: Module = module.iter().cloned().chain([stem.clone()]).collect();
            if path.is_dir() {
                self.find_files(&path, &child)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                match stem.as_str() {
                    // Beside a library, the program is above all of it.
                    "main" if module.is_empty() && directory.join("lib.rs").exists() => {}
                    "mod" | "lib" | "main" => drop(self.files.insert(module.clone(), path)),
                    _ => drop(self.files.insert(child, path)),
                }
            }
        }
        Ok(())
    }

    /// Returns all arrows.
    pub fn arrows(&self) -> &[Arrow] {
        &self.arrows
    }

    /// Returns the arrows of a shortest loop, or nothing if there is none.
    pub fn a_loop(&self) -> Vec<&Arrow> {
        self.files.keys().filter_map(|start| self.way_back(start)).min_by_key(Vec::len).unwrap_or_default()
    }

    /// Returns the shortest way from `start` to itself.
    fn way_back(&self, start: &Module) -> Option<Vec<&Arrow>> {
        let mut reached_by: BTreeMap<&Module, &Arrow> = BTreeMap::new();
        let mut next = VecDeque::from([start]);
        while let Some(module) = next.pop_front() {
            for arrow in self.arrows.iter().filter(|arrow| &arrow.from == module) {
                if reached_by.contains_key(&arrow.to) {
                    continue;
                }
                reached_by.insert(&arrow.to, arrow);
                if &arrow.to != start {
                    next.push_back(&arrow.to);
                    continue;
                }
                let mut way = vec![arrow];
                while way[0].from != *start {
                    way.insert(0, reached_by[&way[0].from]);
                }
                return Some(way);
            }
        }
        None
    }
}

/// The paths in a file's tokens.
struct Paths<'a> {
    tree: &'a BTreeMap<Module, PathBuf>,
    module: &'a Module,
    /// How many modules in braces the tokens are inside.
    inner: usize,
    /// The modules that are named, and the line of the first time.
    arrows: BTreeMap<Module, usize>,
}

impl Paths<'_> {
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(word) if !ends_in_colons(&tokens[..at]) && !is_declared(&tokens[..at]) => {
                    let base = self.base(&word.to_string());
                    if let (Some(base), true) = (base, starts_with_colons(&tokens[at + 1..])) {
                        at = self.follow(base, &tokens, at + 1);
                        continue;
                    }
                }
                TokenTree::Group(group) => {
                    let is_module =
                        matches!(&tokens[..at], [.., TokenTree::Ident(word), TokenTree::Ident(_)] if word == "mod");
                    self.inner += usize::from(is_module);
                    self.read(group.stream());
                    self.inner -= usize::from(is_module);
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Returns the module that a path starts from whose first word is `word`; `None` if it is none of this crate's.
    fn base(&self, word: &str) -> Option<Base> {
        match word {
            "crate" => Some(Base::Module(Module::new())),
            "self" => Some(Base::Up(0)),
            "super" => Some(Base::Up(1)),
            child => {
                let child: Module = self.module.iter().cloned().chain([child.into()]).collect();
                self.tree.contains_key(&child).then_some(Base::Module(child))
            }
        }
    }

    /// Follows a path from `base` on, whose next token is at `at`. Returns where it ends.
    fn follow(&mut self, mut base: Base, tokens: &[TokenTree], mut at: usize) -> usize {
        while starts_with_colons(&tokens[at..]) {
            let Some(next) = tokens.get(at + 2) else {
                break;
            };
            match next {
                TokenTree::Ident(word) if word == "super" => base = base.up(),
                TokenTree::Ident(word) => match self.child(&base, &word.to_string()) {
                    Some(child) => base = Base::Module(child),
                    None => break,
                },
                TokenTree::Group(group) => {
                    self.follow_each(&base, group.stream());
                    return at + 3;
                }
                _ => break,
            }
            at += 3;
        }
        let line = tokens[at.saturating_sub(1)].span().start().line;
        if let Some(to) = self.file_of(&base)
            && to != *self.module
        {
            self.arrows.entry(to).or_insert(line);
        }
        at
    }

    /// Follows each path in the braces of a `use`.
    fn follow_each(&mut self, base: &Base, group: TokenStream) {
        let tokens: Vec<TokenTree> = group.into_iter().collect();
        for path in tokens.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')) {
            match path.first() {
                Some(TokenTree::Ident(word)) => {
                    let child = self.child(base, &word.to_string());
                    let is_child = child.is_some();
                    let next = child.map_or(base.clone(), Base::Module);
                    self.follow(next, path, if is_child { 1 } else { path.len() });
                }
                Some(_) => drop(self.follow(base.clone(), path, path.len())),
                None => {}
            }
        }
    }

    fn child(&self, base: &Base, word: &str) -> Option<Module> {
        let child: Module = self.file_of(base)?.into_iter().chain([word.into()]).collect();
        self.tree.contains_key(&child).then_some(child)
    }

    /// Returns the module whose file `base` is in: for a module in braces, the one around it.
    fn file_of(&self, base: &Base) -> Option<Module> {
        match base {
            Base::Module(module) => Some(module.clone()),
            Base::Up(steps) => {
                let above = steps.saturating_sub(self.inner);
                self.module.len().checked_sub(above).map(|depth| self.module[..depth].to_vec())
            }
        }
    }
}

/// Where a path starts.
#[derive(Clone)]
enum Base {
    Module(Module),
    /// So many modules above the one that the tokens are in.
    Up(usize),
}

impl Base {
    fn up(self) -> Self {
        match self {
            Self::Module(mut module) => {
                module.pop();
                Self::Module(module)
            }
            Self::Up(steps) => Self::Up(steps + 1),
        }
    }
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

fn starts_with_colons(tokens: &[TokenTree]) -> bool {
    is_colon(tokens.first()) && is_colon(tokens.get(1))
}

fn ends_in_colons(tokens: &[TokenTree]) -> bool {
    tokens.len() > 1 && is_colon(tokens.last()) && is_colon(tokens.get(tokens.len() - 2))
}

/// Says whether the next word is the name of a module that is declared here.
fn is_declared(tokens: &[TokenTree]) -> bool {
    matches!(tokens.last(), Some(TokenTree::Ident(word)) if word == "mod")
}
