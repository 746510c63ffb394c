//! Virtual machines: a child process each, which never outlives the grader or its own time limit.
//!
//! COM1 is the console and comes out of the child's standard output. COM2 is the control channel and goes to a file.
//! The child leads a process group of its own, so that what a script starts ends with the script; the kernel ends it,
//! by `setpriv --pdeathsig`, should the grader itself be killed.

use crate::verdict::{Ended, Run};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The program that plays the machine.
const QEMU: &str = "qemu-system-i386";

/// How often a running machine is looked at.
const POLL: Duration = Duration::from_millis(2);

/// How long a child may take to end when it is asked to, before it is made to.
const GRACE: Duration = Duration::from_secs(3);

/// A machine that can be started: a program with its words, and what it needs.
#[derive(Clone, Debug)]
pub struct Machine {
    program: String,
    words: Vec<String>,
    settings: Vec<(&'static str, &'static str)>,
    has_control: bool,
    needs: Vec<Need>,
}

/// Something without which a machine cannot start.
#[derive(Clone, Debug)]
enum Need {
    /// A program on the search path, from a package that `make setup` brings.
    Program(&'static str),
    /// A file that `make` builds.
    Built(PathBuf),
}

impl Machine {
    /// Makes the reference machine with another amount of `memory`, which boots `kernel` without a boot loader.
    ///
    /// ACPI is off because its tables would take frames from the end of memory.
    pub fn by_kernel(kernel: &Path, memory: &str, command_line: &str) -> Self {
        let kernel_file = kernel.display().to_string();
        let words = [
            ["-accel", "tcg"],
            ["-machine", "pc,acpi=off"],
            ["-m", memory],
            ["-display", "none"],
            ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
            ["-kernel", &kernel_file],
            ["-append", command_line],
            ["-serial", "stdio"],
        ];
        let mut words: Vec<String> = words.as_flattened().iter().map(|&word| word.into()).collect();
        words.extend(["-nodefaults".into(), "-no-reboot".into()]);
        Self {
            program: QEMU.into(),
            words,
            settings: Vec::new(),
            has_control: true,
            needs: vec![Need::Program(QEMU), Need::Built(kernel.into())],
        }
    }

    /// Makes a machine that `script` starts, with `settings` in its environment. It has no control channel.
    pub fn by_script(script: &str, words: &[&str], settings: &[(&'static str, &'static str)]) -> Self {
        Self {
            program: script.into(),
            words: words.iter().map(|&word| word.into()).collect(),
            settings: settings.into(),
            has_control: false,
            needs: Vec::new(),
        }
    }

    /// Returns the command that repeats the run for a person, with the console on the terminal.
    pub fn repeat(&self) -> String {
        let settings = self.settings.iter().map(|(name, value)| format!("{name}={value} "));
        let words = self.words.iter().map(|word| format!(" {}", quoted(word)));
        let control = if self.has_control { " -serial null" } else { "" };
        settings.chain([self.program.clone()]).chain(words).chain([control.into()]).collect()
    }

    /// Runs the machine to its end or for `limit`, with files in `directory`. Returns `None` if `stop` became true.
    pub fn run(&self, directory: &Path, limit: Duration, stop: &AtomicBool) -> Option<Run> {
        let started = Instant::now();
        let files = ["control", "console", "complaints"].map(|name| directory.join(name));
        let ended = match self.needs.iter().find_map(Need::missing) {
            Some(missing) => Ended::NotStarted(missing),
            None => match self.start(directory, &files) {
                Ok(mut child) => child.wait(limit, stop)?,
                Err(error) => Ended::NotStarted(format!("{}: {error}", self.program)),
            },
        };
        // What was never written was left empty.
        let [control, console, complaints] = files.map(|file| text(&file).unwrap_or_default());
        Some(Run { ended, control, console, complaints, took: started.elapsed() })
    }

    /// Starts the child.
    fn start(&self, directory: &Path, [control, console, complaints]: &[PathBuf; 3]) -> io::Result<Running> {
        fs::create_dir_all(directory)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", &self.program]).args(&self.words).envs(self.settings.iter().copied());
        if self.has_control {
            command.arg("-serial").arg(format!("file:{}", control.display()));
        }
        command.stdin(Stdio::null()).stdout(File::create(console)?).stderr(File::create(complaints)?);
        command.process_group(0).spawn().map(Running)
    }
}

impl Need {
    /// Says that it is missing and how to get it; `None` if it is there.
    fn missing(&self) -> Option<String> {
        match self {
            Self::Program(name) => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let is_there = std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
                (!is_there).then(|| format!("{name} is missing: run `make setup`"))
            }
            Self::Built(file) => (!file.exists()).then(|| format!("{} is missing: run `make`", file.display())),
        }
    }
}

