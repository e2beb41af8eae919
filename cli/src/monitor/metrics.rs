//! The metrics, as text. docs/proxy.md explains them.

use std::fmt::Write as _;
use std::fs;

use pgtrack_proxy::{Control, Watch};

/// Everything there is to say now.
pub(super) fn text(proxy: &Control, is_reloaded: bool) -> String {
    let mut text = Text(String::new());
    let counters = proxy.counters();
    for (name, help, value) in [
        ("connections", "Client connections accepted.", &counters.connections),
        ("sessions", "Sessions begun with an upstream.", &counters.sessions),
        ("cancels", "Cancel requests forwarded.", &counters.cancels),
        ("violations", "Connections that broke the protocol.", &counters.violations),
        ("refused_sessions", "Sessions beyond a limit.", &counters.refused),
        ("unreachable", "Sessions whose upstream was not reached.", &counters.unreachable),
        ("panics", "Connections ended by a bug.", &counters.panics),
    ] {
        let name = format!("pgtrack_proxy_{name}_total");
        text.family(&name, "counter", help);
        text.sample(&name, "", value.value());
    }
    for (name, help, client, upstream) in [
        (
            "messages",
            "Messages in sessions that have ended.",
            &counters.client_messages,
            &counters.upstream_messages,
        ),
        (
            "bytes",
            "Bytes in sessions that have ended.",
            &counters.client_bytes,
            &counters.upstream_bytes,
        ),
    ] {
        let name = format!("pgtrack_proxy_{name}_total");
        text.family(&name, "counter", help);
        text.sample(&name, "{from=\"client\"}", client.value());
        text.sample(&name, "{from=\"upstream\"}", upstream.value());
    }
    if let Some(watch) = proxy.watch() {
        analysis(&mut text, &watch);
    }
    let gauge = |text: &mut Text, name: &str, help: &str, value: u64| {
        text.family(name, "gauge", help);
        text.sample(name, "", value);
    };
    let open = u64::try_from(proxy.open_sessions()).unwrap_or(u64::MAX);
    gauge(&mut text, "pgtrack_proxy_open_sessions", "Sessions that are open.", open);
    let reloaded = u64::from(is_reloaded);
    let help = "Whether the last reload of the configuration succeeded.";
    gauge(&mut text, "pgtrack_config_last_reload_success", help, reloaded);

    let name = "pgtrack_proxy_upstream_role";
    text.family(name, "gauge", "What a server is, where that matters: the role with 1.");
    for (server, role) in proxy.roles() {
        let role = role.map_or("unreachable", pgtrack_proxy::Role::name);
        text.sample(name, &format!("{{server=\"{server}\",role=\"{role}\"}}"), 1);
    }
    if let Some(kib) = resident_kib() {
        let help = "Resident memory of the program.";
        gauge(&mut text, "process_resident_memory_bytes", help, kib * 1024);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        let count = u64::try_from(files.count()).unwrap_or(u64::MAX);
        gauge(&mut text, "process_open_fds", "Open files and connections.", count);
    }
    text.family("pgtrack_build_info", "gauge", "The version, with 1.");
    let version = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    text.sample("pgtrack_build_info", &version, 1);
    text.0
}

/// What could not be analysed in the sessions.
fn analysis(text: &mut Text, watch: &Watch) {
    let name = "pgtrack_proxy_unanalysed_total";
    text.family(name, "counter", "Texts that might have mattered and were not analysed.");
    let counters = watch.not_analysed();
    for (reason, counter) in [
        ("dropped", &counters.dropped),
        ("late", &counters.late),
        ("too_long", &counters.too_long),
        ("not_understood", &counters.not_understood),
    ] {
        text.sample(name, &format!("{{reason=\"{reason}\"}}"), counter.value());
    }
    let name = "pgtrack_proxy_unanalysed_refused_total";
    text.family(name, "counter", "Messages refused because it is not known what they do.");
    text.sample(name, "", counters.refused.value());
    let name = "pgtrack_proxy_analysis_queue";
    text.family(name, "gauge", "Texts that wait for their analysis.");
    text.sample(name, "", watch.metrics().queue_depth as u64);
}

struct Text(String);

// Writing to a String cannot fail.
impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
