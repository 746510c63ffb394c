//! Machines: what can be run and judged, and the running of one.

use crate::audit::Auditor;
use crate::child::Running;
use crate::post_mortem::PostMortem;
use crate::preflight;
use crate::qemu::{self, DRIVE, QEMU, Reference, Session, Time, log};
use crate::run::{Checkpoint, Ended, Run};
use crate::symbols::Symbols;
use crate::verdict::{Expects, Verdict, judge};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a script that runs is looked at.
const POLL: Duration = Duration::from_millis(2);

/// A machine that can be started.
#[derive(Clone, Debug)]
pub enum Machine {
    /// The reference machine, under the grader's eyes.
    Reference(Reference),
    /// A machine that a script starts; all that is known of it is its console and the script's exit status.
    Script(Script),
}

/// A program that starts a machine.
#[derive(Clone, Debug)]
pub struct Script {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is set in its environment.
    pub env: Vec<(&'static str, &'static str)>,
}

/// Where and how a machine is run.
#[derive(Clone, Debug)]
pub struct RunContext<'a> {
    /// A directory for its files and sockets, of its own.
    pub dir: PathBuf,
    /// The time that it gets. Of a script all is counted on the clock.
    pub time: Time,
    /// What random tests start with.
    pub seed: u32,
    /// Becomes true when the grader is to end.
    pub stop: &'a AtomicBool,
}

/// A run that has been judged.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What the machine left behind.
    pub run: Run,
    /// What that is worth.
    pub verdict: Verdict,
    /// What the machine looked like when it was stopped, if it did not pass.
    pub post_mortem: Option<PostMortem>,
}

impl Judged {
    /// Makes the judgement on a machine that was not started.
    pub fn unstarted(verdict: Verdict) -> Self {
        Self { run: Run::nothing(Ended::NotStarted(String::new())), verdict, post_mortem: None }
    }
}

