//! What a table was measured on.

use std::fs;
use std::process::Command;

/// The processor, its cores, versions and the date, in one line, and how busy the machine is.
pub fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let busy = read("/proc/loadavg");
    let load = busy.split(' ').next().unwrap_or("unknown").to_owned();
    format!(
        "{}, {cores} cores; {}; Linux {}; {}; load average at the start {load}",
        processor(),
        output("rustc", &["--version"]),
        read("/proc/sys/kernel/osrelease").trim(),
        output("date", &["-u", "+%Y-%m-%d"]),
    )
}

/// The first line that a program prints, or that there is none.
pub fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let first = text
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned));
    first.unwrap_or_else(|| format!("no {program}"))
}

fn processor() -> String {
    let cpuinfo = read("/proc/cpuinfo");
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value
            .map_or("unknown", |(_, value)| value.trim())
            .to_owned()
    };
    let sha = if field("flags").split(' ').any(|flag| flag == "sha_ni") {
        "with SHA instructions"
    } else {
        "without SHA instructions"
    };
    format!(
        "{} (family {}, model {}, {sha})",
        field("model name"),
        field("cpu family"),
        field("model\t"),
    )
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