/// A child that runs. Dropping it ends it.
struct Running(Child);

impl Running {
    /// Waits for its end, or for `limit`. Returns `None` if `stop` became true.
    fn wait(&mut self, limit: Duration, stop: &AtomicBool) -> Option<Ended> {
        let started = Instant::now();
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Some(ended(status)),
                Err(error) => return Some(Ended::NotStarted(error.to_string())),
                Ok(None) if stop.load(Ordering::Relaxed) => return None,
                Ok(None) if started.elapsed() >= limit => return Some(Ended::OverLimit(limit)),
                Ok(None) => sleep(POLL),
            }
        }
    }

    fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Sends `signal` to the child and all that it started. It has not been waited for, so its number is still its own.
    fn signal(&self, signal: Signal) {
        // The one way to fail is that the group has ended, which is what is wanted.
        let _ = kill_process_group(Pid::from_child(&self.0), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.runs() {
            return;
        }
        self.signal(Signal::TERM);
        let patience = Instant::now() + GRACE;
        while self.runs() {
            if Instant::now() >= patience {
                self.signal(Signal::KILL);
                let _ = self.0.wait();
            }
            sleep(POLL);
        }
    }
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Status(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}

/// Reads a file that may hold any bytes.
fn text(file: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned())
}

/// Returns `word` as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=,./:+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Machine {
        Machine::by_script("sh", &["-c", script], &[])
    }

    fn run(machine: &Machine, limit: Duration, stop: bool) -> Option<Run> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        machine.run(&directory.path().join("run"), limit, &AtomicBool::new(stop))
    }

    #[test]
    fn a_machine_leaves_its_status_and_its_words() {
        let run = run(&shell("echo seen; echo wrong >&2; exit 33"), Duration::from_secs(60), false).expect("it ends");
        assert_eq!(run.ended, Ended::Status(33));
        assert_eq!((run.console.as_str(), run.complaints.as_str(), run.control.as_str()), ("seen\n", "wrong\n", ""));
    }

    #[test]
    fn a_machine_and_what_it_started_end_at_the_limit() {
        let limit = Duration::from_millis(300);
        let run = run(&shell("sleep 1000 & echo $!; wait"), limit, false).expect("it is ended");
        assert_eq!(run.ended, Ended::OverLimit(limit));
        let grandchild = Path::new("/proc").join(run.console.trim());
        // A process that has ended and that nobody has waited for yet is there without a command line.
        let runs = || fs::read(grandchild.join("cmdline")).is_ok_and(|words| !words.is_empty());
        let patience = Instant::now() + Duration::from_secs(10);
        while runs() && Instant::now() < patience {
            sleep(POLL);
        }
        assert!(!runs(), "the process {} still runs", run.console.trim());
    }

    #[test]
    fn a_machine_that_ignores_the_request_to_end_is_made_to() {
        let limit = Duration::from_millis(100);
        let stubborn = run(&shell("trap '' TERM; while :; do sleep 1; done"), limit, false).expect("it is ended");
        assert!(stubborn.took >= limit && stubborn.took < Duration::from_secs(30));
    }

    #[test]
    fn a_machine_that_is_stopped_leaves_nothing_to_judge() {
        assert!(run(&shell("sleep 1000"), Duration::from_secs(60), true).is_none());
    }

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        assert_eq!(Need::Program("sh").missing(), None);
        let program = Need::Program("no-such-tool").missing();
        assert_eq!(program.as_deref(), Some("no-such-tool is missing: run `make setup`"));
        let machine = Machine::by_kernel(Path::new("no-such.elf"), "32M", "test=noop");
        let run = run(&machine, Duration::from_secs(60), false).expect("it does not even start");
        assert!(matches!(run.ended, Ended::NotStarted(_)));
    }

    #[test]
    fn the_command_that_repeats_a_run_can_be_pasted_into_a_shell() {
        let machine = Machine::by_kernel(Path::new("a b.elf"), "32M", "test=noop");
        assert!(
            machine.repeat().contains(" -kernel 'a b.elf' -append test=noop -serial stdio "),
            "{}",
            machine.repeat()
        );
    }
}
