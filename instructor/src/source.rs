//! Rust source as text with places in it: where each function is, and edits that must fit.

use serde::Deserialize;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::{Attribute, Block, ImplItem, Item, ReturnType, Signature, TraitItem, Type, Visibility};

/// A function of a file.
pub struct Function {
    /// `get_frame`, `FramePool::get_frame`, or `<FramePool as FrameSource>::get_frame`; what a trait itself gives has the
    /// trait's name in place of a type's.
    pub name: String,
    /// The bytes of all of it, its documentation and attributes too.
    pub whole: Range<usize>,
    /// The bytes of its body, braces included.
    pub body: Range<usize>,
    /// Whether others can call it: it is `pub` in some way, or a trait demands it.
    pub is_public: bool,
    /// The trait that demands it.
    pub of_trait: Option<String>,
    /// Whether it returns a type without a name (`impl Trait`), which its body alone makes known.
    pub returns_unnamed: bool,
}

/// What a file consists of, as far as the handout needs to know.
pub struct Outline {
    /// Its functions, in the order of the text. Those without a body and those of test modules are not among them.
    pub functions: Vec<Function>,
    /// The bytes of its test modules, attributes included.
    pub tests: Vec<Range<usize>>,
    /// The bytes of its `impl` blocks with nothing in them, those of traits left out.
    pub empty: Vec<Range<usize>>,
}

impl Outline {
    /// Reads `text`.
    ///
    /// # Errors
    ///
    /// In words, if it is not Rust.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file = syn::parse_file(text).map_err(|error| {
            let place = error.span().start();
            format!("line {}: {error}", place.line)
        })?;
        let mut outline = Self { functions: Vec::new(), tests: Vec::new(), empty: Vec::new() };
        for item in &file.items {
            outline.add(item);
        }
        Ok(outline)
    }

    /// Returns the function called `name`.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    fn add(&mut self, item: &Item) {
        match item {
            Item::Fn(function) => self.push(None, None, &function.vis, &function.sig, &function.block, item.span()),
            Item::Impl(group) if group.items.is_empty() && group.trait_.is_none() => {
                self.empty.push(item.span().byte_range());
            }
            Item::Impl(group) => {
                let owner = type_name(&group.self_ty);
                let of_trait =
                    group.trait_.as_ref().and_then(|(path, _)| Some(path.segments.last()?.ident.to_string()));
                for inner in &group.items {
                    if let ImplItem::Fn(function) = inner {
                        let (owner, of_trait) = (Some(owner.as_str()), of_trait.clone());
                        self.push(owner, of_trait, &function.vis, &function.sig, &function.block, inner.span());
                    }
                }
            }
            Item::Trait(group) => {
                let owner = group.ident.to_string();
                for inner in &group.items {
                    if let TraitItem::Fn(function) = inner
                        && let Some(body) = &function.default
                    {
                        self.push(Some(&owner), None, &group.vis, &function.sig, body, inner.span());
                    }
                }
            }
            Item::Mod(module) if module.attrs.iter().any(is_cfg_test) => self.tests.push(item.span().byte_range()),
            _ => {}
        }
    }

    fn push(
        &mut self,
        owner: Option<&str>,
        of_trait: Option<String>,
        visibility: &Visibility,
        signature: &Signature,
        body: &Block,
        span: proc_macro2::Span,
    ) {
        let name = match (owner, &of_trait) {
            (Some(owner), Some(of_trait)) => format!("<{owner} as {of_trait}>::{}", signature.ident),
            (Some(owner), None) => format!("{owner}::{}", signature.ident),
            (None, _) => signature.ident.to_string(),
        };
        self.functions.push(Function {
            name,
            whole: span.byte_range(),
            body: body.span().byte_range(),
            is_public: of_trait.is_some() || !matches!(visibility, Visibility::Inherited),
            of_trait,
            returns_unnamed: matches!(&signature.output, ReturnType::Type(_, of) if matches!(**of, Type::ImplTrait(_))),
        });
    }
}

fn type_name(of: &Type) -> String {
    match of {
        Type::Path(path) => path.path.segments.last().map_or_else(String::new, |segment| segment.ident.to_string()),
        _ => String::new(),
    }
}

fn is_cfg_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
}

/// A change to a file, found by its text. Spaces and line ends count for nothing, so formatting may change around it.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The file, from the root of the tree.
    pub file: String,
    /// The function that the text stands in, as [`Function::name`] has it; anywhere in the file if absent.
    #[serde(rename = "in")]
    pub function: Option<String>,
    /// What is there now. It must be there exactly once. If empty, the start of the function's body.
    #[serde(default)]
    pub find: String,
    /// What comes in its place.
    pub replace: String,
}

