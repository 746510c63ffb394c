//! How much each module tells: `log=LEVEL` and `log=MODULE:LEVEL`, several separated by commas.

use crate::text::Text;
use core::fmt;
use log::LevelFilter;

/// The level of a module that the command line does not name.
const DEFAULT: LevelFilter = LevelFilter::Info;

const LONGEST: usize = 128;

/// The levels of all modules, kept as the words that set them.
#[derive(Clone, Debug)]
pub struct Levels(Text<LONGEST>);

/// A part of the words that sets no level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadLevel<'a>(&'a str);

impl fmt::Display for BadLevel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log={}: expected LEVEL or MODULE:LEVEL, with off, error, warn, info, debug or trace", self.0)
    }
}

impl Levels {
    /// Every module at its default.
    pub const DEFAULT: Self = Self(Text::EMPTY);

    /// Reads for example `info` or `vm:debug,paging:trace,warn`.
    ///
    /// # Errors
    ///
    /// The first part that sets no level, or all of it if it is longer than 128 bytes.
    pub fn parse(words: &str) -> Result<Self, BadLevel<'_>> {
        if words.len() > LONGEST {
            return Err(BadLevel(words));
        }
        match words.split(',').find(|part| setting(part).is_none()) {
            Some(bad) => Err(BadLevel(bad)),
            None => Ok(Self(Text::copied(words.as_bytes()))),
        }
    }

    /// Returns the level of `module`, a path like `droste::vm::pool`. The longest name that leads to it counts.
    pub fn of(&self, module: &str) -> LevelFilter {
        let module = module.strip_prefix("droste::").unwrap_or(module);
        self.settings()
            .filter(|(name, _)| match module.strip_prefix(name) {
                Some(rest) => name.is_empty() || rest.is_empty() || rest.starts_with("::"),
                None => false,
            })
            .max_by_key(|(name, _)| name.len())
            .map_or(DEFAULT, |(_, level)| level)
    }

    /// Returns the highest level of any module.
    pub fn max(&self) -> LevelFilter {
        let others = self.of("");
        self.settings().map(|(_, level)| level).fold(others, Ord::max)
    }

    fn settings(&self) -> impl Iterator<Item = (&str, LevelFilter)> {
        self.0.as_str().split(',').filter_map(setting)
    }
}

/// Splits `MODULE:LEVEL`. A bare `LEVEL` is for the module of the empty name, which leads to all.
fn setting(part: &str) -> Option<(&str, LevelFilter)> {
    let (module, level) = part.rsplit_once(':').unwrap_or(("", part));
    Some((module, level.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_that_leads_to_a_module_counts() {
        let levels = Levels::parse("paging:trace,vm:debug,vm::pool:off,warn").unwrap();
        assert_eq!(levels.of("droste::paging::table"), LevelFilter::Trace);
        assert_eq!(levels.of("droste::vm"), LevelFilter::Debug);
        assert_eq!(levels.of("droste::vm::pool"), LevelFilter::Off);
        assert_eq!(levels.of("droste::vmx"), LevelFilter::Warn);
        assert_eq!(levels.max(), LevelFilter::Trace);
    }

    #[test]
    fn a_module_that_is_not_named_keeps_the_default() {
        assert_eq!(Levels::parse("vm:trace").unwrap().of("droste::paging"), DEFAULT);
        assert_eq!(Levels::DEFAULT.max(), DEFAULT);
    }

    #[test]
    fn what_sets_no_level_is_named() {
        assert_eq!(Levels::parse("info,vm:loud").unwrap_err(), BadLevel("vm:loud"));
        assert_eq!(Levels::parse("").unwrap_err(), BadLevel(""));
    }
}
