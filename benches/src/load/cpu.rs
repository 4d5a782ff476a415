//! Processor time and memory of a process, as the kernel tells them.

use std::fs;
use std::time::{Duration, Instant};

use super::error::LoadError;

/// The unit of the times in `/proc/stat`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures a process from one instant to another.
///
/// The kernel books a thread's time when the thread leaves its processor, so both ends should be
/// instants at which the process has nothing to do.
#[derive(Debug)]
pub struct Meter {
    pid: u32,
    at: Instant,
    nanos: u64,
    own: u64,
    busy: f64,
}

/// What a [`Meter`] found.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// How long it measured.
    pub wall: Duration,
    /// Nanoseconds of processor time of the process.
    pub nanos: u64,
    /// How many processors were busy with neither the process nor the bench.
    pub others: f64,
}

impl Meter {
    /// Begins to measure a process.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn start(pid: u32) -> Result<Self, LoadError> {
        let (nanos, own) = (process_nanos(pid)?, process_nanos(std::process::id())?);
        Ok(Self { pid, at: Instant::now(), nanos, own, busy: machine_busy()? })
    }

    /// What was used since.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn stop(&self) -> Result<Used, LoadError> {
        let wall = self.at.elapsed();
        let nanos = process_nanos(self.pid)?.saturating_sub(self.nanos);
        let own = process_nanos(std::process::id())?.saturating_sub(self.own);
        let busy = machine_busy()? - self.busy;
        let others = (busy - (nanos + own) as f64 / 1e9) / wall.as_secs_f64();
        Ok(Used { wall, nanos, others: others.max(0.0) })
    }
}

/// Nanoseconds of processor time of all threads of a process.
///
/// # Errors
/// When there is no such process, or the kernel keeps no such account.
pub fn process_nanos(pid: u32) -> Result<u64, LoadError> {
    let path = format!("/proc/{pid}/task");
    let tasks = fs::read_dir(&path).map_err(|error| LoadError::Proc { path, error })?;
    let mut sum = 0;
    let mut threads = 0;
    for task in tasks.flatten() {
        // A thread may end while it is looked at.
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
        let nanos = text.split_whitespace().next().and_then(|text| text.parse::<u64>().ok());
        sum += nanos.unwrap_or(0);
        threads += 1;
    }
    if threads == 0 {
        return Err(unknown(format!("/proc/{pid}/task/*/schedstat")));
    }
    Ok(sum)
}

/// Resident memory of a process in KiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_kib(pid: u32) -> Result<u64, LoadError> {
    let path = format!("/proc/{pid}/status");
    let text = read(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    figure.ok_or_else(|| unknown(path))
}

/// The processor's name, and how many of them this process may use.
#[must_use]
pub fn processor() -> (String, usize) {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let name = name.map_or("unknown", |(_, name)| name.trim()).to_owned();
    (name, std::thread::available_parallelism().map_or(1, usize::from))
}

/// Seconds of processor time that the whole machine has used.
fn machine_busy() -> Result<f64, LoadError> {
    const PATH: &str = "/proc/stat";
    let text = read(PATH)?;
    // user nice system idle iowait irq softirq steal
    let line = text.lines().next().and_then(|line| line.strip_prefix("cpu"));
    let line = line.ok_or_else(|| unknown(PATH.to_owned()))?;
    let ticks: Vec<f64> = line.split_whitespace().filter_map(|text| text.parse().ok()).collect();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    Ok((ticks.iter().take(8).sum::<f64>() - idle) / TICKS_PER_SECOND)
}

fn read(path: &str) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|error| LoadError::Proc { path: path.to_owned(), error })
}

fn unknown(path: String) -> LoadError {
    LoadError::Proc { path, error: std::io::Error::other("has not the figure that is looked for") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_in_the_time_of_its_process() {
        let pid = std::process::id();
        let before = process_nanos(pid).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while process_nanos(pid).unwrap() == before {
            assert!(Instant::now() < until, "the time does not advance");
        }
        assert!(resident_kib(pid).unwrap() > 0);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(process_nanos(0).is_err());
        assert!(resident_kib(0).is_err());
    }
}