impl Machine {
    /// Returns the command that starts the machine for a person, with the console on the terminal.
    pub fn command(&self) -> String {
        match self {
            Self::Reference(reference) => {
                let args = reference.args_for_people();
                let drive = reference.drive.map(|mebibytes| format!("truncate -s {mebibytes}M {DRIVE} &&"));
                drive
                    .into_iter()
                    .chain([QEMU.into()])
                    .chain(args.iter().map(|word| quoted(word)))
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            Self::Script(script) => {
                let env = script.env.iter().map(|(name, value)| format!("{name}={value}"));
                let args = script.args.iter().map(|word| quoted(word));
                env.chain([script.program.clone()]).chain(args).collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// Runs the machine and judges it. Returns `None` if it was stopped meanwhile.
    pub fn run(&self, expects: &Expects, context: &RunContext<'_>) -> Option<Judged> {
        match self {
            Self::Reference(reference) => Attempt { reference, expects, context }.run(),
            Self::Script(script) => {
                let run = script.run(context)?;
                let verdict = judge(expects, &run);
                Some(Judged { run, verdict, post_mortem: None })
            }
        }
    }
}

impl Script {
    fn run(&self, context: &RunContext<'_>) -> Option<Run> {
        let started = Instant::now();
        let [console, stderr] = ["console", "stderr"].map(|name| context.dir.join(name));
        let start = || -> io::Result<Running> {
            fs::create_dir_all(&context.dir)?;
            let output = [File::create(&console)?, File::create(&stderr)?];
            Running::start(&self.program, &self.args, &self.env, Stdio::null(), output)
        };
        let ended = match start() {
            Ok(mut child) => wait(&mut child, context)?,
            Err(error) => Ended::NotStarted(format!("{}: {error}", self.program)),
        };
        let (console, stderr) = (qemu::read(&console), qemu::read(&stderr));
        Some(Run { console, stderr, took: started.elapsed(), ..Run::nothing(ended) })
    }
}

/// Waits for the end of a child, or for the limit. Returns `None` if it was stopped.
fn wait(child: &mut Running, context: &RunContext<'_>) -> Option<Ended> {
    let started = Instant::now();
    loop {
        match child.exit() {
            Ok(Some(exit)) => return Some(exit.into()),
            Err(error) => return Some(Ended::NotStarted(error.to_string())),
            Ok(None) if context.stop.load(Ordering::Relaxed) => return None,
            Ok(None) if started.elapsed() >= context.time.clock => return Some(Ended::OverLimit(context.time.clock)),
            Ok(None) => sleep(POLL),
        }
    }
}

/// The running of a reference machine, once or, for a closer look, twice.
struct Attempt<'a> {
    reference: &'a Reference,
    expects: &'a Expects,
    context: &'a RunContext<'a>,
}

impl Attempt<'_> {
    fn run(&self) -> Option<Judged> {
        if let Some(missing) = preflight::missing(&self.reference.kernel) {
            return Some(Judged::unstarted(Verdict::Infrastructure(missing)));
        }
        let symbols = Symbols::read(&self.reference.kernel);
        let audited = self.checkpoints().iter().any(Checkpoint::is_close);
        let (mut session, mut run) = self.once("", audited, &symbols)?;
        // Whoever ends a machine from outside may not come again.
        if run.was_killed() {
            (session, run) = self.once("-again", audited, &symbols)?;
        }
        let mut verdict = judge(self.expects, &run);
        if verdict != Verdict::Pass
            && let Some(full) = preflight::full(&self.context.dir)
        {
            return Some(Judged::unstarted(Verdict::Infrastructure(full)));
        }
        let Some(mut session) = session.filter(|_| verdict != Verdict::Pass) else {
            return Some(Judged { run, verdict, post_mortem: None });
        };
        // What ended of its own accord does so again, with all exceptions logged.
        if !audited && matches!(run.ended, Ended::Frozen | Ended::Reset) {
            let (second, again) = self.once("-closer", true, &symbols)?;
            if let Some(second) = second.filter(|_| again.ended == run.ended) {
                session = second;
            }
        }
        if run.ended == Ended::Reset
            && let Some(chain) = log::triple_fault(&session.log())
        {
            run.ended = Ended::TripleFault(chain);
            verdict = judge(self.expects, &run);
        }
        let picture = self.context.dir.with_extension("png");
        let post_mortem = PostMortem::new(&mut session, &symbols, &picture).ok();
        Some(Judged { run, verdict, post_mortem })
    }

    /// Runs the machine once. It comes back too, unless it has gone.
    fn once(&self, suffix: &str, logged: bool, symbols: &Symbols) -> Option<(Option<Session>, Run)> {
        let started = Instant::now();
        let mut dir = self.context.dir.clone().into_os_string();
        dir.push(suffix);
        let dir = PathBuf::from(dir);
        let mut session = match self.reference.start(&dir, logged) {
            Ok(session) => session,
            Err(error) => {
                let complaint = qemu::read(&dir.join("stderr")).lines().next().map(String::from);
                let reason = match complaint {
                    Some(complaint) => format!("{complaint} (QEMU 6.0 or newer must be here: see `make doctor`)"),
                    None => format!("{QEMU} with its files in {}: {error}", dir.display()),
                };
                return Some((None, Run::nothing(Ended::NotStarted(reason))));
            }
        };
        let mut auditor = Auditor::new(self.reference.kernel.clone(), self.context.seed, self.checkpoints());
        auditor.programs = self.reference.module_frames();
        let ended = session.watch(self.context.time, self.context.stop, symbols, &mut auditor)?;
        let gone = matches!(ended, Ended::Status(_) | Ended::Signal(_) | Ended::NotStarted(_));
        let run = Run {
            ended,
            ran: true,
            control: session.heard(),
            console: session.console(),
            stderr: qemu::read(&dir.join("stderr")),
            findings: auditor.findings,
            held: auditor.held,
            passed: auditor.passed,
            took: started.elapsed(),
            worked: session.worked(),
        };
        Some(((!gone).then_some(session), run))
    }

    fn checkpoints(&self) -> &[Checkpoint] {
        match self.expects {
            Expects::Test { checkpoints, .. } => checkpoints,
            Expects::Boot { .. } => &[],
        }
    }
}

/// Returns `word` as a shell takes it.
pub fn quoted(word: &str) -> String {
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
    use std::path::Path;

    fn run(script: &str, limit: Duration, stop: bool) -> Option<Run> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let script = Script { program: "sh".into(), args: vec!["-c".into(), script.into()], env: Vec::new() };
        let stop = AtomicBool::new(stop);
        let time = Time { limit, clock: limit };
        script.run(&RunContext { dir: directory.path().join("run"), time, seed: 0, stop: &stop })
    }

    #[test]
    fn a_machine_leaves_its_status_and_its_words() {
        let run = run("echo seen; echo wrong >&2; exit 33", Duration::from_secs(60), false).expect("it ends");
        assert_eq!(run.ended, Ended::Status(33));
        assert_eq!((run.console.as_str(), run.stderr.as_str(), run.control.as_str()), ("seen\n", "wrong\n", ""));
    }

    #[test]
    fn a_machine_and_what_it_started_end_at_the_limit() {
        let limit = Duration::from_millis(300);
        let run = run("sleep 1000 & echo $!; wait", limit, false).expect("it is ended");
        assert_eq!(run.ended, Ended::OverLimit(limit));
        let grandchild = Path::new("/proc").join(run.console.trim());
        // A process that has ended and that nobody has waited for yet is there without a command line.
        let runs = || fs::read(grandchild.join("cmdline")).is_ok_and(|args| !args.is_empty());
        let patience = Instant::now() + Duration::from_secs(10);
        while runs() && Instant::now() < patience {
            sleep(POLL);
        }
        assert!(!runs(), "process {} still runs", run.console.trim());
    }

    #[test]
    fn a_machine_that_is_stopped_leaves_nothing_to_judge() {
        assert!(run("sleep 1000", Duration::from_secs(60), true).is_none());
    }

    #[test]
    fn the_command_of_a_machine_can_be_pasted_into_a_shell() {
        let machine = Machine::Reference(Reference {
            kernel: "a b.elf".into(),
            memory: "32M".into(),
            command_line: "test=noop".into(),
            programs: false,
            drive: Some(4),
            deterministic: false,
        });
        let command = machine.command();
        assert!(command.starts_with("truncate -s 4M drive && qemu-system-i386 "), "{command}");
        assert!(command.contains(" -kernel 'a b.elf' -append test=noop ") && command.contains(" -serial stdio "));
    }
}
