//! The shell around the verbs: help, errors, JSON, completions.

use crate::{Run, regrow};

#[test]
fn nothing_given_is_a_short_help_on_stderr() {
    let run = regrow(&[]);
    assert_eq!(run.code, 2);
    assert!(run.out.is_empty());
    assert!(run.err.contains("usage: regrow VERB") && run.err.lines().count() <= 3, "{}", run.err);
}

#[test]
fn help_and_version_are_results() {
    for flag in ["--help", "-h", "--version"] {
        let run = regrow(&[flag]);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{flag}");
        assert!(run.out.contains("regrow"), "{flag}");
    }
}

#[test]
fn errors_are_one_line_and_with_json_one_object() {
    let check = |run: &Run| {
        assert_eq!(run.code, 2);
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    };
    let text = regrow(&["completions", "bsh"]);
    check(&text);
    assert!(text.err.starts_with("regrow: error: ") && text.err.contains("bash"), "{}", text.err);
    let json = regrow(&["completions", "bsh", "--json", "--log-format", "json"]);
    check(&json);
    let log: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!(log["level"], "error");
    let object: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&object["error"]["kind"], &object["error"]["exit_code"]), (&"usage".into(), &2.into()));
}

#[test]
fn completions_and_manual_name_the_verbs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = regrow(&["completions", shell]);
        assert!(run.code == 0 && run.out.contains("completions"), "{shell}");
    }
    let page = regrow(&["man"]);
    assert!(page.code == 0 && page.out.contains(".TH regrow"), "{}", page.out);
    assert_eq!(regrow(&["man", "completions"]).code, 0);
    assert_eq!(regrow(&["man", "nope"]).code, 2);
}
