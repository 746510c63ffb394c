//! A session with the reference machine: how it is started, and what is read of it.
//!
//! Decision: docs/src/decisions/0005-reference-machine-without-acpi.md.

use super::log;
use super::qmp::Qmp;
use super::registers::Registers;
use crate::child::Running;
use crate::memory::Ram;
use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::json;
use std::fs::{self, File};
use std::io::{self, ErrorKind, PipeWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::string::FromUtf8Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The program that plays the machine.
pub const QEMU: &str = "qemu-system-i386";

/// The file of a machine's drive.
pub const DRIVE: &str = "drive";

/// How long QEMU may take to connect to the grader.
const CONNECT: Duration = Duration::from_secs(30);

/// How often a machine that is being waited for is looked at.
pub(super) const POLL: Duration = Duration::from_millis(1);

/// What to boot, and on how much memory.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The kernel, which QEMU loads itself.
    pub kernel: PathBuf,
    /// How much memory, as QEMU reads it.
    pub memory: String,
    /// The kernel's command line.
    pub command_line: String,
    /// Whether it has the programs, as modules: those in `programs` beside the kernel.
    pub programs: bool,
    /// How many MiB its drive has, if it has one.
    pub drive: Option<u32>,
    /// Whether time is counted in instructions, so that two runs are the same.
    pub deterministic: bool,
}

impl Reference {
    /// Returns QEMU's args for the machine alone, whose drive, if it has one, is the file `drive`. ACPI is off because its tables
    /// would take frames from the end of memory.
    fn args(&self, drive: &str) -> Vec<String> {
        let args = [
            ["-accel", "tcg"],
            ["-m", &self.memory],
            ["-display", "none"],
            ["-vga", "std"],
            ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
            ["-kernel", &self.kernel.display().to_string()],
            ["-append", &self.command_line],
        ];
        let mut args: Vec<String> = args.as_flattened().iter().map(|&word| word.into()).collect();
        if self.programs {
            // QEMU takes a comma for the end of a file's name, unless there are two.
            let files =
                self.programs().iter().map(|file| file.display().to_string().replace(',', ",,")).collect::<Vec<_>>();
            args.extend(["-initrd".into(), files.join(",")]);
        }
        if self.drive.is_some() {
            args.extend(["-drive".into(), format!("file={},format=raw,if=ide,index=0", drive.replace(',', ",,"))]);
        }
        args.push("-nodefaults".into());
        if self.deterministic {
            args.extend(["-icount".into(), "shift=0,sleep=off".into()]);
        }
        args
    }

    /// Returns the files of the programs, in the order of their names.
    fn programs(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.kernel.with_file_name("programs")).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
        files.sort();
        files
    }

    /// Returns how many frames its modules take.
    pub fn module_frames(&self) -> u32 {
        let files = if self.programs { self.programs() } else { Vec::new() };
        files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len().div_ceil(4096) as u32).sum()
    }

    /// Returns QEMU's args for a person who wants to see the machine, with the console on the terminal. Its drive, if it has one, is
    /// the file [`DRIVE`].
    pub fn args_for_people(&self) -> Vec<String> {
        let more = ["-no-reboot", "-machine", "pc,acpi=off", "-serial", "stdio", "-serial", "null"];
        self.args(DRIVE).into_iter().chain(more.map(String::from)).collect()
    }

    /// Starts the machine, with its files and sockets in `dir`, which is emptied. What code it runs is always logged; if its
    /// exceptions and interrupts are to be `logged` too, it is slower.
    ///
    /// # Errors
    ///
    /// If it does not start; what QEMU says about that is in `dir`.
    pub fn start(&self, dir: &Path, logged: bool) -> io::Result<Session> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(dir)?,
        }
        let file = |name: &str| dir.join(name).display().to_string();
        let monitor = UnixListener::bind(dir.join("qmp"))?;
        // A file without a name, in memory: no disk has to keep up with it, and it goes when both have closed it, even if the
        // grader is killed.
        let memory = File::from(memfd_create("ram", MemfdFlags::CLOEXEC)?);
        let path = format!("/proc/{}/fd/{}", process::id(), memory.as_raw_fd());
        let drive = self.drive.map(|mebibytes| new_drive(&dir.join(DRIVE), mebibytes)).transpose()?;
        let mut args = self.args(&file(DRIVE));
        args.extend([
            "-object".into(),
            format!("memory-backend-file,id=ram,size={},share=on,mem-path={path}", self.memory),
            "-machine".into(),
            "pc,acpi=off,memory-backend=ram".into(),
            "-action".into(),
            "reboot=shutdown,shutdown=pause,panic=pause".into(),
            "-device".into(),
            "pvpanic".into(),
            "-chardev".into(),
            format!("socket,id=qmp,path={}", file("qmp")),
            "-mon".into(),
            "chardev=qmp,mode=control".into(),
            "-serial".into(),
            format!("file:{}", file("console")),
            "-serial".into(),
            "stdio".into(),
            "-D".into(),
            file("log"),
            "-d".into(),
            if logged { format!("{},{}", log::CODE, log::EXCEPTIONS) } else { log::CODE.into() },
            "-S".into(),
        ]);
        let output = [File::create(dir.join("com2"))?, File::create(dir.join("stderr"))?];
        let control = File::open(dir.join("com2"))?;
        let (input, told) = io::pipe()?;
        let mut child = Running::start(QEMU, &args, &[], input, output)?;
        let until = Instant::now() + CONNECT;
        // QEMU speaks when all devices are there.
        let mut qmp = Qmp::new(accept(&monitor, &mut child, until)?)?;
        let ram = Ram::new(memory)?;
        qmp.command("cont", json!({}))?;
        Ok(Session {
            qmp,
            child,
            control,
            told,
            heard: Vec::new(),
            ram,
            drive,
            dir: dir.into(),
            worked: Duration::ZERO,
        })
    }
}

