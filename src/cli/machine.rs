//! How much memory and how many cores this process may use: control groups, address-space limit and machine.

use std::path::Path;

/// Default of `--memory`: half of the tightest limit that applies to this process.
#[must_use]
pub fn default_memory() -> u64 {
    // Without any readable limit (no /proc) assume a small machine of 2 GiB.
    limit_under(Path::new("/")).unwrap_or(2 << 30) / 2
}

/// Cores this process may use; honours CPU sets and quotas.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// The tightest of machine memory, address-space limit and control groups of both versions, as seen below `root`.
fn limit_under(root: &Path) -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let machine = read("proc/meminfo").and_then(|t| {
        let kib: u64 = field(&t, "MemTotal:")?.parse().ok()?;
        kib.checked_mul(1024)
    });
    let address_space = read("proc/self/limits").and_then(|t| field(&t, "Max address space")?.parse().ok());
    let groups = read("proc/self/cgroup").unwrap_or_default();
    let grouped = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            c if c.split(',').any(|c| c == "memory") => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        tightest(&root.join(mount), path, file)
    });
    [machine, address_space].into_iter().flatten().chain(grouped).min()
}

/// First word after `name` on the line that starts with it.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|l| l.strip_prefix(name))?.split_whitespace().next()
}

/// The tightest limit of a control group and all its ancestors. Inside a container the path may be the host's, of which
/// only the root is visible; levels that are not there are passed over, and so is `max`.
fn tightest(mount: &Path, group: &str, file: &str) -> Option<u64> {
    let inside = mount.join(group.trim_start_matches('/'));
    inside
        .ancestors()
        .take_while(|p| p.starts_with(mount))
        .filter_map(|p| std::fs::read_to_string(p.join(file)).ok()?.trim().parse().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> Option<u64> {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        limit_under(dir.path())
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\n");

    #[test]
    fn nested_v2_group_takes_its_tightest_ancestor() {
        let limit = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/job/step\n"),
            ("sys/fs/cgroup/job/memory.max", "1073741824\n"),
            ("sys/fs/cgroup/job/step/memory.max", "max\n"),
        ]);
        assert_eq!(limit, Some(1 << 30));
    }

    #[test]
    fn container_that_sees_only_the_root_of_its_group() {
        let files = [MEMINFO, ("proc/self/cgroup", "0::/kubepods/pod1\n"), ("sys/fs/cgroup/memory.max", "536870912\n")];
        assert_eq!(machine(&files), Some(512 << 20));
    }

    #[test]
    fn v1_group_and_its_value_for_unlimited() {
        let group = ("proc/self/cgroup", "7:cpu:/x\n4:memory:/x\n");
        let limit = ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "268435456\n");
        assert_eq!(machine(&[MEMINFO, group, limit]), Some(256 << 20));
        let unlimited = ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(machine(&[MEMINFO, group, unlimited]), Some(16 << 30));
    }

    #[test]
    fn address_space_limit_counts_and_unlimited_does_not() {
        let line = "Max address space         2147483648           2147483648           bytes\n";
        assert_eq!(machine(&[MEMINFO, ("proc/self/limits", line)]), Some(2 << 30));
        let line = "Max address space         unlimited            unlimited            bytes\n";
        assert_eq!(machine(&[MEMINFO, ("proc/self/limits", line)]), Some(16 << 30));
        assert_eq!(machine(&[]), None);
    }
}
