//! What every process has: the names that Prometheus's own clients use, where the system tells.

use std::fs;

use super::sheet::Sheet;

/// The system's unit of processor time: it is the same on all of Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where what stands behind a process's name in `/proc/self/stat` has its processor time and its memory.
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;

pub(super) fn encode(sheet: &mut Sheet<'_>) -> std::fmt::Result {
    if let Some(seconds) = processor_seconds() {
        let help = "Processor time of the process, user's and system's";
        sheet.counter("process_cpu_seconds", help, [([], seconds)])?;
    }
    if let Some(bytes) = resident_bytes() {
        sheet.gauge("process_resident_memory_bytes", "Resident memory", [([], bytes)])?;
    }
    if let Some(files) = open_files() {
        sheet.gauge("process_open_fds", "Open files", [([], files as f64)])?;
    }
    if let Some(limit) = most_files() {
        sheet.gauge("process_max_fds", "Files that may be open", [([], limit as f64)])?;
    }
    Ok(())
}

fn processor_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name may have anything in it but ends with the last parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(USER_TIME)? + ticks(SYSTEM_TIME)?) / TICKS_PER_SECOND)
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

/// The files that the process has open, connections too; none where the system does not tell.
pub(crate) fn open_files() -> Option<usize> {
    // One of them is the folder itself.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}

/// How many it may have open.
pub(crate) fn most_files() -> Option<u64> {
    rlimit::getrlimit(rlimit::Resource::NOFILE).ok().map(|(soft, _)| soft)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells() {
        assert!(processor_seconds().unwrap() >= 0.0);
        assert!(resident_bytes().unwrap() > 1e6);
        assert!(open_files().unwrap() >= 3);
    }
}