/// Makes the file of an empty drive.
fn new_drive(path: &Path, mebibytes: u32) -> io::Result<Ram> {
    File::create(path)?.set_len(u64::from(mebibytes) << 20)?;
    Ram::new(File::open(path)?)
}

/// Waits for QEMU to connect.
fn accept(listener: &UnixListener, child: &mut Running, until: Instant) -> io::Result<UnixStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            Err(_) if child.exit()?.is_some() => return Err(io::Error::other("QEMU ended before it connected")),
            Err(_) if Instant::now() >= until => return Err(ErrorKind::TimedOut.into()),
            Err(_) => sleep(POLL),
        }
    }
}

/// A machine that was started. Dropping it ends it.
#[derive(Debug)]
pub struct Session {
    pub(super) qmp: Qmp,
    pub(super) child: Running,
    pub(super) control: File,
    pub(super) told: PipeWriter,
    pub(super) heard: Vec<u8>,
    pub(super) ram: Ram,
    pub(super) drive: Option<Ram>,
    pub(super) dir: PathBuf,
    /// How long processors have worked for it, when it was looked at last.
    pub(super) worked: Duration,
}

impl Session {
    /// Returns how long processors have worked for it, when it was looked at last.
    pub fn worked(&self) -> Duration {
        self.worked
    }

    /// Returns the machine's memory.
    pub fn ram(&self) -> &Ram {
        &self.ram
    }

    /// Returns what is on the machine's drive, if it has one.
    pub fn drive(&self) -> Option<&Ram> {
        self.drive.as_ref()
    }

    /// Returns the processor's registers. While the machine runs, EIP may be a little behind.
    ///
    /// # Errors
    ///
    /// If QEMU does not answer.
    pub fn registers(&mut self) -> io::Result<Registers> {
        let text = self.qmp.monitor("info registers")?;
        Registers::read(&text).ok_or_else(|| io::Error::other(format!("QEMU's registers are unreadable: {text}")))
    }

    /// Returns QEMU's log so far.
    pub fn log(&self) -> String {
        self.log_since(0)
    }

    /// Returns QEMU's log from this byte on; nothing if there is none.
    pub(super) fn log_since(&self, start: u64) -> String {
        let mut bytes = Vec::new();
        let file = File::open(self.dir.join("log")).and_then(|mut file| {
            file.seek(SeekFrom::Start(start))?;
            file.read_to_end(&mut bytes)
        });
        let lossy = |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
        file.map_or_else(|_| String::new(), |_| String::from_utf8(bytes).unwrap_or_else(lossy))
    }

    pub(super) fn log_length(&self) -> u64 {
        fs::metadata(self.dir.join("log")).map_or(0, |log| log.len())
    }

    /// Returns what people have seen so far.
    pub fn console(&self) -> String {
        read(&self.dir.join("console"))
    }

    /// Returns all that came over the control channel so far.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// Takes in what has come over the control channel. While the machine stands still, nothing is missing afterwards.
    pub(super) fn listen(&mut self) -> io::Result<()> {
        self.control.read_to_end(&mut self.heard).map(|_| ())
    }

    /// Sends a line over the control channel to a machine that stands still. On return it has all arrived.
    pub(super) fn tell(&mut self, line: &str) -> io::Result<()> {
        self.told.write_all(format!("{line}\n").as_bytes())?;
        // QEMU hands the port a byte or more each time around its loop, which every command goes through.
        for _ in 0..2 * line.len() {
            self.qmp.command("query-status", json!({}))?;
        }
        Ok(())
    }

    /// Saves the screen as a picture.
    ///
    /// # Errors
    ///
    /// If QEMU does not.
    pub fn screen(&mut self, file: &Path) -> io::Result<()> {
        self.qmp.command("screendump", json!({"filename": file.display().to_string(), "format": "png"})).map(|_| ())
    }
}

/// Reads a file that may be missing and may hold any bytes.
pub fn read(file: &Path) -> String {
    fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
