//! What the kernel knows about a process.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Kernel clock ticks per second as `/proc/<pid>/stat` counts them; fixed on Linux for programs.
const TICKS_PER_SECOND: u64 = 100;

/// A process by its id. It may have ended since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process(pub u32);

impl Process {
    /// Whether it runs. A zombie does not.
    pub fn is_alive(self) -> bool {
        self.stat()
            .is_some_and(|fields| !matches!(fields.first().map(String::as_str), Some("Z" | "X")))
    }

    /// Kills it at once, as `kill -9` does.
    pub fn kill(self) {
        self.signal(Signal::SIGKILL);
    }

    /// Asks it to end.
    pub fn terminate(self) {
        self.signal(Signal::SIGTERM);
    }

    fn signal(self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.0) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Resident memory in kB; 0 when the process is gone.
    pub fn rss_kb(self) -> u64 {
        self.status_kb("VmRSS:")
    }

    /// The most resident memory it ever had, in kB; 0 when the process is gone.
    pub fn peak_rss_kb(self) -> u64 {
        self.status_kb("VmHWM:")
    }

    /// Open file descriptors; 0 when the process is gone.
    pub fn open_files(self) -> usize {
        fs::read_dir(self.path("fd"))
            .map(Iterator::count)
            .unwrap_or(0)
    }

    /// Threads; 0 when the process is gone.
    pub fn threads(self) -> usize {
        fs::read_dir(self.path("task"))
            .map(Iterator::count)
            .unwrap_or(0)
    }

    /// Processor time used so far, user and system, in milliseconds (10 ms steps).
    pub fn cpu_ms(self) -> u64 {
        let Some(fields) = self.stat() else { return 0 };
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|f| f.parse::<u64>().ok())
                .unwrap_or(0)
        };
        // Fields 14 and 15 of proc(5); `stat` starts at field 3.
        (ticks(11) + ticks(12)) * 1_000 / TICKS_PER_SECOND
    }

    /// Processor time used so far in microseconds, from the scheduler's own account, which is
    /// finer than [`Self::cpu_ms`] but forgets threads that have ended.
    pub fn cpu_us_of_live_threads(self) -> u64 {
        let Ok(tasks) = fs::read_dir(self.path("task")) else {
            return 0;
        };
        tasks
            .flatten()
            .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()))
            .sum::<u64>()
            / 1_000
    }

    /// The command line it was started with.
    pub fn command(self) -> Vec<String> {
        let bytes = fs::read(self.path("cmdline")).unwrap_or_default();
        bytes
            .split(|byte| *byte == 0)
            .filter(|part| !part.is_empty())
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    }

    /// The processes it has started and that still run.
    pub fn children(self) -> Vec<Process> {
        let mut children: Vec<Process> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .map(Process)
            .filter(|process| process.parent() == Some(self) && process.is_alive())
            .collect();
        children.sort_by_key(|process| process.0);
        children
    }

    /// The process that started it.
    pub fn parent(self) -> Option<Process> {
        self.stat()?.get(1)?.parse().ok().map(Process)
    }

    /// The fields of `/proc/<pid>/stat` after the program name, which may contain blanks.
    fn stat(self) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.path("stat")).ok()?;
        let (_, rest) = text.rsplit_once(')')?;
        Some(rest.split_whitespace().map(str::to_owned).collect())
    }

    /// A line of `/proc/<pid>/status` in kB.
    fn status_kb(self, name: &str) -> u64 {
        fs::read_to_string(self.path("status"))
            .unwrap_or_default()
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok())
            .unwrap_or(0)
    }

    fn path(self, file: &str) -> std::path::PathBuf {
        Path::new("/proc").join(self.0.to_string()).join(file)
    }
}