impl Edit {
    /// Returns `text` with the change made.
    ///
    /// # Errors
    ///
    /// In words, if what is to be changed isn't there exactly once.
    pub fn apply(&self, text: &str) -> Result<String, String> {
        let mut scope = 0..text.len();
        if let Some(name) = &self.function {
            let outline = Outline::parse(text).map_err(|error| format!("{}: {error}", self.file))?;
            let function = outline.function(name).ok_or_else(|| format!("{} has no function {name}", self.file))?;
            if self.find.is_empty() {
                let (before, body) = text.split_at(function.body.start + "{".len());
                return Ok(format!("{before} {}{body}", self.replace));
            }
            scope = function.whole.clone();
        }
        let found = places(&text[scope.clone()], &self.find);
        let [place] = found.as_slice() else {
            let within = self.function.as_ref().map_or(String::new(), |name| format!(", in {name},"));
            return Err(format!(
                "{}{within} has {} places like this, not one: {}",
                self.file,
                found.len(),
                self.find.trim()
            ));
        };
        let (from, mut to) = (scope.start + place.start, scope.start + place.end);
        // A line that goes altogether leaves no empty one: that would cut a table in two.
        if self.replace.is_empty() && text[..from].ends_with('\n') && text[to..].starts_with('\n') {
            to += 1;
        }
        Ok(format!("{}{}{}", &text[..from], self.replace, &text[to..]))
    }
}

/// Returns where `wanted` stands in `text`, spaces and line ends left out of account.
fn places(text: &str, wanted: &str) -> Vec<Range<usize>> {
    let wanted: Vec<char> = wanted.chars().filter(|c| !c.is_whitespace()).collect();
    let text: Vec<(usize, char)> = text.char_indices().filter(|(_, c)| !c.is_whitespace()).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let place = |window: &[(usize, char)]| {
        let (first, last) = (window.first()?, window.last()?);
        window.iter().map(|(_, c)| c).eq(&wanted).then(|| first.0..last.0 + last.1.len_utf8())
    };
    text.windows(wanted.len()).filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "//! é\nstruct S;\nimpl S {\n    /// Adds.\n    pub fn add(&self) -> u32 {\n        1 + 1\n    }\n\n    \
                        fn own(&self) -> u32 {\n        1 + 1\n    }\n}\nimpl T for S {\n    fn add() {}\n}\n\
                        pub trait T {\n    fn add();\n    fn two() {}\n}\n\
                        #[cfg(test)]\nmod tests {\n    fn f() {}\n}\n";

    fn edit(function: Option<&str>, find: &str) -> Edit {
        Edit { file: "f.rs".into(), function: function.map(Into::into), find: find.into(), replace: "2".into() }
    }

    #[test]
    fn functions_are_found_with_their_documentation() {
        let outline = Outline::parse(TEXT).unwrap();
        let names: Vec<_> = outline.functions.iter().map(|function| function.name.as_str()).collect();
        assert_eq!(names, ["S::add", "S::own", "<S as T>::add", "T::two"]);
        let add = outline.function("S::add").unwrap();
        assert!(TEXT[add.whole.clone()].starts_with("/// Adds."));
        assert_eq!(&TEXT[add.body.clone()], "{\n        1 + 1\n    }");
        assert!(TEXT[outline.tests[0].clone()].starts_with("#[cfg(test)]"));
    }

    #[test]
    fn an_edit_finds_its_place_whatever_the_spaces() {
        let edited = edit(Some("S::own"), "1+\n1").apply(TEXT).unwrap();
        assert_eq!(edited.matches("1 + 1").count(), 1);
        assert!(edited.contains("fn own(&self) -> u32 {\n        2\n"));
    }

    #[test]
    fn a_line_that_goes_leaves_no_empty_one() {
        let edit = Edit { replace: String::new(), ..edit(None, "struct S;") };
        assert!(edit.apply(TEXT).unwrap().starts_with("//! é\nimpl S {"));
    }

    #[test]
    fn an_edit_that_finds_nothing_stands_at_the_start_of_its_function() {
        assert!(edit(Some("S::own"), "").apply(TEXT).unwrap().contains("fn own(&self) -> u32 { 2\n        1 + 1"));
        assert!(edit(None, "").apply(TEXT).unwrap_err().contains("has 0 places"));
    }

    #[test]
    fn an_edit_that_fits_nowhere_or_twice_is_refused() {
        assert!(edit(None, "1 + 2").apply(TEXT).unwrap_err().contains("has 0 places"));
        assert!(edit(None, "1 + 1").apply(TEXT).unwrap_err().contains("has 2 places"));
        assert!(edit(Some("S::gone"), "1").apply(TEXT).unwrap_err().contains("no function S::gone"));
    }
}
