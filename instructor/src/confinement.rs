//! The confinement of builds: a compiler reads whatever it is told to, so that a submission's runs where there is nothing to
//! be found.
//!
//! The build is started by a small launcher, `instructor confined`, which gives up rights and then becomes the build. By
//! Landlock it keeps those to read the tools and one tree, and to write where the kernel is built; nothing of the solution,
//! of hidden tests, of whoever grades, and no network. Where the system has no Landlock, `bwrap` hides the same; where that
//! does not work either, in a container that runs all as root, the build is another user's, who can't read what is root's
//! alone. Memory and the size of files are limited in any case.
//!
//! Sources: landlock(7), bwrap(1), getrlimit(2).

use clap::ValueEnum;
use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::convert::Infallible;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::fs::lchown;
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

/// The user that stands for nobody, and its group.
const NOBODY: u32 = 65534;

/// What a build is told by its environment: these, and what begins so. A compiler reads the rest aloud, too (`env!`).
const VARIABLES: [&str; 5] = ["HOME", "LANG", "OVERLAY", "PATH", "TMPDIR"];
const BEGINNINGS: [&str; 4] = ["CARGO_", "DROSTE_TOOLCHAIN", "RUST", "LC_"];

/// What hides files from a build.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Wall {
    /// Landlock.
    Landlock,
    /// A view of files of its own, by `bwrap`.
    Bubblewrap,
    /// Another user, who may read what everybody may.
    OtherUser,
    /// Nothing.
    Nothing,
}

impl Wall {
    /// Finds the best that there is and that lets a build read what it must.
    pub fn best() -> Self {
        let all = [Self::Landlock, Self::Bubblewrap, Self::OtherUser];
        all.into_iter().find(|wall| wall.works()).unwrap_or(Self::Nothing)
    }

    /// Says whether a program can be started behind it, and can read the tools there.
    pub fn works(self) -> bool {
        let confinement = Confinement::new(self, &[], &[]);
        let there = confinement.reads.iter().filter(|path| path.exists()).map(|path| path.display().to_string());
        let script = "for file; do [ -r \"$file\" ] || exit 1; done";
        let trial = ["sh", "-c", script, "sh"].map(String::from).into_iter().chain(there).collect();
        let Ok(words) = confinement.words(trial) else { return false };
        let [program, words @ ..] = words.as_slice() else { return false };
        let tried = Command::new(program).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = match self {
            Self::Landlock => "files and network hidden by Landlock",
            Self::Bubblewrap => "files and network hidden by bubblewrap",
            Self::OtherUser => {
                "built by another user, who reads what everybody may: neither Landlock nor bubblewrap is here"
            }
            Self::Nothing => "no files hidden: neither Landlock nor bubblewrap is here, nor another user",
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
        let each = |flag: &'static str, paths: &[PathBuf]| {
            paths.iter().flat_map(|path| [flag.to_owned(), text(path)]).collect::<Vec<_>>()
        };
        let wall = self.wall.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let launcher = [text(&std::env::current_exe()?), "confined".into(), "--wall".into(), wall];
        let limits = each("--read", &self.reads).into_iter().chain(each("--write", &self.writes));
        Ok(launcher.into_iter().chain(limits).chain(["--".into()]).chain(command).collect())
    }
}

/// What the launcher is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// What hides the rest
    #[arg(long, value_enum)]
    wall: Wall,
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
    let [program, words @ ..] = arguments.command.as_slice() else { return Err("nothing to start".into()) };
    let mut command = Command::new(program);
    match arguments.wall {
        Wall::Landlock => restrict(arguments)?,
        Wall::Bubblewrap => {
            command = Command::new("bwrap");
            command.args(view(arguments)).arg(program);
        }
        Wall::OtherUser => {
            arguments.write.iter().try_for_each(|path| give_away(path))?;
            command.uid(NOBODY).gid(NOBODY);
        }
        Wall::Nothing => {}
    }
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_told(name)));
    let error = command.args(words).exec();
    Err(format!("{}: {error}", command.get_program().display()).into())
}

/// Says whether a build is told the variable `name`. Credentials of Cargo's are none of its business.
fn is_told(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let named = VARIABLES.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
    named && !name.contains("REGISTR")
}

/// Gives up the rights that Landlock knows of, but for those that `arguments` name.
fn restrict(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
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
    Ok(())
}

/// Returns the arguments of `bwrap` that make a view with what `arguments` name, and nothing else.
fn view(arguments: &Arguments) -> Vec<&OsStr> {
    fn bind<'a>(flag: &'a str, paths: &'a [PathBuf]) -> impl Iterator<Item = &'a OsStr> {
        let there =
            paths.iter().filter(|path| path.exists() && !path.starts_with("/proc") && !path.starts_with("/dev"));
        there.flat_map(move |path| [flag.as_ref(), path.as_os_str(), path.as_os_str()])
    }
    let own = ["--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev"].map(OsStr::new);
    own.into_iter().chain(bind("--ro-bind", &arguments.read)).chain(bind("--bind", &arguments.write)).collect()
}

/// Makes `path`, and all that is below it, the other user's.
fn give_away(path: &Path) -> std::io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    lchown(path, Some(NOBODY), Some(NOBODY))?;
    if path.symlink_metadata()?.is_dir() {
        std::fs::read_dir(path)?.try_for_each(|entry| give_away(&entry?.path()))?;
    }
    Ok(())
}
