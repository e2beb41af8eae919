//! What is generated for shells and for `man`.

use crate::program::pgtrack;

fn prints(arguments: &[&str]) -> String {
    let output = pgtrack().args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn shells_complete_commands() {
    for (shell, sign) in [
        ("bash", "complete -F _pgtrack"),
        ("zsh", "#compdef pgtrack"),
        ("fish", "complete -c pgtrack"),
    ] {
        let script = prints(&["completions", shell]);
        assert!(script.contains(sign) && script.contains("on-conflict"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let directory = std::env::temp_dir().join(format!("pgtrack-man-{}", std::process::id()));
    prints(&["man", "--directory", directory.to_str().unwrap()]);
    for page in ["pgtrack.1", "pgtrack-undo.1", "pgtrack-serve.1"] {
        let text = std::fs::read_to_string(directory.join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    assert!(prints(&["man"]).contains("Exit codes"));
    std::fs::remove_dir_all(directory).unwrap();
}
