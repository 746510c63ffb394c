//! The confinement of builds: a compiler reads whatever it is told to, so that a submission's runs where there is nothing to
//! be found.
//!
//! The build is started by a small launcher, `instructor confined`, which gives up rights and then becomes the build. By
//! Landlock it keeps those to read the tools and one tree, and to write where the kernel is built; nothing of the solution,
//! of hidden tests, of whoever grades, and no network. Where the system has no Landlock, `bwrap` hides the same. Memory and
//! the size of files are limited in any case.
//!
//! Sources: landlock(7), bwrap(1), getrlimit(2).

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::convert::Infallible;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The address space of each process of a build, in bytes. The kernel's takes an eighth.
const MEMORY: u64 = 4 << 30;

/// The longest file that a build may write, in bytes.
const LONGEST_FILE: u64 = 1 << 30;

/// What the tools are made of, and the devices that they use. What is not there is no loss.
const TOOLS: [&str; 11] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/dev/urandom",
    "/proc/self",
];

/// What Cargo reads in its directory; its credentials are not among it.
const OF_CARGO: [&str; 4] = ["bin", "config.toml", "git", "registry"];

/// What hides files from a build.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wall {
    /// Landlock.
    Landlock,
    /// A view of files of its own, by `bwrap`.
    Bubblewrap,
    /// Nothing: neither is here, or works.
    Nothing,
}

impl Wall {
    /// Finds out what there is.
    pub fn available() -> Self {
        let landlock = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(ABI::V1))
            .and_then(Ruleset::create);
        if landlock.is_ok() {
            return Self::Landlock;
        }
        let words = ["--unshare-all", "--ro-bind", "/", "/", "true"];
        let tried = Command::new("bwrap").args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if tried.is_ok_and(|status| status.success()) { Self::Bubblewrap } else { Self::Nothing }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = match self {
            Self::Landlock => "files and network hidden by Landlock",
            Self::Bubblewrap => "files and network hidden by bubblewrap",
            Self::Nothing => "no files hidden: this system has no Landlock, and bubblewrap is missing or may not run",
        };
        write!(f, "{hidden}; {} GiB of memory a process", MEMORY >> 30)
    }
}

/// What a build may read and write, beside the tools.
#[derive(Clone, Debug)]
pub struct Confinement {
    wall: Wall,
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
}

impl Confinement {
    /// Makes the confinement of a build that reads these files and directories, and writes in those.
    pub fn new(wall: Wall, reads: &[&Path], writes: &[&Path]) -> Self {
        let owned = |paths: &[&Path]| paths.iter().map(|path| path.to_path_buf()).collect::<Vec<_>>();
        let home = std::env::home_dir().unwrap_or_default();
        let of = |name: &str, default: &str| std::env::var_os(name).map_or_else(|| home.join(default), PathBuf::from);
        let (cargo, rustup) = (of("CARGO_HOME", ".cargo"), of("RUSTUP_HOME", ".rustup"));
        // Where scripts/toolchain finds Cargo, too.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = std::env::split_paths(&path).find(|directory| directory.join("rustup").is_file());
        let of_rust = OF_CARGO.iter().map(|part| cargo.join(part)).chain([rustup]).chain(programs);
        let tools = TOOLS.iter().map(PathBuf::from).chain(of_rust);
        Self { wall, reads: tools.chain(owned(reads)).collect(), writes: owned(writes) }
    }

    /// Returns the words that start `command` so confined.
    ///
    /// # Errors
    ///
    /// If this program's own file is not to be found.
    pub fn words(&self, command: Vec<String>) -> Result<Vec<String>, std::io::Error> {
        let text = |path: &Path| path.display().to_string();
        let each = |flag: &str, paths: &[PathBuf]| {
            paths.iter().flat_map(|path| [flag.to_owned(), text(path)]).collect::<Vec<_>>()
        };
        let mut words = vec![text(&std::env::current_exe()?), "confined".into()];
        if self.wall == Wall::Landlock {
            words.push("--landlock".into());
            words.extend(each("--read", &self.reads).into_iter().chain(each("--write", &self.writes)));
        }
        words.push("--".into());
        if self.wall == Wall::Bubblewrap {
            words.extend(
                ["bwrap", "--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev"].map(Into::into),
            );
            let bind = |flag: &str, paths: &[PathBuf]| {
                let there = paths
                    .iter()
                    .filter(|path| path.exists() && !path.starts_with("/proc") && !path.starts_with("/dev"));
                there.flat_map(|path| [flag.to_owned(), text(path), text(path)]).collect::<Vec<_>>()
            };
            words.extend(bind("--ro-bind", &self.reads).into_iter().chain(bind("--bind", &self.writes)));
        }
        words.extend(command);
        Ok(words)
    }
}

/// What the launcher is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Whether Landlock hides what is not named
    #[arg(long)]
    landlock: bool,
    /// What may be read, and executed
    #[arg(long)]
    read: Vec<PathBuf>,
    /// What may be written, too
    #[arg(long)]
    write: Vec<PathBuf>,
    /// What is started
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Gives up all rights but those that `arguments` name, and becomes the command. Returns only if that fails.
///
/// # Errors
///
/// If something is not there, or the system refuses.
pub fn confine(arguments: &Arguments) -> Result<Infallible, Box<dyn Error>> {
    for (resource, limit) in [(Resource::As, MEMORY), (Resource::Fsize, LONGEST_FILE), (Resource::Core, 0)] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    if arguments.landlock {
        let abi = ABI::V6;
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?
            .add_rules(path_beneath_rules(&arguments.read, AccessFs::from_read(abi)))?
            .add_rules(path_beneath_rules(&arguments.write, AccessFs::from_all(abi)))?
            .add_rules(path_beneath_rules(["/dev/null"], AccessFs::from_file(abi)))?
            .restrict_self()?;
        if status.ruleset == RulesetStatus::NotEnforced {
            return Err("this system has no Landlock".into());
        }
    }
    let [program, words @ ..] = arguments.command.as_slice() else { return Err("nothing to start".into()) };
    let error = Command::new(program).args(words).exec();
    Err(format!("{}: {error}", program.display()).into())
}
